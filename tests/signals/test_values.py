"""Values that are not allowed: out of range, of no known category, stuck, in another unit."""

import math
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.verdicts import Verdict
from tests.signals.accepted import INPUTS, SKIES, SKY, YEAR, accepted_of
from tests.signals.batches import DAY, ENGINES, judged, said

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
VALUES = {"kind": "values", "table": "features"}
WEATHER = {
    "temp": {"min": 0, "max": 1},
    "hum": {"min": 0.05, "max": 1, "varies": True},
    "weathersit": {"one_of": [1, 2, 3, 4]},
    "sky": {"one_of": list(SKIES.values())},
    "dry": {"one_of": [True, False]},
}
MEASURED = ["temp", "atemp", "hum", "windspeed", "sky", "dry"]
ODD = ["größe", "a b", "rows", "c0_known", "len", "*", "^a$", '"; DROP TABLE x; --', "it's", "時刻"]


def day_rows(day):
    start = datetime.fromisoformat(day)
    return SKY.filter(pl.col("timestamp").is_between(start, start + DAY, closed="left"))


def held(rows, columns=WEATHER, **more):
    return judged({**VALUES, "columns": columns}, rows, **more)


def compared(rows, *columns, baseline=YEAR, margin=0.1, **more):
    signal = {**VALUES, "from_baseline": columns or MEASURED, "margin": margin}
    return judged(signal, rows, accepted=lambda: baseline, **more)


def only(found):
    (part,) = found.measurement.parts
    return part.name, part.text


def test_ordinary_days_are_quiet():
    days = [f"2012-{month:02}-{day}" for month in range(1, 13) for day in (11, 21, 23)]
    assert {held(day_rows(day), day=day).verdict for day in days} == {OK}
    assert {compared(day_rows(day), day=day).verdict for day in days} == {OK}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_day_on_which_the_humidity_sensor_wrote_zeros_is_caught(engine):
    found = held(day_rows("2011-03-10"), day="2011-03-10", engine=engine)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (BREACH, 1, 22)
    assert only(found) == ("hum", "one value throughout, 22 times, 22 below 0.05")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("day", ["2012-08-17", "2012-12-29"])
def test_the_days_on_which_the_felt_temperature_was_stuck_are_caught(engine, day):
    found = compared(day_rows(day), *INPUTS, day=day, engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 1)
    assert only(found) == ("atemp", "one value throughout, 24 times")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("power", "told"),
    [(3, "divided by 1,000"), (1, "divided by 10"), (-2, "multiplied by 100")],
)
@pytest.mark.parametrize("column", ["temp", "hum"])
def test_a_unit_that_jumped_is_caught(engine, power, told, column):
    rows = day_rows("2012-05-21").with_columns(pl.col(column) * 10.0**power)
    found = compared(rows, *INPUTS, engine=engine, day="2012-05-21")
    assert (found.verdict, found.measurement.value) == (BREACH, 1)
    assert only(found)[1].startswith(f"its median fits the baseline only if {told}")


def test_a_unit_that_jumped_is_told_on_nine_days_of_ten_in_every_season():
    told = []
    for month in range(1, 13):
        for day in ("07", "21"):
            rows = day_rows(f"2012-{month:02}-{day}").with_columns(pl.col("temp", "hum") * 100)
            found = compared(rows, "temp", "hum", day=None)
            told += ["divided by 100" in part.text for part in found.measurement.parts]
    assert len(told) == 48
    assert sum(told) >= 0.9 * len(told)


