"""One suite for every engine: the same profile to the last count on the same rows."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import CategoryGrid, Grid, NumericGrid
from tests.conformance.batches import BATCHES
from tests.conformance.engines import LOCAL, spark_session
from tests.conformance.sparks import ELSEWHERE, as_frame, configured
from tests.conformance.warehouses import as_ibis_on_duckdb, ibis_on_postgres

ROOT = Path(__file__).parents[2]
NAN, INF = float("nan"), float("inf")
START = datetime(2026, 3, 1)
ROWS = 500
RNG = np.random.default_rng(0)
FEATURES = Table(asset="features", time="at", key=("id",))
PREDICTIONS = Table(
    asset="predictions",
    time="at",
    prediction="said",
    label="label",
    score="score",
    model_version="version",
    cost="price",
    latency="ms",
)


def features():
    """Every kind of column; a few rows of each kind of nothing."""
    number = RNG.normal(size=ROWS)
    number[:5] = NAN
    number[5:8] = INF
    number[8] = -INF
    return pl.DataFrame(
        {
            "id": range(ROWS),
            "at": [START + timedelta(minutes=17 * row) for row in range(ROWS)],
            "number": pl.Series(number).set(pl.Series(np.arange(ROWS) % 50 == 49), None),
            "small": pl.Series(RNG.normal(size=ROWS), dtype=pl.Float32),
            "whole": pl.Series(RNG.poisson(3, ROWS), dtype=pl.Int32),
            "constant": 7.5,
            "money": pl.Series([Decimal(row) / 4 for row in range(ROWS)], dtype=pl.Decimal(10, 2)),
            "colour": [("red", "größe", "", None, " a'b\"c")[row % 5] for row in range(ROWS)],
            "many": [f"c{int(row)}" for row in RNG.zipf(1.3, ROWS) % 300],
            "ok": [(True, False, None)[row % 3] for row in range(ROWS)],
            "note": [f"text {'ü' * (row % 9)} {row}" for row in range(ROWS)],
            "since": [
                START - timedelta(days=int(day), microseconds=250_000)
                for day in RNG.integers(0, 900, ROWS)
            ],
            "nothing": pl.Series([None] * ROWS, dtype=pl.Float64),
            'a.b `c` "d" *': RNG.normal(size=ROWS),
        }
    )


def predictions(*, classes):
    """Two versions, labels not all there yet, prices and latencies."""
    said = RNG.integers(0, 2, ROWS) if classes else RNG.normal(10, 3, ROWS)
    late = pl.Series(np.arange(ROWS) % 10 == 0)
    truth = RNG.integers(0, 2, ROWS) if classes else said + RNG.normal(size=ROWS)
    return pl.DataFrame(
        {
            "at": [START + timedelta(minutes=17 * row) for row in range(ROWS)],
            "said": pl.Series(said),
            "label": pl.Series(truth).set(late, None),
            "score": pl.Series(RNG.random(ROWS)).set(pl.Series(np.arange(ROWS) == 3), NAN),
            "version": ["1" if row < 300 else "2" for row in range(ROWS)],
            "price": pl.Series(RNG.lognormal(-5, 1, ROWS)).set(late, None),
            "ms": RNG.lognormal(4, 1, ROWS),
        }
    )


ROWS_OF_FEATURES = features()
CLASSES, NUMBERS = predictions(classes=True), predictions(classes=False)


def reference(rows, table, **options):
    """The grid and plan that all engines count on."""
    engine = engine_of(rows)
    grid = choose_grid(engine, table, joint=() if "joint" in options else None)
    options.pop("joint", None)
    return Plan(table=table, grid=grid, **options)


def batch(rows, table, options):
    """One that engines are apt to count differently, on the grid of its baseline."""
    options = dict(options)
    baseline, counted = options.pop("baseline", rows), options.pop("grid_of", table)
    return rows, replace(reference(baseline, counted, **options), table=table)


FEATURE_PLAN = reference(ROWS_OF_FEATURES, FEATURES, joint=True)
CASES = {
    "features": (ROWS_OF_FEATURES, FEATURE_PLAN),
    "features by day": (ROWS_OF_FEATURES, replace(FEATURE_PLAN, by="day")),
    "one row": (ROWS_OF_FEATURES.head(1), FEATURE_PLAN),
    "no rows": (ROWS_OF_FEATURES.head(0), FEATURE_PLAN),
    "all null": (
        ROWS_OF_FEATURES.with_columns(
            pl.lit(None, dtype=ROWS_OF_FEATURES.schema[name]).alias(name)
            for name in FEATURE_PLAN.grid.columns
        ),
        FEATURE_PLAN,
    ),
    "columns gone": (ROWS_OF_FEATURES.select("id", "at", "whole"), FEATURE_PLAN),
    "unseen values": (
        ROWS_OF_FEATURES.with_columns(
            colour=pl.lit("ultraviolet"), whole=pl.col("whole") + 100, constant=pl.lit(8.0)
        ),
        FEATURE_PLAN,
    ),
    "another type": (
        ROWS_OF_FEATURES.with_columns(number=pl.lit("seven"), colour=pl.col("whole")),
        FEATURE_PLAN,
    ),
    "numbers predicted": (
        NUMBERS,
        reference(NUMBERS, PREDICTIONS, residuals=("said", "score")),
    ),
    "classes predicted": (
        CLASSES,
        reference(CLASSES, PREDICTIONS, classes=True, residuals=("score",)),
    ),
    "classes by day": (
        CLASSES,
        reference(CLASSES, PREDICTIONS, classes=True, by="day"),
    ),
}
CASES |= {name: batch(*told) for name, told in BATCHES.items()}
ON_POSTGRES = "ibis on Postgres"
ENGINES = {**LOCAL, "ibis on DuckDB": as_ibis_on_duckdb, ON_POSTGRES: None}
KNOWN = {
    ("pandas", "classes 1 and 1.0"): "pandas has no whole numbers beside nulls: 1 is 1.0",
    ("pandas", "classes 1 and '1'"): "the same",
    ("pandas", "classes '1' and 1"): "the same",
    ("pandas", "dates"): "pandas has no dates, but objects, which are text here",
    ("duckdb", "times as text"): "polars writes microseconds that are 0, others do not",
    ("ibis on DuckDB", "times as text"): "the same",
    (ON_POSTGRES, "times as text"): "the same",
    ("duckdb", "floats as text"): "polars writes 1e20 in full",
    ("ibis on DuckDB", "floats as text"): "the same",
    ("spark", "times as text"): "microseconds, as above",
    ("spark", "floats as text"): "Spark writes 1.0E20",
    (ON_POSTGRES, "floats as text"): "Postgres writes 2.0 as 2",
    ("ibis on DuckDB", "numbers beyond measure"): "they are left out of mean and spread, for",
    (ON_POSTGRES, "numbers beyond measure"): "Postgres refuses to square them",
}


@pytest.fixture(params=ENGINES)
def engine(request):
    """An engine's name, and what puts rows into it."""
    if request.param != ON_POSTGRES:
        yield request.param, ENGINES[request.param]
        return
    with ibis_on_postgres(request.getfixturevalue("postgres")) as build:
        yield request.param, build


