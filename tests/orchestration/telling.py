"""Guards whose decisions are written by hand, and that tell them to real services."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from aiguard_dagster import Guard, NotifierResource, build_guard_definitions
from aiguard_dagster.adapters.dagster.history import decision_event
from aiguard_dagster.adapters.dagster.notices import read_attempts
from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.outbox import Attempt, State
from aiguard_dagster.orchestration.keys import guard_key, notices_key
from aiguard_dagster.testing import Daemon

AT = datetime(2026, 1, 7, tzinfo=UTC)
ENV = {"team:demand": "DEMAND_ALERTS"}


def guard(name: str = "demand", owner: str = "team:demand") -> Guard:
    """A guard on data alone."""
    return Guard.model_validate(
        {
            "name": name,
            "owner": owner,
            "mode": "enforce",
            "tables": {"features": {"asset": f"{name}_features", "time": "at"}},
            "rules": [{"name": "fresh", "signal": {"kind": "freshness", "max_age": "2h"}}],
        }
    )


def decision(number: int, kind: str = "notify", **rest: Any) -> Decision:
    """One of many decisions, each of its own incident."""
    usual = {"reason": f"fresh: event {number}", "incident": f"demand:fresh:{number}"}
    return Decision(
        kind=DecisionKind(kind), at=AT + timedelta(hours=number), rule="fresh", **usual | rest
    )


@dataclass
class Telling:
    """Guards with a notifier, an instance and a clock that begins now."""

    instance: dg.DagsterInstance
    env: dict[str, str] = field(default_factory=lambda: dict(ENV))
    guards: list[Guard] = field(default_factory=lambda: [guard()])
    now: datetime = field(default_factory=lambda: datetime.now(tz=UTC))

    def __post_init__(self) -> None:
        self.rebuild()

    def rebuild(self) -> None:
        """Load the code location, as after a restart."""
        self.defs = build_guard_definitions(
            guards=self.guards,
            definitions=dg.Definitions(
                assets=[dg.AssetSpec(f"{each.name}_features") for each in self.guards]
            ),
            notifier=NotifierResource(variables=self.env),
            clock=lambda: self.now,
        )
        self.daemon = Daemon(self.defs, self.instance, log_level="CRITICAL")

    def decide(self, *decisions: Decision, who: Guard | None = None) -> None:
        """Record decisions, as the stop-rule sensor and the rollback job do."""
        for each in decisions:
            key = guard_key(who or self.guards[0])
            self.instance.report_runless_asset_event(decision_event(key, each))

    def tick(self, *, after: timedelta = timedelta(0)) -> list[dg.ExecuteInProcessResult]:
        """Let time pass, then let the sensor tick, and run what it asks for."""
        self.now += after
        return self.daemon.tick("aiguard_notices")

    def attempts(self, who: Guard | None = None) -> list[Attempt]:
        """What was tried, as it is on record."""
        key = notices_key(who or self.guards[0])
        return list(read_attempts(self.instance, key, after=0))

    def states(self) -> list[State]:
        """How the attempts stand."""
        return [attempt.state for attempt in self.attempts()]
