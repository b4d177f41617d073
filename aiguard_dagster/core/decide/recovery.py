"""What no recovery has brought back, and when an incident is over."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from aiguard_dagster.core.decide.situation import Situation
from aiguard_dagster.core.decisions import Decision, DecisionKind, incident_id
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.spec import Rule
from aiguard_dagster.core.verdicts import Verdict


def structural(seen: Situation) -> list[Decision]:
    """Rules that are still in breach a whole ``recovery_window`` after the model was changed.

    A rollback, a retrain and a new version all show as a new champion in the verdicts.
    """
    new = []
    for rule in seen.guard.rules:
        trouble = _trouble(seen, rule)
        change = next((later for one, later in pairwise(trouble) if _changed(one, later)), None)
        if change is None or not _fired(seen, rule, trouble):
            continue
        allowed = seen.guard.recovery_window_of(rule)
        due = _since(change) + allowed
        late = next((p for p in trouble if p.as_of >= due), None)
        if late is None or _is_told(seen, rule, trouble):
            continue
        new.append(
            Decision(
                kind=DecisionKind.STRUCTURAL,
                at=late.as_of,
                incident=_incident(seen, rule, trouble),
                rule=rule.name,
                reason=(
                    f"{rule.name}: in breach since {trouble[0].as_of:%Y-%m-%d %H:%M} UTC, and"
                    f" v{change.subject}, champion since {_since(change):%Y-%m-%d %H:%M} UTC, has"
                    f" not brought it back within {format_duration(allowed)}."
                    f" The guard no longer acts on the model; {seen.guard.owner_of(rule)} decides"
                ),
                evidence={
                    "since": trouble[0].as_of.isoformat(),
                    "champions": ", ".join(dict.fromkeys(p.subject or "" for p in trouble)),
                    "value": late.value,
                    "limit": late.limit,
                },
            )
        )
    return new


def is_structural(seen: Situation) -> bool:
    """Whether some rule is in a breach that no recovery has brought back."""
    return any(
        _is_told(seen, rule, trouble)
        for rule in seen.guard.rules
        if (trouble := _trouble(seen, rule))
    )


def resolved(seen: Situation) -> list[Decision]:
    """Close each incident once, when every rule of it is ``ok`` again."""
    closed = [d for d in seen.decisions if d.kind is DecisionKind.RESOLVE]
    names, times = {d.incident for d in closed}, {d.at for d in closed}
    return [
        Decision(
            kind=DecisionKind.RESOLVE,
            at=each.ended,
            incident=each.id,
            rule=each.rules[0],
            reason=(
                f"{' and '.join(each.rules)}: ok again"
                f" after {format_duration(each.ended - each.opened)}"
            ),
        )
        for each in seen.incidents
        if each.ended is not None and each.id not in names and each.ended not in times
    ]


def _trouble(seen: Situation, rule: Rule) -> Sequence[Point]:
    """A rule's breaches since it was last ``ok``, whoever was champion."""
    found: list[Point] = []
    for point in reversed(seen.points[rule.name]):
        if point.verdict is Verdict.OK:
            break
        if point.verdict is Verdict.BREACH and point.subject is not None:
            found.append(point)
    return found[::-1]


def _changed(one: Point, later: Point) -> bool:
    return one.subject != later.subject


def _since(point: Point) -> datetime:
    """Since when a verdict's champion is in force, as far as is known."""
    return point.in_force_since or point.as_of


def _fired(seen: Situation, rule: Rule, trouble: Sequence[Point]) -> bool:
    start = trouble[0].as_of
    return any(each.fired and each.since >= start for each in seen.found[rule.name])


def _is_told(seen: Situation, rule: Rule, trouble: Sequence[Point]) -> bool:
    return any(
        d.kind is DecisionKind.STRUCTURAL and d.rule == rule.name and d.at >= trouble[0].as_of
        for d in seen.decisions
    )


def _incident(seen: Situation, rule: Rule, trouble: Sequence[Point]) -> str:
    mine = [
        each
        for each in seen.incidents
        if any(name == rule.name and since >= trouble[0].as_of for name, since in each.members)
    ]
    return mine[0].id if mine else incident_id(seen.guard.name, rule.name, trouble[0].as_of)
