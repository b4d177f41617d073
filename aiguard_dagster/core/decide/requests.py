"""When a rollback is asked for: while the breach lasts, on sound data, and not too often."""

from datetime import datetime

from aiguard_dagster.core.decide.notices import suspected, upstream
from aiguard_dagster.core.decide.recovery import is_structural
from aiguard_dagster.core.decide.situation import Situation, evidence_of, told
from aiguard_dagster.core.decisions import (
    ANSWERS,
    GUARD,
    OUTCOMES,
    Decision,
    DecisionKind,
    open_requests,
    proposals,
    within,
)
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.lifecycle import Episode
from aiguard_dagster.core.spec import Action, Mode, Rule
from aiguard_dagster.core.verdicts import Verdict


def requests(seen: Situation) -> list[Decision]:
    """Ask for a rollback, one at a time for the model; or tell why no more are asked for."""
    if is_busy(seen) or is_structural(seen):
        return []
    new: list[Decision] = []
    for rule in seen.guard.rules:
        if seen.action_of(rule) is Action.ROLLBACK and not new:
            new = _request(seen, rule)
    return new


def is_busy(seen: Situation) -> bool:
    """Whether a rollback is on its way, or the owner is being asked for one."""
    waiting = [p for p, answer in proposals(seen.decisions).values() if answer is None]
    asked = any(p.evidence.get("action") == Action.ROLLBACK for p in waiting)
    return asked or bool(open_requests(seen.decisions))


def _request(seen: Situation, rule: Rule) -> list[Decision]:
    """Once while the episode lasts, and again when a cooldown has passed."""
    mine = seen.found[rule.name]
    episode = mine[-1] if mine else None
    if episode is None or episode.fired is None or episode.ended is not None:
        return []
    newest = seen.points[rule.name][-1]
    if newest.as_of != episode.latest.as_of:
        return []  # The newest word on this rule is inconclusive: silence does not act.
    if _cools(seen, rule, episode, newest.as_of):
        return []
    if upstream(seen, rule, newest) or _in_doubt(seen, newest.start):
        return []
    earlier = within(episode, rule.name, seen.decisions)
    if spent := _spent(seen, rule, episode, newest.as_of):
        return [] if any(_is_about_the_limit(d) for d in _escalated(seen, rule, episode)) else spent
    attempt = sum(d.kind is DecisionKind.REQUEST and d.actor == GUARD for d in earlier) + 1
    ask = {"ask": 1} if seen.guard.mode is Mode.PROPOSE else {}
    suspect, layer = suspected(seen, rule, newest)
    return [
        Decision(
            kind=DecisionKind.REQUEST,
            at=newest.as_of,
            incident=seen.incident_of(rule, episode),
            rule=rule.name,
            reason=f"{told(rule, episode, newest)}{suspect}",
            evidence={**evidence_of(episode, newest), **layer, "attempt": attempt, **ask},
        )
    ]


def _cools(seen: Situation, rule: Rule, episode: Episode, at: datetime) -> bool:
    """Whether something was done about this breach, or the model moved, too short a time ago."""
    earlier = within(episode, rule.name, seen.decisions)
    done = [d for d in earlier if (d.kind in OUTCOMES and d.actor == GUARD) or d.kind in ANSWERS]
    done += [d for d in seen.decisions if d.kind is DecisionKind.ROLLBACK]
    return any(d.at <= at < d.at + seen.guard.cooldown or d.at == at for d in done)


def _in_doubt(seen: Situation, start: datetime) -> bool:
    """Whether the newest word on some of the data, in a window or after it, is not conclusive."""
    newest = [seen.points[r.name] for r in seen.guard.rules if r.signal.judges_data]
    return any(
        points and points[-1].as_of > start and points[-1].verdict in UNCLEAR for points in newest
    )


UNCLEAR = frozenset({Verdict.ERROR, Verdict.INCONCLUSIVE})


def _spent(seen: Situation, rule: Rule, episode: Episode, at: datetime) -> list[Decision]:
    """What the owner is told once the guard has acted by itself as often as it may."""
    policy = seen.guard.rollback
    made = [
        d
        for d in seen.decisions
        if d.kind is DecisionKind.ROLLBACK and d.actor == GUARD and at - policy.per < d.at <= at
    ]
    if len(made) < policy.at_most:
        return []
    times = "once" if len(made) == 1 else f"{len(made)} times"
    return [
        Decision(
            kind=DecisionKind.ESCALATE,
            at=at,
            incident=seen.incident_of(rule, episode),
            rule=rule.name,
            reason=(
                f"{rule.name}: the guard has rolled back {times} in {format_duration(policy.per)},"
                f" as often as it may by itself. {seen.guard.owner_of(rule)} decides: the job"
                f" {seen.guard.name}_rollback goes back all the same"
            ),
            evidence={"about": "at_most"},
        )
    ]


def _escalated(seen: Situation, rule: Rule, episode: Episode) -> list[Decision]:
    return [
        d
        for d in seen.decisions
        if d.kind is DecisionKind.ESCALATE and d.rule == rule.name and episode.covers(d.at)
    ]


def _is_about_the_limit(decision: Decision) -> bool:
    return decision.evidence.get("about") == "at_most"
