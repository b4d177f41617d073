from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.adapters.tables.rows import open_rows
from aiguard_dagster.core.spec import Rule, Table
from aiguard_dagster.core.stops import LONGEST, Stop, stop_of_text
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.measure import evaluate_batch
from tests.core.specs import guard_of, problems_in, written

NOW = datetime(2026, 3, 2, tzinfo=UTC)
AT = datetime(2026, 3, 1, 10)
TABLE = Table(asset="stops", time="at", model_version="model")
ROWS = pl.DataFrame(
    {
        "at": [AT, AT - timedelta(days=1), AT + timedelta(hours=1)],
        "who": ["audit-bot", "Ann Lee", None],
        "reason": ["PII in prompts", "unlicensed training data", None],
        "model": ["12", "12", None],
        "stop": [True, True, False],
        "lifted_at": [None, AT, None],
    },
    schema_overrides={"at": pl.Datetime("us"), "lifted_at": pl.Datetime("us")},
)
SIGNAL = {"kind": "compliance", "by": "who", "why": "reason"}


def judged(rows, *, table=TABLE, stops=None, **options):
    rule = Rule.model_validate({"name": "stops", "signal": {**SIGNAL, **options}})
    opened = open_rows(rows)
    more = {} if stops is None else {"stops": lambda: stops}
    batch = Batch(
        frame=opened.frame, native=opened.native, table=table, window=None, now=NOW, **more
    )
    return evaluate_batch(rule, batch)


def told(evaluation):
    return [(part.name, part.text) for part in evaluation.measurement.parts]


def test_every_stop_that_stands_is_told_with_who_raised_it_and_why():
    found = judged(ROWS)
    assert found.verdict is Verdict.BREACH
    assert found.measurement.value == 3
    assert told(found) == [
        ("Ann Lee", "unlicensed training data, about v12, since 2026-02-28 10:00 UTC"),
        ("audit-bot", "PII in prompts, about v12, since 2026-03-01 10:00 UTC"),
        ("nobody named", "no reason given, since 2026-03-01 11:00 UTC"),
    ]
    assert found.reason.startswith("3 > 0 (n=3); worst: Ann Lee (unlicensed training data")


def test_a_stop_that_was_lifted_or_never_raised_does_not_stand():
    found = judged(ROWS, raised="stop", lifted="lifted_at")
    assert [name for name, _ in told(found)] == ["audit-bot"]
    none = judged(ROWS.filter(pl.col("who") == "Ann Lee"), raised="stop", lifted="lifted_at")
    assert none.verdict is Verdict.OK


def test_whether_it_was_lifted_may_be_a_truth():
    rows = ROWS.with_columns(done=pl.Series([True, False, True]))
    assert [name for name, _ in told(judged(rows, lifted="done"))] == ["Ann Lee"]


def test_a_row_that_does_not_say_whether_it_is_a_stop_is_one():
    found = judged(ROWS.with_columns(stop=pl.lit(None, dtype=pl.Boolean)), raised="stop")
    assert found.measurement.value == 3
    assert found.measurement.note == "3 rows do not say whether they are stops, and count as such"


def test_a_stop_that_was_lifted_before_it_was_raised_stands():
    rows = ROWS.with_columns(lifted_at=pl.col("at") - timedelta(hours=1))
    found = judged(rows, lifted="lifted_at")
    assert found.measurement.value == 3
    assert found.measurement.note == "3 were lifted before they were raised, and stand"


def test_a_table_without_rows_holds_no_stop_and_one_without_columns_is_no_table():
    assert judged(ROWS.head(0)).verdict is Verdict.OK
    assert judged(pl.DataFrame()).verdict is Verdict.INCONCLUSIVE


def test_a_column_that_is_gone_is_an_error_and_no_all_clear():
    found = judged(ROWS.drop("reason"))
    assert found.verdict is Verdict.ERROR
    assert "columns are gone: reason" in found.reason


def test_a_stop_from_elsewhere_counts_beside_those_of_the_table():
    other = Stop(by="Ann", why="recall", where="the tag stop of v3")
    found = judged(ROWS.head(1), tag="stop", stops=[other])
    assert found.measurement.value == 2
    assert told(found)[1] == ("Ann", "recall, in the tag stop of v3")


def test_thousands_of_stops_are_counted_and_ten_are_told():
    found = judged(pl.concat([ROWS] * 1_000))
    assert found.measurement.value == 3_000
    assert len(told(found)) == 10


@given(st.text(max_size=400))
def test_any_text_is_a_stop_or_no_text(text):
    stop = stop_of_text(text, "here")
    assert (stop is None) == (not text.strip())
    if stop:
        assert "\n" not in stop.told
        assert len(stop.told) < LONGEST + 20


def test_a_stop_has_no_grace_and_no_limit_and_tells_who_and_why():
    rule = {"name": "stops", "grace": "1h", "limit": 3, "signal": {**SIGNAL, "table": "features"}}
    del rule["signal"]["why"]
    tables = {"features": {"asset": "features"}}
    problems = problems_in(written({"name": "a", "owner": "b", "tables": tables, "rules": [rule]}))
    assert {problem.path: problem.what for problem in problems} == {
        "rules[0].grace": "a stop is meant at once: compliance has no grace",
        "rules[0].limit": "compliance takes no limit: one stop is enough",
        "rules[0].signal.why": "a stop tells the reason",
    }


@pytest.mark.parametrize("options", [{"tag": "stop"}, {"events": True}])
def test_stops_may_come_from_elsewhere_alone(options):
    signal = {"kind": "compliance", "table": "features", **options}
    (rule,) = guard_of({"signal": signal}).rules
    assert not rule.signal.reads_rows
    assert not list(rule.signal.problems())


def test_since_when_is_told_in_utc_whatever_zone_the_table_is_in():
    berlin = TABLE.model_copy(update={"time_zone": "Europe/Berlin"})
    assert "since 2026-02-28 09:00 UTC" in told(judged(ROWS, table=berlin))[0][1]
    aware = ROWS.with_columns(pl.col("at").dt.replace_time_zone("Asia/Kolkata"))
    assert "since 2026-02-28 04:30 UTC" in told(judged(aware, table=berlin))[0][1]


@pytest.mark.parametrize("zone", [None, "Asia/Kolkata"])
def test_a_stop_that_is_to_be_lifted_later_stands_until_then(zone):
    lifted = [NOW.replace(tzinfo=None) + timedelta(minutes=minutes) for minutes in (-1, 0, 1)]
    rows = ROWS.with_columns(lifted_at=pl.Series(lifted))
    if zone:
        rows = rows.with_columns(
            pl.col("lifted_at").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        )
    found = judged(rows, lifted="lifted_at")
    assert [name for name, _ in told(found)] == ["nobody named"]
    assert found.verdict is Verdict.BREACH


def test_when_it_was_raised_is_not_whether_it_was():
    found = judged(ROWS, raised="at")
    assert found.verdict is Verdict.ERROR
    assert found.reason.startswith("at holds times, and raised is whether a row is a stop")
