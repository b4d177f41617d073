"""When a guard needs a look again, and how much of its history one takes."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from aiguard_dagster.core.decide.holds import is_held
from aiguard_dagster.core.decide.silence import silent_at
from aiguard_dagster.core.decide.situation import Situation
from aiguard_dagster.core.decisions import open_requests, proposals
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.repredict import is_open
from aiguard_dagster.core.serving import confirm_due
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.verdicts import Verdict

CONCLUSIVE = frozenset({Verdict.OK, Verdict.BREACH})


def next_look(seen: Situation) -> datetime | None:
    """The first time of the wall at which something may have to be decided without news."""
    return min(_times(seen), default=None)


def _times(seen: Situation) -> Iterator[datetime]:
    for proposal, answer in proposals(seen.decisions).values():
        if answer is None:
            yield datetime.fromisoformat(str(proposal.evidence["deadline"]))
    unconfirmed = confirm_due(seen.guard, seen.decisions, seen.points)
    if unconfirmed is not None:
        yield unconfirmed
    for _, _, at, told in silent_at(seen):
        if not told:
            yield at


def waits_for_others(seen: Situation) -> bool:
    """Whether something outside the event log is waited for: a run, or a person's answer."""
    unanswered = any(answer is None for _, answer in proposals(seen.decisions).values())
    remade = is_open(seen.guard, seen.decisions)
    return unanswered or remade or bool(open_requests(seen.decisions))


def is_calm(seen: Situation) -> bool:
    """Whether nothing is going on, so that further ``ok`` verdicts cannot lead to a decision."""
    going = any(e.ended is None for mine in seen.found.values() for e in mine)
    unsettled = any(incident.ended is None for incident in seen.incidents)
    served = confirm_due(seen.guard, seen.decisions, seen.points) is None
    quiet = not (going or unsettled or waits_for_others(seen) or is_held(seen.decisions))
    return quiet and served


def horizon(guard: Guard) -> timedelta:
    """How far back verdicts may matter: windows, graces, and the time a recovery may take."""
    return max(2 * rule.takes + guard.recovery_window_of(rule) for rule in guard.rules)


def reaches_back(points: Sequence[Point], written: datetime, *, span: timedelta) -> bool:
    """Whether verdicts, in any order, tell all that matters: older ones need not be read.

    They reach further back than the span, and begin with ``ok``, so that no breach is cut in two.
    Nothing speaks for a time after it was written, so what was written before that is older still;
    what a backfill has written lately is not. Where partitions have series, one of them may have
    been silent for longer than any span, so nothing is left out.

    Args:
        points: The verdicts that were read, in any order.
        written: When the oldest of them was written; all that are left were written before.
        span: How far back verdicts may matter.
    """
    newest = max((point.as_of for point in points), default=None)
    heard = [point for point in points if point.verdict in CONCLUSIVE]
    if newest is None or not heard or any(point.series for point in points):
        return False
    first = min(heard, key=lambda point: point.as_of)
    return first.verdict is Verdict.OK and max(first.as_of, written) < newest - span
