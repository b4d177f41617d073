"""Decisions: what a guard did or asked for, when, why and on what evidence."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from aiguard_dagster.core.lifecycle import Episode, Phase


class DecisionKind(StrEnum):
    """What was decided.

    ``request`` asks for a rollback; ``rollback``, ``refuse``, ``superseded``, ``failed`` and, where
    the owner must be asked, ``propose`` are the ways in which one ends. ``approve``, ``reject`` and
    ``expire`` (nobody answered in time) are the answers to a proposal. After a rollback,
    ``repredict`` tells of predictions that are made again, and ``confirm`` that what is served
    carries the restored version. ``structural`` says that no recovery has helped; ``resolve``
    closes an incident; ``lift`` frees a version from quarantine.
    """

    NOTIFY = "notify"
    HOLD = "hold"
    RELEASE = "release"
    REQUEST = "request"
    ROLLBACK = "rollback"
    REFUSE = "refuse"
    SUPERSEDED = "superseded"
    FAILED = "failed"
    PROPOSE = "propose"
    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    ESCALATE = "escalate"
    REPREDICT = "repredict"
    CONFIRM = "confirm"
    STRUCTURAL = "structural"
    RESOLVE = "resolve"
    LIFT = "lift"


GUARD = "guard"
"""The actor of what the guard decides by its rules; a person's requests bear the person's name."""
OUTCOMES = frozenset(
    {
        DecisionKind.ROLLBACK,
        DecisionKind.REFUSE,
        DecisionKind.SUPERSEDED,
        DecisionKind.FAILED,
    }
)
ANSWERS = frozenset({DecisionKind.APPROVE, DecisionKind.REJECT, DecisionKind.EXPIRE})
MADE_ONCE = OUTCOMES | {DecisionKind.REQUEST, DecisionKind.PROPOSE}
"""What is decided at most once for one incident and event time by the same actor."""
FOLLOWS = frozenset({DecisionKind.REPREDICT, DecisionKind.CONFIRM})
"""What is done about a rollback that was made, and not about the breach."""
NOT_ABOUT_THE_BREACH = FOLLOWS | {
    DecisionKind.ESCALATE,
    DecisionKind.RESOLVE,
    DecisionKind.LIFT,
}
Evidence = Mapping[str, str | float | int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One entry of the audit.

    Attributes:
        kind: What was decided.
        at: Event time that it speaks for.
        incident: The incident it belongs to.
        rule: The rule that asked for it; empty for a person's request.
        reason: One sentence for a reader.
        actor: Who decided: ``guard``, or a person.
        evidence: Numbers and names behind the reason; never rows of the user's.
    """

    kind: DecisionKind
    at: datetime
    incident: str
    rule: str
    reason: str
    actor: str = GUARD
    evidence: Evidence = field(default_factory=dict)


def following(
    decision: Decision, kind: DecisionKind, reason: str, evidence: Evidence | None = None
) -> Decision:
    """What the guard says after a decision of the same incident, rule and event time."""
    return Decision(
        kind=kind,
        at=decision.at,
        incident=decision.incident,
        rule=decision.rule,
        reason=reason,
        evidence=evidence or {},
    )


def incident_id(guard: str, rule: str, since: datetime) -> str:
    """The deterministic name of an incident: guard, rule and when the breach began."""
    return f"{guard}:{rule}:{since:%Y%m%dT%H%M%SZ}"


