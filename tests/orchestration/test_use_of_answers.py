"""Trust and judged answers from a table to a check, through profiles and a recorded baseline."""

from dataclasses import dataclass

import dagster as dg
import polars as pl
import pytest

from aiguard_dagster import record_baseline
from aiguard_dagster.adapters.engines.people import hash_of
from aiguard_dagster.orchestration.accepted import load_accepted
from aiguard_dagster.orchestration.keys import check_key
from aiguard_dagster.signals.baseline import baseline_to_json
from tests.orchestration.project import DAY, DAYS, FIRST, Project, guard

ANSWERS = {
    "asset": "answers",
    "time": "at",
    "user": "who",
    "decision": "decided",
    "request": "asked",
}
MADE_UP = {
    "name": "made_up",
    "signal": {
        "kind": "hallucination",
        "table": "answers",
        "verdict": "judged",
        "window": "2d",
        "min_samples": 50,
    },
    "limit": "20%",
}
TRUSTED = {
    "name": "trusted",
    "signal": {"kind": "trust", "table": "answers", "window": "2d"},
    "limit": {"below_baseline": "20%"},
}
BACK = {
    "name": "back",
    "signal": {
        "kind": "trust",
        "metric": "returning",
        "table": "answers",
        "window": "2d",
        "baseline": "first 4d",
    },
    "limit": {"below_baseline": "20%"},
}
PEOPLE = 40


def answers_of(start, *, accepted=0.8, wrong=0.1, judged=1.0, bot=0, back=1.0, version="1"):
    """A day on which each person asks twice."""
    number = int((start - FIRST) / DAY)
    here = [p for p in range(PEOPLE) if number % 2 == 0 or p < back * PEOPLE]
    rows = [
        {
            "who": f"person {person}",
            "decided": "accepted" if (person + 0.5) / PEOPLE < accepted else "rejected",
            "judged": None
            if (person + 0.5) / PEOPLE > judged
            else ("yes" if person % 10 < wrong * 10 else "no"),
        }
        for person in here
        for _ in range(2)
    ]
    rows += [{"who": "bot", "decided": "rejected", "judged": "no"}] * bot
    return pl.DataFrame(rows).with_columns(
        at=pl.lit(start.replace(tzinfo=None)),
        asked=pl.int_range(pl.len()).cast(pl.String),
        version=pl.lit(version),
    )


@dataclass
class Assistant(Project):
    """A project that answers people."""

    def own(self):
        @dg.asset(partitions_def=DAYS)
        def answers(context):
            return answers_of(context.partition_time_window.start, **self._of(context))

        return dg.Definitions(assets=[answers], resources={"io_manager": self.memory})

    def _of(self, context):
        number = (context.partition_time_window.start - FIRST).days + 1
        return self.weather.get(number, {})

    def live_on(self, number, **weather):
        self.weather[number] = weather
        self.materialise(number, dg.AssetKey("answers"), *self.profiles())
        self.tick()

    def told(self, rule):
        return self.points(rule)[-1]


@pytest.fixture
def assistant(sqlite, new_instance, tmp_path):
    def make(*rules, recorded=True, table=ANSWERS):
        name = sqlite.model(versions=1)
        mine = guard(rules=rules, mode="observe", model={"name": name}, tables={"answers": table})
        registry = sqlite.registry(name)
        registry.promote("1", at=FIRST, by="team:ml", why="release 1")
        if recorded:
            before = [answers_of(FIRST - DAY * number) for number in range(14, 0, -1)]
            data = {"answers": pl.concat(before)}
            record_baseline(mine, version="1", data=data, tracking_uri=sqlite.uri)
        return Assistant(
            guard=mine, registry=registry, instance=new_instance(), folder=tmp_path / name
        )

    return make


def test_answers_judged_wrong_are_a_breach_with_the_interval_in_its_reason(assistant):
    project = assistant(MADE_UP)
    project.live_on(1)
    project.live_on(2)
    assert project.told("made_up").reason == "10% ≤ 20% (95% interval 6.25% to 15.6%, n=160)"
    project.live_on(3, wrong=0.5)
    assert project.told("made_up").verdict.value == "breach"
    assert "95% interval" in project.told("made_up").reason
    project.live_on(4, judged=0.3)
    assert project.told("made_up").verdict.value == "inconclusive"


def test_acceptance_is_held_to_its_baseline_and_a_bot_does_not_move_it(assistant):
    project = assistant(TRUSTED)
    project.live_on(1)
    project.live_on(2, bot=5_000)
    told = project.told("trusted")
    assert told.verdict.value == "ok"
    assert told.n == PEOPLE + 1
    assert told.limit == pytest.approx(0.8 * 0.8)
    project.live_on(3, accepted=0.2)
    project.live_on(4, accepted=0.2)
    assert project.told("trusted").verdict.value == "breach"
    assert "worst: overridden (80%, was 20%)" in project.told("trusted").reason


def test_releases_are_told_side_by_side_on_the_check(assistant):
    project = assistant(TRUSTED, table={**ANSWERS, "model_version": "version"})
    project.live_on(1, version="0", accepted=0.5)
    project.live_on(2, version="1")
    check = check_key(project.guard, project.guard.rules[0])
    storage = project.instance.event_log_storage
    (newest, *_) = storage.get_asset_check_execution_history(check, limit=1)
    parts = newest.evaluation.metadata["aiguard/columns"].records
    told = {part.data["column"]: part.data["what"] for part in parts}
    assert told["version 1"] == "40 people, 80% accepted, on the first day of the release"
    assert told["version 0"] == "40 people, 50% accepted, on the first day of the window"


def test_people_who_come_back_are_known_across_days_and_held_to_the_first_days(assistant):
    project = assistant(BACK)
    for number in range(1, 5):
        project.live_on(number)
    assert project.told("back").verdict.value == "inconclusive"
    assert project.told("back").reason == "the first 4d of v1 are not over yet"
    project.live_on(5)
    project.live_on(6, back=0.5)
    told = project.told("back")
    assert (told.verdict.value, told.value) == ("breach", pytest.approx(0.5))


def test_no_name_of_a_person_reaches_a_profile_or_the_baseline(assistant):
    project = assistant(TRUSTED)
    project.live_on(1)
    files = [path for path in (project.folder / "profiles").rglob("*") if path.is_file()]
    accepted = load_accepted(project.registry, "1", project.guard).baseline
    texts = [path.read_bytes().decode() for path in files]
    texts.append(str(baseline_to_json(accepted)))
    assert len(texts) == 2
    for text in texts:
        assert "trust-" in text
        assert hash_of("person 1", project.guard.name) in text
        assert "person 1" not in text