@pytest.mark.parametrize("engine", ENGINES)
def test_degrees_instead_of_shares_of_41_degrees_are_out_of_range(engine):
    rows = day_rows("2012-05-21").with_columns(pl.col("temp") * 41)
    found = compared(rows, "temp", engine=engine)
    assert found.verdict is BREACH
    assert only(found)[1].endswith("24 above the baseline's range")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_number_that_stands_for_unknown_is_caught_however_wide_the_margin(engine):
    hour = pl.col("timestamp").dt.hour()
    rows = day_rows("2012-05-21").with_columns(
        temp=pl.when(hour < 3).then(-1.0).otherwise(pl.col("temp"))
    )
    found = compared(rows, *INPUTS, margin=1, engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 3 / 24)
    assert only(found) == ("temp", "of 24 values 3 below the baseline's range")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_category_never_seen_is_caught_and_never_named(engine):
    rows = day_rows("2012-05-21").with_columns(sky=pl.col("sky").replace("mist", "secret"))
    for found in (held(rows, engine=engine), compared(rows, "sky", engine=engine)):
        assert found.verdict is BREACH
        assert "secret" not in str(found)
    assert only(found) == (
        "sky",
        f"of 24 values {(rows['sky'] == 'secret').sum()} not in the baseline",
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_default_in_place_of_every_value_is_caught(engine):
    rows = day_rows("2012-05-21").with_columns(hum=pl.lit(0.5))
    assert only(compared(rows, engine=engine)) == ("hum", "one value throughout, 24 times")


def test_what_was_often_the_same_all_day_may_be_so_again():
    rows = day_rows("2012-05-21").with_columns(weathersit=pl.lit(1), workingday=pl.lit(1))
    assert compared(rows, "weathersit", "workingday").verdict is OK


def test_few_rows_need_not_vary():
    rows = day_rows("2012-05-21").with_columns(hum=pl.lit(0.5))
    assert compared(rows.head(12)).verdict is BREACH
    assert compared(rows.head(11)).verdict is OK
    assert compared(day_rows("2012-10-29"), day="2012-10-29").verdict is OK


def test_a_baseline_of_a_few_days_does_not_ask_columns_to_vary():
    week = accepted_of(SKY.head(24 * 8).select("timestamp", "hum"))
    days = dict(list(week.days.items())[:6])
    short = type(week)(grid=week.grid, days=days, types={})
    rows = day_rows("2012-05-21").with_columns(hum=pl.lit(0.5))
    assert compared(rows, "hum", baseline=week).verdict is BREACH
    assert compared(rows, "hum", baseline=short).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_baseline_counted_as_other_cannot_be_called_unseen(engine):
    start = datetime(2012, 1, 1)
    names = [f"station {number}" for number in range(1_010)]
    rows = pl.DataFrame(
        {
            "timestamp": [start + timedelta(hours=hour) for hour in range(24 * 210)],
            "station": [names[hour % 1_010] for hour in range(24 * 210)],
        }
    )
    baseline = accepted_of(rows)
    known = baseline.grid.columns["station"].categories
    batch = pl.DataFrame({"station": [known[0], known[1], "station 1010", "station 1011"]})
    found = compared(batch, "station", baseline=baseline, engine=engine)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (OK, 0, 2)
    assert found.measurement.coverage == 0.5
    assert found.measurement.note == "station: 2 values of which the baseline does not tell"
    nothing = compared(batch.tail(2), "station", baseline=baseline, engine=engine)
    assert nothing.verdict is INCONCLUSIVE


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("allowed", [{"min": 0}, {"max": 9}, {"min": 0, "max": 9}])
def test_infinity_is_outside_of_any_range_and_nan_is_no_value(engine, allowed):
    rows = pl.DataFrame({"x": [1.0, math.inf, -math.inf, math.nan, None]})
    found = held(rows, {"x": allowed}, engine=engine)
    assert (found.measurement.value, found.measurement.n) == (2 / 3, 3)
    assert only(found) == ("x", "of 3 values 2 infinite")
    assert found.measurement.coverage == 3 / 5


def test_infinity_is_outside_of_the_baseline_unless_it_had_some():
    rows = SKY.head(24 * 10).select("timestamp", "temp")
    third = pl.int_range(pl.len()) == 3
    wild = rows.with_columns(temp=pl.when(third).then(math.inf).otherwise(pl.col("temp")))
    batch = day_rows("2011-01-05").with_columns(temp=pl.lit(math.inf)).head(1)
    assert compared(batch, "temp", baseline=accepted_of(rows)).verdict is BREACH
    assert compared(batch, "temp", baseline=accepted_of(wild)).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_a_value_on_a_bound_is_inside(engine):
    rows = pl.DataFrame({"x": [0.0, 0.1, 5.0]})
    assert held(rows, {"x": {"min": 0, "max": 5}}, engine=engine).verdict is OK
    single = rows.with_columns(pl.col("x").cast(pl.Float32))
    assert held(single, {"x": {"min": 0, "max": 5}}, engine=engine).verdict is OK
    assert held(single[1:2], {"x": {"min": 0.1, "max": 0.1}}, engine=engine).verdict is OK
    assert held(single[1:2], {"x": {"one_of": [0.1]}}, engine=engine).verdict is OK


@pytest.mark.parametrize(
    ("cells", "dtype", "choices", "share"),
    [
        ([1, 2, 300], pl.Int16, [1, 2], 1 / 3),
        ([1, 2, 3], pl.Int8, [1, 2.0, 300], 1 / 3),
        ([2**62, 2**62 + 1], pl.Int64, [2**62], 1 / 2),
        ([1, 2**63 + 1], pl.UInt64, [1], 1 / 2),
        ([1.0, 2.5], pl.Float64, [1, 2.5], 0),
        ([1.0, 2.5], pl.Decimal(10, 2), [1], 1 / 2),
        (["a", "b"], pl.Categorical, ["a"], 1 / 2),
        (["a", "b"], pl.Enum(["a", "b"]), ["a"], 1 / 2),
        ([True, False], pl.Boolean, [True], 1 / 2),
        (["a", ""], pl.String, ["a"], 1 / 2),
    ],
)
def test_a_set_holds_numbers_text_or_truths_of_any_type(cells, dtype, choices, share):
    rows = pl.DataFrame({"x": pl.Series(cells, dtype=dtype)})
    assert held(rows, {"x": {"one_of": choices}}).measurement.value == share


@pytest.mark.parametrize(
    ("cells", "choices", "told"),
    [
        (["1", "0"], [1, 0], "columns.x.one_of names numbers, and x holds text"),
        (["yes"], [True], "columns.x.one_of names truths, and x holds text"),
        ([1, 0], ["1"], "columns.x.one_of names text, and x holds numbers"),
        ([1, 0], [True], "columns.x.one_of names truths, and x holds numbers"),
        ([datetime(2012, 5, 1)], ["2012-05-01"], "columns.x.one_of names text, and x holds times"),
        ([[1]], [1], "columns.x.one_of names numbers, and x holds List(Int64)"),
    ],
)
def test_a_set_of_another_type_is_an_error_that_tells_how_to_write_it(cells, choices, told):
    found = held(pl.DataFrame({"x": cells}), {"x": {"one_of": choices}})
    assert found.verdict is ERROR
    assert found.reason.startswith(told)


@pytest.mark.parametrize(
    ("cells", "allowed"), [(["a"], {"min": 0}), ([True], {"max": 1}), ([[1]], {"varies": True})]
)
def test_a_column_that_cannot_be_held_to_it_is_an_error(cells, allowed):
    found = held(pl.DataFrame({"x": cells}), {"x": allowed})
    assert found.verdict is ERROR
    assert found.reason.startswith("x holds ")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("cells", "verdict"),
    [
        ([1.0, 1.0], BREACH),
        ([1.0, 1.0, None, math.nan], BREACH),
        ([1.0, 2.0], OK),
        ([1.0], OK),
        ([math.inf, math.inf], BREACH),
        (["a", "a"], BREACH),
        (["a", "b"], OK),
        ([True, True], BREACH),
        ([False, True], OK),
        ([datetime(2012, 5, 1)] * 2, BREACH),
        ([datetime(2012, 5, 1), datetime(2012, 5, 2)], OK),
        ([None, None], INCONCLUSIVE),
        ([], INCONCLUSIVE),
    ],
    ids=str,
)
def test_a_column_varies_when_it_has_two_values(engine, cells, verdict):
    rows = pl.DataFrame({"x": cells}, strict=False)
    assert held(rows, {"x": {"varies": True}}, engine=engine).verdict is verdict


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_of_no_values_is_told_of_and_others_are_judged(engine):
    rows = pl.DataFrame({"x": [1.0, 2.0], "gone": pl.Series([None, None], dtype=pl.Float64)})
    found = held(rows, {"x": {"min": 0}, "gone": {"min": 0}}, engine=engine)
    assert (found.verdict, found.measurement.note) == (OK, "gone has no values")
    assert (found.measurement.n, found.measurement.coverage) == (2, 0.5)
    alone = held(rows, {"gone": {"min": 0}}, engine=engine)
    assert (alone.verdict, alone.measurement.value) == (INCONCLUSIVE, None)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_rows_are_inconclusive(engine):
    empty = day_rows("2012-05-21").clear()
    assert held(empty, engine=engine).verdict is INCONCLUSIVE
    assert compared(empty, engine=engine).measurement.note == "no rows"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("column", ODD)
