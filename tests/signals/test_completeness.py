"""How much of the data is there: rows, time slots, values."""

import math
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.batch import Asset
from tests.signals.batches import DAY, ENGINES, HOURS, day_of, judged, rows_of, said

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
VALUES = {"kind": "completeness", "table": "features"}
ODD = ["größe", "a b", "__rows", "rows", "c0", "len", "*", "^o.*$", "", "'; drop table", "時刻"]


def judged_values(rows, *, engine="polars", **more):
    return judged({**VALUES, **more}, rows, limit=0.9, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("day", "verdict", "slots"),
    [
        ("2012-10-28", OK, 24),
        ("2012-10-29", BREACH, 1),  # Hurricane Sandy.
        ("2012-10-30", BREACH, 11),
        ("2012-10-31", OK, 24),
        ("2011-01-26", BREACH, 16),  # A snowstorm.
        ("2011-01-27", BREACH, 8),
        ("2012-05-01", OK, 24),
    ],
)
def test_a_day_is_complete_when_its_hours_are_there(engine, day, verdict, slots):
    found = judged(HOURS, rows_of(day), limit=0.9, day=day, engine=engine)
    assert found.verdict is verdict
    assert found.measurement.value == slots / 24
    assert verdict is OK or f"{slots} of 24 slots" in found.reason


def test_normal_days_are_quiet():
    days = [f"2012-{month:02}-{day:02}" for month in (5, 6) for day in range(1, 31)]
    assert {judged(HOURS, rows_of(day), limit=0.9, day=day).verdict for day in days} == {OK}


def test_a_gap_names_its_first_and_last_hour():
    found = judged(HOURS, rows_of("2011-01-26"), limit=0.9, day="2011-01-26")
    (part,) = found.measurement.parts
    assert part.text == "16 of 24 slots, gaps between 2011-01-26 03:00 and 2011-01-27 00:00"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_partition_of_no_rows_whose_hours_are_due_is_a_breach(engine):
    found = judged(HOURS, rows_of("2012-05-01").clear(), limit=0.9, engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_of_no_rows_with_nothing_due_is_inconclusive(engine):
    found = judged_values(rows_of("2012-05-01").clear(), engine=engine)
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)
    assert found.measurement.note == "no rows, and none was due"


def test_no_rows_where_some_are_due_is_a_breach():
    found = judged_values(rows_of("2012-05-01").clear(), min_rows=10)
    assert (found.verdict, found.measurement.value) == (BREACH, 0)


@pytest.mark.parametrize(
    ("rows", "share", "verdict"), [(24, 1, OK), (18, 0.9, OK), (17, 0.85, BREACH)]
)
def test_rows_are_counted_against_the_least_and_a_share_on_the_limit_is_ok(rows, share, verdict):
    found = judged_values(rows_of("2012-05-01").head(rows), min_rows=20)
    assert (found.measurement.value, found.verdict) == (share, verdict)


@pytest.mark.parametrize("engine", ENGINES)
def test_one_row_is_enough_to_measure(engine):
    found = judged_values(pl.DataFrame({"x": [1.0]}), engine=engine)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (OK, 1, 1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [pl.Float64, pl.String, pl.Datetime, pl.Null])
def test_a_column_of_nulls_is_a_breach_whatever_its_type(engine, dtype):
    rows = pl.DataFrame({"x": [1, 2], "gone": pl.Series([None, None], dtype=dtype)})
    found = judged_values(rows, engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 0)
    assert "worst: gone (0 of 2)" in found.reason


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_is_as_missing_as_null_and_infinity_is_there(engine):
    rows = pl.DataFrame({"x": [1.0, None, math.nan, math.inf, -math.inf]})
    assert judged_values(rows, engine=engine).measurement.value == 3 / 5


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("column", ODD)
def test_a_column_may_have_any_name(engine, column):
    rows = pl.DataFrame({"one": [1, 2], column: [1.0, None], "two": [1, 2]})
    found = judged_values(rows, engine=engine)
    assert found.measurement.value == 0.5
    assert f"worst: {column} (1 of 2)" in found.reason


