"""Incidents: rules of one guard that fire together are one, from the first to the last of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aiguard_dagster.core.decisions import incident_id
from aiguard_dagster.core.lifecycle import Episode, Point
from aiguard_dagster.core.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One firing of one guard.

    Attributes:
        id: Made of the guard, the rule that fired first and when its breach began.
        opened: When the first rule fired.
        rules: The rules that fired, in the order in which they did.
        members: Each rule's breach by when it began.
        ended: When the last of them was ``ok`` again; None while it lasts.
    """

    id: str
    opened: datetime
    rules: tuple[str, ...]
    members: frozenset[tuple[str, datetime]]
    ended: datetime | None


def find_incidents(
    guard: str, found: Mapping[str, Sequence[Episode]], history: Mapping[str, Sequence[Point]]
) -> tuple[Incident, ...]:
    """The incidents that a history tells of, oldest first.

    A breach that a new champion ended has not recovered: it lasts until the rule is ``ok``.

    Args:
        guard: Its name.
        found: Episodes by rule.
        history: Points by rule, in event time.
    """
    fired = [
        (episode.fired.as_of, name, episode)
        for name, mine in found.items()
        for episode in mine
        if episode.fired is not None
    ]
    fired.sort(key=lambda each: each[:2])
    joined: list[Incident] = []
    for at, name, episode in fired:
        over = recovered_at(episode, history.get(name, ()))
        member = (name, episode.since)
        last = joined[-1] if joined else None
        if last is not None and (last.ended is None or at <= last.ended):
            ended = None if last.ended is None or over is None else max(last.ended, over)
            rules = last.rules if name in last.rules else (*last.rules, name)
            joined[-1] = replace(last, rules=rules, members=last.members | {member}, ended=ended)
        else:
            joined.append(
                Incident(
                    id=incident_id(guard, name, episode.since),
                    opened=at,
                    rules=(name,),
                    members=frozenset({member}),
                    ended=over,
                )
            )
    return tuple(joined)


def recovered_at(episode: Episode, points: Sequence[Point]) -> datetime | None:
    """When the rule was ``ok`` again after a breach, whoever is champion by then."""
    if episode.ended is None or episode.recovered:
        return episode.ended
    return next(
        (
            p.as_of
            for p in points
            if p.verdict is Verdict.OK
            and p.as_of >= episode.ended
            and p.series == episode.latest.series
        ),
        None,
    )
