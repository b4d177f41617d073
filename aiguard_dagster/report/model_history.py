"""A model's past as text and as JSON."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from aiguard_dagster.adapters.dagster.history import StoredDecision
from aiguard_dagster.core.champions import Reign
from aiguard_dagster.core.decisions import GUARD, DecisionKind
from aiguard_dagster.core.people import VIA, proposed
from aiguard_dagster.orchestration.model_history import Entry, ModelHistory
from aiguard_dagster.report.incidents import Wrap, decision_json

IN, DEEP = "    ", "      "


def history_text(history: ModelHistory, *, wrap: Wrap) -> str:
    """Champions, oldest first, each with what was decided while it was in production."""
    kind, _, mark = history.pointer.partition(":")
    now = f"v{history.champion}" if history.champion else "no version"
    parts = [f"{history.model}: {now} is in production by the {kind} {mark}"]
    if not history.reigns:
        parts += ["", "nobody is on record as champion"]
    left, told = list(history.entries), {reign.why for reign in history.reigns}
    for number, reign in enumerate(history.reigns):
        last = number == len(history.reigns) - 1
        mine = [e for e in left if last or (reign.end is not None and e.decision.at <= reign.end)]
        left = left[len(mine) :]
        parts += ["", *_reign(reign, wrap), *_entries(mine, told, wrap)]
    parts += _entries(left, told, wrap)
    if history.barred:
        parts += ["", "in quarantine:"]
    for version, record in history.barred.items():
        since = _minute(datetime.fromisoformat(record.at))
        parts.append(f"{IN}v{version}  since {since} UTC, by {record.by}")
        parts += [] if record.reason in told else [wrap(record.reason, DEEP)]
    return "\n".join(parts)


def _reign(reign: Reign, wrap: Wrap) -> list[str]:
    start = _minute(reign.start)
    when = f"since {start} UTC" if reign.end is None else f"{start} to {_minute(reign.end)} UTC"
    return [f"v{reign.version}  {when}, by {reign.by}", wrap(reign.why, IN)]


def _entries(entries: Sequence[Entry], told: Collection[str], wrap: Wrap) -> list[str]:
    lines = []
    for entry in entries:
        decision = entry.decision
        who = decision.actor
        if decision.actor != GUARD and decision.evidence.get(VIA):
            who += f" via {decision.evidence[VIA]}, {_minute(entry.written)} UTC"
        lines.append(wrap(f"{_minute(decision.at)}  {decision.kind}  {who}", IN))
        lines += [wrap(text, DEEP) for text in _said(entry, told)]
    return lines


def _said(entry: Entry, told: Collection[str]) -> list[str]:
    """What a decision says; a rollback's reason stands at the champion that it made."""
    decision = entry.decision
    if entry.instead is not None:
        return [f"second, {entry.instead.actor} was first: {decision.reason}"]
    if decision.kind is DecisionKind.PROPOSE:
        return [f"{proposed(decision)}?", decision.reason]
    if decision.kind is DecisionKind.ROLLBACK and any(decision.reason.endswith(t) for t in told):
        return [f"from v{decision.evidence['champion']} to v{decision.evidence['candidate']}"]
    return [decision.reason]


def history_json(history: ModelHistory) -> dict[str, Any]:
    """The same for programs."""
    return {
        "model": history.model,
        "pointer": history.pointer,
        "champion": history.champion,
        "champions": [
            {
                "version": reign.version,
                "start": reign.start.isoformat(),
                "end": reign.end.isoformat() if reign.end else None,
                "by": reign.by,
                "why": reign.why,
            }
            for reign in history.reigns
        ],
        "quarantined": {
            version: {"since": record.at, "by": record.by, "reason": record.reason}
            for version, record in history.barred.items()
        },
        "decisions": [
            {
                **decision_json(StoredDecision(decision=e.decision, written=e.written)),
                "counts": e.instead is None,
            }
            for e in history.entries
        ],
    }


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
