"""The assistant's own log: each suggestion that was shown, as an MLflow trace."""

import logging
import os
from datetime import UTC, datetime, timedelta

import polars as pl

from examples.assistant.settings import MODEL
from examples.assistant.traffic import feedback
from examples.tracking import TRACKING_URI

WORKERS = "4"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def log_traces(start: datetime, end: datetime, *, model_id: str) -> int:
    """Log what was shown in ``[start, end)`` to the tracking server; returns how many.

    A trace is named after the programmer's task, begins when the suggestion was asked for and ends
    when it was shown. It names the logged model that made it.
    """
    import mlflow
    from mlflow.entities import SpanType

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "true"
    os.environ["MLFLOW_ASYNC_TRACE_LOGGING_MAX_WORKERS"] = WORKERS
    mlflow.set_tracking_uri(TRACKING_URI)
    mlflow.set_experiment(MODEL)
    shown = feedback(start, end)
    for row in shown.select("suggestion", "task", "shown_at", "took_ms").iter_rows(named=True):
        ended = (row["shown_at"] - EPOCH) // MICROSECOND * 1_000
        span = mlflow.start_span_no_context(
            name=row["task"],
            span_type=SpanType.LLM,
            inputs={"suggestion": row["suggestion"]},
            metadata={"mlflow.modelId": model_id},
            start_time_ns=ended - row["took_ms"] * 1_000_000,
        )
        span.end(end_time_ns=ended)
    mlflow.flush_trace_async_logging()
    return shown.height


def traces_on_server() -> pl.DataFrame:
    """All traces of the experiment as the server gives them back: begin, state, milliseconds."""
    from mlflow import MlflowClient

    client = MlflowClient(TRACKING_URI)
    experiment = client.get_experiment_by_name(MODEL)
    found, token = [], None
    while True:
        page = client.search_traces(
            locations=[experiment.experiment_id],
            include_spans=False,
            max_results=500,
            page_token=token,
        )
        found += [
            (t.info.request_time, t.info.state.value, t.info.execution_duration) for t in page
        ]
        token = page.token
        if not token:
            return pl.DataFrame(found, schema=["began_ms", "state", "took_ms"], orient="row")
