"""Serving: whatever version the alias marks makes the predictions."""

from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from examples.bike_demand.settings import FEATURES, MODEL
from examples.tracking import TRACKING_URI


@lru_cache(maxsize=4)
def load_version(version: str) -> Any:  # noqa: ANN401 - a pyfunc
    """One version of the forecast; kept in memory while the process lives."""
    import mlflow

    mlflow.set_tracking_uri(TRACKING_URI)
    return mlflow.pyfunc.load_model(f"models:/{MODEL}/{version}")


def predictions_by(version: str, features: pl.DataFrame) -> pl.Series:
    """What one version says of these hours."""
    if features.is_empty():
        return pl.Series("predicted", [], dtype=pl.Float64)
    said = load_version(version).predict(features.select(FEATURES).cast(pl.Float64).to_pandas())
    return pl.Series("predicted", np.asarray(said, dtype=float))


def champion_predictions(features: pl.DataFrame) -> tuple[str, pl.Series]:
    """The champion's version, asked for anew each time, and what it says of these hours."""
    import mlflow

    client = mlflow.MlflowClient(TRACKING_URI)
    version = str(client.get_model_version_by_alias(MODEL, "champion").version)
    return version, predictions_by(version, features)
