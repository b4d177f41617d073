"""A person's decision from outside a run, put on record: the one way in for every door.

The command line, the job with a form and MLflow's tags all come here. What was written first
counts, and whoever comes second is told so.
"""

from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.history import (
    decision_event,
    read_decisions,
    read_evaluations,
)
from aiguard_dagster.adapters.mlflow.quarantine import QuarantineRecord, quarantine_record
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.people import (
    ANSWERED,
    VIA,
    Answer,
    answer_to,
    counted_instead,
    person,
    release_of,
    told_of,
)
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.orchestration.keys import check_key, guard_key


def record_answer(
    instance: dg.DagsterInstance,
    guard: Guard,
    answer: Answer,
    *,
    by: str,
    why: str,
    now: datetime,
    via: str,
    incident: str = "",
    rule: str = "",
) -> Decision:
    """Record that a person approves or rejects a proposal, or releases a hold.

    The guard acts on it at the next tick of its stop-rule sensor.

    Args:
        instance: The Dagster instance whose event log keeps the guard's decisions.
        guard: The guard.
        answer: What the person decides.
        by: Who decides. Nobody proves it: see ``docs/rollback-people.md``.
        why: For what reason.
        now: The time of the wall.
        via: Which way the decision came.
        incident: The incident it is about; the only one that waits when left out.
        rule: The rule that asked, where several of the incident wait.

    Returns:
        The decision, which is written and counts.

    Raises:
        ActionError: No name or no reason, no such incident, nothing waits, or somebody was quicker.
    """
    key = guard_key(guard)
    before = read_decisions(instance, key)
    if answer is Answer.RELEASE:
        decision = release_of(
            guard.name,
            before,
            by=by,
            why=why,
            now=now,
            via=via,
            newest=newest_word(instance, guard),
            incident=incident,
        )
    else:
        decision = answer_to(
            guard.name,
            before,
            answer,
            by=by,
            why=why,
            now=now,
            via=via,
            incident=incident,
            rule=rule,
        )
    instance.report_runless_asset_event(decision_event(key, decision))
    first = counted_instead(read_decisions(instance, key), decision)
    if first is not None:
        what = f"{decision.incident}: somebody was quicker. {told_of(first)}"
        raise ActionError(with_hint(what, "the first answer counts; yours is on record as second."))
    return decision


def lift_quarantine(
    instance: dg.DagsterInstance,
    guard: Guard,
    registry: ModelRegistry,
    *,
    version: str,
    by: str,
    why: str,
    now: datetime,
    via: str,
) -> Decision:
    """Free a version from quarantine in the registry, and record who did it and why.

    Run again after a crash between the two, it writes the record that is missing.

    Raises:
        ActionError: No name or no reason, no such version, it is not in quarantine, or somebody
            was quicker.
    """
    who, reason = person(by, why)
    stood = quarantine_record(registry.version(version))
    if stood is None:
        barred = [v.version for v in registry.versions() if _is_barred(quarantine_record(v))]
        what = f"{registry.name}: version {version} is not in quarantine"
        hint = f"in quarantine: {', '.join(barred)}." if barred else "no version is."
        raise ActionError(with_hint(what, hint))
    if stood.lifted is None:
        registry.lift_quarantine(version, by=who, why=reason, at=now)
        stood = quarantine_record(registry.version(version)) or stood
    if stood.lifted is None:
        what = f"{registry.name}: version {version} is in quarantine after it was lifted"
        raise ActionError(with_hint(what, "see who else writes its tags, then try again."))
    freed = stood.lifted
    decision = Decision(
        kind=DecisionKind.LIFT,
        at=freed.at,
        incident=f"{guard.name}:quarantine:v{version}",
        rule="",
        reason=freed.why,
        actor=freed.by,
        evidence={
            "version": version,
            "quarantined": stood.at,
            "because": stood.reason,
            ANSWERED: freed.at.isoformat(),
            VIA: via,
        },
    )
    key = guard_key(guard)
    lifts = [d for d in read_decisions(instance, key) if d.kind is DecisionKind.LIFT]
    if not any((d.incident, d.at) == (decision.incident, decision.at) for d in lifts):
        instance.report_runless_asset_event(decision_event(key, decision))
    if (freed.by, freed.why) != (who, reason):
        when = f"{freed.at:%Y-%m-%d %H:%M} UTC"
        what = f"{registry.name}: {freed.by} lifted the quarantine of version {version} at {when}"
        raise ActionError(with_hint(f"{what}: {freed.why}", "there is nothing left to lift."))
    return decision


def _is_barred(record: QuarantineRecord | None) -> bool:
    return record is not None and record.lifted is None


def newest_word(instance: dg.DagsterInstance, guard: Guard) -> datetime | None:
    """The newest event time that any rule of a guard has spoken for."""
    found = [
        stored.point.as_of
        for rule in guard.rules
        for stored in read_evaluations(instance, check_key(guard, rule))
    ]
    return max(found, default=None)
