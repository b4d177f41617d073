"""The runnable examples under guard: a bike-rental forecast, and a generative assistant."""

from datetime import datetime

import dagster as dg
import polars as pl

from aiguard_dagster import MLflowResource, ProfileStore, build_guard_definitions, load_guards
from examples.assistant import pipeline as assistant
from examples.bike_demand.serving import champion_predictions
from examples.bike_demand.settings import FEATURES, MODEL
from examples.bike_demand.training import rentals, train_version
from examples.home import GUARDS, HOME, example_clock
from examples.storage import STORAGE
from examples.tracking import TRACKING_URI

DAYS = dg.DailyPartitionsDefinition(start_date="2011-01-01", end_date="2013-01-01")
GUARD = load_guards(GUARDS / "bike_demand.yaml")[0]


hourly_rentals = dg.AssetSpec(
    "hourly_rentals", group_name="bikes", description="Rentals and weather, as the city publishes."
)


@dg.asset(deps=[hourly_rentals], partitions_def=DAYS, group_name="bikes")
def hourly_features(context: dg.AssetExecutionContext) -> pl.DataFrame:
    """What the model sees of one day."""
    return published(context.partition_time_window).select("timestamp", *FEATURES)


@dg.asset(deps=[hourly_rentals], partitions_def=DAYS, group_name="bikes")
def demand_predictions(
    context: dg.AssetExecutionContext, hourly_features: pl.DataFrame
) -> pl.DataFrame:
    """What the champion says, with the version that said it and what came true."""
    version, predicted = champion_predictions(hourly_features)
    outcome = published(context.partition_time_window).select("timestamp", "cnt")
    return (
        hourly_features.select("timestamp")
        .with_columns(predicted=predicted, model_version=pl.lit(version))
        .join(outcome, on="timestamp", how="left")
    )


def published(day: dg.TimeWindow) -> pl.DataFrame:
    """The rows of one day in the city's file."""
    return rentals(day.start.replace(tzinfo=None), day.end.replace(tzinfo=None))


class TrainingSpan(dg.Config):
    """The rows to train on, ISO dates; the end is not part of it."""

    start: str
    end: str


@dg.op
def fit_and_register(context: dg.OpExecutionContext, config: TrainingSpan) -> None:
    """Train a version of the forecast and record its baseline."""
    start, end = datetime.fromisoformat(config.start), datetime.fromisoformat(config.end)
    version = train_version(GUARD, start, end)
    context.log.info("%s v%s, trained on %s to %s", MODEL, version, config.start, config.end)


@dg.job(executor_def=dg.in_process_executor)
def train_bike_demand() -> None:
    """Register a new version; putting it into production is another decision."""
    fit_and_register()


daily = dg.define_asset_job(
    "bike_demand_daily",
    # With the guard's profiles in the same run; left out, the delta sensor asks for them.
    selection=dg.AssetSelection.assets(
        "hourly_features",
        "demand_predictions",
        "bike_demand/features_profile",
        "bike_demand/predictions_profile",
    )
    - dg.AssetSelection.checks(
        dg.AssetCheckKey(dg.AssetKey("hourly_features"), "bike_demand__feature_drift"),
        dg.AssetCheckKey(dg.AssetKey("demand_predictions"), "bike_demand__forecast_error"),
    ),
)

defs = dg.Definitions.merge(
    build_guard_definitions(
        guards=[GUARD],
        definitions=dg.Definitions(
            assets=[hourly_rentals, hourly_features, demand_predictions],
            jobs=[daily, train_bike_demand],
            schedules=[dg.build_schedule_from_partitioned_job(daily)],
            resources={"io_manager": STORAGE},
        ),
        mlflow=MLflowResource(tracking_uri=TRACKING_URI),
        profiles=ProfileStore(path=str(HOME / "profiles")),
        clock=example_clock,
    ),
    assistant.defs,
)