def test_a_column_may_have_any_name(engine, column):
    rows = pl.DataFrame({"one": [1, 2, 3], column: [1.0, -1.0, 2.0], "two": [1, 2, 3]})
    found = held(rows, {column: {"min": 0, "one_of": [1], "varies": True}}, engine=engine)
    assert only(found) == (column, "of 3 values 1 below 0, 1 none of the 1 allowed")


@pytest.mark.parametrize("column", [*ODD, ""])
def test_a_column_of_the_baseline_may_have_any_name(column):
    start = datetime(2012, 5, 1)
    rows = pl.DataFrame({"timestamp": [start, start + DAY], column: [1.0, 2.0]})
    found = compared(rows.with_columns(rows[column] * 9), column, baseline=accepted_of(rows))
    assert only(found) == (column, "of 2 values 2 above the baseline's range")


def test_the_worst_column_speaks_first_and_ten_at_most_are_listed():
    rows = pl.DataFrame({f"x{n}": [-1] * n + [1] * (20 - n) for n in range(15)})
    found = held(rows, {name: {"min": 0} for name in rows.columns})
    assert [part.name for part in found.measurement.parts] == [f"x{n}" for n in range(14, 4, -1)]
    assert found.measurement.value == 14 / 20


def test_the_limit_is_a_share_and_a_value_on_it_is_ok():
    rows = pl.DataFrame({"x": [-1, 1, 1, 1]})
    assert held(rows, {"x": {"min": 0}}, limit="25%").verdict is OK
    assert held(rows, {"x": {"min": 0}}, limit="24%").verdict is BREACH


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (["gone"], "columns are gone: gone"),
        (["cnt"], "the baseline did not count cnt"),
        (["timestamp"], "the baseline did not count timestamp"),
    ],
)
def test_a_column_that_the_baseline_or_the_batch_lacks_is_an_error(columns, told):
    found = compared(day_rows("2012-05-21"), *columns)
    assert found.verdict is ERROR
    assert found.reason.startswith(told)


