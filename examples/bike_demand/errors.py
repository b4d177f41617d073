"""Three ways to live through the replay, by the error of what was served."""

from datetime import datetime

import dagster as dg
import numpy as np
import polars as pl

from aiguard_dagster.adapters.tables.frames import as_lazy
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.verdicts import Verdict
from examples.bike_demand.serving import predictions_by
from examples.bike_demand.settings import FEATURES
from examples.bike_demand.training import rentals


def first_drift_breach(points: tuple[Point, ...]) -> datetime | None:
    """When a naive guard would have rolled back: at the first breach, whatever came of it."""
    return next((p.as_of for p in points if p.verdict is Verdict.BREACH), None)


def served_rows(defs: dg.Definitions, instance: dg.DagsterInstance) -> pl.DataFrame:
    """Every prediction that reached its users, as the predictions asset holds it."""
    key = dg.AssetKey("demand_predictions")
    loader = defs.get_asset_value_loader(instance=instance)
    with loader:
        frames = [
            as_lazy(loader.load_asset_value(key, partition_key=partition))
            for partition in sorted(instance.get_materialized_partitions(key))
        ]
    return pl.concat(frames).sort("timestamp").collect()


def mean_errors(served: pl.DataFrame, naive_switch: datetime | None) -> dict[str, float]:
    """Mean absolute error in rentals an hour, over the hours that were served.

    Args:
        served: Rows of the predictions asset, with label and version.
        naive_switch: When the naive guard goes back to v1.
    """
    hours = served.get_column("timestamp")
    rows = rentals(datetime(2012, 1, 1), datetime(2013, 1, 1))  # noqa: DTZ001
    inputs = served.select("timestamp").join(rows.select("timestamp", *FEATURES), on="timestamp")
    actual = served.get_column("cnt").to_numpy()
    v1, v2 = (predictions_by(version, inputs).to_numpy() for version in ("1", "2"))
    switch = naive_switch.replace(tzinfo=None) if naive_switch else datetime.max  # noqa: DTZ901
    naive = np.where((hours >= switch).to_numpy(), v1, v2)
    told = {
        "no_guard": v2,
        "naive_guard": naive,
        "guard": served.get_column("predicted").to_numpy(),
    }
    return {name: float(np.abs(said - actual).mean()) for name, said in told.items()}
