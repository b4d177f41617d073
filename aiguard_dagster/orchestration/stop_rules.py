"""The stop-rule sensor: from the event-time history of verdicts to decisions and rollbacks."""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.history import (
    decision_event,
    read_decisions,
    read_evaluations,
)
from aiguard_dagster.core.decide import decide
from aiguard_dagster.core.decisions import GUARD, OUTCOMES, Decision, DecisionKind
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.keys import check_key, guard_key
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
    clock: Clock,
    minimum_interval_seconds: int,
) -> dg.SensorDefinition:
    """One sensor for all guards; stateless, everything is read from the event log."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        jobs=jobs or None,
        description="Turns verdicts into decisions: notify, hold, release, roll back.",
    )
    def stop_rule_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        events: list[dg.AssetObservation] = []
        requests: list[dg.RunRequest] = []

        def work(guard: Guard) -> None:
            decided, wanted = step(context.instance, guard, now=clock())
            events.extend(decision_event(guard_key(guard), decision) for decision in decided)
            requests.extend(wanted)

        for_each_guard(context, guards, work)
        return dg.SensorResult(asset_events=events, run_requests=requests)

    return stop_rule_sensor


def step(
    instance: dg.DagsterInstance, guard: Guard, *, now: datetime
) -> tuple[list[Decision], list[dg.RunRequest]]:
    """The decisions that are new for one guard, and the rollback runs that are wanted."""
    history = {
        rule.name: [s.point for s in read_evaluations(instance, check_key(guard, rule))]
        for rule in guard.rules
    }
    decisions = read_decisions(instance, guard_key(guard))
    decided = list(decide(guard, history, decisions, now=now))
    requests = []
    for request in open_requests([*decisions, *decided]):
        run, given_up = next_run(instance, guard, request)
        if run:
            requests.append(run)
        if given_up:
            decided.append(given_up)
    return decided, requests


def open_requests(decisions: Sequence[Decision]) -> list[Decision]:
    """The requests for a rollback that have no outcome yet."""
    ended = {(d.incident, d.at) for d in decisions if d.kind in OUTCOMES}
    return [
        d for d in decisions if d.kind is DecisionKind.REQUEST and (d.incident, d.at) not in ended
    ]


def next_run(
    instance: dg.DagsterInstance, guard: Guard, request: Decision
) -> tuple[dg.RunRequest | None, Decision | None]:
    """The next run of a request: none while one is going on, and none after the last attempt."""
    tag = f"{request.incident}@{request.at:%Y%m%dT%H%M%SZ}"
    runs = instance.get_runs(dg.RunsFilter(tags={INCIDENT_TAG: tag}))
    if any(run.status not in ENDED_BADLY for run in runs):
        return None, None
    if len(runs) >= MOST_ATTEMPTS:
        failed = Decision(
            kind=DecisionKind.FAILED,
            at=request.at,
            incident=request.incident,
            rule=request.rule,
            reason=(
                f"the rollback run failed {len(runs)} times."
                f" {guard.owner} must look: run {runs[0].run_id}"
            ),
        )
        return None, failed
    config = RollbackConfig(
        reason=request.reason,
        incident=request.incident,
        rule=request.rule,
        at=request.at.isoformat(),
        from_version=str(request.evidence["champion"]),
        actor=GUARD,
    )
    run = dg.RunRequest(
        run_key=f"{tag}#{len(runs) + 1}",
        job_name=rollback_job_name(guard),
        run_config=rollback_config(guard, config),
        tags={INCIDENT_TAG: tag},
    )
    return run, None