@pytest.mark.parametrize(
    ("column", "now", "told"),
    [
        (
            "temp",
            pl.col("temp").cast(pl.String),
            "temp is String now, and the baseline counted num",
        ),
        ("sky", pl.lit(1), "sky is Int32 now, and the baseline counted categories"),
    ],
)
def test_a_column_of_another_type_than_the_baseline_is_an_error(column, now, told):
    found = compared(day_rows("2012-05-21").with_columns(now.alias(column)), column)
    assert found.verdict is ERROR
    assert found.reason.startswith(told)


def test_a_baseline_without_values_is_an_error():
    rows = SKY.head(48).select("timestamp", temp=pl.lit(None, dtype=pl.Float64))
    found = compared(day_rows("2012-05-21"), "temp", baseline=accepted_of(rows))
    assert found.reason.startswith("the baseline held no value of temp")
    found = compared(day_rows("2012-05-21"), "temp", baseline=accepted_of(rows.clear()))
    assert found.reason.startswith("the baseline held no value of temp")


def test_no_value_of_the_rows_is_told():
    rows = pl.DataFrame({"x": [7654.321, 1.0], "s": ["ann@example.com", "b"]})
    found = held(rows, {"x": {"max": 5}, "s": {"one_of": ["b"]}})
    assert "7654" not in str(found)
    assert "ann" not in str(found)


numbers = st.none() | st.floats(-10, 10) | st.sampled_from([math.nan, math.inf, -math.inf])


@given(st.lists(numbers, min_size=1, max_size=8), st.integers(-9, 0), st.integers(0, 9))
def test_the_share_is_that_of_known_values_out_of_range_and_all_engines_agree(cells, low, high):
    rows = pl.DataFrame({"x": pl.Series(cells, dtype=pl.Float64)})
    there = [cell for cell in cells if cell is not None and not math.isnan(cell)]
    found = [held(rows, {"x": {"min": low, "max": high}}, engine=engine) for engine in ENGINES]
    wrong = sum(not low <= cell <= high for cell in there)
    assert found[0].measurement.value == (wrong / len(there) if there else None)
    assert len({said(evaluation) for evaluation in found}) == 1