def within(episode: Episode, rule: str, decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """What was done about this rule in the episode, in event time; an escalation does nothing.

    Decisions on one event time stay in the order in which they were written.
    """
    mine = [
        d
        for d in decisions
        if d.rule == rule and d.kind not in NOT_ABOUT_THE_BREACH and episode.covers(d.at)
    ]
    return tuple(sorted(mine, key=lambda d: d.at))


def phase(
    history: tuple[Episode, ...], newest: datetime | None, rule: str, decisions: Iterable[Decision]
) -> Phase:
    """Where a rule stands at the end of its history.

    Args:
        history: The rule's episodes.
        newest: ``as_of`` of its newest conclusive verdict.
        rule: Its name.
        decisions: The guard's decisions so far.
    """
    if not history:
        return Phase.OK
    last = history[-1]
    kinds = [d.kind for d in within(last, rule, counting(decisions))]
    if last.ended is not None:
        return Phase.RESOLVED if kinds and last.ended == newest else Phase.OK
    if last.fired is None:
        return Phase.PENDING
    if not kinds:
        return Phase.FIRING
    if DecisionKind.STRUCTURAL in kinds:
        return Phase.STRUCTURAL
    match kinds[-1]:
        case DecisionKind.REQUEST | DecisionKind.APPROVE:
            return Phase.ACTING
        case DecisionKind.PROPOSE:
            return Phase.WAITING
        case _:
            return Phase.COOLING


def distinct(decisions: Iterable[Decision]) -> list[Decision]:
    """Decisions without those that were written twice: by two daemons, or a tick told twice.

    Of two the first counts. A second request would wait for an outcome that never comes, and a
    second outcome would end the owner's request.
    """
    found: dict[tuple[object, ...], Decision] = {}
    for decision in decisions:
        key: tuple[object, ...] = (
            *(decision.kind, decision.at, decision.incident, decision.rule, decision.actor),
            decision.evidence.get("answers"),  # What follows from an answer is no second request.
            *(() if decision.kind in MADE_ONCE else (decision.reason, *_items(decision.evidence))),
        )
        found.setdefault(key, decision)
    return list(found.values())


def _items(evidence: Evidence) -> list[tuple[str, object]]:
    return sorted(evidence.items(), key=lambda item: item[0])


def open_requests(decisions: Iterable[Decision]) -> list[Decision]:
    """The requests for a rollback that have no outcome yet.

    One event time may bear two: the guard's own, which ended in a proposal, and the owner's.
    """
    known = list(decisions)
    ended = Counter(
        proposal_id(d) for d in known if d.kind in OUTCOMES or d.kind is DecisionKind.PROPOSE
    )
    waiting = []
    for request in known:
        if request.kind is not DecisionKind.REQUEST:
            continue
        key = proposal_id(request)
        if ended[key] > 0:
            ended[key] -= 1
        else:
            waiting.append(request)
    return waiting


def proposals(decisions: Iterable[Decision]) -> dict[str, tuple[Decision, Decision | None]]:
    """Every proposal by its id, with the answer that counts: the first one written, if any.

    A proposal whose breach ended first is answered by ``superseded``.
    """
    found: dict[str, tuple[Decision, Decision | None]] = {}
    for decision in decisions:
        key = proposal_id(decision)
        if decision.kind is DecisionKind.PROPOSE:
            found.setdefault(key, (decision, None))
        elif decision.kind in ANSWERS or decision.kind is DecisionKind.SUPERSEDED:
            asked, answer = found.get(key, (None, None))
            if asked is not None and answer is None:
                found[key] = (asked, decision)
    return found


def counting(decisions: Iterable[Decision]) -> list[Decision]:
    """Decisions without the answers of people who came second."""
    known = list(decisions)
    first = proposals(known)
    return [
        d
        for d in known
        if d.kind not in ANSWERS or first.get(proposal_id(d), (None, d))[1] in (None, d)
    ]


def request_id(request: Decision) -> str:
    """The deterministic name of a request: its incident and the event time it was made for."""
    return f"{request.incident}@{request.at:%Y%m%dT%H%M%SZ}"


def proposal_id(decision: Decision) -> str:
    """The name that a request or proposal shares with its outcome or answer.

    It has the rule in it: two rules of one incident may ask at once, for a hold and for a rollback.
    """
    return f"{request_id(decision)}/{decision.rule}"
