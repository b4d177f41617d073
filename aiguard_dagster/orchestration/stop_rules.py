"""The stop-rule sensor: from the event-time history of verdicts to decisions and rollbacks."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.history import (
    decision_event,
    read_decisions,
    read_evaluations,
)
from aiguard_dagster.core.decide import decide, patience_of
from aiguard_dagster.core.decisions import Decision, DecisionKind, open_requests, request_id
from aiguard_dagster.core.lifecycle import Point, episodes, in_order
from aiguard_dagster.core.spec import Action, Guard, Mode
from aiguard_dagster.orchestration.answer_tags import AnswerTags
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.keys import check_key, guard_key
from aiguard_dagster.orchestration.resources import ResourceKeys
from aiguard_dagster.orchestration.rollback import (
    INCIDENT_TAG,
    RollbackConfig,
    rollback_config,
    rollback_job_name,
)
from aiguard_dagster.orchestration.ticks import for_each_guard

MOST_ATTEMPTS = 3
"""Runs of one rollback request before a person is asked."""
ENDED_BADLY = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def build_stop_rule_sensor(
    *,
    name: str,
    guards: Sequence[Guard],
    jobs: Sequence[dg.JobDefinition],
    keys: ResourceKeys,
    clock: Clock,
    minimum_interval_seconds: int,
) -> dg.SensorDefinition:
    """One sensor for all guards; stateless, everything is read from the event log."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        jobs=jobs or None,
        required_resource_keys={keys.mlflow} if any(guard.model for guard in guards) else set(),
        description="Turns verdicts into decisions: notify, hold, release, roll back.",
    )
    def stop_rule_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        events: list[dg.AssetObservation] = []
        requests: list[dg.RunRequest] = []
        tags = AnswerTags(
            registry_of=lambda guard: getattr(context.resources, keys.mlflow).registry(guard),
            warn=context.log.warning,
        )

        def work(guard: Guard) -> None:
            decided, wanted = step(context.instance, guard, now=clock(), tags=tags)
            events.extend(decision_event(guard_key(guard), decision) for decision in decided)
            requests.extend(wanted)

        for_each_guard(context, guards, work)
        return dg.SensorResult(asset_events=events, run_requests=requests)

    return stop_rule_sensor


def step(
    instance: dg.DagsterInstance, guard: Guard, *, now: datetime, tags: AnswerTags
) -> tuple[list[Decision], list[dg.RunRequest]]:
    """The decisions that are new for one guard, and the rollback runs that are wanted."""
    history = {
        rule.name: [s.point for s in read_evaluations(instance, check_key(guard, rule))]
        for rule in guard.rules
    }
    decisions = read_decisions(instance, guard_key(guard))
    answered = tags.answers(guard, decisions, now=now)
    new = decide(guard, history, [*decisions, *answered], now=now)
    decided = [*answered, *tags.stamped(guard, new)]
    requests = []
    for request in open_requests([*decisions, *decided]):
        if not still_wanted(guard, request, history):
            reason = "no longer wanted: the breach has ended, or the guard was changed"
            decided.append(_ended(request, DecisionKind.SUPERSEDED, reason))
            continue
        run, given_up = next_run(instance, guard, request)
        if run:
            requests.append(run)
        if given_up:
            decided.append(given_up)
    return decided, requests


def still_wanted(guard: Guard, request: Decision, history: Mapping[str, Sequence[Point]]) -> bool:
    """Whether a request that waits for its run still stands: mode, rule and breach as they were."""
    rule = next((rule for rule in guard.rules if rule.name == request.rule), None)
    if rule is None or rule.action is not Action.ROLLBACK or guard.mode is Mode.OBSERVE:
        return False
    points = in_order(history[rule.name])
    if points and points[-1].subject != request.evidence["champion"]:
        return True  # Someone moved the champion, maybe a run that died: the job knows which.
    found = episodes(points, patience_of(guard, rule))
    return bool(found) and found[-1].ended is None and found[-1].covers(request.at)


def next_run(
    instance: dg.DagsterInstance, guard: Guard, request: Decision
) -> tuple[dg.RunRequest | None, Decision | None]:
    """The next run of a request: none while one is going on, and none after the last attempt."""
    answers = request.evidence.get("answers")
    tag = f"{request_id(request)}{'!' if answers else ''}"
    runs = instance.get_runs(dg.RunsFilter(tags={INCIDENT_TAG: tag}))
    if any(run.status not in ENDED_BADLY for run in runs):
        return None, None
    # A run that was deleted has spent its key all the same, so the numbers go on from the highest.
    spent = [run.tags.get("dagster/run_key", "").rpartition("#")[2] for run in runs]
    attempt = max((int(number) for number in spent if number.isdigit()), default=len(runs)) + 1
    if attempt > MOST_ATTEMPTS:
        who = guard.owner
        reason = f"the rollback run failed {attempt - 1} times. {who} must look: {runs[0].run_id}"
        return None, _ended(request, DecisionKind.FAILED, reason)
    config = RollbackConfig(
        reason=request.reason,
        incident=request.incident,
        rule=request.rule,
        at=request.at.isoformat(),
        from_version=str(request.evidence["champion"]),
        to_version=str(request.evidence.get("candidate") or ""),
        actor=request.actor,
        approved=bool(answers),
        ask=bool(request.evidence.get("ask")),
    )
    run = dg.RunRequest(
        run_key=f"{tag}#{attempt}",
        job_name=rollback_job_name(guard),
        run_config=rollback_config(guard, config),
        tags={INCIDENT_TAG: tag},
    )
    return run, None


def _ended(request: Decision, kind: DecisionKind, reason: str) -> Decision:
    return Decision(
        kind=kind, at=request.at, incident=request.incident, rule=request.rule, reason=reason
    )
