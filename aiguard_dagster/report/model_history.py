"""A model's past as text and as JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aiguard_dagster.adapters.dagster.history import StoredDecision
from aiguard_dagster.core.champions import Reign
from aiguard_dagster.core.decisions import GUARD
from aiguard_dagster.core.people import VIA
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
    left = list(history.entries)
    for number, reign in enumerate(history.reigns):
        last = number == len(history.reigns) - 1
        mine = [e for e in left if last or (reign.end is not None and e.decision.at <= reign.end)]
        left = left[len(mine) :]
        parts += ["", *_reign(reign, wrap), *_entries(mine, wrap)]
    parts += _entries(left, wrap)
    if history.barred:
        parts += ["", "in quarantine:"]
        parts += [wrap(f"v{version}: {why}", IN) for version, why in history.barred.items()]
    return "\n".join(parts)


def _reign(reign: Reign, wrap: Wrap) -> list[str]:
    start = _minute(reign.start)
    when = f"since {start} UTC" if reign.end is None else f"{start} to {_minute(reign.end)} UTC"
    return [f"v{reign.version}  {when}, by {reign.by}", wrap(reign.why, IN)]


def _entries(entries: Sequence[Entry], wrap: Wrap) -> list[str]:
    lines = []
    for entry in entries:
        decision = entry.decision
        who = decision.actor
        if decision.actor != GUARD and decision.evidence.get(VIA):
            who += f" via {decision.evidence[VIA]}, {_minute(entry.written)} UTC"
        lines.append(wrap(f"{_minute(decision.at)}  {decision.kind}  {who}", IN))
        late = f"second, {entry.instead.actor} was first: " if entry.instead else ""
        lines.append(wrap(f"{late}{decision.reason}", DEEP))
    return lines


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
        "quarantined": history.barred,
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
