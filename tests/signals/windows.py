"""Windows of bike rentals as profiles, and a baseline to compare them with."""

from datetime import UTC, datetime, timedelta

import polars as pl

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid, late_columns, outcome_columns
from aiguard_dagster.adapters.engines.open import engine_of, profiles_of_table
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.signals.baseline import Baseline, TableBaseline
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.signals.measure import evaluate_drift, evaluate_tallied
from aiguard_dagster.signals.measure_tallied import reference_of
from aiguard_dagster.signals.tallied import tally_name
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.profile import BatchProfile
from tests.signals.batches import ENGINES, RENTALS, rule_of

DAY = timedelta(days=1)
FEATURES = Table(asset="hourly_features", time="timestamp")
PREDICTIONS = Table(
    asset="predictions",
    time="timestamp",
    prediction="said",
    label="cnt",
    model_version="version",
    cost="price",
)
INPUTS = ["timestamp", "workingday", "weathersit", "hum", "windspeed"]
PRICE = 1 / 64
"""A price whose sums are exact."""
TABLES = {"features": FEATURES, "predictions": PREDICTIONS}


def between(start, days):
    """The rentals of so many days, with predictions of version 1 that are 10 too high."""
    first = datetime.fromisoformat(start)
    rows = RENTALS.filter(pl.col("timestamp").is_between(first, first + days * DAY, closed="left"))
    return rows.with_columns(said=pl.col("cnt") + 10.0, version=pl.lit("1"), price=pl.lit(PRICE))


ACCEPTED = between("2011-06-01", 365)
GRIDS = {
    "features": choose_grid(engine_of(ACCEPTED.select(INPUTS)), FEATURES),
    "predictions": choose_grid(engine_of(ACCEPTED), PREDICTIONS),
}
BASELINE = Baseline(
    guard="bike_demand",
    model="bike_demand",
    version="1",
    recorded_at=datetime(2012, 6, 1, tzinfo=UTC),
    tables={
        name: TableBaseline(
            grid=GRIDS[name],
            days=engine_of(ACCEPTED).profiles(Plan(table=table, grid=GRIDS[name], by="day")),
            types={},
            late=late_columns(table),
            outcomes=outcome_columns(table),
        )
        for name, table in TABLES.items()
    },
    metrics={"mae": 10.0, "bias": 10.0},
)


def profiles(rows, table="features", *, engine="polars", grid=None, tallies=None):
    """One profile a day, as an asset would have made them."""
    by_day = rows.with_columns(day=pl.col("timestamp").dt.date())
    days = by_day.partition_by("day", include_key=False)
    plan = Plan(table=TABLES[table], grid=grid or GRIDS[table], tallies=tallies or {})
    return [
        BatchProfile(grid_id=plan.grid.id, parts=profiles_of_table(ENGINES[engine](day), plan))
        for day in days
    ]


KNOWN = {}


def _recorded(name, signal, spec, accepted):
    """The grid and the days of a baseline; made once for the usual one."""
    if (name, id(accepted)) not in KNOWN:
        asked = getattr(signal, "columns", None) or ()
        grid = choose_grid(engine_of(accepted), spec, also=asked)
        plan = Plan(table=spec, grid=grid, tallies={name: signal}, by="day")
        KNOWN[name, id(accepted)] = accepted, grid, profiles_of_table(accepted, plan)
    return KNOWN[name, id(accepted)][1:]


def tallied(signal, rows, *, limit, days, engine="polars", table=None, accepted=ACCEPTED, **more):
    """One rule on sums by group, counted of a window's rows and of those of the baseline."""
    rule = rule_of({**signal, "window": f"{days}d", **more}, limit)
    spec = table or TABLES[rule.signal.table]
    name = tally_name(rule.signal, spec)
    grid, before = _recorded(name, rule.signal, spec, accepted)
    plan = Plan(table=spec, grid=grid, tallies={name: rule.signal})
    by_day = rows.with_columns(day=pl.col("timestamp").dt.date())
    end = datetime(2012, 9, 1, tzinfo=UTC)
    current = WindowProfiles(
        window=Window(start=end - days * DAY, end=end),
        batches=[
            BatchProfile(grid_id=grid.id, parts=profiles_of_table(ENGINES[engine](day), plan))
            for day in by_day.partition_by("day", include_key=False)
        ],
        expected=days,
        champion="1",
    )
    known = reference_of(list(before.values()), name, told="baseline")
    return evaluate_tallied(rule, name, current, lambda: known)


def judged(signal, batches, *, limit, days, champion="1", baseline=BASELINE):
    """One rule on the profiles of a window of so many days."""
    end = datetime(2012, 9, 1, tzinfo=UTC)
    current = WindowProfiles(
        window=Window(start=end - days * DAY, end=end),
        batches=batches,
        expected=days,
        champion=champion,
    )
    rule = rule_of({**signal, "window": f"{days}d"}, limit)
    return evaluate_drift(rule, current, lambda name: DriftReference(baseline.table(name)))
