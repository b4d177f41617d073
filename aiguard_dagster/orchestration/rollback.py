"""The rollback job: preflight, then the registry's transaction, then the record of both."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from aiguard_dagster.adapters.dagster.history import (
    decision_event,
    read_decisions,
)
from aiguard_dagster.adapters.mlflow.intents import RollbackIntent, RollbackState, stored_intents
from aiguard_dagster.adapters.mlflow.person_tags import pin_of
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.rollback import roll_back
from aiguard_dagster.core.decide.answers import forbidden
from aiguard_dagster.core.decisions import GUARD, Decision, DecisionKind, Evidence, distinct
from aiguard_dagster.core.spec import Action, Guard, Mode, OnInconclusive, Performance, Rule
from aiguard_dagster.orchestration.answer_tags import standing
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.hooks import with_service_told
from aiguard_dagster.orchestration.keys import guard_key
from aiguard_dagster.orchestration.partitions import Partitions
from aiguard_dagster.orchestration.people import newest_word
from aiguard_dagster.orchestration.resources import ResourceKeys

if TYPE_CHECKING:
    from aiguard_dagster.orchestration.preflight import Preflight

INCIDENT_TAG = "aiguard/incident"


class RollbackConfig(dg.Config):
    """What a rollback is asked for; a person needs to give the reason and their name only."""

    reason: str
    """Why."""
    actor: str
    """Who asks; ``guard`` for the stop-rule sensor."""
    incident: str = ""
    """The incident it belongs to; a new one when left out."""
    rule: str = ""
    """The rule that fired; the guard's first performance rule is scored when left out."""
    at: str = ""
    """Event time, ISO 8601; the newest verdict's when left out."""
    from_version: str = ""
    """The champion that the request is about; today's when left out."""
    to_version: str = ""
    """Where to go; what the guard's ``rollback.to`` says when left out."""
    approved: bool = False
    """Whether somebody who knows the breach approved it: go unless the candidate does worse."""
    ask: bool = False
    """Whether to ask the owner even if the candidate does better, as ``propose`` does."""


def rollback_job_name(guard: Guard) -> str:
    """The name of a guard's rollback job."""
    return f"{guard.name}_rollback"


def rollback_config(guard: Guard, config: RollbackConfig) -> dict[str, Any]:
    """The run config of a guard's rollback job."""
    return {"ops": {_op_name(guard): {"config": config.model_dump()}}}


def _op_name(guard: Guard) -> str:
    return f"{guard.name}_preflight_and_move"


def build_rollback_job(
    *,
    guard: Guard,
    tables: dg.Definitions,
    partitions: dict[str, Partitions],
    keys: ResourceKeys,
    clock: Clock,
) -> dg.JobDefinition:
    """The job that puts the last known good version back, if that helps."""
    name = rollback_job_name(guard)

    @dg.op(
        name=_op_name(guard),
        required_resource_keys={keys.mlflow},
        retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
        description=f"Puts an earlier version of {guard.name}'s model back, if it would do better.",
    )
    def rollback(context: dg.OpExecutionContext, config: RollbackConfig) -> None:
        registry = getattr(context.resources, keys.mlflow).registry(guard)
        decision = run_rollback(
            context,
            guard=guard,
            tables=tables,
            registry=registry,
            config=config,
            partitions=partitions,
            now=clock(),
        )
        context.log.info(decision.reason)
        if is_told(context.instance, guard, decision):
            return  # By a run that was thought to be dead, or an earlier attempt of this one.
        for each in with_service_told(guard, decision):
            context.log_event(decision_event(guard_key(guard), each))

    @dg.job(
        name=name,
        executor_def=dg.in_process_executor,
        description=f"Asked for by the stop-rule sensor, or by a person: {guard.owner}.",
    )
    def job() -> None:
        rollback()

    return job


