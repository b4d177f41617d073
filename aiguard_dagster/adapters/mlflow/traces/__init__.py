"""Traces of an MLflow experiment, counted by the tracking server or read page by page."""

from aiguard_dagster.adapters.mlflow.traces.asked import Asked
from aiguard_dagster.adapters.mlflow.traces.counts import TraceBook
from aiguard_dagster.adapters.mlflow.traces.versions import logged_model_of

__all__ = ["Asked", "TraceBook", "logged_model_of"]
