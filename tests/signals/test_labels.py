"""Labels that are missing, of unknown classes, one-sided, contradictory or slow to arrive."""

import math
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from tests.signals.accepted import SKIES, SKY
from tests.signals.batches import DAY, ENGINES, day_of, judged, said

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
HOUR = timedelta(hours=1)
KEYED = Table(asset="rides", time="timestamp", key=("id",), label="sky")
LABELS = {"kind": "labels", "table": "rides"}
ODD = ["größe", "a b", "rows", "k0", "label", "n", "*", "^a$", '"; DROP TABLE x; --', "it's"]


def rides(day="2012-05-21", days=2):
    """Two days of rentals, keyed, each labelled with the weather six hours later."""
    start = day_of(day).replace(tzinfo=None)
    rows = SKY.filter(pl.col("timestamp").is_between(start, start + days * DAY, closed="left"))
    return rows.with_columns(
        id=pl.int_range(pl.len()), arrived=pl.col("timestamp") + pl.duration(hours=6)
    )


def asked(rows, *, table=KEYED, now="2012-05-24", day=None, **more):
    engine = more.pop("engine", "polars")
    past = more.pop("past", tuple)
    signal = {**LABELS, **more}
    return judged(signal, rows, table=table, now=day_of(now), day=day, engine=engine, past=past)


def history(*hours):
    """Earlier batches whose median delays were so many hours."""

    def past():
        return [
            Point(
                as_of=day_of("2012-04-01") + number * DAY,
                start=day_of("2012-04-01"),
                verdict=OK,
                facts={} if delay is None else {"median_delay_s": delay * 3600.0},
            )
            for number, delay in enumerate(hours)
        ]

    return past


def table_of(label, **more):
    return Table(asset="rides", label=label, **more)


def only(found):
    (part,) = found.measurement.parts
    return part.name, part.text


EVERYTHING = {
    "max_missing": 0.05,
    "due_after": "1d",
    "arrived": "arrived",
    "classes": list(SKIES.values()),
    "max_share": 0.95,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_labels_that_are_all_right_are_quiet(engine):
    found = asked(rides(), engine=engine, past=history(5, 6, 6, 7, 6), **EVERYTHING)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (OK, 0, 48)
    assert (found.measurement.coverage, found.measurement.note) == (1, "")
    assert found.measurement.facts == {"median_delay_s": 6 * 3600}


def test_ordinary_months_are_quiet():
    for month in range(1, 13):
        rows = rides(f"2012-{month:02}-02", days=20)
        past = history(*[6] * 9)
        assert asked(rows, now=f"2012-{month:02}-27", past=past, **EVERYTHING).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_a_label_feed_that_stopped_is_caught(engine):
    stopped = pl.col("timestamp").dt.hour() >= 18
    rows = rides().with_columns(sky=pl.when(~stopped).then(pl.col("sky")))
    found = asked(rows, engine=engine, max_missing="5%")
    assert (found.verdict, found.measurement.value) == (BREACH, 1)
    assert only(found) == ("missing", "12 of 48 rows have no label; at most 5% may")


@pytest.mark.parametrize("engine", ENGINES)
def test_only_rows_that_are_due_must_have_a_label(engine):
    young = pl.col("timestamp") > pl.datetime(2012, 5, 22, 12)
    rows = rides().with_columns(sky=pl.when(~young).then(pl.col("sky")))
    more = {"engine": engine, "max_missing": 0, "due_after": "6h"}
    assert asked(rows, now="2012-05-22T18:00", **more).verdict is OK
    late = asked(rows, now="2012-05-22T19:00", **more)
    assert late.verdict is BREACH
    assert only(late)[1] == "1 of 38 rows older than 6 hours have no label; at most 0% may"


def test_rows_of_which_none_is_due_are_inconclusive():
    rows = rides().with_columns(sky=pl.lit(None, dtype=pl.String))
    found = asked(rows, max_missing=0, due_after="7d")
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)
    assert found.measurement.note == ("no rows older than 7 days; no labels, so none that differ")