def is_told(instance: dg.DagsterInstance, guard: Guard, decision: Decision) -> bool:
    """Whether the same outcome is on record."""
    known = read_decisions(instance, guard_key(guard))
    return len(distinct([*known, decision])) == len(known)


def run_rollback(
    context: dg.OpExecutionContext,
    *,
    guard: Guard,
    tables: dg.Definitions,
    registry: ModelRegistry,
    config: RollbackConfig,
    partitions: dict[str, Partitions],
    now: datetime,
) -> Decision:
    """Check, act, and say what came of it; safe to run again after a crash anywhere."""
    from aiguard_dagster.orchestration.preflight import Asked, run_preflight
    from aiguard_dagster.orchestration.table_reader import TableReader

    first = context.run.root_run_id or context.run_id  # Tried again, it is the same request.
    incident = config.incident or f"{guard.name}:request:{first}"
    champion = registry.champion()  # before the intents are read: whoever moved it wrote one first
    written = list(stored_intents(registry.versions(), registry.pointer))
    runs = {first, context.run_id}
    stored = next((each for each in written if each.intent.run_id in runs), None)
    at = stored.intent.at if stored else speaks_for(context, guard, config) or now

    def decided(kind: DecisionKind, reason: str, evidence: Evidence) -> Decision:
        return Decision(
            kind=kind,
            at=at,
            incident=incident,
            rule=config.rule,
            reason=reason,
            actor=config.actor,
            evidence=evidence,
        )

    name = f"{incident}@{at:%Y%m%dT%H%M%SZ}"
    stored = stored or next((each for each in written if each.intent.id == name), None)
    intent = stored.intent if stored else None
    unmoved = stored is None or stored.has_not_moved(champion)
    request = decided(DecisionKind.REQUEST, config.reason, {})
    if unmoved and (reason := withdrawn(context.instance, guard, config, request)) is not None:
        return decided(DecisionKind.SUPERSEDED, reason, {"champion": champion})
    ask = config.ask or (is_the_guards_own(config) and guard.mode is Mode.PROPOSE)
    if intent is None or (unmoved and (ask or config.approved)):
        from_version = intent.from_version if intent else config.from_version or champion
        if from_version is None:
            return decided(DecisionKind.REFUSE, f"{registry.name} has no champion to roll back", {})
        if (reason := overruled(registry, from_version, champion)) is not None:
            return decided(DecisionKind.SUPERSEDED, reason, {"champion": champion})
        reader = TableReader(
            guard=guard, tables=tables, partitions=partitions, instance=context.instance
        )
        asked = Asked(
            rule=config.rule,
            scored=scored_rule(guard, config.rule),
            champion=from_version,
            wanted=intent.to_version if intent else config.to_version,
            at=at,
        )
        found = run_preflight(reader, registry=registry, asked=asked)
        ended = stopped(guard, config, found, ask=ask, now=now)
        if ended is not None or found.candidate is None:
            kind, more = ended or (DecisionKind.REFUSE, {})
            asks = kind is DecisionKind.PROPOSE
            tags = standing(registry.version(from_version), config.rule) if asks else {}
            before = f"{config.reason}. " if asks else ""
            after = (
                f". {owner_of(guard, config.rule)} decides" if kind is DecisionKind.REFUSE else ""
            )
            facts = {**found.evidence, **more, **tags}
            return decided(kind, f"{before}{found.reason}{after}", facts)
        intent = RollbackIntent(
            id=intent.id if intent else name,
            from_version=from_version,
            to_version=found.candidate,
            reason=f"{config.reason}. {found.reason}",
            actor=config.actor,
            run_id=first,
            at=at,
            written=now,
        )
        evidence = found.evidence
    else:
        evidence = {"champion": intent.from_version, "candidate": intent.to_version}
    match roll_back(registry, intent):
        case RollbackState.DONE if registry.champion() != intent.to_version:
            reason = f"v{intent.to_version} was put back, and a person has moved on since"
            return decided(DecisionKind.SUPERSEDED, reason, evidence)
        case RollbackState.DONE:
            reason = (
                f"{registry.name}: v{intent.from_version} → v{intent.to_version}. {intent.reason}"
            )
            moved = {"champion": intent.from_version, "candidate": intent.to_version}
            moved["moved"] = now.isoformat()
            if guard.rollback.repredict is not None:
                moved["repredict"] = guard.rollback.repredict
            return decided(DecisionKind.ROLLBACK, reason, {**evidence, **moved})
        case state:
            found_out = overruled(registry, intent.from_version, registry.champion())
            reason = found_out or f"a person had the last word before: theirs stands ({state})"
            return decided(DecisionKind.SUPERSEDED, reason, evidence)


