"""From the history of verdicts and the decisions so far to what must be done now. Pure.

| file | decides |
|---|---|
| `situation.py` | nothing: what a guard knows at one moment |
| `notices.py` | whom to tell of a breach, and what is suspected |
| `answers.py` | what an owner's answer, or the lack of one, leads to |
| `requests.py` | when a rollback is asked for, and when no more |
| `holds.py` | when predictions are held back and let go |
| `recovery.py` | what is structural, and when an incident is over |
| `silence.py` | what could not be measured, or said nothing for too long |
| `attention.py` | nothing: when a guard needs a look again, and how much history one takes |
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from aiguard_dagster.core.decide.answers import answers
from aiguard_dagster.core.decide.holds import holds
from aiguard_dagster.core.decide.notices import notices
from aiguard_dagster.core.decide.recovery import resolved, structural
from aiguard_dagster.core.decide.requests import requests
from aiguard_dagster.core.decide.silence import silence, unmeasured
from aiguard_dagster.core.decide.situation import Situation, patience_of, situation
from aiguard_dagster.core.decisions import Decision
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.spec import Guard

__all__ = ["Situation", "decide", "decided", "patience_of", "situation"]

STEPS = (notices, structural, answers, requests, holds, unmeasured, silence, resolved)
"""In this order: a later one sees what the earlier ones have decided."""


def decide(
    guard: Guard,
    history: Mapping[str, Sequence[Point]],
    decisions: Sequence[Decision],
    *,
    now: datetime,
) -> tuple[Decision, ...]:
    """What the guard decides and has not decided before, in event time.

    Args:
        guard: The guard.
        history: Points by rule name, in any order.
        decisions: All earlier decisions of this guard, in the order in which they were written.
        now: The time of the wall; only silence and deadlines are measured with it.

    Returns:
        New decisions. ``request`` asks the caller to start a rollback; the others are done once
        they are recorded. Asking again with these recorded returns nothing.
    """
    return decided(situation(guard, history, decisions, now=now))


def decided(at_first: Situation) -> tuple[Decision, ...]:
    """What is new in a situation, in event time."""
    seen = at_first
    for step in STEPS:
        seen = seen.with_decisions(step(seen))
    new = seen.decisions[len(at_first.decisions) :]
    return tuple(sorted(new, key=lambda decision: decision.at))
