"""How old the newest row is, at the end of its partition."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.batch import Asset
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
        times(None, None, dtype=pl.Datetime("us")),
        times(None, None, dtype=pl.Datetime("us", "UTC")),
        times(None, dtype=pl.Null),
    ],
    ids=["no times", "no aware times", "no type"],
)
def test_no_time_is_inconclusive_and_has_no_value(engine, rows):
    found = judged(FRESH, rows, engine=engine)
    assert found.verdict is INCONCLUSIVE
    assert found.measurement.value is None
    assert found.measurement.note == "no row has a time"


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
def test_a_clock_from_the_future_is_a_breach(engine):
    found = judged(FRESH, times(datetime(2012, 5, 3, 6)), engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 30 * 3600)
    assert "the newest row, 2012-05-03 06:00, is from the future" in found.reason
    patient = judged({**FRESH, "max_ahead": "2d"}, times(datetime(2012, 5, 3, 6)), engine=engine)
    assert (patient.verdict, patient.measurement.value) == (OK, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_partition_without_rows_is_as_old_as_it_is_long(engine):
    none = rows_of("2012-05-01").clear()
    found = judged(FRESH, none, engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 86_400)
    assert "no rows since 2012-05-01 00:00, so at least this old" in found.reason
    unknown = judged({**FRESH, "max_age": "36h"}, none, engine=engine)
    assert (unknown.verdict, unknown.measurement.note) == (INCONCLUSIVE, "no rows")
    whole = judged(FRESH, none, engine=engine, day=None)
    assert (whole.verdict, whole.measurement.note) == (INCONCLUSIVE, "no rows")


NOW = datetime(2012, 5, 2, 12, tzinfo=UTC)


def by(kind, *, asset, **options):
    rows = rows_of("2012-05-01").clear()
    signal = {**FRESH, "by": kind, "max_age": "26h", **options}
    return judged(signal, rows, day=None, now=NOW, asset=asset)


@pytest.mark.parametrize(
    ("last", "verdict", "told"),
    [
        (NOW - timedelta(hours=25), OK, "25h ≤ 26h (n=1)"),
        (NOW - timedelta(hours=27), BREACH, "27h > 26h (n=1)"),
        (None, BREACH, "never > 26h (n=1); never materialised"),
    ],
)
def test_an_age_may_be_since_the_last_materialisation(last, verdict, told):
    found = by("materialisation", asset=Asset(key="a", last_materialised=lambda: last))
    assert (found.verdict, found.reason) == (verdict, told)
    assert found.measurement.as_of == NOW


def test_an_age_may_be_since_the_newest_partition_ended():
    def ends(window):
        assert window.end == NOW
        return [NOW - timedelta(hours=60), NOW - timedelta(hours=36)], []

    assert by("partition", asset=Asset(key="a", partition_ends=ends)).reason == "36h > 26h (n=1)"
    none = by("partition", asset=Asset(key="a", partition_ends=lambda _: ([], [])))
    assert none.reason == "never > 26h (n=1); no partition in the last 30 days"
    assert by("partition", asset=Asset(key="a")).verdict is ERROR


def test_closed_days_do_not_count():
    weekend = {"closed": ["saturday", "sunday"], "time_zone": "America/New_York"}
    friday = times(datetime(2012, 5, 4, 22))  # 18:00 in New York, six hours before the weekend.
    monday = datetime(2012, 5, 7, 15, tzinfo=UTC)
    plain = {**FRESH, "max_age": "20h"}
    assert judged(plain, friday, day=None, now=monday).verdict is BREACH
    found = judged({**plain, "calendar": weekend}, friday, day=None, now=monday)
    assert (found.verdict, found.measurement.value) == (OK, (6 + 11) * 3600)
    holiday = {**weekend, "holidays": ["2012-05-07"]}
    found = judged({**plain, "calendar": holiday}, friday, day=None, now=monday)
    assert found.measurement.value == 6 * 3600


def test_public_holidays_are_closed_days():
    fourth = {**FRESH, "max_age": "26h", "calendar": {"country": "US"}}
    rows = times(datetime(2012, 7, 3, 12))
    found = judged(fourth, rows, day=None, now=datetime(2012, 7, 5, 12, tzinfo=UTC))
    assert (found.verdict, found.measurement.value) == (OK, 24 * 3600)
    nowhere = {**fourth, "calendar": {"country": "Atlantis"}}
    found = judged(nowhere, rows, day=None, now=datetime(2012, 7, 5, 12, tzinfo=UTC))
    assert found.reason.startswith("no holidays are known of 'Atlantis'\n\nHint:")


@pytest.mark.parametrize("engine", ENGINES)
def test_naive_times_are_meant_in_the_tables_zone(engine):
    table = Table(asset="hourly_features", time="timestamp", time_zone="America/New_York")
    now = datetime(2012, 5, 1, 15, tzinfo=UTC)
    found = judged(
        FRESH, times(datetime(2012, 5, 1, 10)), engine=engine, table=table, day=None, now=now
    )
    assert found.measurement.value == 3600


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
