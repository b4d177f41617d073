"""Whom to tell of a breach: once for each that outlasts its grace window, and what is suspected."""

from datetime import datetime

from aiguard_dagster.core.cause import Suspect, all_suspects, find_suspects
from aiguard_dagster.core.decide.situation import Situation, evidence_of, told
from aiguard_dagster.core.decisions import Decision, DecisionKind, Evidence, within
from aiguard_dagster.core.lifecycle import Episode, Point
from aiguard_dagster.core.spec import Action, Mode, Rule
from aiguard_dagster.core.verdicts import Verdict


def notices(seen: Situation) -> list[Decision]:
    """What the owners are told, and under ``propose`` asked, of breaches that fired."""
    new: list[Decision] = []
    for rule in seen.guard.rules:
        match seen.action_of(rule):
            case Action.NOTIFY:
                new += _notify(seen, rule, [(e, e.fired) for e in _fired(seen, rule) if e.fired])
            case Action.ROLLBACK:
                new += _notify(seen, rule, _explained(seen, rule))
            case Action.HOLD if seen.guard.mode is Mode.PROPOSE:
                new += _ask_to_hold(seen, rule)
            case Action.HOLD:
                pass
    return new


def upstream(seen: Situation, rule: Rule, point: Point) -> tuple[Suspect, ...]:
    """Broken data in the window of a rule that is not about the data; its own table first."""
    if rule.signal.judges_data:
        return ()
    suspects = find_suspects(
        seen.guard, point.start, point.as_of, seen.found, seen.troubles, points=seen.points
    )
    elsewhere = {r.name for r in seen.guard.rules if r.signal.table != rule.signal.table}
    return tuple(sorted(suspects, key=lambda suspect: suspect.name in elsewhere))


def suspected(seen: Situation, rule: Rule, point: Point) -> tuple[str, Evidence]:
    """Whom a breach is put down to, in words and as evidence: the furthest up that is broken too.

    Broken data comes first, for it excuses the model; nothing further up leaves the rule's own
    layer.
    """
    others = all_suspects(seen.guard, rule, point, seen.found, seen.troubles, points=seen.points)
    found = list(dict.fromkeys([*upstream(seen, rule, point), *others]))
    if not found:
        return "", {"suspect_layer": rule.signal.layer.value}
    first = found[0]
    told = f". Suspect: {first.name} ({first.layer}): {first.reason}"
    if len(found) > 1:
        told += f"; also {', '.join(each.name for each in found[1:4])}"
    return told, {"suspect": first.name, "suspect_layer": first.layer.value}


def asked_until(seen: Situation) -> datetime:
    """By when an owner who is asked now has to answer."""
    return seen.now + seen.guard.decide.within


def _fired(seen: Situation, rule: Rule) -> list[Episode]:
    return [episode for episode in seen.found[rule.name] if episode.fired]


def _notify(seen: Situation, rule: Rule, breaches: list[tuple[Episode, Point]]) -> list[Decision]:
    """One notification for each episode, at the point that is worth a word."""
    guard = seen.guard
    wanted = "" if rule.action is Action.NOTIFY else f" ({guard.mode}: would {rule.action})"
    if guard.mode is Mode.ENFORCE:
        wanted = ""
    new = []
    for episode, point in breaches:
        earlier = within(episode, rule.name, seen.decisions)
        if any(d.kind is DecisionKind.NOTIFY for d in earlier):
            continue
        suspect, evidence = suspected(seen, rule, point)
        new.append(
            Decision(
                kind=DecisionKind.NOTIFY,
                at=point.as_of,
                incident=seen.incident_of(rule, episode),
                rule=rule.name,
                reason=(
                    f"{told(rule, episode, point)}{suspect}. {guard.owner_of(rule)} decides{wanted}"
                ),
                evidence={**evidence_of(episode, point), **evidence},
            )
        )
    return new


def _ask_to_hold(seen: Situation, rule: Rule) -> list[Decision]:
    """Under ``propose`` the owner is asked before predictions are held back."""
    new = []
    for episode in _fired(seen, rule):
        asked = [
            d
            for d in within(episode, rule.name, seen.decisions)
            if d.kind in {DecisionKind.PROPOSE, DecisionKind.NOTIFY}
        ]
        point = episode.fired
        if asked or point is None or episode.ended is not None:
            continue
        new.append(
            Decision(
                kind=DecisionKind.PROPOSE,
                at=point.as_of,
                incident=seen.incident_of(rule, episode),
                rule=rule.name,
                reason=f"{told(rule, episode, point)}: hold the predictions back?",
                evidence={
                    **evidence_of(episode, point),
                    "action": Action.HOLD.value,
                    "deadline": asked_until(seen).isoformat(),
                },
            )
        )
    return new


def _explained(seen: Situation, rule: Rule) -> list[tuple[Episode, Point]]:
    """Episodes in which broken data that is sound again kept a rollback from being asked for.

    Held while the cause lasts; after that it is still in the window, and worth a word.
    """
    worth = []
    breaches = [p for p in seen.points[rule.name] if p.verdict is Verdict.BREACH]
    for episode in _fired(seen, rule):
        for point in breaches:
            if point.as_of < episode.fired.as_of or not episode.covers(point.as_of):  # type: ignore[union-attr]
                continue
            known = [s for s in upstream(seen, rule, point) if s.since <= point.as_of]
            if known and not any(suspect.ongoing for suspect in known):
                worth.append((episode, point))
                break
    return worth
