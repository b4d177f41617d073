from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of
from aiguard_dagster.core.spec import Table, Trust
from aiguard_dagster.core.spec.semantics import find_problems
from aiguard_dagster.signals.trust_people import STEPS
from tests.conformance.engines import LOCAL, as_spark
from tests.conformance.warehouses import as_ibis_on_duckdb
from tests.core.specs import guard_of
from tests.signals.tallies import counted, read, told

START = datetime(2026, 3, 1, 9)
TABLE = Table(asset="answers", time="at", user="who", decision="said", decided_at="then")
ANSWERS = TABLE.model_copy(update={"request": "asked"})
ENGINES = {**LOCAL, "ibis": as_ibis_on_duckdb}


def trust(metric="acceptance", **options):
    return Trust.model_validate({"window": "7d", "metric": metric, **options})


def rows(said, who, *, day=0, seconds=60, **more):
    """One answer a decision; people and days repeat."""
    number = len(said)

    def each(value):
        return [
            value[row % len(value)] if isinstance(value, list) else value for row in range(number)
        ]

    days, delays = each(day), each(seconds)
    at = [START + timedelta(days=passed) for passed in days]
    then = [
        None if s is None else time + timedelta(seconds=s)
        for time, s in zip(at, delays, strict=True)
    ]
    return pl.DataFrame(
        {"at": at, "then": then, "who": each(who), "said": said}
        | {name: each(value) for name, value in more.items()},
        schema_overrides={"at": pl.Datetime("us"), "then": pl.Datetime("us"), "said": pl.String},
    )


def people(number, prefix="p"):
    return [f"{prefix}{person}" for person in range(number)]


MESSY = rows(
    ["accepted", "Rejected", None, "whatever", "escalated", "accepted", "edited", "accepted"] * 30,
    [*people(7), None],
    day=[0, 1, 2],
    seconds=[5, 60, None, 3, -40, 0, 4_000],
    asked=[*range(40), None],
    region=["eu", "us", None],
)