def exactly(profile):
    """All that must agree to the last count."""
    return {
        "rows": profile.rows,
        "times": (profile.first, profile.last),
        "labelled": profile.outcomes.labelled,
        "priced": profile.outcomes.priced,
        "confusion": dict(profile.outcomes.confusion),
        "scores": dict(profile.outcomes.scores),
        "residuals": {name: found.rows for name, found in profile.residuals.items()},
        "columns": {
            name: (c.counts, c.missing, c.minus_infinite, c.plus_infinite, c.lowest, c.highest)
            for name, c in profile.columns.items()
        },
    }


def roughly(profile):
    """All that is a sum of floats, and agrees to rounding."""
    outcomes = profile.outcomes
    sums = [outcomes.absolute, outcomes.squared, outcomes.signed, outcomes.spend]
    for _, column in sorted(profile.columns.items()):
        sums += [column.mean, column.spread]
    for _, residual in sorted(profile.residuals.items()):
        sums += [*residual.sums, *residual.squares]
    return [*sums, *profile.products]


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for part, profile in expected.items():
        assert exactly(found[part]) == exactly(profile)
        assert roughly(found[part]) == pytest.approx(roughly(profile), rel=1e-9, abs=1e-7)


def by_engine(case, engine):
    rows, plan = CASES[case]
    return engine_of(engine(rows)).profiles(plan), engine_of(rows).profiles(plan)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore")
def test_every_engine_counts_alike(engine, case):
    name, build = engine
    found = by_engine(case, build)
    if (name, case) not in KNOWN:
        assert_same(*found)
        return
    with pytest.raises(AssertionError):
        assert_same(*found)