cells = st.none() | st.sampled_from([1.0, math.nan, math.inf])
tables = st.integers(1, 6).flatmap(
    lambda rows: st.lists(st.lists(cells, min_size=rows, max_size=rows), min_size=1, max_size=4)
)


@settings(deadline=None, max_examples=30)
@given(tables)
def test_the_worst_column_speaks_and_all_engines_agree(columns):
    names = [f"x{number}" for number in range(len(columns))]
    rows = pl.DataFrame(
        {n: pl.Series(c, dtype=pl.Float64) for n, c in zip(names, columns, strict=True)}
    )
    shares = [
        sum(v is not None and not math.isnan(v) for v in column) / rows.height for column in columns
    ]
    found = [judged_values(rows, engine=engine) for engine in ENGINES]
    assert found[0].measurement.value == min(shares)
    assert len({said(evaluation) for evaluation in found}) == 1
    listed = [part.value for part in found[0].measurement.parts]
    assert listed == sorted(share for share in shares if share < 1)


def test_rows_of_another_day_or_the_future_fill_no_slot():
    rows = rows_of("2012-05-01").head(12)
    late = rows.with_columns(pl.col("timestamp") + timedelta(days=400))
    early = rows.with_columns(pl.col("timestamp") - timedelta(days=1))
    found = judged(HOURS, pl.concat([rows, late, early]), limit=0.9)
    assert found.measurement.value == 0.5


def test_only_the_hours_that_have_begun_are_due():
    now = day_of("2012-05-01") + timedelta(hours=12)
    found = judged(HOURS, rows_of("2012-05-01").head(12), limit=0.9, now=now)
    assert (found.verdict, found.measurement.value) == (OK, 1)
    before = judged(HOURS, rows_of("2012-05-01").clear(), limit=0.9, now=day_of("2012-05-01"))
    assert before.verdict is INCONCLUSIVE


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_slots_are_filled_by_moments_not_by_wall_clocks(engine, zone):
    utc = pl.col("timestamp").dt.replace_time_zone("UTC")
    rows = rows_of("2012-05-01").with_columns(utc.dt.convert_time_zone(zone))
    found = judged(HOURS, rows, limit=0.9, engine=engine)
    assert (found.verdict, found.measurement.value) == (OK, 1)


def test_without_partitions_the_slots_run_from_the_first_row_to_the_last():
    rows = rows_of("2012-05-01").gather_every(2)
    found = judged(HOURS, rows, limit=0.9, day=None)
    assert found.measurement.value == pytest.approx(12 / 23)
    empty = judged(HOURS, rows.clear(), limit=0.9, day=None)
    assert empty.verdict is BREACH


@pytest.mark.parametrize(
    ("signal", "limit", "told"),
    [
        ({**VALUES, "columns": ["gone"]}, 0.9, "columns are gone: gone"),
        (HOURS, {"above_baseline": 0.1}, "completeness takes an absolute limit"),
        (HOURS, None, "completeness takes an absolute limit"),
    ],
)
def test_what_cannot_be_measured_is_an_error(signal, limit, told):
    found = judged(signal, rows_of("2012-05-01"), limit=limit)
    assert found.verdict is ERROR
    assert told in found.reason


def test_slots_without_a_time_column_are_an_error():
    found = judged(HOURS, rows_of("2012-05-01"), limit=0.9, table=Table(asset="f"))
    assert found.verdict is ERROR
    assert "declare time: in the guard" in found.reason


def test_slots_may_be_of_any_length():
    start = datetime(2012, 5, 1)
    found = judged(
        {**HOURS, "every": "1d", "columns": ["x"]},
        pl.DataFrame({"timestamp": [start, start + 6 * DAY], "x": [1, 2]}),
        limit=0.9,
        day=None,
        now=day_of("2012-06-01"),
    )
    assert found.measurement.value == pytest.approx(2 / 7)


