"""How old the newest row is, at the end of its partition."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest

from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from tests.signals.batches import DAY, ENGINES, FRESH, day_of, judged, rows_of, said

OK, BREACH, INCONCLUSIVE, ERROR = Verdict


def times(*values, **options):
    return pl.DataFrame({"timestamp": pl.Series(values, **options)})


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("day", "verdict", "hours"),
    [
        ("2012-10-28", OK, 1),
        ("2012-10-29", BREACH, 24),  # Hurricane Sandy.
        ("2012-10-30", OK, 1),  # The service ran again from 13:00.
        ("2012-10-31", OK, 1),
        ("2011-01-26", BREACH, 7),  # A snowstorm.
        ("2011-01-27", OK, 1),
        ("2012-05-01", OK, 1),
    ],
)
def test_a_day_is_fresh_when_its_last_hours_are_there(engine, day, verdict, hours):
    found = judged(FRESH, rows_of(day), day=day, engine=engine)
    assert found.verdict is verdict
    assert found.measurement.value == hours * 3600
    assert found.measurement.as_of == day_of(day) + DAY
    assert found.measurement.n == rows_of(day).height


def test_normal_days_are_quiet():
    days = [f"2012-{month:02}-{day:02}" for month in (5, 6) for day in range(1, 31)]
    assert {judged(FRESH, rows_of(day), day=day).verdict for day in days} == {OK}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "rows",
    [
        rows_of("2012-05-01").clear(),
        times(None, None, dtype=pl.Datetime("us")),
        times(None, None, dtype=pl.Datetime("us", "UTC")),
        times(None, dtype=pl.Null),
    ],
    ids=["no rows", "no times", "no aware times", "no type"],
)
def test_no_time_is_inconclusive_and_has_no_value(engine, rows):
    found = judged(FRESH, rows, engine=engine)
    assert found.verdict is INCONCLUSIVE
    assert found.measurement.value is None
    assert found.measurement.note == ("no row has a time" if rows.height else "no rows")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "newest",
    [
        times(datetime(2012, 5, 1, 22), None),
        times(datetime(2012, 5, 1, 22), datetime(2012, 4, 30), dtype=pl.Datetime("ns")),
        times(datetime(2012, 5, 1, 22), dtype=pl.Datetime("ms")),
        times(datetime(2012, 5, 1, 22)).select(pl.all().dt.replace_time_zone("UTC")),
        times(datetime(2012, 5, 1, 18)).select(pl.all().dt.replace_time_zone("America/New_York")),
        times(datetime(2012, 5, 2, 3, 30)).select(pl.all().dt.replace_time_zone("Asia/Kolkata")),
    ],
    ids=["naive", "nanoseconds", "milliseconds", "UTC", "New York", "Kolkata"],
)
def test_a_time_is_the_same_moment_in_any_zone_and_unit_and_naive_is_utc(engine, newest):
    found = judged(FRESH, newest, engine=engine)
    assert (found.verdict, found.measurement.value) == (OK, 7200)


def test_a_row_one_microsecond_older_than_allowed_is_a_breach():
    oldest = datetime(2012, 5, 1, 22) - timedelta(microseconds=1)
    assert judged(FRESH, times(oldest)).verdict is BREACH


def test_a_date_stands_for_its_midnight():
    found = judged(FRESH, times(date(2012, 5, 1)))
    assert found.measurement.value == 24 * 3600


@pytest.mark.parametrize("engine", ENGINES)
def test_a_row_from_the_future_is_not_stale_and_is_told(engine):
    found = judged(FRESH, times(datetime(2031, 1, 1, 6)), engine=engine)
    assert (found.verdict, found.measurement.value) == (OK, 0)
    assert found.measurement.note == "the newest row, 2031-01-01 06:00, is from the future"


def test_a_partition_still_open_is_judged_at_the_time_of_the_run():
    rows = rows_of("2012-05-01").head(10)
    at_ten = judged(FRESH, rows, now=day_of("2012-05-01") + timedelta(hours=10, minutes=30))
    assert (at_ten.verdict, at_ten.measurement.value) == (OK, 5400)
    assert at_ten.measurement.as_of == day_of("2012-05-01") + timedelta(hours=10, minutes=30)
    assert judged(FRESH, rows).verdict is BREACH


def test_a_table_without_partitions_is_judged_at_the_time_of_the_run():
    found = judged(FRESH, rows_of("2012-05-01"), day=None, now=day_of("2012-05-02"))
    assert (found.verdict, found.measurement.value) == (OK, 3600)
    assert found.measurement.window.start == found.measurement.window.end == day_of("2012-05-02")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (times("2012-05-01 22:00"), "the time column holds str, not times"),
        (times(20120501), "the time column holds int, not times"),
        (pl.DataFrame({"at": [1]}), "columns are gone: timestamp\n\nHint: the table has at."),
    ],
)
def test_what_is_no_time_column_is_an_error_that_says_so(engine, rows, told):
    found = judged(FRESH, rows, engine=engine)
    assert (found.verdict, found.reason) == (ERROR, told)


def test_a_table_that_declares_no_time_is_an_error():
    found = judged(FRESH, rows_of("2012-05-01"), table=Table(asset="f"))
    assert found.verdict is ERROR
    assert "declare time: in the guard" in found.reason


@pytest.mark.parametrize("column", ["größe", "ünïcode 時刻", "a b", "n", "newest", "known", ""])
def test_the_time_column_may_have_any_name(column):
    rows = rows_of("2012-05-01").select(pl.col("timestamp").alias(column))
    table = Table(asset="f", time=column or None)
    found = [judged(FRESH, rows, table=table, engine=engine) for engine in ENGINES]
    assert len({said(evaluation) for evaluation in found}) == 1
    assert found[0].verdict is (OK if column else ERROR)
