"""After the model has moved: the service that must know is told, and its verdict is on record."""

from dataclasses import replace

from pydantic import JsonValue

from aiguard_dagster.adapters.services import Told, tell_service
from aiguard_dagster.core.decisions import Decision, DecisionKind, request_id
from aiguard_dagster.core.messages import owner_of
from aiguard_dagster.core.spec import Guard


def with_service_told(guard: Guard, decision: Decision) -> tuple[Decision, ...]:
    """Tell the service of a rollback that was made; anything else is handed back as it is.

    The move stands whatever the service says. A run that is killed after the move tells it again.

    Returns:
        The decision with ``told`` in its evidence; and where the service could not be told, what
        the owner hears of it.
    """
    tell = guard.rollback.tell
    if tell is None or decision.kind is not DecisionKind.ROLLBACK or guard.model is None:
        return (decision,)
    told = tell_service(tell, what_is_told(guard, decision), key=request_id(decision))
    ended = "ok" if not told.why else f"failed: {told.why}"
    recorded = replace(decision, evidence={**decision.evidence, "told": ended})
    return (recorded, _escalated(guard, decision, told)) if told.why else (recorded,)


def what_is_told(guard: Guard, decision: Decision) -> dict[str, JsonValue]:
    """What the service is told: which model has gone from which version to which, and why."""
    if guard.model is None:
        return {}
    model, evidence = guard.model, decision.evidence
    mark: dict[str, JsonValue] = (
        {"stage": model.stage} if model.stage is not None else {"alias": model.alias}
    )
    return {
        "model": model.name,
        **mark,
        "from": evidence.get("champion"),
        "to": evidence.get("candidate"),
        "guard": guard.name,
        "incident": decision.incident,
        "at": decision.at.isoformat(),
        "actor": decision.actor,
        "reason": decision.reason,
    }


def _escalated(guard: Guard, decision: Decision, told: Told) -> Decision:
    """What the owner hears: what is served now is for them to see to."""
    tell, evidence = guard.rollback.tell, decision.evidence
    who = f"the service at {tell.webhook}" if tell and tell.webhook else tell and tell.call
    times = "once" if told.attempts == 1 else f"{told.attempts} times"
    reason = (
        f"v{evidence.get('candidate')} is back, and {who} could not be told (tried {times}:"
        f" {told.why}). It may still serve v{evidence.get('champion')};"
        f" {owner_of(decision, guard)} must see to it"
    )
    return Decision(
        kind=DecisionKind.ESCALATE,
        at=decision.at,
        incident=decision.incident,
        rule=decision.rule,
        reason=reason,
        evidence={"about": "tell"},
    )
