"""What DuckDB holds and polars does not, and what of its own rules must not show."""

import duckdb
import polars as pl
import pytest

from aiguard_dagster.adapters.engines import duckdb as engines
from aiguard_dagster.adapters.engines import polars as here
from aiguard_dagster.adapters.engines.duckdb import DuckDBEngine
from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of
from aiguard_dagster.adapters.engines.polars import PolarsEngine
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import CategoryGrid, Grid, NumericGrid
from tests.conformance.test_profiles import FEATURES, ROWS_OF_FEATURES

PLAIN = Table(asset="t")
HOSTILE = ["*", "a.b", 'a "b"', "a `b`", "it's", '"; DROP TABLE rows; --', "#1", "$1", "?", "größe"]


def counted(query, columns, table=PLAIN, **options):
    connection = duckdb.connect()
    engine = DuckDBEngine(connection.sql(query))
    return engine.profiles(Plan(table=table, grid=Grid(columns), **options))


def test_every_type_has_its_family():
    query = """SELECT 1::HUGEINT a, 1.5::DECIMAL(9, 2) b, TRUE c, 'x' d, 'x'::ENUM('x', 'y') e,
        uuid() f, NULL g, now() h, now()::TIMESTAMP_NS i, current_date j, TIME '10:00' k,
        INTERVAL 1 DAY l, [1] m, {'a': 1} n, 'x'::BLOB o, 1::UTINYINT p"""
    families = DuckDBEngine(duckdb.connect().sql(query)).families()
    told = "number number truth text text text text time time time other other other other other"
    assert list(families.values()) == [*told.split(), "number"]
    plan = Plan(table=PLAIN, grid=choose_grid(DuckDBEngine(duckdb.connect().sql(query)), PLAIN))
    assert counted(query, plan.grid.columns)[""].rows == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stands_for_itself(name):
    rows = pl.DataFrame({"x": [9.0, 9.0], name: [1.0, 2.0], "y": [9.0, 9.0]})
    connection = duckdb.connect()
    connection.execute("CREATE TABLE rows AS SELECT 1")
    relation = connection.from_arrow(rows.to_arrow())
    found = DuckDBEngine(relation).profiles(
        Plan(table=PLAIN, grid=Grid({name: NumericGrid((1.5,))}))
    )
    assert found[""].columns[name].counts == (1, 1)
    assert connection.table("rows").fetchall() == [(1,)]


def test_a_name_of_another_case_is_another_name():
    found = counted("SELECT 1.0 AS a", {"A": NumericGrid((1.5,))})
    assert found[""].columns["A"].nulls == 1


def test_categories_are_told_apart_whatever_the_collation():
    query = "SELECT unnest(['red', 'Red', 'RED', 'réd']) COLLATE NOCASE.NOACCENT AS c"
    found = counted(query, {"c": CategoryGrid(("red",), ("RED",))})
    assert found[""].columns["c"].counts == (1, 1, 2)
    engine = DuckDBEngine(duckdb.connect().sql(query))
    assert engine.categories(["c"])["c"].counts == {"red": 1, "Red": 1, "RED": 1, "réd": 1}


def test_classes_are_told_apart_whatever_the_collation():
    query = "SELECT unnest(['a', 'A']) COLLATE NOCASE AS said, 'a' AS label"
    table = Table(asset="t", prediction="said", label="label")
    found = counted(query, {}, table, classes=True)[""]
    assert found.outcomes.confusion == {("a", "a"): 1, ("a", "A"): 1}


def test_versions_are_told_apart_whatever_the_collation():
    query = "SELECT unnest(['a', 'A']) COLLATE NOCASE AS v"
    assert set(counted(query, {}, PLAIN.model_copy(update={"model_version": "v"}))) == {"a", "A"}


def test_an_infinite_time_is_none():
    query = "SELECT unnest(['infinity', '-infinity', '2026-03-01', NULL])::TIMESTAMP AS at"
    table = Table(asset="t", time="at")
    found = counted(query, {}, table, by="day")
    assert {part: profile.rows for part, profile in found.items()} == {"": 3, "2026-03-01": 1}
    assert counted(query, {}, table)[""].first.year == 2026


def test_a_time_that_is_none_is_told():
    with pytest.raises(MeasurementError, match="the time column 'at' holds varchar, not times"):
        counted("SELECT 'noon' AS at", {}, Table(asset="t", time="at"))


def test_nan_falls_in_no_bin():
    query = "SELECT unnest(['nan', 'inf', '-inf', '1', NULL])::DOUBLE AS x"
    found = counted(query, {"x": NumericGrid((0.0, 2.0))})[""].columns["x"]
    assert found.counts == (1, 1, 1)
    assert (found.nulls, found.nans, found.minus_infinite, found.plus_infinite) == (1, 1, 1, 1)
    assert (found.lowest, found.highest, found.mean, found.spread) == (1.0, 1.0, 1.0, 0.0)


def test_a_sample_is_the_one_that_polars_takes(monkeypatch):
    monkeypatch.setattr(engines, "SAMPLE", 150)
    monkeypatch.setattr(here, "SAMPLE", 150)
    relation = duckdb.connect().from_arrow(ROWS_OF_FEATURES.to_arrow())
    found, expected = DuckDBEngine(relation), PolarsEngine(ROWS_OF_FEATURES.lazy())
    assert found.categories(["colour"]) == expected.categories(["colour"])
    assert 140 < expected.categories(["note"])["note"].values <= 150
    grids = [choose_grid(engine, FEATURES, joint=()) for engine in (found, expected)]
    assert grids[0] == grids[1]


def test_no_rows_have_no_spread():
    relation = duckdb.connect().from_arrow(ROWS_OF_FEATURES.head(0).to_arrow())
    grid = choose_grid(DuckDBEngine(relation), FEATURES)
    assert grid == choose_grid(engine_of(ROWS_OF_FEATURES.head(0)), FEATURES)


def test_the_connection_is_left_as_it_was():
    connection = duckdb.connect()
    relation = connection.from_arrow(ROWS_OF_FEATURES.to_arrow())
    engine = DuckDBEngine(relation)
    engine.profiles(Plan(table=FEATURES, grid=choose_grid(engine, FEATURES)))
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)
    assert connection.execute(
        "SELECT count(*) FROM duckdb_views() WHERE NOT internal"
    ).fetchone() == (0,)
