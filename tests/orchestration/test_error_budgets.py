"""Error budgets from a table to a check: the short window, the period, and what is judged anew."""

from dataclasses import dataclass

import dagster as dg
import polars as pl
import pytest

from aiguard_dagster.orchestration.keys import profile_key
from tests.orchestration.project import DAY, DAYS, FIRST, Project, day, guard

TABLE = {"asset": "answers", "time": "at", "status": "status", "model_version": "version"}
BUDGET = {
    "name": "budget",
    "signal": {"kind": "errors", "table": "answers", "window": "3d", "min_coverage": "30%"},
    "limit": {"objective": "90%", "period": "10d", "burn_rate": 2},
}
SHARE = {**BUDGET, "name": "share", "limit": "20%"}
ANSWERS = dg.AssetKey("answers")


def answers_of(start, *, errors=5, version="1"):
    """A day of 200 answers, so many per cent of them errors."""
    status = ["timeout" if place % 100 < errors else "ok" for place in range(200)]
    return pl.DataFrame({"status": status}).with_columns(
        at=pl.lit(start.replace(tzinfo=None)), version=pl.lit(version)
    )


@dataclass
class Assistant(Project):
    """A project that answers people."""

    def own(self):
        @dg.asset(partitions_def=DAYS)
        def answers(context):
            number = (context.partition_time_window.start - FIRST).days + 1
            return answers_of(context.partition_time_window.start, **self.weather.get(number, {}))

        return dg.Definitions(assets=[answers], resources={"io_manager": self.memory})

    def lives(self, *numbers, **weather):
        for number in numbers:
            self.weather[number] = weather
            self.materialise(number, ANSWERS, *self.profiles())
            self.tick()

    def told(self, rule="budget"):
        return self.points(rule)[-1].reason


@pytest.fixture
def assistant(sqlite, new_instance, tmp_path):
    name = sqlite.model(versions=2)
    mine = guard(
        rules=(BUDGET, SHARE), mode="observe", model={"name": name}, tables={"answers": TABLE}
    )
    registry = sqlite.registry(name)
    registry.promote("1", at=FIRST - DAY, by="team:ml", why="release 1")
    instance = new_instance(on_disk=True)
    return Assistant(guard=mine, registry=registry, instance=instance, folder=tmp_path / name)


def test_an_alarm_begins_when_both_windows_burn_and_ends_when_the_short_one_does_not(assistant):
    assistant.lives(1, 2, 3)
    assistant.lives(4, 5, 6, errors=50)
    assert assistant.told() == (
        "50% > 20% (burn rate 5 over 3d and 5 over 1d, limit 2;"
        " 165% of the budget of 10d spent, of which 60% is there, n=600);"
        " worst: timeout (50%)"
    )
    assistant.lives(7, 8)
    by_budget, by_share = assistant.verdicts("budget"), assistant.verdicts("share")
    assert {number for number, found in by_budget.items() if found == "breach"} == {5, 6}
    assert {number for number, found in by_share.items() if found == "breach"} == {5, 6, 7}


def test_what_is_spent_outlives_the_version_and_the_window(assistant):
    assistant.lives(1, 2, errors=50)
    assistant.registry.promote("2", at=day(3), by="team:ml", why="release 2")
    assistant.lives(3, 4, errors=0, version="2")
    assert assistant.told() == (
        "0% ≤ 20% (burn rate 0 over 3d and 0 over 1d, limit 2;"
        " 100% of the budget of 10d spent, of which 40% is there, n=400)"
    )


def test_what_comes_late_for_the_period_is_judged_anew_and_nothing_else_is(assistant):
    assistant.lives(1, 2, 3, 4, 5)
    assert "25% of the budget" in assistant.told()
    before = len(assistant.points("budget"))
    assistant.tick()
    assert len(assistant.points("budget")) == before
    assistant.lives(1, errors=25)
    assert "45% of the budget" in assistant.told()
    assert len(assistant.points("budget")) == before + 5
    assert len(assistant.points("share")) == before + 3


def test_a_profile_that_is_damaged_beyond_the_window_costs_only_what_is_known_as_spent(assistant):
    assistant.lives(1, 2, 3, 4)
    assistant.profile_file("answers", 1).write_text("{")
    assistant.lives(5)
    assert assistant.verdicts("budget")[5] == "ok"
    assert "20% of the budget of 10d spent, of which 40% is there" in assistant.told()


def test_a_budget_needs_no_baseline(assistant):
    assistant.lives(1)
    assert assistant.verdicts("budget") == {1: "ok"}
    assert profile_key(assistant.guard, "answers") in assistant.profiles()
