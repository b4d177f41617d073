"""Incidents as text and as JSON."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from aiguard_dagster.adapters.dagster.history import StoredDecision
from aiguard_dagster.core.decide.answers import otherwise_of
from aiguard_dagster.core.decisions import Decision
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.people import proposed
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.incidents import IncidentView

Wrap = Callable[[str, str], str]
"""A text in lines, each after an indent."""
IN, DEEP, COMMAND = "    ", "      ", "        "


def incidents_text(
    guard: Guard, views: Sequence[IncidentView], *, now: datetime, wrap: Wrap
) -> str:
    """A guard's incidents for a terminal."""
    head = f"{guard.name} ({guard.mode}, {guard.owner})"
    if not views:
        return f"{head}: no incident"
    parts = [head]
    for view in views:
        parts += ["", f"  {view.state.upper()}  {view.id}"]
        # A command is one line, however wide, to be copied.
        parts += [
            f"{indent}{line}" if indent == COMMAND else wrap(line, indent)
            for line, indent in _lines(guard, view, now)
        ]
    return "\n".join(parts)


def _lines(guard: Guard, view: IncidentView, now: datetime) -> list[tuple[str, str]]:
    since = f"since {_minute(view.opened)}"
    if view.ended is not None:
        since = f"from {_minute(view.opened)[:-4]} to {_minute(view.ended)}"
    rules = " and ".join(view.rules)
    told = since if view.breach else f"at {_minute(view.opened)}"
    lines = [(f"{rules} {told}" if rules else told, IN)]
    if view.held is not None:
        held = view.held
        lines += [
            (f"predictions are held back since {_minute(held.at)}", IN),
            (held.reason, DEEP),
            (f'aiguard release {guard.name} --by NAME --why "..."', COMMAND),
        ]
    for proposal in view.waiting:
        lines += _waiting(guard, view, proposal, now)
    last = view.said[-1].decision if view.said else None
    if last is not None and last not in view.waiting and last != view.held:
        lines += [(f"last: {last.kind} by {last.actor}, {_minute(last.at)}", IN)]
        lines += [(last.reason, DEEP)]
    return lines


def _waiting(
    guard: Guard, view: IncidentView, proposal: Decision, now: datetime
) -> list[tuple[str, str]]:
    deadline = _deadline(proposal)
    left = timedelta(minutes=(deadline - now) // timedelta(minutes=1))
    soon = f"in {format_duration(left)}" if left > timedelta(0) else "over"
    rule = f" --rule {proposal.rule}" if len(view.waiting) > 1 else ""
    asked = (
        f"{proposed(proposal)}? {_owner(guard, proposal)} decides by {_minute(deadline)} ({soon}),"
        f" otherwise {otherwise_of(guard, proposal)}"
    )
    return [
        (asked, IN),
        (proposal.reason, DEEP),
        (f'aiguard approve {view.id}{rule} --by NAME --why "..."  # or reject', COMMAND),
    ]


def incidents_json(guard: Guard, views: Sequence[IncidentView]) -> list[dict[str, Any]]:
    """A guard's incidents for programs."""
    return [
        {
            "guard": guard.name,
            "incident": view.id,
            "state": view.state,
            "rules": list(view.rules),
            "opened": view.opened.isoformat(),
            "ended": view.ended.isoformat() if view.ended else None,
            "held_since": view.held.at.isoformat() if view.held else None,
            "waiting": [
                {
                    "rule": proposal.rule,
                    "action": proposal.evidence.get("action"),
                    "from": proposal.evidence.get("champion"),
                    "to": proposal.evidence.get("candidate"),
                    "who": _owner(guard, proposal),
                    "deadline": _deadline(proposal).isoformat(),
                    "otherwise": otherwise_of(guard, proposal).value,
                    "reason": proposal.reason,
                }
                for proposal in view.waiting
            ],
            "decisions": [decision_json(each) for each in view.said],
        }
        for view in views
    ]


def decision_json(stored: StoredDecision) -> dict[str, Any]:
    """One decision for programs: event time, when it was written, and by whom."""
    decision = stored.decision
    return {
        "kind": decision.kind.value,
        "at": decision.at.isoformat(),
        "written": stored.written.isoformat(),
        "incident": decision.incident,
        "rule": decision.rule,
        "by": decision.actor,
        "reason": decision.reason,
        "evidence": dict(decision.evidence),
    }


def _owner(guard: Guard, proposal: Decision) -> str:
    return next((guard.owner_of(r) for r in guard.rules if r.name == proposal.rule), guard.owner)


def _deadline(proposal: Decision) -> datetime:
    return datetime.fromisoformat(str(proposal.evidence["deadline"]))


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
