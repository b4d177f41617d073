"""Columns that are gone, retyped or unexpected."""

import math
from datetime import date, datetime

import polars as pl
import pytest

from aiguard_dagster.core.verdicts import Verdict
from tests.signals.batches import ENGINES, RENTALS, judged, rows_of, said

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
