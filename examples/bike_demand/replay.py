"""The replay: 15 August to 31 December 2012, day by day, through Dagster and MLflow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg

from aiguard_dagster.adapters.dagster.history import read_decisions, read_evaluations
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.champions import champion_at
from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.orchestration.keys import check_key, guard_key
from aiguard_dagster.orchestration.rollback import (
    RollbackConfig,
    rollback_config,
    rollback_job_name,
)
from aiguard_dagster.testing import Daemon
from examples.home import clock_at
from examples.tracking import TRACKING_URI

FIRST, LAST = datetime(2012, 8, 15, tzinfo=UTC), datetime(2012, 12, 31, tzinfo=UTC)
DAY = timedelta(days=1)
V1_SPAN = (datetime(2011, 6, 1, tzinfo=UTC), datetime(2012, 6, 1, tzinfo=UTC))
V2_SPAN = (datetime(2012, 5, 1, tzinfo=UTC), FIRST)


@dataclass
class Replay:
    """What happened, read back from Dagster's event log and MLflow's registry."""

    points: dict[str, tuple[Point, ...]] = field(default_factory=dict)
    decisions: tuple[Decision, ...] = ()
    registry: ModelRegistry | None = None
    failed_runs: list[str] = field(default_factory=list)


def days() -> Iterator[datetime]:
    """The days of the replay."""
    day = FIRST
    while day <= LAST:
        yield day
        day += DAY


def train_and_promote(instance: dg.DagsterInstance) -> None:
    """Two real versions: v1 on a year, v2 a summer retrain, promoted on the first day."""
    from definitions import GUARD, defs

    assert GUARD.model is not None  # noqa: S101 - the example's own guard has one
    registry = ModelRegistry(connect(TRACKING_URI), GUARD.model)
    for number, (start, end) in enumerate((V1_SPAN, V2_SPAN), start=1):
        span = {"start": start.date().isoformat(), "end": end.date().isoformat()}
        config = {"ops": {"fit_and_register": {"config": span}}}
        Daemon(defs, instance, log_level="CRITICAL").run("train_bike_demand", run_config=config)
        why = "trained on a year" if number == 1 else "summer retrain"
        registry.promote(str(number), at=end, by="team:forecasting", why=why)


def run(instance: dg.DagsterInstance, *, on_day: Callable[[datetime], None]) -> Replay:
    """Live through every day: the daily job, a tick of each sensor, and what they ask for."""
    from definitions import GUARD, daily, defs

    assert GUARD.model is not None  # noqa: S101 - the example's own guard has one
    daemon = Daemon(defs, instance, log_level="CRITICAL")
    found = Replay(registry=ModelRegistry(connect(TRACKING_URI), GUARD.model))
    asked: set[str] = set()
    for day in days():
        with clock_at(day + DAY):
            ended = daemon.run(daily.name, partition_key=f"{day:%Y-%m-%d}")
            if not ended.success:
                found.failed_runs.append(f"{day:%Y-%m-%d}")
            if daemon.tick("aiguard_deltas"):
                daemon.tick("aiguard_deltas")
            daemon.tick("aiguard_stop_rules")
            for decision in read_decisions(instance, guard_key(GUARD)):
                if decision.kind is DecisionKind.NOTIFY and decision.incident not in asked:
                    asked.add(decision.incident)
                    ask_for_rollback(daemon, decision)
        on_day(day)
    found.points = {
        rule.name: tuple(s.point for s in read_evaluations(instance, check_key(GUARD, rule)))
        for rule in GUARD.rules
    }
    found.decisions = read_decisions(instance, guard_key(GUARD))
    return found


def ask_for_rollback(daemon: Daemon, notice: Decision) -> None:
    """What an alarmed person does: ask for a rollback as soon as a notification arrives."""
    from definitions import GUARD

    config = RollbackConfig(
        reason=f"alarmed by: {notice.reason}",
        actor="person:on-call",
        incident=notice.incident,
        rule=notice.rule,
        at=notice.at.isoformat(),
    )
    daemon.run(rollback_job_name(GUARD), run_config=rollback_config(GUARD, config))


def champion_on(found: Replay, as_of: datetime) -> str | None:
    """The version that served the day that ends at ``as_of``."""
    return champion_at(found.registry.reigns(), as_of) if found.registry else None
