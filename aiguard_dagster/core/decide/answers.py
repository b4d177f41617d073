"""What follows from an owner's answer to a proposal, or from there being none in time."""

from collections.abc import Iterable
from datetime import datetime

from aiguard_dagster.core.decide.situation import Situation
from aiguard_dagster.core.decisions import (
    GUARD,
    Decision,
    DecisionKind,
    following,
    proposal_id,
    proposals,
    request_id,
)
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec import Action, Guard

GRANTS = frozenset({DecisionKind.APPROVE, DecisionKind.EXPIRE})


def answers(seen: Situation) -> list[Decision]:
    """Close proposals whose time is over, and ask for the rollbacks that owners approved."""
    new: list[Decision] = []
    for proposal, answer in proposals(seen.decisions).values():
        if answer is None:
            answer = _over(seen, proposal) or _expired(seen, proposal)  # noqa: PLW2901
            new += [answer] if answer else []
        if answer is not None:
            new += _granted(seen, proposal, answer)
    return new


def granted(proposal: Decision, answer: Decision) -> Action:
    """What an answer allows the guard to do."""
    if answer.kind is DecisionKind.APPROVE:
        return Action(str(proposal.evidence["action"]))
    if answer.kind is DecisionKind.EXPIRE:
        return Action(str(answer.evidence["otherwise"]))
    return Action.NOTIFY


def forbidden(request: Decision, decisions: Iterable[Decision]) -> str | None:
    """Why a rollback that follows from an answer must not be made: it is not the one that counts.

    Whoever wrote it had read the log before the other was written; None where it stands.
    """
    proposal, answer = proposals(decisions).get(proposal_id(request), (None, None))
    if proposal is None or answer is None or granted(proposal, answer) is Action.ROLLBACK:
        return None
    return f"{answer.kind} by {answer.actor} was written first and counts: nothing was moved"


def otherwise_of(guard: Guard, proposal: Decision) -> Action:
    """What happens without an answer; a proposal to hold never turns into a rollback."""
    action, otherwise = Action(str(proposal.evidence["action"])), guard.decide.otherwise
    return action if otherwise is Action.ROLLBACK else otherwise


def _over(seen: Situation, proposal: Decision) -> Decision | None:
    """There is nothing left to decide once the breach is over."""
    breach = seen.breach_at(proposal.rule, proposal.at)
    if breach is not None and breach.ended is None:
        return None
    reason = f"{proposal.rule}: the breach was over before anybody answered"
    return following(proposal, DecisionKind.SUPERSEDED, reason)


def _expired(seen: Situation, proposal: Decision) -> Decision | None:
    if seen.now < datetime.fromisoformat(str(proposal.evidence["deadline"])):
        return None
    policy, otherwise = seen.guard.decide, otherwise_of(seen.guard, proposal)
    owner = next((seen.guard.owner_of(r) for r in seen.guard.rules if r.name == proposal.rule), "")
    told = "nothing was done" if otherwise is Action.NOTIFY else f"otherwise: {otherwise}"
    return Decision(
        kind=DecisionKind.EXPIRE,
        at=proposal.at,
        incident=proposal.incident,
        rule=proposal.rule,
        reason=(
            f"{proposal.rule}: {owner or seen.guard.owner} did not answer within"
            f" {format_duration(policy.within)}; {told}"
        ),
        evidence={"otherwise": otherwise.value},
    )


def _granted(seen: Situation, proposal: Decision, answer: Decision) -> list[Decision]:
    """The rollback that an answer allows, asked for once; the job checks it once more."""
    if answer.kind not in GRANTS or granted(proposal, answer) is not Action.ROLLBACK:
        return []
    name = request_id(proposal)
    asked = [
        d for d in seen.decisions if d.kind is DecisionKind.REQUEST and d.rule == proposal.rule
    ]
    if any(d.evidence.get("answers") == name for d in asked):
        return []
    person = answer.actor != GUARD
    return [
        Decision(
            kind=DecisionKind.REQUEST,
            at=proposal.at,
            incident=proposal.incident,
            rule=proposal.rule,
            reason=f"approved by {answer.actor}: {answer.reason}" if person else answer.reason,
            actor=answer.actor,
            evidence={
                "champion": proposal.evidence.get("champion"),
                "candidate": proposal.evidence.get("candidate"),
                "answers": name,
            },
        )
    ]
