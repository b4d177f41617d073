"""What warehouses are asked, for those that cannot be had here; and Postgres' own values."""

from datetime import UTC, datetime
from itertools import product

import ibis
import polars as pl
import psycopg
import pytest
import sqlglot
from sqlglot import expressions

from aiguard_dagster.adapters.engines import ibis as engines
from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.ibis import MOST, IbisEngine
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import CategoryGrid, Grid, NumericGrid
from tests.conformance.test_profiles import CASES, FEATURE_PLAN, FEATURES, ROWS_OF_FEATURES
from tests.conformance.warehouses import as_ibis_on_duckdb, ibis_on_postgres

# ibis itself asks DuckDB in a way that is going out of use.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
DIALECTS = ["snowflake", "bigquery", "postgres", "trino"]
PLAIN = Table(asset="t")
OURS = {"part", "known", "text", "rows"}
HOSTILE = ["*", 'a "b"', "a `b`", "it's", '"; DROP TABLE rows; --', "`; DROP TABLE rows; --", "ä\\"]


class Told(IbisEngine):
    """An engine that writes down what it asks."""

    def __init__(self, table):
        super().__init__(table)
        self.queries = []

    def frame(self, query):
        self.queries.append(query)
        return super().frame(query)


def asked(rows, plan):
    engine = Told(as_ibis_on_duckdb(rows))
    engine.profiles(plan)
    return engine.queries


def written(query, dialect):
    """The query for a warehouse, as its one statement."""
    (statement,) = sqlglot.parse(str(ibis.to_sql(query, dialect=dialect)), read=dialect)
    return statement


@pytest.mark.parametrize("case", CASES)
def test_a_profile_is_asked_in_every_dialect(case):
    for query, dialect in product(asked(*CASES[case]), DIALECTS):
        assert isinstance(written(query, dialect), expressions.Query)


def test_a_grid_is_asked_in_every_dialect(monkeypatch):
    monkeypatch.setattr(engines, "SAMPLE", 100)
    engine = Told(as_ibis_on_duckdb(ROWS_OF_FEATURES))
    choose_grid(engine, FEATURES, joint=())
    for query, dialect in product(engine.queries, DIALECTS):
        assert isinstance(written(query, dialect), expressions.Query)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_categories_are_quoted(name, dialect):
    rows = pl.DataFrame({name: [name, "other"], "n": [1.0, 2.0]})
    grid = Grid({name: CategoryGrid((name,))})
    for query in asked(rows, Plan(table=PLAIN, grid=grid)):
        statement = written(query, dialect)
        assert isinstance(statement, expressions.Query)
        columns = {column.name for column in statement.find_all(expressions.Column)} - OURS
        # ibis writes names that BigQuery does not allow in another way.
        assert columns <= {name} or (dialect == "bigquery" and len(columns) == 1)
        values = {value.this for value in statement.find_all(expressions.Literal)}
        assert name in values or not columns


def test_no_query_asks_for_more_than_some_hundred_aggregates():
    rows = pl.DataFrame({f"x{k}": [float(k), 2.0] for k in range(60)})
    grid = Grid({name: NumericGrid(tuple(map(float, range(40)))) for name in rows.columns})
    queries = asked(rows, Plan(table=PLAIN, grid=grid))
    assert len(queries) == 10
    assert all(len(query.columns) <= MOST + 1 for query in queries)


def test_rows_stay_where_they_are():
    """Of each part one row of aggregates is told, and one a category that is known."""
    rows = pl.concat([ROWS_OF_FEATURES, ROWS_OF_FEATURES.with_columns(many=pl.col("note"))])
    engine = Told(as_ibis_on_duckdb(rows))
    engine.profiles(FEATURE_PLAN)
    sizes = [query.count().execute() for query in engine.queries]
    known = len(FEATURE_PLAN.grid.columns["many"].known)
    assert (sizes[0], max(sizes)) == (1, known + 1)