def before(*rows, hours=0):
    """Earlier days of so many rows, the newest last."""
    start = day_of("2012-05-01") + timedelta(hours=hours)
    return [
        Point(
            as_of=start - (age - 1) * DAY,
            start=start - age * DAY,
            verdict=OK,
            facts={"rows": count},
        )
        for age, count in zip(range(len(rows), 0, -1), rows, strict=True)
    ]


LIKE = {"kind": "completeness", "table": "features", "columns": ["cnt"]}


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_are_compared_with_the_median_of_earlier_batches(engine):
    signal = {**LIKE, "rows_like": "previous"}
    rows, past = rows_of("2012-05-01"), before(24, 240, 24, 24)
    assert judged(signal, rows, engine=engine, limit=0.9, past=lambda: past).verdict is OK
    half = judged(signal, rows.head(12), engine=engine, limit=0.9, past=lambda: past)
    assert (half.verdict, half.measurement.value) == (BREACH, 0.5)
    assert "12, and 24 is the median of the 4 earlier batches" in half.reason


def test_a_weekday_is_compared_with_its_like():
    """May 1st was a Tuesday: of the three weeks before, Tuesdays had 10 rows and others 24."""
    past = before(*[10 if age % 7 == 0 else 24 for age in range(28, 0, -1)])
    rows = rows_of("2012-05-01").head(10)
    weekly = {**LIKE, "rows_like": "weekday"}
    assert judged(weekly, rows, limit=0.9, past=lambda: past).verdict is OK
    daily = {**LIKE, "rows_like": "previous"}
    assert judged(daily, rows, limit=0.9, past=lambda: past).verdict is BREACH


def test_too_few_earlier_batches_say_nothing_of_the_rows():
    signal, rows = {**LIKE, "rows_like": "weekday"}, rows_of("2012-05-01").head(2)
    found = judged(signal, rows, limit=0.9, past=lambda: before(24, 24, 24))
    assert found.verdict is OK
    assert found.measurement.note == "only 0 earlier batches to compare the rows with"
    none = judged(signal, rows.clear(), limit=0.9, past=lambda: before(24, 24, 24))
    assert none.verdict is INCONCLUSIVE


def test_a_batch_leaves_its_rows_for_later_ones():
    assert judged(LIKE, rows_of("2012-05-01"), limit=1).measurement.facts == {"rows": 24}


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_entities_are_named_where_the_guard_names_them(engine):
    hours = {"column": "hr", "expected": [str(hour) for hour in range(24)]}
    signal = {**LIKE, "entities": hours}
    rows = rows_of("2012-05-01")
    assert judged(signal, rows, engine=engine, limit=1).verdict is OK
    found = judged(signal, rows.filter(~pl.col("hr").is_in([3, 7])), engine=engine, limit=1)
    assert found.verdict is BREACH
    assert "worst: hr (22 of 24, without 3, 7)" in found.reason


def test_missing_partitions_are_counted_and_the_first_is_told():
    end = day_of("2012-05-02")

    def ends(window):
        assert (window.start, window.end) == (end - 3 * DAY, end)
        due = [end - 2 * DAY, end - DAY, end]
        return [end - 2 * DAY, end], due

    signal = {**LIKE, "partitions": "3d"}
    asset = Asset(key="a", partition_ends=ends)
    found = judged(signal, rows_of("2012-05-01"), limit=1, asset=asset)
    assert (found.verdict, found.measurement.value) == (BREACH, pytest.approx(2 / 3))
    assert "2 of 3, the first that is missing ends 2012-05-01 00:00" in found.reason
    unpartitioned = judged(signal, rows_of("2012-05-01"), limit=1, asset=Asset(key="a"))
    assert unpartitioned.verdict is ERROR