@pytest.mark.parametrize("engine", ["polars", "pyarrow"])
def test_naive_times_are_in_the_zone_of_the_table_and_aware_ones_in_their_own(engine):
    at_noon = rides("2012-05-21", days=1).filter(pl.col("timestamp").dt.hour() == 12)
    rows = at_noon.with_columns(sky=pl.lit(None, dtype=pl.String))
    more = {"engine": engine, "max_missing": 0, "due_after": "1h"}
    berlin = Table(asset="a", time="timestamp", label="sky", time_zone="Europe/Berlin")
    noon_in_berlin_and_an_hour = "2012-05-21T11:00"
    assert asked(rows, table=berlin, now=noon_in_berlin_and_an_hour, **more).verdict is BREACH
    assert asked(rows, now=noon_in_berlin_and_an_hour, **more).verdict is INCONCLUSIVE
    for zone in ("Europe/Berlin", "America/New_York"):
        utc = pl.col("timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        aware = rows.with_columns(utc)
        assert asked(aware, table=berlin, now="2012-05-21T13:00", **more).verdict is BREACH
        assert asked(aware, table=berlin, now="2012-05-21T12:59", **more).verdict is INCONCLUSIVE


@pytest.mark.parametrize("engine", ENGINES)
def test_a_class_that_nobody_declared_is_caught_and_never_named(engine):
    rows = rides().with_columns(sky=pl.col("sky").replace("clear", "secret"))
    found = asked(rows, engine=engine, classes=list(SKIES.values()))
    assert found.verdict is BREACH
    strange = (rows["sky"] == "secret").sum()
    assert only(found) == (
        "unknown classes",
        f"{strange} of 48 labels are none of the 4 classes",
    )
    assert "secret" not in str(found)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_default_in_place_of_every_label_is_one_sided(engine):
    rows = rides().with_columns(sky=pl.lit("clear"))
    found = asked(rows, engine=engine, max_share="90%")
    assert only(found) == ("one-sided", "48 of 48 labels are of one class; at most 90% may")
    named = asked(rows, engine=engine, max_share=0.9, classes=list(SKIES.values()))
    assert only(named)[1] == "48 of 48 labels are of class 'clear'; at most 90% may"


def test_a_handful_of_labels_is_never_one_sided():
    rows = rides().with_columns(sky=pl.lit("clear"))
    assert asked(rows.head(30), max_share=0.9).verdict is BREACH
    few = asked(rows.head(29), max_share=0.9)
    assert few.verdict is OK
    assert few.measurement.note == "fewer than 30 labels, too few to be one-sided"
    assert few.measurement.coverage == 0.5


@pytest.mark.parametrize("engine", ENGINES)
def test_a_correction_that_was_added_instead_of_replacing_is_caught(engine):
    corrected = rides().head(3).with_columns(sky=pl.lit("storm"))
    rows = pl.concat([rides(), corrected, rides().tail(5)])
    found = asked(rows, engine=engine)
    assert found.verdict is BREACH
    assert only(found) == (
        "contradictory",
        "3 keys have labels that differ, on 6 of 56 labelled rows",
    )


def test_rows_of_one_key_may_differ_where_the_guard_says_so_or_names_no_key():
    rows = pl.concat([rides(), rides().with_columns(sky=pl.lit("storm"))])
    assert asked(rows, consistent=False, max_missing=0).verdict is OK
    keyless = Table(asset="rides", time="timestamp", label="sky")
    assert asked(rows, max_missing=0, table=keyless).verdict is OK
    assert asked(rows, max_missing=0).verdict is BREACH


@pytest.mark.parametrize("engine", ENGINES)
def test_a_key_that_lacks_a_part_names_no_row_and_no_label_contradicts_none(engine):
    table = Table(asset="rides", key=("a", "b"), label="y")
    rows = pl.DataFrame(
        {
            "a": [1.0, 1.0, None, None, math.nan, math.nan, 2.0, 2.0],
            "b": ["x", None, "x", "x", "x", "x", "y", "y"],
            "y": [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, math.nan, 3.0],
        }
    )
    assert asked(rows, table=table, engine=engine).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_labels_that_take_twice_as_long_as_before_are_caught(engine):
    rows = rides().with_columns(arrived=pl.col("timestamp") + pl.duration(hours=13))
    found = asked(rows, engine=engine, arrived="arrived", past=history(6, 6, 7, 5, 6))
    assert (found.verdict, found.measurement.value) == (BREACH, 1)
    assert only(found) == (
        "late",
        "the median delay is 13 hours, and was 6 hours over 5 earlier batches",
    )
    assert found.measurement.facts == {"median_delay_s": 13 * 3600}
    slower = asked(rows, engine=engine, arrived="arrived", slower=3, past=history(6, 6, 7, 5, 6))
    assert slower.verdict is OK


def test_twice_as_long_is_not_yet_too_long():
    rows = rides().with_columns(arrived=pl.col("timestamp") + pl.duration(hours=12))
    assert asked(rows, arrived="arrived", past=history(*[6] * 5)).verdict is OK


def test_delays_need_a_history_of_five_batches_and_leave_one():
    rows = rides().with_columns(arrived=pl.col("timestamp") + pl.duration(hours=99))
    found = asked(rows, arrived="arrived", consistent=False, past=history(6, 6, 6, 6, None))
    assert found.verdict is INCONCLUSIVE
    assert found.measurement.note == "only 4 of 5 earlier batches to compare delays with"
    assert found.measurement.facts == {"median_delay_s": 99 * 3600}


def test_only_earlier_batches_are_history():
    rows = rides().with_columns(arrived=pl.col("timestamp") + pl.duration(hours=13))
    found = asked(rows, arrived="arrived", now="2012-04-03", past=history(*[6] * 9))
    assert "only 2 of 5 earlier batches" in found.measurement.note


def test_one_odd_batch_in_the_history_changes_nothing():
    rows = rides().with_columns(arrived=pl.col("timestamp") + pl.duration(hours=13))
    assert asked(rows, arrived="arrived", past=history(6, 6, 900, 6, 6)).verdict is BREACH


def test_delays_shorter_than_a_minute_are_all_alike():
    rows = rides().with_columns(arrived=pl.col("timestamp") + pl.duration(seconds=100))
    assert asked(rows, arrived="arrived", past=history(*[0] * 5)).verdict is OK
    rows = rides().with_columns(arrived=pl.col("timestamp") + pl.duration(seconds=121))
    assert asked(rows, arrived="arrived", past=history(*[0] * 5)).verdict is BREACH


@pytest.mark.parametrize("engine", ENGINES)
def test_labels_still_awaited_count_as_later_than_all_that_came(engine):
    waiting = pl.int_range(pl.len()) % 3 != 0
    rows = rides().with_columns(sky=pl.when(~waiting).then(pl.col("sky")))
    more = {"engine": engine, "arrived": "arrived", "max_missing": "99%"}
    seen = asked(rows, past=history(*[6] * 5), **more)
    assert seen.verdict is OK
    found = asked(rows, past=history(*[6] * 5), due_after="13h", **more)
    assert only(found)[1].startswith("the median delay is more than 13 hours, and was 6 hours")
    assert found.measurement.facts == {}
    early = asked(rows, past=history(*[6] * 5), due_after="12h", **more)
    assert early.verdict is OK
    assert early.measurement.note == "half of the labels that are due are still awaited"


def test_a_handful_of_delays_is_not_compared():
    rows = rides().head(9).with_columns(arrived=pl.col("timestamp") + pl.duration(days=9))
    found = asked(rows, arrived="arrived", past=history(*[6] * 5))
    assert (found.verdict, found.measurement.note) == (OK, "fewer than 10 delays")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_delays_are_between_moments_whatever_the_zones(zone):
    utc = pl.col("timestamp").dt.replace_time_zone("UTC")
    rows = rides("2012-03-24", days=3).with_columns(
        timestamp=utc, arrived=(utc + pl.duration(hours=6)).dt.convert_time_zone(zone)
    )
    assert asked(rows, arrived="arrived").measurement.facts == {"median_delay_s": 6 * 3600}


def test_a_zone_in_one_column_only_is_an_error():
    rows = rides().with_columns(pl.col("arrived").dt.replace_time_zone("UTC"))
    found = asked(rows, arrived="arrived")
    assert found.verdict is ERROR
    assert found.reason.startswith("of timestamp and arrived only one has a time zone")


@pytest.mark.parametrize("engine", ["polars", "pyarrow"])
def test_dates_are_their_midnights(engine):
    rows = rides().with_columns(
        timestamp=pl.col("timestamp").dt.date(), arrived=pl.date(2012, 5, 25)
    )
    found = asked(rows.head(24), arrived="arrived", engine=engine)
    assert found.measurement.facts == {"median_delay_s": 4 * 86_400}


@given(
    st.datetimes(min_value=day_of("1900-01-01").replace(tzinfo=None)),
    st.integers(0, 10**9),
)
def test_any_delay_is_measured_to_the_second(start, delay):
    if start.year > 9000:
        return
    start = start.replace(microsecond=0)
    rows = pl.DataFrame({"at": [start] * 10, "came": [start + timedelta(seconds=delay)] * 10})
    rows = rows.with_columns(y=1)
    found = asked(rows, table=Table(asset="a", time="at", label="y"), arrived="came")
    assert found.measurement.facts == {"median_delay_s": delay}


@pytest.mark.parametrize("engine", ENGINES)
def test_no_rows_are_inconclusive(engine):
    found = asked(rides().clear(), engine=engine, **EVERYTHING)
    assert (found.verdict, found.measurement.note) == (INCONCLUSIVE, "no rows")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [pl.String, pl.Float64, pl.Null])