def test_a_sample_is_no_larger_than_it_may_be(monkeypatch):
    monkeypatch.setattr(engines, "SAMPLE", 100)
    engine = IbisEngine(as_ibis_on_duckdb(pl.concat([ROWS_OF_FEATURES] * 20)))
    found = engine.categories(["note"])["note"]
    assert 50 < found.values < 150
    spread = engine.spreads({"whole": "number"}, FEATURES)["whole"]
    assert set(spread.distinct) <= set(map(float, range(20)))


def test_no_rows_have_no_spread():
    grid = choose_grid(IbisEngine(as_ibis_on_duckdb(ROWS_OF_FEATURES.head(0))), FEATURES)
    assert grid.columns["number"] == NumericGrid(())
    assert grid.columns["colour"] == CategoryGrid(())


def test_a_time_that_is_none_is_told():
    engine = IbisEngine(as_ibis_on_duckdb(pl.DataFrame({"at": ["noon"]})))
    plan = Plan(table=Table(asset="t", time="at"), grid=Grid())
    with pytest.raises(MeasurementError, match="the time column 'at' holds string, not times"):
        engine.profiles(plan)


@pytest.fixture
def query(postgres):
    """What answers a query on Postgres as an engine."""
    address = postgres.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        yield lambda text: IbisEngine(ibis.postgres.from_connection(connection).sql(text))


def test_postgres_infinite_times_are_none(query):
    text = """SELECT unnest(ARRAY['infinity', '-infinity', '2026-03-01', NULL])::{} AS at"""
    plan = Plan(table=Table(asset="t", time="at", time_zone="Europe/Berlin"), grid=Grid())
    for kind in ("timestamp", "timestamptz", "date"):
        found = query(text.format(kind)).profiles(plan)[""]
        hour = 0 if kind == "timestamptz" else 23
        first = datetime(2026, 3, 1 if hour == 0 else 28, hour, tzinfo=UTC)
        assert found.first == found.last == first.replace(month=3 if hour == 0 else 2)


def test_postgres_nan_is_told_from_numbers_of_every_kind(query):
    for kind in ("numeric", "real", "float8"):
        text = f"SELECT unnest(ARRAY['NaN', 'Infinity', '1', NULL]::{kind}[]) AS x"
        found = query(text).profiles(Plan(table=PLAIN, grid=Grid({"x": NumericGrid((0.0, 2.0))})))
        column = found[""].columns["x"]
        assert (column.counts, column.nulls, column.nans) == ((0, 1, 1), 1, 1)
        assert (column.highest, column.plus_infinite) == (1.0, 1)


def test_what_postgres_refuses_to_multiply_is_summed_all_the_same(query):
    text = """SELECT unnest(ARRAY[1e-200, 1e300, 1, 2]) AS said, 0::float8 AS label,
        unnest(ARRAY[1e300, 5e-324, 1, 2]) AS cost"""
    table = Table(asset="t", prediction="said", label="label", cost="cost")
    grid = Grid({"said": NumericGrid((0.0,))})
    found = query(text).profiles(Plan(table=table, grid=grid, residuals=("said",)))[""]
    assert (found.outcomes.squared, found.outcomes.spend) == (5.0, 3.0)
    assert sum(found.residuals["said"].squares) == 5.0


def test_a_table_beyond_reach_of_the_user_is_not_touched(postgres):
    """What a name says is never done."""
    name = '"; DROP TABLE kept; --'
    address = postgres.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection, ibis_on_postgres(postgres) as build:
        connection.execute("CREATE TABLE kept AS SELECT 1")
        connection.commit()
        rows = pl.DataFrame({name: [name, "other"]})
        grid = choose_grid(IbisEngine(build(rows)), PLAIN)
        found = IbisEngine(build(rows)).profiles(Plan(table=PLAIN, grid=grid))[""]
        assert found.columns[name].counts == (1, 1, 0, 0)
        assert connection.execute("SELECT * FROM kept").fetchall() == [(1,)]
        connection.execute("DROP TABLE kept")