@pytest.mark.parametrize("metric", ["acceptance", "time_to_decision"])
@pytest.mark.parametrize("table", [TABLE, ANSWERS], ids=["rows", "requests"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_engines_count_decisions_alike(engine, table, metric):
    signal = trust(metric, by=["region"], unanswered="ignored")
    expected = counted(signal, table, MESSY)
    assert counted(signal, table, MESSY, ENGINES[engine]).groups == expected.groups
    assert expected.total("rows") + expected.total("repeats") == len(MESSY)


@pytest.mark.spark
@pytest.mark.parametrize("metric", ["acceptance", "time_to_decision"])
def test_spark_counts_decisions_alike(metric):
    signal = trust(metric, by=["region"])
    assert (
        counted(signal, ANSWERS, MESSY, as_spark).groups == counted(signal, ANSWERS, MESSY).groups
    )


def test_no_name_of_a_person_is_kept():
    tally = counted(trust(), TABLE, rows(["accepted"] * 10, people(10, "anna.schmidt")))
    assert not any("anna" in key for group in tally.groups for key in group)
    assert len({group[0] for group in tally.groups}) == 10


def test_a_person_who_gives_ten_thousand_thumbs_does_not_decide():
    many = rows(["thumbs_down"] * 10_000, ["bot"])
    others = rows(["accepted"] * 99, people(99))
    found = read(trust(), TABLE, pl.concat([many, others]))
    assert found.value == pytest.approx(0.99)
    assert found.n == 100
    assert told(found)["one person"] == (
        "gave 10,000 of 10,099 decisions, and counts as one of 100"
    )
    assert told(found)["all decisions alike"] == "0.9803% of 10,099"


def test_a_fall_of_acceptance_is_told_with_what_people_did_instead_and_where():
    who = people(40)
    before = rows(["accepted"] * 36 + ["rejected"] * 4, who, region=["eu", "us"])
    now = rows(["accepted", "rejected", "accepted", "accepted"] * 10, who, region=["eu", "us"])
    found = read(trust(by=["region"]), TABLE, now, before)
    assert found.value == pytest.approx(0.75)
    names = [part.name for part in found.parts]
    assert names[0] == "overridden"
    assert told(found)["overridden"] == "25%, was 10%"
    assert told(found)["accepted"] == "75%, was 90%"


def test_the_worst_segment_is_named_first():
    said = ["accepted"] * 60 + ["rejected"] * 30 + ["accepted"] * 30
    region = ["eu"] * 60 + ["us"] * 60
    found = read(trust(by=["region"]), TABLE, rows(said, people(60), region=region))
    shares = [part for part in found.parts if part.name.startswith("region")]
    assert [part.name for part in shares] == ["region us", "region eu"]
    assert [part.value for part in shares] == [pytest.approx(0.5), pytest.approx(1.0)]


@pytest.mark.parametrize(
    ("metric", "word"),
    [
        ("override", "overridden"),
        ("correction", "Edited"),
        ("ignore", "ignored"),
        ("thumbs_down", "thumbs_down"),
        ("escalation", "ESCALATED"),
    ],
)
def test_each_objection_is_a_share_of_what_people_decided(metric, word):
    found = read(trust(metric), TABLE, rows(["accepted"] * 30 + [word] * 10, people(40)))
    assert found.value == pytest.approx(0.25)
    assert trust(metric).direction == "high"


def test_requests_without_feedback_lower_the_coverage():
    found = read(trust(), TABLE, rows(["accepted"] * 10 + [None] * 90, people(100)))
    assert found.value == 1.0
    assert found.coverage == pytest.approx(0.1)


def test_silence_is_an_ignored_answer_where_the_guard_says_so():
    found = read(
        trust("ignore", unanswered="ignored"),
        TABLE,
        rows(["accepted"] * 10 + [None] * 30, people(40)),
    )
    assert found.value == pytest.approx(0.75)
    assert found.coverage == 1.0


def test_feedback_before_its_prediction_is_no_feedback_and_is_told():
    said = rows(["rejected"] * 10 + ["accepted"] * 30, people(40), seconds=[-60] * 10 + [60] * 30)
    found = read(trust(), TABLE, said)
    assert found.value == 1.0
    assert found.coverage == pytest.approx(0.75)
    assert found.note == "10 decisions are before their answer"


def test_repeats_of_a_request_count_once_and_the_strongest_objection_counts():
    said = rows(["accepted", "escalated", "accepted"] * 20, people(1), asked=["a", "a", "a"])
    found = read(trust("escalation"), ANSWERS, said)
    assert found.value == 1.0
    assert found.note == "59 repeats were counted once"


def test_silence_is_no_stronger_than_an_answer_of_the_same_request():
    said = rows(["accepted", None] * 20, people(20), asked=[f"r{row // 2}" for row in range(40)])
    said = said.with_columns(who=pl.col("asked"))
    found = read(trust("ignore", unanswered="ignored"), ANSWERS, said)
    assert found.value == 0.0


def test_rows_without_a_request_or_a_person_are_told_and_lower_the_coverage():
    said = rows(
        ["accepted"] * 40,
        [*people(38), None, None],
        asked=[None, None, *range(38)],
    )
    found = read(trust(), ANSWERS, said)
    assert found.note == "2 rows have no request; 2 rows have no person"
    assert found.coverage == pytest.approx(0.9)


def test_a_word_that_the_guard_does_not_name_is_told_and_not_kept():
    found = read(trust(), TABLE, rows(["accepted"] * 30 + ["my own text"] * 10, people(40)))
    assert found.value == 1.0
    assert found.coverage == pytest.approx(0.75)
    assert found.note == "10 decisions are words that the guard does not name"


def test_words_may_be_the_guards_own():
    decisions = {"acceptance": ["1"], "override": ["0"]}
    said = rows(["x"] * 40, people(40)).with_columns(said=pl.Series([1, 0] * 20))
    assert read(trust(decisions=decisions), TABLE, said).value == 0.5


def test_the_time_to_a_decision_is_the_median_of_people_not_of_clicks():
    quick = rows(["accepted"] * 1_000, ["bot"], seconds=1)
    slow = rows(["accepted"] * 40, people(40), seconds=100)
    found = read(trust("time_to_decision"), TABLE, pl.concat([quick, slow]))
    assert found.value == pytest.approx(100, rel=0.06)
    assert found.unit == "seconds"
    assert found.n == 41


def test_decisions_without_a_time_lower_the_coverage():
    said = rows(["accepted"] * 40, people(40), seconds=[10, None])
    found = read(trust("time_to_decision"), TABLE, said)
    assert found.coverage == pytest.approx(0.5)


def test_times_that_cannot_be_subtracted_are_refused():
    table = TABLE.model_copy(update={"time_zone": "Europe/Berlin"})
    said = rows(["accepted"] * 4, people(4))
    said = said.with_columns(then=pl.col("then").dt.replace_time_zone("UTC"))
    with pytest.raises(Exception, match="at has no time zone and then has one"):
        counted(trust(), table, said)


def visits(days_of):
    """Rows for people by the days on which they are there."""
    pairs = [(person, day) for person, days in days_of.items() for day in days]
    return rows(["accepted"] * len(pairs), [p for p, _ in pairs], day=[d for _, d in pairs])


def test_returning_is_the_share_of_people_and_not_of_visits():
    loyal = {f"l{n}": [0, 5] for n in range(10)} | {"busy": [*range(7)]}
    lost = {f"x{n}": [0] for n in range(11)}
    found = read(trust("returning"), TABLE, visits(loyal | lost))
    assert found.value == pytest.approx(0.5)
    assert found.n == 22
    assert told(found)["came back"] == "11 of 22 people"


def test_people_who_are_new_in_the_second_half_are_not_returning():
    found = read(trust("returning"), TABLE, visits({"old": [0, 6], "new": [5, 6]}))
    assert (found.value, found.n) == (1.0, 1)


def test_what_returned_before_is_told_over_all_windows_of_the_baseline():
    before = visits({f"l{n}": [0, 5, 8, 13] for n in range(10)})
    now = visits({f"l{n}": [0] if n < 5 else [0, 6] for n in range(10)})
    found = read(trust("returning"), TABLE, now, before)
    assert told(found)["came back"] == "5 of 10 people, was 100%"


def test_adoption_is_active_people_of_those_who_could_be():
    found = read(trust("adoption", eligible=40), TABLE, visits({p: [0, 1] for p in people(10)}))
    assert found.value == pytest.approx(0.25)
    assert found.n == 10


def test_a_long_baseline_has_no_more_people_than_its_windows():
    before = visits(
        {f"w{week}-{n}": [7 * week, 7 * week + 6] for week in range(4) for n in range(9)}
    )
    signal = trust("adoption", eligible=18)
    assert read(signal, TABLE, before).value == pytest.approx(0.5)
    full = visits({f"x{n}": [21, 27] for n in range(9)})
    assert read(signal, TABLE, pl.concat([before, full])).value == pytest.approx(0.625)


def test_adoption_after_a_release_is_told_by_days_beside_what_it_was():
    fast = visits({p: [0, 6] for p in people(20)})
    slow = visits({p: [0 if n < 4 else 6] for n, p in enumerate(people(20))} | {"z": [6]})
    found = read(trust("adoption", eligible=40), TABLE, slow, fast)
    assert told(found)["after 1 day"] == "10%, 4 people, was 50%"
    assert told(found)["after 7 days"] == "52.5%, 21 people, was 50%"
    assert set(STEPS) >= {1, 7}


def test_more_active_people_than_eligible_are_told():
    found = read(trust("adoption", eligible=5), TABLE, visits({p: [0] for p in people(10)}))
    assert found.note.startswith("10 people are active and 5 are said to be eligible")


def test_very_many_people_are_told_from_a_fair_sample():
    many = 12_000
    said = rows(["accepted", "accepted", "rejected"] * (many // 3), people(many))
    found = read(trust(), TABLE, said)
    assert found.value == pytest.approx(2 / 3, abs=0.05)
    assert "by a sample of" in found.note
    assert told(found)["all decisions alike"] == "66.67% of 12,000"
    adopted = read(trust("adoption", eligible=24_000), TABLE, said)
    assert adopted.value == pytest.approx(0.5, rel=0.15)


def test_no_rows_are_no_value():
    found = read(trust(), TABLE, rows([None] * 3, people(3)))
    assert (found.value, found.n, found.coverage) == (None, 0, 0.0)


def test_times_with_a_zone_count_as_those_without():
    aware = MESSY.with_columns(pl.col("at", "then").dt.replace_time_zone("UTC"))
    assert counted(trust(), TABLE, aware).groups == counted(trust(), TABLE, MESSY).groups
    assert aware["at"][0] == START.replace(tzinfo=UTC)


@pytest.mark.parametrize("engine", ["polars", "pandas", "pyarrow"])
def test_decisions_that_never_have_a_time_are_decisions_all_the_same(engine):
    void = rows(["accepted"] * 40, people(40)).with_columns(then=pl.lit(None))
    for metric, timed in (("acceptance", 0), ("time_to_decision", 40)):
        tally = counted(trust(metric), TABLE, void, LOCAL[engine])
        assert tally.total("told") == 40
        assert not timed or tally.total("told", place="") == timed


@pytest.mark.parametrize(
    ("signal", "path"),
    [
        ({"kind": "trust", "by": ["who"]}, "by"),
        ({"kind": "errors", "by": ["region", "who"]}, "by"),
        ({"kind": "hallucination", "verdict": "wrong", "judge": "who"}, "judge"),
        ({"kind": "drift", "columns": ["who"]}, "columns"),
    ],
)
def test_the_column_of_people_is_no_segment(signal, path):
    table = {"asset": "answers", "time": "at", "user": "who", "decision": "said", "status": "s"}
    rule = {"signal": {"window": "7d", "table": "answers", **signal}, "limit": 0.5}
    found = find_problems(guard_of(rule, tables={"answers": table}), file="guard.yaml")
    assert [problem.path for problem in found] == [f"rules[0].signal.{path}"]
    assert found[0].what == "'who' names people, of whom only hashes are kept"


def test_people_and_requests_are_no_columns_of_a_grid():
    grid = choose_grid(engine_of(MESSY), ANSWERS.model_copy(update={"decision": None}))
    assert not {"who", "asked"} & set(grid.columns)
    assert "region" in grid.columns


def test_times_of_nobody_lower_the_coverage():
    said = rows(["accepted"] * 40, [*people(30), *[None] * 10])
    assert read(trust("time_to_decision"), TABLE, said).coverage == pytest.approx(0.75)