def test_a_column_of_no_labels_is_missing_whatever_its_type(engine, dtype):
    rows = rides().with_columns(sky=pl.lit(None, dtype=dtype))
    found = asked(rows, engine=engine, max_missing=0.05, classes=["clear"], max_share=0.9)
    assert only(found)[0] == "missing"
    assert found.measurement.coverage == 1 / 4
    nothing = asked(rows, engine=engine, classes=["clear"])
    assert nothing.verdict is INCONCLUSIVE


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_is_no_label_and_infinity_is_one(engine):
    rows = pl.DataFrame({"y": [1.0, 0.0, math.nan, None, math.inf, -math.inf]})
    found = asked(rows, table=table_of("y"), engine=engine, max_missing=0.1, classes=[0, 1])
    assert [part.text for part in found.measurement.parts] == [
        "2 of 6 rows have no label; at most 10% may",
        "2 of 4 labels are none of the 2 classes",
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_one_row_is_enough_to_judge(engine):
    rows = pl.DataFrame({"y": [True]})
    found = asked(rows, table=table_of("y"), engine=engine, classes=[True, False])
    assert (found.verdict, found.measurement.n) == (OK, 1)


def test_classes_of_another_type_are_an_error():
    rows = pl.DataFrame({"y": ["1", "0"]})
    found = asked(rows, table=table_of("y"), classes=[1, 0])
    assert found.verdict is ERROR
    assert found.reason.startswith("classes names numbers, and y holds text")


def test_labels_of_truths_can_be_named():
    rows = pl.DataFrame({"y": [True] * 30})
    found = asked(rows, table=table_of("y"), classes=[True, False], max_share=0.9)
    assert "of class true" in found.reason


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("column", ODD)
def test_columns_may_have_any_name(engine, column):
    rows = pl.DataFrame({"id": [1, 1], column: ["a", "b"], "z": [1, 1]})
    found = asked(rows, table=table_of(column, key=("id",)), engine=engine, classes=["a"])
    assert [part.name for part in found.measurement.parts] == ["unknown classes", "contradictory"]
    swapped = pl.DataFrame({column: [1, 1], "y": ["a", "b"]})
    found = asked(swapped, table=table_of("y", key=(column,)), engine=engine)
    assert found.verdict is BREACH


@pytest.mark.parametrize("column", ODD)
def test_time_columns_may_have_any_name(column):
    other = f"{column} 2"
    rows = rides().rename({"timestamp": column, "arrived": other})
    table = Table(asset="a", time=column, label="sky")
    found = asked(rows, table=table, arrived=other, due_after="1d", max_missing=0)
    assert found.measurement.facts == {"median_delay_s": 6 * 3600}


@pytest.mark.parametrize(
    ("table", "more", "told"),
    [
        (table_of("gone"), {}, "columns are gone: gone"),
        (table_of("sky", key=("gone",)), {}, "columns are gone: gone"),
        (table_of("sky", time="gone"), {"due_after": "1d"}, "columns are gone: gone"),
        (table_of("sky", time="timestamp"), {"arrived": "gone"}, "columns are gone: gone"),
        (table_of("sky", time="temp"), {"due_after": "1d"}, "temp holds Float64, not times"),
        (table_of("sky"), {"due_after": "1d"}, "delays need the table's time column"),
        (Table(asset="a"), {}, "labels needs the table's label column"),
    ],
)
def test_what_cannot_be_measured_is_an_error(table, more, told):
    found = asked(rides(), table=table, max_missing=0.5, **more)
    assert found.verdict is ERROR
    assert found.reason.startswith(told)


labels = st.none() | st.sampled_from([1.0, 2.0, 3.0, math.nan])


@given(st.lists(st.tuples(st.integers(0, 2), labels), min_size=1, max_size=8))
def test_every_way_is_counted_and_all_engines_agree(cells):
    ids, ys = zip(*cells, strict=True)
    rows = pl.DataFrame({"id": ids, "y": pl.Series(ys, dtype=pl.Float64)})
    there = [(i, y) for i, y in cells if y is not None and not math.isnan(y)]
    table = table_of("y", key=("id",))
    found = [asked(rows, table=table, engine=e, max_missing=0.25, classes=[1, 2]) for e in ENGINES]
    failed = {part.name for part in found[0].measurement.parts}
    assert ("missing" in failed) == (1 - len(there) / len(cells) > 0.25)
    assert ("unknown classes" in failed) == any(y == 3 for _, y in there)
    differ = any(len({y for j, y in there if j == i}) > 1 for i in range(3))
    assert ("contradictory" in failed) == differ
    assert len({said(evaluation) for evaluation in found}) == 1
