"""The grace window, and where a rule stands: pure functions of a history of verdicts.

| phase | means | ways out |
|---|---|---|
| ok | no breach | breach → pending, or firing without a grace window |
| pending | breach inside the grace window | grace over → firing; ok → ok |
| firing | breach beyond it, nothing done yet | decision → acting, waiting, cooling; ok → ok |
| acting | a rollback was requested | outcome → cooling; proposal → waiting; ok → resolved |
| waiting | the owner was asked | approved, or time over → acting, cooling; rejected → cooling; |
| | | ok → resolved |
| cooling | something was done, the breach lasts | cooldown over → firing; ok → resolved; |
| | | a new champion that does not help → structural |
| structural | no recovery has helped: the guard stops acting | ok → resolved |
| resolved | the breach that was acted on has just ended | breach → pending; ok → ok |

A breach that fired has ended once ``ok`` has lasted for ``resolve_after``; one inside its grace
window with the first ``ok``. A new champion ends it too, without having recovered from it.

All time is event time, and a history is a set: the order in which its points arrived never
matters, so a backfill and a live run judge alike. ``inconclusive`` and ``error`` neither start,
extend nor clear a breach.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

from aiguard_dagster.core.verdicts import Verdict

ZERO = timedelta(0)


class Phase(StrEnum):
    """Where a rule stands; the module's table says what leads from one to the next."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    ACTING = "acting"
    WAITING = "waiting"
    COOLING = "cooling"
    STRUCTURAL = "structural"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One verdict of one rule in event time.

    Attributes:
        as_of: The event time it speaks for.
        start: Where its window begins.
        verdict: What the limit said.
        subject: The champion that was judged; None for rules on the data alone.
        in_force_since: When it became champion; None where that is not known.
        reason: One sentence for a reader.
        value: The measurement; None where there was none.
        limit: The limit in force.
        n: Samples.
        series: Which part of the table, where partitions are not only spans of time; each is judged
            for itself.
        facts: What the evaluation left for later ones of the rule to compare with.
    """

    as_of: datetime
    start: datetime
    verdict: Verdict
    subject: str | None = None
    in_force_since: datetime | None = None
    reason: str = ""
    value: float | None = None
    limit: float | None = None
    n: int = 0
    series: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One unbroken breach of one rule, from the first breach to the first ``ok`` after it.

    Attributes:
        since: ``as_of`` of the first breach.
        latest: The newest breach.
        fired: The first breach beyond the grace window; None while pending.
        ended: ``as_of`` of the verdict that ended it; None while it lasts.
        recovered: Whether it was ``ok`` that ended it, and not a new champion.
        lasted: How much breach time has been shown by conclusive verdicts.
        calm: How much time of ``ok`` has been shown since the latest breach; None without one.
    """

    since: datetime
    latest: Point
    fired: Point | None = None
    ended: datetime | None = None
    recovered: bool = False
    lasted: timedelta = ZERO
    calm: timedelta | None = None

    def covers(self, at: datetime) -> bool:
        """Whether this event time lies in the episode."""
        return self.since <= at and (self.ended is None or at < self.ended)


def in_order(points: Iterable[Point]) -> tuple[Point, ...]:
    """Points in event time, one for each ``as_of`` and series; of two, the later one counts."""
    found = {(p.as_of, p.series): p for p in points}
    return tuple(found[key] for key in sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a rule bears with what it sees, in event time.

    Attributes:
        grace: How long a breach must last before the rule fires.
        resolve_after: How long it must then be ``ok`` before the breach counts as over.
        initial_delay: For how long breaches of a new champion do not count.
    """

    grace: timedelta
    resolve_after: timedelta = ZERO
    initial_delay: timedelta = ZERO


def episodes(points: Sequence[Point], patience: Patience) -> tuple[Episode, ...]:
    """Fold a rule's history into its breaches.

    A breach lasts for as long as conclusive verdicts show it: from one breach to the next, but not
    across an inconclusive one, and no further back than the window of the later one reaches. So a
    gap in the data never counts as breach. A new champion ends the episode of the one before. Each
    series is folded for itself.

    Args:
        points: Any order; of two with one ``as_of``, the later in the sequence counts.
        patience: When a breach fires, when it is over, and when it does not count.
    """
    by_series = sorted(in_order(points), key=lambda point: point.series)
    found = [
        episode
        for _, series in groupby(by_series, key=lambda point: point.series)
        for episode in _fold(series, patience)
    ]
    return tuple(sorted(found, key=lambda episode: episode.since))


def _fold(points: Iterable[Point], patience: Patience) -> list[Episode]:
    """The episodes of one series, its points in event time."""
    found: list[Episode] = []
    current: Episode | None = None
    known = datetime.min  # noqa: DTZ901 - only ever compared after it was set
    for point in points:
        if current and point.subject not in {None, current.latest.subject}:
            found.append(replace(current, ended=point.as_of))
            current = None
        match point.verdict:
            case Verdict.OK:
                if current:
                    calm = ZERO if current.calm is None else current.calm + _shown(point, known)
                    current = replace(current, calm=calm)
                    if current.fired is None or calm >= patience.resolve_after:
                        found.append(replace(current, ended=point.as_of, recovered=True))
                        current = None
            case Verdict.BREACH if not _too_young(point, patience.initial_delay):
                current = _fire(_extend(current, point, known), patience.grace)
            case Verdict.BREACH | Verdict.INCONCLUSIVE | Verdict.ERROR:
                pass
        known = point.as_of
    return [*found, current] if current else found


def _too_young(point: Point, delay: timedelta) -> bool:
    """Whether the champion had only just taken over."""
    return point.in_force_since is not None and point.as_of < point.in_force_since + delay


def _extend(episode: Episode | None, point: Point, known: datetime) -> Episode:
    """Begin an episode with a breach, or let it last up to this one."""
    if episode is None:
        return Episode(since=point.as_of, latest=point)
    if episode.calm is not None:
        return replace(episode, latest=point, calm=None)
    return replace(episode, latest=point, lasted=episode.lasted + _shown(point, known))


def _shown(point: Point, known: datetime) -> timedelta:
    """The time for which a verdict speaks beyond the one before it."""
    # A verdict on an instant has no window that could fall short of the one before.
    reach = point.start if point.start < point.as_of else known
    return max(point.as_of - max(known, reach), ZERO)


def _fire(episode: Episode, grace: timedelta) -> Episode:
    if episode.fired is None and episode.lasted >= grace:
        return replace(episode, fired=episode.latest)
    return episode


def last_conclusive(points: Iterable[Point]) -> datetime | None:
    """``as_of`` of the newest ``ok`` or ``breach``; None where there is none."""
    heard = [p.as_of for p in points if p.verdict in {Verdict.OK, Verdict.BREACH}]
    return max(heard, default=None)
