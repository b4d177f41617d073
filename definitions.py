"""The runnable example: a bike-rental forecast in daily partitions, under guard."""

from datetime import datetime

import dagster as dg
import polars as pl

from aiguard_dagster import MLflowResource, ProfileStore, build_guard_definitions, load_guards
from examples.bike_demand.serving import champion_predictions
from examples.bike_demand.settings import (
    FEATURES,
    GUARDS,
    HOME,
    MODEL,
    TRACKING_URI,
    example_clock,
)
from examples.bike_demand.training import rentals, train_version

DAYS = dg.DailyPartitionsDefinition(start_date="2011-01-01", end_date="2013-01-01")
GUARD = load_guards(GUARDS / "bike_demand.yaml")[0]


@dg.asset(partitions_def=DAYS, group_name="bikes")
def hourly_rentals(context: dg.AssetExecutionContext) -> pl.DataFrame:
    """Weather, calendar and rentals of one day, as the city publishes them."""
    window = context.partition_time_window
    return rentals(window.start.replace(tzinfo=None), window.end.replace(tzinfo=None))


@dg.asset(partitions_def=DAYS, group_name="bikes")
def hourly_features(hourly_rentals: pl.DataFrame) -> pl.DataFrame:
    """What the model sees."""
    return hourly_rentals.select("timestamp", *FEATURES)


@dg.asset(partitions_def=DAYS, group_name="bikes")
def demand_predictions(
    hourly_features: pl.DataFrame, hourly_rentals: pl.DataFrame
) -> pl.DataFrame:
    """What the champion says, with the version that said it and what came true."""
    version, predicted = champion_predictions(hourly_features)
    outcome = hourly_rentals.select("timestamp", "cnt")
    return (
        hourly_features.select("timestamp")
        .with_columns(predicted=predicted, model_version=pl.lit(version))
        .join(outcome, on="timestamp", how="left")
    )


class TrainingSpan(dg.Config):
    """The rows to train on, ISO dates; the end is not part of it."""

    start: str
    end: str


@dg.op
def fit_and_register(context: dg.OpExecutionContext, config: TrainingSpan) -> None:
    """Train a version of the forecast and record its baseline."""
    start, end = datetime.fromisoformat(config.start), datetime.fromisoformat(config.end)
    version = train_version(GUARD, start, end)
    context.log.info(f"{MODEL} v{version}, trained on {config.start} to {config.end}")


@dg.job(executor_def=dg.in_process_executor)
def train_bike_demand() -> None:
    """Register a new version; putting it into production is another decision."""
    fit_and_register()


daily = dg.define_asset_job(
    "bike_demand_daily",
    # The guard's profiles in the same run; left out, the delta sensor asks for them.
    selection=dg.AssetSelection.groups("bikes")
    | dg.AssetSelection.assets("bike_demand/features_profile", "bike_demand/predictions_profile"),
    partitions_def=DAYS,
)

defs = build_guard_definitions(
    guards=[GUARD],
    definitions=dg.Definitions(
        assets=[hourly_rentals, hourly_features, demand_predictions],
        jobs=[daily, train_bike_demand],
        schedules=[dg.build_schedule_from_partitioned_job(daily)],
        resources={"io_manager": dg.FilesystemIOManager(base_dir=str(HOME / "assets"))},
    ),
    mlflow=MLflowResource(tracking_uri=TRACKING_URI),
    profiles=ProfileStore(path=str(HOME / "profiles")),
    clock=example_clock,
)
