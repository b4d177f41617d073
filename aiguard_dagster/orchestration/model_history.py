"""Who was champion of a model, when, why and by whom, and what was decided about it."""

from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.history import StoredDecision, stored_decisions
from aiguard_dagster.adapters.mlflow.quarantine import QuarantineRecord, quarantine_record
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.champions import Reign
from aiguard_dagster.core.decisions import ANSWERS, Decision, DecisionKind, proposal_id, proposals
from aiguard_dagster.core.people import counted_instead
from aiguard_dagster.core.spec import Action, Guard
from aiguard_dagster.orchestration.keys import guard_key

ABOUT_THE_MODEL = frozenset(
    {
        DecisionKind.REQUEST,
        DecisionKind.PROPOSE,
        DecisionKind.APPROVE,
        DecisionKind.REJECT,
        DecisionKind.EXPIRE,
        DecisionKind.ROLLBACK,
        DecisionKind.REFUSE,
        DecisionKind.SUPERSEDED,
        DecisionKind.FAILED,
        DecisionKind.STRUCTURAL,
        DecisionKind.LIFT,
    }
)
ASKED = ANSWERS | {DecisionKind.PROPOSE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision about the model.

    Attributes:
        decision: The decision.
        written: When it was written, on the clock.
        instead: What was written before it on the same matter, and counts in its place.
    """

    decision: Decision
    written: datetime
    instead: Decision | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHistory:
    """A model's past.

    Attributes:
        model: The registered model's name.
        pointer: What marks its champion.
        champion: The version in production now.
        reigns: Who was champion, oldest first.
        barred: The versions in quarantine.
        entries: What was decided, in event time.
    """

    model: str
    pointer: str
    champion: str | None
    reigns: tuple[Reign, ...]
    barred: dict[str, QuarantineRecord]
    entries: tuple[Entry, ...]


def model_history(
    instance: dg.DagsterInstance, guard: Guard, registry: ModelRegistry
) -> ModelHistory:
    """A model's past, from the registry's records and Dagster's events.

    Raises:
        ActionError: MLflow does not answer, or has no such model.
    """
    barred = {}
    for version in registry.versions():
        record = quarantine_record(version)
        if record is not None and record.lifted is None:
            barred[version.version] = record
    return ModelHistory(
        model=registry.name,
        pointer=registry.pointer,
        champion=registry.champion(),
        reigns=registry.reigns(),
        barred=barred,
        entries=entries_of(stored_decisions(instance, guard_key(guard))),
    )


def entries_of(stored: tuple[StoredDecision, ...]) -> tuple[Entry, ...]:
    """What was decided about the model, in event time, and as written within it."""
    decisions = [each.decision for each in stored]
    about_holds = {
        key
        for key, (proposal, _) in proposals(decisions).items()
        if proposal.evidence.get("action") == Action.HOLD
    }
    entries = [
        Entry(
            decision=each.decision,
            written=each.written,
            instead=_first(decisions, each.decision),
        )
        for each in stored
        if each.decision.kind in ABOUT_THE_MODEL
        and (each.decision.kind not in ASKED or proposal_id(each.decision) not in about_holds)
    ]
    return tuple(sorted(entries, key=lambda entry: entry.decision.at))


def _first(decisions: list[Decision], decision: Decision) -> Decision | None:
    return counted_instead(decisions, decision) if decision.kind in ANSWERS else None
