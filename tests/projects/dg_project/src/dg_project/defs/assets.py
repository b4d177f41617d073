"""The project's own assets, which know nothing of guards."""

from datetime import datetime, timedelta

import dagster as dg
import polars as pl

DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01")


def hours(day: datetime) -> list[datetime]:
    """The hours of one day, naive and in UTC."""
    return [day.replace(tzinfo=None) + timedelta(hours=hour) for hour in range(24)]


@dg.asset(partitions_def=DAYS)
def features(context: dg.AssetExecutionContext) -> pl.DataFrame:
    """What the model sees of one day."""
    at = hours(context.partition_time_window.start)
    return pl.DataFrame({"at": at, "load": [100.0 + each.hour for each in at]})


@dg.asset(partitions_def=DAYS)
def predictions(features: pl.DataFrame) -> pl.DataFrame:
    """What it says, and what came true."""
    said = (pl.col("load") * 2).alias("said")
    return features.select("at", said, was=said + 1, version=pl.lit("2"))


daily = dg.define_asset_job("daily", selection=["features", "predictions"])
