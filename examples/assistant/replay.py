"""The replay: v1 and its baseline, two usual weeks, and ten days of code."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg

from aiguard_dagster import record_baseline
from aiguard_dagster.adapters.dagster.history import (
    StoredEvaluation,
    read_decisions,
    read_evaluations,
)
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.decisions import Decision
from aiguard_dagster.orchestration.keys import check_key, guard_key
from aiguard_dagster.testing import Daemon
from examples.assistant.pipeline import GUARD, daily
from examples.assistant.settings import BASELINE_START, DAY, FIRST, LAST, MODEL, SERVED_BY
from examples.assistant.traced import log_traces
from examples.assistant.traffic import feedback, requests
from examples.home import clock_at
from examples.tracking import TRACKING_URI


@dataclass
class Replay:
    """What happened, read back from Dagster's event log."""

    evaluations: dict[str, tuple[StoredEvaluation, ...]] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()
    failed_runs: list[str] = field(default_factory=list)
    logged: int = 0


def days() -> Iterator[datetime]:
    """The days in production."""
    day = FIRST
    while day <= LAST:
        yield day
        day += DAY


def accept_v1() -> tuple[str, int]:
    """Register v1, a hosted model, on four weeks of conversations; its id and traces logged."""
    assert GUARD.model is not None  # noqa: S101 - the example's own guard has one
    client = connect(TRACKING_URI)
    experiment = client.create_experiment(MODEL)
    hosted = client.create_logged_model(experiment, name=SERVED_BY)
    client.finalize_logged_model(hosted.model_id, "READY")
    client.create_registered_model(MODEL)
    client.create_model_version(MODEL, f"models:/{hosted.model_id}", model_id=hosted.model_id)
    logged = log_traces(BASELINE_START, FIRST, model_id=hosted.model_id)
    record_baseline(
        GUARD,
        version="1",
        data={
            "requests": requests(BASELINE_START, FIRST),
            "feedback": feedback(BASELINE_START, FIRST),
        },
        tracking_uri=TRACKING_URI,
        recorded_at=FIRST,
    )
    registry = ModelRegistry(client, GUARD.model)
    registry.promote("1", at=FIRST, by=GUARD.owner, why="accepted on four weeks of conversations")
    return str(hosted.model_id), logged


def run(
    instance: dg.DagsterInstance, *, model_id: str, on_day: Callable[[datetime], None]
) -> Replay:
    """Live through every day: the daily job, and a tick of each sensor.

    The traces are logged at once, each with its own time: a day that is not over is not counted.
    """
    from definitions import defs

    daemon = Daemon(defs, instance, log_level="CRITICAL")
    found = Replay(logged=log_traces(FIRST, LAST + DAY, model_id=model_id))
    for day in days():
        with clock_at(day + DAY):
            ended = daemon.run(daily.name, partition_key=f"{day:%Y-%m-%d}")
            if not ended.success:
                found.failed_runs.append(f"{day:%Y-%m-%d}")
            daemon.tick("assistant_deltas")
            daemon.tick("assistant_stop_rules")
        on_day(day)
    found.evaluations = {
        rule.name: read_evaluations(instance, check_key(GUARD, rule)) for rule in GUARD.rules
    }
    found.decisions = read_decisions(instance, guard_key(GUARD))
    return found
