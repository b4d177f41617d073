"""What Spark holds and polars does not, and what of its own rules must not show."""

import numpy as np
import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import CategoryGrid, Grid, NumericGrid
from tests.conformance.engines import spark_session
from tests.conformance.sparks import as_frame, configured
from tests.conformance.test_profiles import (
    FEATURE_PLAN,
    FEATURES,
    ROWS_OF_FEATURES,
    assert_same,
    reference,
)

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]

PLAIN = Table(asset="t")
HOSTILE = ["*", "a.b", 'a "b"', "a `b`", "it's", "'); DROP TABLE rows; --", "#1", "?", "größe"]


def counted(frame, columns, table=PLAIN, **options):
    return engine_of(frame).profiles(Plan(table=table, grid=Grid(columns), **options))


def sql(query):
    return spark_session().sql(query)


def test_every_type_has_its_family():
    frame = sql(
        """SELECT 1Y a, 1.5BD b, 1.5F c, true d, 'x' e, NULL f, current_timestamp() g,
        TIMESTAMP_NTZ'2026-01-01' h, current_date() i, INTERVAL 1 DAY j, array(1) k,
        named_struct('a', 1) l, map(1, 2) m, X'00' n, 'x' COLLATE UTF8_LCASE o"""
    )
    families = engine_of(frame).families()
    told = "number number number truth text text time time time other other other other other text"
    assert list(families.values()) == told.split()
    plan = Plan(table=PLAIN, grid=choose_grid(engine_of(frame), PLAIN))
    assert engine_of(frame).profiles(plan)[""].rows == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stands_for_itself(name):
    rows = pl.DataFrame({"x": [9.0, 9.0], name: [1.0, 2.0], "y": [9.0, 9.0]})
    found = counted(as_frame(spark_session(), rows), {name: NumericGrid((1.5,))})
    assert found[""].columns[name].counts == (1, 1)


def test_a_name_of_another_case_is_another_name():
    found = counted(sql("SELECT 1.0 AS a"), {"A": NumericGrid((1.5,))})
    assert found[""].columns["A"].nulls == 1
    both = spark_session().range(1).toDF("x").selectExpr("1.0 AS a", "2.0 AS A")
    found = counted(both, {"a": NumericGrid((1.5,)), "A": NumericGrid((1.5,))})[""].columns
    assert (found["a"].counts, found["A"].counts) == ((1, 0), (0, 1))


def test_text_is_told_apart_whatever_the_collation():
    frame = sql(
        "SELECT c COLLATE UTF8_LCASE AS c, 'a' AS label FROM VALUES ('a'), ('A'), ('b') t(c)"
    )
    found = counted(frame, {"c": CategoryGrid(("a",), ("A",))})
    assert found[""].columns["c"].counts == (1, 1, 1)
    table = Table(asset="t", prediction="c", label="label", model_version="c")
    found = counted(frame, {}, table, classes=True)
    assert {part: list(profile.outcomes.confusion) for part, profile in found.items()} == {
        said: [("a", said)] for said in ("A", "a", "b")
    }


def test_a_time_that_is_none_is_told():
    with pytest.raises(MeasurementError, match="the time column 'at' holds string, not times"):
        counted(sql("SELECT 'noon' AS at"), {}, Table(asset="t", time="at"))


def test_more_columns_than_one_query_takes_are_all_counted():
    rng = np.random.default_rng(3)
    rows = pl.DataFrame(
        {f"x{place}": rng.normal(place, size=60) for place in range(90)}
        | {f"c{place}": rng.choice(["a", "b", f"c{place}"], 60) for place in range(50)}
    )
    plan = reference(rows, PLAIN)
    found = engine_of(as_frame(spark_session(), rows)).profiles(plan)
    assert_same(found, engine_of(rows).profiles(plan))


@pytest.mark.parametrize("edges", [0, 3, 4, 12, 60, 241])
def test_a_value_on_an_edge_is_below_it_whatever_the_number_of_edges(edges):
    rows = pl.DataFrame({"x": np.repeat(np.arange(edges + 2) - 0.0, 2), "y": 0.5})
    columns = {"x": NumericGrid(tuple(range(edges))), "y": NumericGrid((1.0,))}
    found = counted(as_frame(spark_session(), rows), columns)[""].columns
    assert found["x"].counts == ((2,) * edges + (4,) if edges else (4,))
    assert found["y"].counts == (rows.height, 0)


def test_a_spread_far_from_zero_loses_no_digits():
    values = 1e9 + np.random.default_rng(4).normal(0, 1e-3, 20_000)
    frame = as_frame(spark_session(), pl.DataFrame({"x": values})).repartition(7)
    found = counted(frame, {"x": NumericGrid((0.0, *np.quantile(values, [0.2, 0.8])))})
    column = found[""].columns["x"]
    assert column.mean == pytest.approx(values.mean(), rel=1e-15)
    assert column.spread == pytest.approx(((values - values.mean()) ** 2).sum(), rel=1e-9)


@pytest.mark.parametrize("option", [{"ansi.enabled": "false"}, {"timestampType": "TIMESTAMP_NTZ"}])
def test_the_sessions_options_change_nothing(option):
    session = spark_session()
    frame = as_frame(session, ROWS_OF_FEATURES)
    with configured(session, **option):
        found = engine_of(frame).profiles(FEATURE_PLAN)
    assert_same(found, engine_of(ROWS_OF_FEATURES).profiles(FEATURE_PLAN))


def test_a_grid_of_many_rows_is_chosen_from_some(monkeypatch):
    from aiguard_dagster.adapters.engines import spark as engines

    monkeypatch.setattr(engines, "SAMPLE", 2_000)
    rows = pl.concat([ROWS_OF_FEATURES] * 8)
    engine = engine_of(as_frame(spark_session(), rows))
    found = choose_grid(engine, FEATURES)
    assert 1_800 < engine.categories(["note"])["note"].values < 2_100
    assert found.columns.keys() == FEATURE_PLAN.grid.columns.keys()
    colours = [set(grid.columns["colour"].categories) for grid in (found, FEATURE_PLAN.grid)]
    assert colours[0] == colours[1]
    edges, expected = (grid.columns["small"].edges for grid in (found, FEATURE_PLAN.grid))
    assert np.median(edges) == pytest.approx(np.median(expected), abs=0.2)


def test_nothing_but_a_few_aggregates_leaves_spark(monkeypatch):
    from aiguard_dagster.adapters.engines import spark_count

    taken = []

    def collected(frame):
        found = told(frame)
        taken.append(found.height)
        return found

    told = spark_count.collected
    monkeypatch.setattr(spark_count, "collected", collected)
    frame = spark_session().range(20_000).selectExpr("id * 0.1D AS x", "string(id) AS c")
    grids = {"x": NumericGrid((0.5, 900.0)), "c": CategoryGrid(("1", "2"), ("3",))}
    found = counted(frame, grids)[""]
    assert found.columns["c"].counts == (1, 1, 1, 19_997)
    assert found.columns["x"].counts == (6, 8_995, 10_999)
    assert sum(taken) <= 10
    assert not frame.is_cached


def test_no_column_becomes_an_argument_of_a_java_method(capsys):
    """See ``spark_stacks``: the array that is unpacked is a column, made a step before."""
    from pyspark.sql import functions as f

    from aiguard_dagster.adapters.engines.spark_stacks import stacked

    frame = spark_session().range(9).selectExpr("id * 0.1D AS x", "id * 0.2D AS y")
    stacked(frame, [f.col("x"), f.col("y")]).groupBy("id").avg("value").explain()
    assert "Generate posexplode(values#" in capsys.readouterr().out
