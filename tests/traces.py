"""Traces, as an application would log them, and fast: whole tables of MLflow's own at once."""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, insert

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Said:
    """One trace.

    Attributes:
        at: When it began.
        milliseconds: How long it took; None while it goes on.
        state: ``OK``, ``ERROR`` or ``IN_PROGRESS``.
        name: Its name; None for none.
        model: The logged model that its metadata names.
        tokens: Input and output tokens; None where it does not tell.
        calls: The model and the cost in US dollars of each call; None for a price unknown.
        feedback: Name and value of each; the value None for a judge that failed.
        tools: Name and status of each call of a tool.
    """

    at: datetime
    milliseconds: int | None = 500
    state: str = "OK"
    name: str | None = "chat"
    model: str | None = None
    tokens: tuple[int, int] | None = (100, 20)
    calls: Sequence[tuple[str | None, float | None]] = (("gpt", 0.01),)
    feedback: Sequence[tuple[str, Any]] = field(default=())
    tools: Sequence[tuple[str, str]] = ()


def _spans(said: Said) -> Iterable[tuple[str, str, str, str | None, float | None]]:
    """Name, type, status, model and cost of each span."""
    yield from (("call", "CHAT_MODEL", said.state, model, cost) for model, cost in said.calls)
    yield from ((name, "TOOL", status, None, None) for name, status in said.tools)


def experiment(uri: str, name: str) -> str:
    """The id of an experiment, which is made where there is none."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def logged_model(uri: str, experiment_id: str) -> str:
    """The id of a new logged model."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    made = client.create_logged_model(experiment_id, name="assistant")
    client.finalize_logged_model(made.model_id, "READY")
    return str(made.model_id)


def insert_traces(database: str, experiment_id: str, traces: Iterable[Said], *, seed: int) -> None:
    """Write traces into the database of an MLflow server, as its store does for each."""
    from mlflow.store.tracking.dbmodels.models import (
        SqlAssessments,
        SqlSpan,
        SqlTraceInfo,
        SqlTraceMetadata,
    )

    number = random.Random(seed)  # noqa: S311 - no secret
    rows: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (SqlTraceInfo, SqlTraceMetadata, SqlSpan, SqlAssessments)
    }
    for said in traces:
        trace_id = f"tr-{number.getrandbits(128):032x}"
        began = round((said.at - EPOCH).total_seconds() * 1_000)
        ended = began + (said.milliseconds or 0)
        costs = [cost for _, cost in said.calls if cost is not None]
        given, got = said.tokens or (None, None)
        rows[SqlTraceInfo].append(
            {
                "request_id": trace_id,
                "experiment_id": int(experiment_id),
                "timestamp_ms": began,
                "execution_time_ms": said.milliseconds,
                "status": said.state,
                "trace_name": said.name,
                "input_tokens": given,
                "output_tokens": got,
                "total_tokens": given + got if said.tokens else None,
                "total_cost": sum(costs) if costs else None,
            }
        )
        if said.model:
            metadata = {"request_id": trace_id, "key": "mlflow.modelId", "value": said.model}
            rows[SqlTraceMetadata].append(metadata)
        rows[SqlSpan] += [
            {
                "trace_id": trace_id,
                "experiment_id": int(experiment_id),
                "span_id": f"{number.getrandbits(64):016x}",
                "name": name,
                "type": kind,
                "status": status,
                "start_time_unix_nano": began * 1_000_000,
                "end_time_unix_nano": ended * 1_000_000,
                "content": "{}",
                "total_cost": cost,
                "model_name": model,
                "model_provider": None,
            }
            for name, kind, status, model, cost in _spans(said)
        ]
        rows[SqlAssessments] += [
            {
                "assessment_id": f"a-{number.getrandbits(128):032x}",
                "trace_id": trace_id,
                "name": name,
                "assessment_type": "feedback",
                "value": json.dumps(value),
                "created_timestamp": ended,
                "last_updated_timestamp": ended,
                "experiment_id": int(experiment_id),
                "trace_timestamp_ms": began,
                "aggregate_value": None,
                "is_numeric_value": False,
                "source_type": "HUMAN",
                "source_id": "somebody",
                "valid": True,
            }
            for name, value in said.feedback
        ]
    engine = create_engine(database)
    with engine.begin() as connection:
        for table, mine in rows.items():
            if mine:
                connection.execute(insert(table.__table__), mine)
    engine.dispose()
