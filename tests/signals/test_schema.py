"""Columns that are gone, renamed, retyped, null, out of order or unexpected."""

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import narwhals as nw
import polars as pl
import pytest

from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.baseline import TableBaseline
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.measure import evaluate_batch
from aiguard_dagster.stats.grid import Grid
from tests.conformance.engines import spark_session
from tests.signals.batches import DAY, ENGINES, RENTALS, day_of, judged, rows_of, rule_of, said

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
TYPES = {"timestamp": "timestamp", "hr": "int", "temp": "float", "cnt": "int"}
EVERY_TYPE = pl.DataFrame(
    {
        "int": pl.Series([1], dtype=pl.Int8),
        "float": [1.5],
        "string": ["ä"],
        "boolean": [True],
        "timestamp": [datetime(2012, 5, 1)],
        "any": [1],
    }
)


def judged_schema(rows, columns=TYPES, *, engine="polars", **more):
    signal = {"kind": "schema", "table": "features", "columns": columns, **more}
    return judged(signal, rows, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_rentals_have_the_columns_they_should(engine):
    found = judged_schema(rows_of("2012-05-01"), engine=engine)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (OK, 0, 24)


@pytest.mark.parametrize("engine", ENGINES)
def test_each_column_gone_retyped_or_not_expected_counts_once(engine):
    rows = rows_of("2012-05-01").select("timestamp", "temp", "season", hr=pl.col("hr").cast(str))
    found = judged_schema(rows, engine=engine, allow_extra=False)
    assert (found.verdict, found.measurement.value) == (BREACH, 3)
    assert [(part.name, part.text) for part in found.measurement.parts] == [
        ("hr", "string, not int"),
        ("cnt", "gone"),
        ("season", "not expected"),
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_columns_that_are_not_named_are_welcome_unless_told_otherwise(engine):
    assert judged_schema(RENTALS.head(1), engine=engine).verdict is OK
    assert judged_schema(RENTALS.head(1), engine=engine, allow_extra=False).verdict is BREACH


@pytest.mark.parametrize("engine", ENGINES)
def test_every_type_is_known_by_its_name_in_every_engine(engine):
    columns = {name: name for name in EVERY_TYPE.columns}
    assert judged_schema(EVERY_TYPE, columns, engine=engine).measurement.value == 0


@pytest.mark.parametrize("engine", ["polars", "pyarrow"])  # pandas keeps dates as times.
def test_a_date_is_no_time(engine):
    found = judged_schema(pl.DataFrame({"at": [date(2012, 5, 1)]}), {"at": "date"}, engine=engine)
    assert found.verdict is OK


@pytest.mark.filterwarnings("ignore:Series.values returning")  # pyarrow's, with pandas 3.1
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Etc/GMT+5"])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_time_is_a_timestamp_in_any_zone(engine, zone):
    rows = pl.DataFrame({"at": [datetime(2012, 5, 1)]})
    aware = rows.select(pl.col("at").dt.replace_time_zone(zone))
    assert judged_schema(aware, {"at": "timestamp"}, engine=engine).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_values_are_not_its_business(engine, value):
    rows = pl.DataFrame({"temp": pl.Series([value, value], dtype=pl.Float64)})
    assert judged_schema(rows, {"temp": "float"}, engine=engine).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_no_rows_are_never_ok_and_a_column_gone_is_a_breach_all_the_same(engine):
    empty = rows_of("2012-05-01").clear()
    assert judged_schema(empty, engine=engine).verdict is INCONCLUSIVE
    assert judged_schema(empty.drop("cnt"), engine=engine).verdict is BREACH


@pytest.mark.parametrize("column", ["größe", "a b", "*", "^x$", "", "时间", "__rows"])
def test_a_column_may_have_any_name(column):
    rows = pl.DataFrame({column: [1.0], "other": [1]})
    found = [judged_schema(rows, {column: "float"}, engine=engine) for engine in ENGINES]
    assert len({said(evaluation) for evaluation in found}) == 1
    assert found[0].verdict is OK
    assert judged_schema(rows.select("other"), {column: "float"}).verdict is BREACH


PRICES = ["price", "a price", 'pri"ce', "größe", "*", "^price$", '"; DROP TABLE x; --']


def parts(evaluation):
    return {part.name: part.text for part in evaluation.measurement.parts}


def against(kind, rows, *, engine="polars", day="2012-05-01", **more):
    options = {key: more.pop(key) for key in ("allow_extra", "ordered") if key in more}
    signal = {"kind": "schema", "table": "features", "against": kind, **options}
    return judged(signal, rows, engine=engine, day=day, **more)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_type_there_is_has_one_name_in_every_engine(engine):
    rows = pl.DataFrame(
        {
            "int": pl.Series([1], dtype=pl.UInt64),
            "decimal": [Decimal("1.50")],
            "string": pl.Series(["a"], dtype=pl.Categorical),
            "duration": [timedelta(hours=1)],
            "binary": [b"a"],
            "list": [[1.0]],
            "struct": [{"a": 1}],
            "time": [time(1)],
        }
    )
    columns = {name: name for name in rows.columns}
    assert judged_schema(rows, columns, engine=engine).verdict is OK


def test_a_decimal_is_no_float_and_a_pandas_date_is_one():
    rows = pl.DataFrame({"price": [Decimal("1.50")]})
    assert parts(judged_schema(rows, {"price": "float"})) == {"price": "decimal, not float"}
    days = pl.DataFrame({"day": [date(2012, 5, 1)]}).to_pandas(date_as_object=True)
    signal = {"kind": "schema", "table": "features", "columns": {"day": "date"}}
    assert judged(signal, pl.from_pandas(days)).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_a_column_without_a_value_is_neither_right_nor_wrong(engine):
    rows = rows_of("2012-05-01").with_columns(hr=pl.lit(None, dtype=pl.String), cnt=None)
    found = judged_schema(rows, engine=engine)
    assert (found.verdict, found.measurement.value) == (OK, 0)
    assert found.measurement.coverage == 0.5
    assert found.measurement.note == "type unknown, no value tells it: hr, cnt"
    assert found.measurement.facts["columns"]["hr"] == "unknown"


def test_columns_without_any_value_are_inconclusive_and_never_ok():
    found = judged_schema(pl.DataFrame({"hr": [None, None]}), {"hr": "int"})
    assert (found.verdict, found.measurement.value, found.measurement.n) == (INCONCLUSIVE, None, 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_nulls_count_where_none_may_be(engine):
    columns = {"temp": {"type": "float", "nullable": False}, "hum": "float"}
    holes = pl.when(pl.int_range(pl.len()) > 2).then("temp")
    rows = rows_of("2012-05-01").with_columns(temp=holes, hum=None)
    found = judged_schema(rows, columns, engine=engine)
    assert found.verdict is BREACH
    assert parts(found) == {"temp": "3 nulls"}
    assert judged_schema(rows_of("2012-05-01"), columns, engine=engine).verdict is OK


def test_nan_is_null_and_infinity_is_not():
    columns = {"x": {"nullable": False}}
    one = pl.DataFrame({"x": [1.0, math.nan]})
    assert parts(judged_schema(one, columns)) == {"x": "1 null"}
    assert judged_schema(pl.DataFrame({"x": [1.0, math.inf]}), columns).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_a_renamed_column_is_one_difference_and_told(engine):
    rows = rows_of("2012-05-01").rename({"temp": "temperature"})
    found = judged_schema(rows, engine=engine)
    assert parts(found) == {"temp": "gone; renamed to temperature?"}
    strict = dict.fromkeys(rows_of("2012-05-01").columns, "any")
    assert judged_schema(rows, strict, allow_extra=False).measurement.value == 1


def test_a_column_that_is_gone_is_not_found_in_one_of_another_type():
    rows = (
        rows_of("2012-05-01")
        .drop("atemp")
        .rename({"temp": "tempo"})
        .with_columns(tempo=pl.lit("a"))
    )
    assert parts(judged_schema(rows)) == {"temp": "gone"}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_order_counts_on_demand(engine):
    names = ["cnt", "timestamp", "season", "hr", "temp"]
    rows = rows_of("2012-05-01").select(names)
    assert judged_schema(rows, engine=engine).verdict is OK
    found = judged_schema(rows, engine=engine, ordered=True)
    assert parts(found) == {"cnt": "out of order"}
    right = rows.select("timestamp", "season", "hr", "temp", "cnt")
    assert judged_schema(right, engine=engine, ordered=True).verdict is OK


def test_a_renamed_column_that_moved_counts_once():
    rows = rows_of("2012-05-01").select(hour_cnt="cnt", timestamp="timestamp", hr="hr", temp="temp")
    rows = rows.rename({"hour_cnt": "cnt_hour"})
    found = judged_schema(rows, ordered=True)
    assert parts(found) == {"cnt": "gone; renamed to cnt_hour?; out of order"}


@pytest.mark.parametrize("name", PRICES)
def test_a_hostile_name_is_only_a_name(name):
    rows = pl.DataFrame({"other": ["a"], name: [1.0]})
    columns = {name: {"type": "int", "nullable": False}, "other": "string"}
    found = judged_schema(rows, columns, ordered=True)
    assert parts(found)[name].startswith("float, not int")


def test_many_differences_are_counted_and_the_first_ten_named():
    found = judged_schema(RENTALS.head(1), {f"c{number}": "int" for number in range(12)})
    assert found.measurement.value == 12
    assert len(found.measurement.parts) == 10
    assert found.measurement.note == "2 more columns differ"


def test_the_baseline_is_compared_in_its_order():
    types = {"timestamp": "timestamp", "hr": "int", "temp": "float"}
    kept = TableBaseline(grid=Grid(columns={}), days={}, types=types)
    rows = rows_of("2012-05-01")
    good = rows.select("timestamp", "hr", "temp")
    assert against("baseline", good, ordered=True, accepted=lambda: kept).verdict is OK
    swapped = against(
        "baseline", rows.select("hr", "timestamp", "temp"), ordered=True, accepted=lambda: kept
    )
    assert swapped.measurement.value == 1


def test_a_baseline_keeps_the_order_of_its_columns_in_json():
    import json

    from aiguard_dagster.signals.baseline import (
        Baseline,
        baseline_from_json,
        baseline_to_json,
    )

    table = TableBaseline(grid=Grid(columns={}), days={}, types={"b": "int", "a": "float"})
    baseline = Baseline(
        guard="g",
        model="m",
        version="1",
        recorded_at=datetime(2012, 5, 1, tzinfo=UTC),
        tables={"features": table},
        metrics={},
    )
    text = json.dumps(baseline_to_json(baseline), sort_keys=True)
    again = baseline_from_json(json.loads(text)).tables["features"].types
    assert list(again.items()) == [("b", "int"), ("a", "float")]


def history(*batches, **more):
    """Batches judged one after the other, a day each, as a rule's past would hold them."""
    points = []
    for number, rows in enumerate(batches):
        day = f"2012-05-{number + 1:02}"
        found = against("previous", rows, day=day, past=lambda: tuple(points), **more)
        kept = found.measurement
        points.append(
            Point(
                as_of=kept.as_of,
                start=kept.window.start,
                verdict=found.verdict,
                value=kept.value,
                n=kept.n,
                facts=kept.facts,
            )
        )
    return [point.verdict for point in points], found


DAY_ONE = rows_of("2012-05-01")
RETYPED = DAY_ONE.with_columns(pl.col("temp").cast(pl.String))


def test_the_first_batch_has_none_before_it_to_compare_with():
    verdicts, found = history(DAY_ONE)
    assert verdicts == [INCONCLUSIVE]
    assert found.reason == "the first batch: there is none before it to compare with"
    assert found.measurement.facts["order"] == DAY_ONE.columns
    assert found.measurement.facts["columns"]["temp"] == "float"


def test_the_batch_before_is_what_counts_and_one_in_breach_is_no_measure():
    verdicts, found = history(DAY_ONE, DAY_ONE, RETYPED, RETYPED, DAY_ONE)
    assert verdicts == [INCONCLUSIVE, OK, BREACH, BREACH, OK]
    verdicts, found = history(DAY_ONE, RETYPED, RETYPED)
    assert verdicts == [INCONCLUSIVE, BREACH, BREACH]
    assert parts(found) == {"temp": "string, not float"}


def test_columns_that_came_and_were_welcome_are_expected_from_then_on():
    more = DAY_ONE.with_columns(rain=1.5)
    assert history(DAY_ONE, more, DAY_ONE)[0] == [INCONCLUSIVE, OK, BREACH]
    assert history(DAY_ONE, more, allow_extra=False)[0] == [INCONCLUSIVE, BREACH]


def test_an_empty_batch_is_no_measure_for_those_after_it():
    empty = pl.DataFrame({"other": []})
    assert history(empty, DAY_ONE, DAY_ONE)[0] == [INCONCLUSIVE, INCONCLUSIVE, OK]


def test_a_type_survives_a_batch_without_a_value():
    nothing = DAY_ONE.with_columns(temp=None)
    verdicts, found = history(DAY_ONE, nothing, RETYPED)
    assert verdicts == [INCONCLUSIVE, OK, BREACH]
    assert parts(found) == {"temp": "string, not float"}


def test_batches_that_are_later_in_event_time_do_not_count():
    later = Point(
        as_of=day_of("2012-05-02") + DAY,
        start=day_of("2012-05-02"),
        verdict=OK,
        n=24,
        facts={"columns": {"x": "int"}, "order": ["x"]},
    )
    assert against("previous", DAY_ONE, past=lambda: (later,)).verdict is INCONCLUSIVE


SIGNATURE = {"hr": "int64", "temp": "float64", "rain": "float64?", "season": "int64"}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_rentals_are_what_their_model_takes(engine):
    found = against("signature", DAY_ONE, engine=engine, signature=lambda: SIGNATURE)
    assert (found.verdict, found.measurement.value) == (OK, 0)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (DAY_ONE.drop("hr"), {"hr": "gone"}),
        (
            DAY_ONE.with_columns(pl.col("hr").cast(pl.Float64)),
            {"hr": "float64, which MLflow will not convert to int64"},
        ),
        (
            DAY_ONE.with_columns(pl.col("temp").cast(pl.String)),
            {"temp": "string, which MLflow will not convert to float64"},
        ),
        (
            DAY_ONE.with_columns(temp=pl.col("cnt")),
            {"temp": "int64, which MLflow will not convert to float64"},
        ),
        (
            DAY_ONE.with_columns(rain=pl.lit("no")),
            {"rain": "string, which MLflow will not convert to float64?"},
        ),
        (
            DAY_ONE.with_columns(hr=pl.when(pl.col("hr") > 1).then("hr")),
            {"hr": "2 nulls, which int64 cannot hold"},
        ),
    ],
    ids=["gone", "float for int", "text", "wide int for float", "optional", "null ints"],
)
def test_what_the_model_will_choke_on_is_a_breach(broken, told):
    found = against("signature", broken, signature=lambda: SIGNATURE)
    assert found.verdict is BREACH
    assert parts(found) == told


@pytest.mark.parametrize(
    "rows",
    [
        DAY_ONE.with_columns(pl.col("hr").cast(pl.Int16), pl.col("temp").cast(pl.Float32)),
        DAY_ONE.with_columns(temp=pl.col("cnt") * 0),
        DAY_ONE.with_columns(temp=pl.lit(None, dtype=pl.Float64)),
        DAY_ONE.with_columns(rain=1.0, more=pl.lit("a")),
    ],
    ids=["narrower", "flags", "null floats", "more columns"],
)
def test_what_mlflow_converts_is_ok(rows):
    assert against("signature", rows, signature=lambda: SIGNATURE).verdict is OK


def test_an_aware_time_is_refused_by_a_model_that_saw_naive_ones():
    aware = DAY_ONE.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
    found = against("signature", aware, signature=lambda: {"timestamp": "timestamp"})
    told = "timestamp with zone, which MLflow will not convert to timestamp"
    assert parts(found) == {"timestamp": told}


def on_engine(native, **signal):
    """The verdict on a table that stays in its own engine."""
    rule = rule_of({"kind": "schema", "table": "features", **signal})
    batch = Batch(
        frame=nw.from_native(native).lazy(),
        native=native,
        table=Table(asset="features"),
        window=None,
        now=day_of("2012-05-02"),
        signature=lambda: {"hr": "int32", "temp": "float64", "at": "timestamp"},
    )
    return evaluate_batch(rule, batch)


DECLARED = {
    "hr": "int",
    "temp": {"type": "float", "nullable": False},
    "price": "decimal",
    "at": "timestamp",
    "aware": "timestamp",
    "day": "date",
    "tags": "list",
    "by": "map",
    "of": "struct",
    "raw": "binary",
    "took": "duration",
    'a"; --': "string",
}
AS_SPARK = """select 1 hr, double(0.5) temp, 1.5bd price, timestamp_ntz'2012-05-01' at,
    timestamp'2012-05-01' aware, date'2012-05-01' day, array(1) tags, map('a', 1) by,
    struct(1 a) of, binary('a') raw, interval 1 day took, 'x' `a"; --`"""


def faults_of(evaluation):
    return evaluation.verdict, parts(evaluation)


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore")
def test_types_are_the_same_on_spark():
    table = spark_session().sql(AS_SPARK)
    assert faults_of(on_engine(table, columns=DECLARED)) == (OK, {})
    assert on_engine(table, against="signature").verdict is OK
    broken = table.selectExpr("*", "null void").selectExpr("* except (hr, temp)")
    found = on_engine(broken, columns={**DECLARED, "void": "int"})
    assert faults_of(found) == (BREACH, {"hr": "gone", "temp": "gone"})
    assert found.measurement.note == "type unknown, no value tells it: void"
