"""Scores, errors and rows out of distribution are counted alike wherever the rows are."""

from datetime import timedelta

import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import as_frame, engine_of
from aiguard_dagster.adapters.engines.tallies import tallies_of
from aiguard_dagster.core.spec import EstimatedPerformance, OutOfDistribution, Performance, Table
from tests.conformance.engines import LOCAL, as_spark
from tests.conformance.warehouses import as_ibis_on_duckdb
from tests.signals.scored import WEEK
from tests.signals.test_out_of_distribution import BEFORE, JOINT, ODD, TABLE, grid_of

DAY = timedelta(days=1)
PREDICTIONS = Table(asset="p", time="at", prediction="said", label="label", score="score")


ENGINES = {**LOCAL, "ibis": as_ibis_on_duckdb, "spark": as_spark}
OWN_WARNINGS = pytest.mark.filterwarnings("ignore")
MARKS = {"ibis": [OWN_WARNINGS], "spark": [OWN_WARNINGS, pytest.mark.spark]}
NAMES = [pytest.param(name, marks=MARKS.get(name, [])) for name in ENGINES]
HOLES = WEEK.with_columns(
    label=pl.when(pl.int_range(pl.len()) % 3 > 0).then(pl.col("label").cast(pl.Float64)),
    score=pl.when(pl.int_range(pl.len()) % 5 > 0).then(pl.col("score")),
)
"""Labels and scores that are missing, and labels that are floats where predictions are not."""
SIGNALS = {
    "scores": Performance(metric="auc", window=DAY, by=("region",)),
    "classes": Performance(metric="f1", window=DAY),
    "errors": Performance(metric="quantile_loss", quantile=0.2, window=DAY),
    "errors by bin": EstimatedPerformance(metric="mape", window=DAY),
    "outside": OutOfDistribution(window=DAY),
    "far out": OutOfDistribution(window=DAY, **JOINT),
}


@pytest.mark.parametrize("what", SIGNALS)
@pytest.mark.parametrize("name", NAMES)
def test_every_engine_counts_the_same(name, what):
    signal = SIGNALS[what]
    outside = isinstance(signal, OutOfDistribution)
    rows, table = (ODD, TABLE) if outside else (HOLES, PREDICTIONS)
    more = JOINT if what == "far out" else {}
    grid = grid_of(BEFORE, **more) if outside else choose_grid(engine_of(WEEK), table)
    plan = Plan(table=table, grid=grid, tallies={"it": signal})
    expected = tallies_of(as_frame(rows), rows, plan)[""]["it"]
    native = ENGINES[name](rows)
    found = tallies_of(as_frame(native), native, plan)[""]["it"]
    assert found.groups.keys() == expected.groups.keys()
    for group, sums in expected.groups.items():
        assert found.groups[group] == pytest.approx(sums, rel=1e-9, abs=1e-9)
        assert all(type(value) in {int, float} for value in found.groups[group])


@pytest.mark.parametrize("what", ["scores", "errors", "errors by bin"])
def test_days_are_counted_as_if_each_were_a_batch(what):
    signal = SIGNALS[what]
    grid = choose_grid(engine_of(WEEK), PREDICTIONS)
    plan = Plan(table=PREDICTIONS, grid=grid, tallies={"it": signal}, by="day")
    found = tallies_of(as_frame(HOLES), HOLES, plan)
    assert len(found) == 7
    for day, tallies in found.items():
        alone = HOLES.filter(pl.col("at").dt.date().cast(pl.String) == day)
        one = tallies_of(as_frame(alone), alone, plan)[day]["it"]
        assert tallies["it"].groups.keys() == one.groups.keys()
        for group, sums in one.groups.items():
            assert tallies["it"].groups[group] == pytest.approx(sums)
