"""Where the example keeps what it makes; one folder, so that deleting it starts afresh."""

import os
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("AIGUARD_EXAMPLE_HOME", ROOT / ".demo"))
DATA = Path(__file__).parent / "data" / "bike_sharing_hourly.parquet"
GUARDS = ROOT / "guards"
TRACKING_URI = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{HOME / 'mlflow.db'}")
MODEL = "bike_demand"
FEATURES = (
    "hr",
    "holiday",
    "weekday",
    "workingday",
    "weathersit",
    "temp",
    "atemp",
    "hum",
    "windspeed",
)


def example_clock() -> datetime:
    """The time now, or the day that a replay stands at."""
    told = os.environ.get("AIGUARD_EXAMPLE_NOW")
    return datetime.fromisoformat(told) if told else datetime.now(tz=UTC)
