"""What the example is made of."""

from pathlib import Path

MODEL = "bike_demand"
DATA = Path(__file__).parent / "data" / "bike_sharing_hourly.parquet"
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
