"""The code location of the daemon's test: a tiny model under guard, its state under ``STATE``."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl

from aiguard_dagster import Guard, MLflowResource, ProfileStore, build_guard_definitions

STATE = Path(os.environ["AIGUARD_TEST_STATE"])
URI = f"sqlite:///{STATE / 'mlflow.db'}"
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-01-11")
LAST = datetime(2026, 1, 11, tzinfo=UTC)
GUARD = Guard.model_validate(
    {
        "name": "demand",
        "owner": "team:demand",
        "mode": "enforce",
        "model": {"name": "demand"},
        "tables": {
            "predictions": {
                "asset": "predictions",
                "time": "at",
                "prediction": "said",
                "label": "was",
                "model_version": "version",
            }
        },
        "rules": [
            {
                "name": "fresh",
                "signal": {"kind": "freshness", "table": "predictions", "max_age": "2h"},
            },
            {
                "name": "error",
                "signal": {
                    "kind": "performance",
                    "metric": "mae",
                    "window": "2d",
                    "min_samples": 24,
                },
                "limit": {"above_baseline": "100%"},
                "grace": "3d",
                "action": "rollback",
            },
        ],
    }
)
WEATHER = Guard.model_validate(
    {
        "name": "weather",
        "owner": "team:demand",
        "tables": {
            "stations": {
                "asset": "stations",
                "time": "at",
                "source": {"kind": "parquet", "path": f"{STATE}/stations/{{partition}}.parquet"},
                "schedule": "* * * * *",
            }
        },
        "rules": [
            {"name": "full", "signal": {"kind": "completeness", "min_rows": 24}, "limit": "100%"},
            {"name": "unique", "signal": {"kind": "unique", "columns": ["at"]}},
        ],
    }
)
stations = dg.AssetSpec("stations", partitions_def=DAYS)


def rows(day: datetime) -> pl.DataFrame:
    """Hours of one day: what the model sees, and what came true."""
    at = [(day + timedelta(hours=hour)).replace(tzinfo=None) for hour in range(24)]
    load = [100.0 + hour for hour in range(24)]
    return pl.DataFrame({"at": at, "load": load, "was": load})


def champion() -> str:
    """The version that the alias marks now."""
    from mlflow import MlflowClient

    return str(MlflowClient(URI).get_model_version_by_alias("demand", "champion").version)


@dg.asset(partitions_def=DAYS)
def predictions(context: dg.AssetExecutionContext) -> pl.DataFrame:
    """Version 1 is right but for one; version 2 has gone astray by 50."""
    version = champion()
    wrong = 1.0 if version == "1" else 50.0
    return rows(context.partition_time_window.start).with_columns(
        said=pl.col("was") + wrong, version=pl.lit(version)
    )


def clock() -> datetime:
    """The end of the last day, or what stands in a file."""
    told = STATE / "clock"
    return datetime.fromisoformat(told.read_text()) if told.exists() else LAST


defs = build_guard_definitions(
    guards=[GUARD, WEATHER],
    definitions=dg.Definitions(
        assets=[predictions, stations],
        resources={"io_manager": dg.FilesystemIOManager(base_dir=str(STATE / "assets"))},
        executor=dg.in_process_executor,
    ),
    mlflow=MLflowResource(tracking_uri=URI),
    profiles=ProfileStore(path=str(STATE / "profiles")),
    clock=clock,
    minimum_interval_seconds=1,
)
