"""Scores, errors and rows out of distribution are counted alike wherever the rows are."""

from datetime import datetime, timedelta

import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import as_frame, engine_of, profiles_of_table
from aiguard_dagster.adapters.engines.tallies import tallies_of
from aiguard_dagster.core.spec import EstimatedPerformance, OutOfDistribution, Performance, Table
from aiguard_dagster.stats.grid import Grid
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


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo"])
@pytest.mark.parametrize("name", NAMES)
def test_days_of_a_local_clock_are_those_of_the_profiles(name, zone):
    start = datetime(2026, 3, 28)
    at = [start + timedelta(hours=hour) for hour in range(60) if hour != 26]
    rows = pl.DataFrame({"at": at, "said": 1.0, "label": 2.0})
    table = Table(asset="p", time="at", prediction="said", label="label", time_zone=zone)
    plan = Plan(table=table, grid=Grid(), tallies={"it": SIGNALS["errors"]}, by="day")
    found = profiles_of_table(ENGINES[name](rows), plan)
    counted = {day: part.tallies["it"].total("rows") for day, part in found.items()}
    assert counted == {day: part.rows for day, part in found.items()}
    assert sum(counted.values()) == len(at)


@pytest.mark.parametrize("name", NAMES)
def test_versions_that_are_floats_beside_nan_are_counted_as_the_profiles_have_them(name):
    versions = [1.0, 2.0, None, 2.0, float("nan"), 2.0]
    rows = pl.DataFrame({"version": versions, "said": 1.0, "label": 2.0})
    rows = rows.with_columns(at=pl.lit(datetime(2026, 1, 1)))
    table = Table(asset="p", time="at", prediction="said", label="label", model_version="version")
    plan = Plan(table=table, grid=Grid(), tallies={"it": SIGNALS["errors"]})
    found = profiles_of_table(ENGINES[name](rows), plan)
    counted = {version: part.tallies["it"].total("rows") for version, part in found.items()}
    assert counted == {"1": 1, "2": 3, "unknown": 2}
