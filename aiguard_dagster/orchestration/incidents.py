"""A guard's incidents as a person wants to see them: what is open, and what waits for whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.history import (
    StoredDecision,
    read_evaluations,
    stored_decisions,
)
from aiguard_dagster.core.decide import situation
from aiguard_dagster.core.decide.holds import hold_marks
from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.people import open_proposals
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.keys import check_key, guard_key


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """One incident, and all that was decided in it.

    Attributes:
        id: Its name.
        rules: The rules that fired, in the order in which they did.
        opened: When the first of them fired; for a mere message, what it speaks for.
        ended: When the last of them was ``ok`` again; None while it lasts.
        waiting: The proposals that wait for an answer.
        held: The hold in force, if this incident asked for it.
        said: Its decisions, oldest write first.
        breach: Whether rules fired; otherwise it is a message, such as one of silence.
    """

    id: str
    rules: tuple[str, ...]
    opened: datetime
    ended: datetime | None
    waiting: tuple[Decision, ...]
    held: Decision | None
    said: tuple[StoredDecision, ...]
    breach: bool

    @property
    def state(self) -> str:
        """``waiting`` for a person, ``held``, ``open``, ``ended``, or ``told`` where none fired."""
        if self.waiting:
            return "waiting"
        if self.held is not None:
            return "held"
        if not self.breach:
            return "told"
        return "open" if self.ended is None else "ended"

    @property
    def is_open(self) -> bool:
        """Whether there is still something to be done or to come."""
        return self.state in {"waiting", "held", "open"}


def guard_incidents(
    instance: dg.DagsterInstance, guard: Guard, *, now: datetime
) -> tuple[IncidentView, ...]:
    """The incidents of one guard: open ones first, then the others, each newest first."""
    history = {
        rule.name: [s.point for s in read_evaluations(instance, check_key(guard, rule))]
        for rule in guard.rules
    }
    stored = stored_decisions(instance, guard_key(guard))
    decisions = tuple(each.decision for each in stored)
    waiting = open_proposals(decisions)
    marks = hold_marks(decisions)
    held = marks[-1] if marks and marks[-1].kind is DecisionKind.HOLD else None
    by_id: dict[str, list[StoredDecision]] = {}
    for each in stored:
        if each.decision.kind is not DecisionKind.LIFT:
            by_id.setdefault(each.decision.incident, []).append(each)

    def view(
        name: str, rules: Sequence[str], opened: datetime, ended: datetime | None, *, breach: bool
    ) -> IncidentView:
        return IncidentView(
            id=name,
            rules=tuple(rules),
            opened=opened,
            ended=ended,
            waiting=tuple(d for d in waiting if d.incident == name),
            held=held if held is not None and held.incident == name else None,
            said=tuple(by_id.get(name, ())),
            breach=breach,
        )

    found = [
        view(each.id, each.rules, each.opened, each.ended, breach=True)
        for each in situation(guard, history, decisions, now=now).incidents
    ]
    known = {each.id for each in found}
    for name, said in by_id.items():
        if name not in known:
            rules = dict.fromkeys(s.decision.rule for s in said if s.decision.rule)
            found.append(view(name, list(rules), said[0].decision.at, None, breach=False))
    found.sort(key=lambda each: each.opened, reverse=True)
    return tuple(sorted(found, key=lambda each: not each.is_open))
