"""Training: fit a version on a span of time, register it, record its baseline."""

from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiguard_dagster import Guard, record_baseline
from examples.bike_demand.settings import DATA, FEATURES, MODEL
from examples.home import HOME
from examples.tracking import TRACKING_URI

FOLDS = 5
TREES = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"


def rentals(start: datetime, end: datetime) -> pl.DataFrame:
    """The rows in ``[start, end)``, in time order."""
    rows = pl.scan_parquet(DATA).filter(pl.col("timestamp").is_between(start, end, closed="left"))
    return rows.sort("timestamp").collect()


def held_out_predictions(rows: pl.DataFrame) -> NDArray[np.float64]:
    """Predictions for each row by a model that did not see its fifth of the time."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import KFold, cross_val_predict

    model = HistGradientBoostingRegressor(random_state=0)
    inputs, label = (
        rows.select(FEATURES).cast(pl.Float64).to_pandas(),
        rows.get_column("cnt").to_numpy(),
    )
    folds = KFold(n_splits=FOLDS, shuffle=False)  # Blocks in time order, not shuffled hours.
    return np.asarray(cross_val_predict(model, inputs, label, cv=folds))


def train_version(guard: Guard, start: datetime, end: datetime) -> str:
    """Fit on ``[start, end)``, register the version with its baseline, and return its number."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = rentals(start, end)
    inputs = rows.select(FEATURES).cast(pl.Float64).to_pandas()
    model = HistGradientBoostingRegressor(random_state=0).fit(inputs, rows.get_column("cnt"))
    mlflow.set_tracking_uri(TRACKING_URI)
    if mlflow.get_experiment_by_name(MODEL) is None:
        mlflow.create_experiment(MODEL, artifact_location=(HOME / "artifacts").as_uri())
    mlflow.set_experiment(MODEL)
    with mlflow.start_run(run_name=f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"):
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(inputs, model.predict(inputs)),
            registered_model_name=MODEL,
            pip_requirements=["scikit-learn"],
            skops_trusted_types=[TREES],  # Made in this run, so its nodes can be trusted.
        )
    version = str(logged.registered_model_version)
    accepted = rows.select("timestamp", "cnt", model_version=pl.lit(version)).with_columns(
        predicted=held_out_predictions(rows)
    )
    record_baseline(
        guard,
        version=version,
        data={"features": rows.select("timestamp", *FEATURES), "predictions": accepted},
        tracking_uri=TRACKING_URI,
    )
    return version