@pytest.fixture(scope="module")
def spark():
    """A session in another time zone than the rows."""
    session = spark_session()
    with configured(session, **{"session.timeZone": ELSEWHERE}):
        yield session


@pytest.mark.spark
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore")
def test_spark_counts_alike(spark, case):
    found = by_engine(case, partial(as_frame, spark))
    if ("spark", case) not in KNOWN:
        assert_same(*found)
        return
    with pytest.raises(AssertionError):
        assert_same(*found)


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore")
def test_spark_chooses_the_same_grid_of_few_rows(spark):
    found = choose_grid(engine_of(as_frame(spark, ROWS_OF_FEATURES)), FEATURES, joint=())
    assert found == FEATURE_PLAN.grid


@pytest.mark.spark
def test_over_spark_connect_they_are_the_same():
    program = [sys.executable, "-W", "ignore", "-m", "tests.conformance.sparks"]
    env = {**os.environ, "SPARK_TESTING": "1"}  # On a free port.
    done = subprocess.run(
        program, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["module"].startswith("pyspark.sql.connect")
    assert found["cases"] == len(CASES)
    assert found["same_grid"]
    assert found["differ"] == [case for name, case in KNOWN if name == "spark"]


def plainly(values, grid):
    """One column by numpy, the long way round."""
    numbers = np.array([NAN if v is None else float(v) for v in values])
    known = numbers[~np.isnan(numbers)]
    return np.bincount(np.searchsorted(grid.edges, known, side="left"), minlength=grid.size)


def test_numbers_are_counted_as_numpy_would():
    found = engine_of(ROWS_OF_FEATURES).profiles(FEATURE_PLAN)[""]
    for name in ("number", "small", "whole", "constant", "money"):
        grid, column = FEATURE_PLAN.grid.columns[name], found.columns[name]
        expected = plainly(ROWS_OF_FEATURES[name].to_list(), grid)
        assert (name, list(column.counts)) == (name, expected.tolist())
    number = found.columns["number"]
    assert (number.nulls, number.nans, number.plus_infinite, number.minus_infinite) == (10, 5, 3, 1)
    finite = ROWS_OF_FEATURES["number"].to_numpy()
    finite = finite[np.isfinite(finite)]
    assert number.mean == pytest.approx(finite.mean())
    assert number.spread == pytest.approx(((finite - finite.mean()) ** 2).sum())


def test_each_kind_of_column_has_its_grid():
    grids = FEATURE_PLAN.grid.columns
    readings = {n: g.reading for n, g in grids.items() if isinstance(g, NumericGrid)}
    assert readings["note"] == "length"
    assert readings["since"] == "age"
    assert readings["number"] == readings["money"] == "number"
    assert {n for n, g in grids.items() if isinstance(g, CategoryGrid)} == {"colour", "many", "ok"}
    assert "at" not in grids
    assert "id" not in grids
    assert FEATURE_PLAN.grid.joint.columns == ("number", "small", "whole", "money", 'a.b `c` "d" *')


def test_predictions_are_counted_with_their_error_and_on_a_grid_for_all():
    grid = CASES["numbers predicted"][1].grid
    assert list(grid.columns) == ["said", "score", "label", "said - label", "ms", "price"]
    found = engine_of(NUMBERS).profiles(CASES["numbers predicted"][1])
    assert set(found) == {"1", "2"}
    assert sum(part.columns["ms"].rows for part in found.values()) == ROWS
    error = found["1"].columns["said - label"]
    assert error.nulls == 30
    assert error.mean == pytest.approx(found["1"].outcomes.signed / 270)


def test_a_named_column_that_is_gone_is_told():
    rows, plan = CASES["classes predicted"]
    with pytest.raises(MeasurementError, match=r"columns are gone: label\n\nHint: the table has"):
        engine_of(rows.drop("label")).profiles(plan)


@pytest.mark.filterwarnings("ignore")
def test_every_engine_chooses_the_same_grid_of_few_rows(engine):
    _, build = engine
    found = choose_grid(engine_of(build(ROWS_OF_FEATURES)), FEATURES, joint=())
    assert found == FEATURE_PLAN.grid


def test_an_empty_grid_counts_rows_only():
    found = engine_of(ROWS_OF_FEATURES).profiles(Plan(table=FEATURES, grid=Grid()))[""]
    assert (found.rows, found.columns) == (ROWS, {})
    assert found.first == START.replace(tzinfo=UTC)