def stopped(
    guard: Guard, config: RollbackConfig, found: "Preflight", *, ask: bool, now: datetime
) -> tuple[DecisionKind, Evidence] | None:
    """How a request ends without a move; None to go ahead.

    Nobody's approval takes the model back to what does worse or cannot be loaded.
    """
    from aiguard_dagster.orchestration.preflight import Finding

    propose = (
        DecisionKind.PROPOSE,
        {
            "action": Action.ROLLBACK.value,
            "deadline": (now + guard.decide.within).isoformat(),
        },
    )
    match found.finding:
        case Finding.WORSE | Finding.UNFIT:
            return DecisionKind.REFUSE, {}
        case Finding.BETTER:
            return propose if ask else None
        case Finding.UNCLEAR if config.approved:
            return None
        case Finding.UNCLEAR if config.actor != GUARD:
            return DecisionKind.REFUSE, {"hint": "approved: true goes ahead all the same"}
        case Finding.UNCLEAR if ask:
            return propose
        case Finding.UNCLEAR:
            match guard.rollback.on_inconclusive:
                case OnInconclusive.GO:
                    return None
                case OnInconclusive.ASK:
                    return propose
                case OnInconclusive.HOLD:
                    return DecisionKind.REFUSE, {"then": Action.HOLD.value}


def is_the_guards_own(config: RollbackConfig) -> bool:
    """Whether the guard asks by its rules, and nobody has approved it."""
    return config.actor == GUARD and not config.approved


def withdrawn(
    instance: dg.DagsterInstance, guard: Guard, config: RollbackConfig, request: Decision
) -> str | None:
    """How a request was overtaken while it waited for its run; None if it stands."""
    if is_the_guards_own(config) and guard.mode is Mode.OBSERVE:
        return f"{guard.name} only observes now: nothing was moved"
    if not config.approved:
        return None
    return forbidden(request, read_decisions(instance, guard_key(guard)))


def overruled(registry: ModelRegistry, version: str, champion: str | None) -> str | None:
    """How a person has overruled a rollback from a version: moved on, or pinned it; None if not."""
    if champion != version:
        return f"v{version} is no longer champion, v{champion} is: nothing was moved"
    pin = pin_of(registry.version(version))
    if pin is None:
        return None
    return f"v{version} is pinned by {pin.who} ({pin.told}): nothing was moved"


def owner_of(guard: Guard, rule: str) -> str:
    """Who decides on a rule; the guard's owner where a person asks without one."""
    return next((guard.owner_of(each) for each in guard.rules if each.name == rule), guard.owner)


def scored_rule(guard: Guard, name: str) -> Rule | None:
    """The performance rule that a candidate is scored on: the one that fired, or the first."""
    scored = [rule for rule in guard.rules if isinstance(rule.signal, Performance)]
    named = [rule for rule in scored if rule.name == name]
    return next(iter([*named, *scored]), None)


def speaks_for(
    context: dg.OpExecutionContext, guard: Guard, config: RollbackConfig
) -> datetime | None:
    """The event time that a request speaks for, where it or a verdict tells one."""
    return datetime.fromisoformat(config.at) if config.at else newest_word(context.instance, guard)
