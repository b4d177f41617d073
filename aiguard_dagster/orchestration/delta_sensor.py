"""The delta checks and the sensor that reports them."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING

import dagster as dg

from aiguard_dagster.adapters.dagster.history import Target, materialized, newest_target
from aiguard_dagster.adapters.dagster.metadata import evaluation_metadata
from aiguard_dagster.adapters.mlflow.client import IN_A_TICK, short_patience
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.spec import Guard, Rule
from aiguard_dagster.core.verdicts import Evaluation, Verdict
from aiguard_dagster.orchestration.asked import tallies_asked
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.keys import (
    check_key,
    delta_rules,
    profile_key,
    profiled_tables,
    table_key,
)
from aiguard_dagster.orchestration.lineage import Lineage
from aiguard_dagster.orchestration.partitions import Partitions
from aiguard_dagster.orchestration.quality import severity
from aiguard_dagster.orchestration.resources import ResourceKeys
from aiguard_dagster.orchestration.ticks import for_each_guard

if TYPE_CHECKING:
    from aiguard_dagster.orchestration.deltas import DeltaEvaluator

MOST_EVALUATIONS = 500
"""Evaluations in one tick; a long backfill is judged over several."""
MOST_RUNS = 25
"""Profile runs that one tick asks for."""
MOST_ATTEMPTS = 3
"""Runs for one profile before it is left to a person: the coverage tells of it."""
MOST_LIVE = 500
PROFILE_TAG = "aiguard/profile"
LIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def build_delta_checks(
    *,
    guard: Guard,
    table: str,
    partitions: Mapping[str, Partitions],
    keys: ResourceKeys,
    clock: Clock,
    lineages: Mapping[str, Lineage],
) -> dg.AssetChecksDefinition:
    """The checks that the sensor reports to; executed by hand they judge the newest partition."""
    rules = {
        check_key(guard, rule).name: (rule, signal)
        for rule, signal in delta_rules(guard)
        if signal.table == table
    }

    profiled = table in profiled_tables(guard)

    @dg.multi_asset_check(
        name=f"{guard.name}__{table}_deltas",
        specs=[
            dg.AssetCheckSpec(
                name=name,
                asset=table_key(guard, table),
                additional_deps=[profile_key(guard, table)] if profiled else [],
                description=f"{rule.signal.__doc__} Owner: {guard.owner_of(rule)}.",
            )
            for name, (rule, _) in rules.items()
        ],
        can_subset=True,
        required_resource_keys={keys.mlflow, keys.profiles},
    )
    def deltas(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        run = context.op_execution_context.run
        if run.asset_selection or not run.asset_check_selection:
            return  # The profile of what is being materialised is not there yet: the sensor's turn.
        from aiguard_dagster.orchestration.deltas import DeltaEvaluator

        evaluator = DeltaEvaluator(
            guard=guard,
            partitions=partitions,
            instance=context.instance,
            registry=getattr(context.resources, keys.mlflow).registry(guard),
            store=getattr(context.resources, keys.profiles),
            now=clock(),
            lineages=lineages,
        )
        for key in context.selected_asset_check_keys:
            rule, signal = rules[key.name]
            batches = evaluator.batches(signal)
            if not batches:
                continue
            evaluation = evaluator.evaluate_marked(rule, signal, batches[-1].window.end)
            yield dg.AssetCheckResult(
                passed=evaluation.verdict is Verdict.OK,
                asset_key=key.asset_key,
                check_name=key.name,
                severity=severity(rule, evaluation),
                description=evaluation.reason,
                metadata=evaluation_metadata(evaluation),
            )

    return deltas


def build_delta_sensor(
    *,
    name: str,
    guards: Sequence[Guard],
    partitions: Mapping[str, Mapping[str, Partitions]],
    keys: ResourceKeys,
    clock: Clock,
    lineages: Mapping[str, Mapping[str, Lineage]],
    minimum_interval_seconds: int,
) -> dg.SensorDefinition:
    """One sensor for all guards: asks for missing profiles, judges what is new."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        required_resource_keys={keys.mlflow, keys.profiles},
        target=dg.AssetSelection.assets(
            *(profile_key(guard, table) for guard in guards for table in partitions[guard.name])
        ),
        description="Compares the newest windows with the champions' baselines.",
    )
    def delta_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        from aiguard_dagster.orchestration.deltas import DeltaEvaluator

        seen: dict[str, str] = json.loads(context.cursor or "{}")
        events: list[dg.AssetCheckEvaluation] = []
        requests: list[dg.RunRequest] = []

        def work(guard: Guard) -> None:
            mine = partitions[guard.name]
            requests.extend(profiles_wanted(context.instance, guard, mine))
            registry = getattr(context.resources, keys.mlflow).registry(guard)
            try:
                registry.observe(now=clock())
            except ActionError as error:  # A user who may only read can still measure.
                context.log.warning(str(error))
            try:
                evaluator = DeltaEvaluator(
                    guard=guard,
                    partitions=mine,
                    instance=context.instance,
                    registry=registry,
                    store=getattr(context.resources, keys.profiles),
                    now=clock(),
                    lineages=lineages[guard.name],
                )
            except ActionError as error:
                if not any(table.traces for table in guard.tables.values()):
                    raise
                context.log.error(str(error))  # noqa: TRY400 - it is the user who reads this
                from aiguard_dagster.orchestration.unreadable import unreadable

                found = unreadable(context.instance, guard, error, now=clock())
                events.extend(check_event(guard, *each, target=None) for each in found)
                return
            signature = evaluator.signature()
            if seen.get(guard.name) == signature:
                return
            requests.extend(_profiles_to_redo(context.instance, guard, evaluator))
            left = MOST_EVALUATIONS - len(events)
            due = list(islice(_due(guard, evaluator), left + 1))
            target = cache(partial(newest_target, context.instance))
            events.extend(
                check_event(
                    guard, rule, evaluation, target=target(check_key(guard, rule).asset_key)
                )
                for rule, evaluation in due[:left]
            )
            if len(due) <= left and not evaluator.errors:
                seen[guard.name] = signature

        traced = any(table.traces for guard in guards for table in guard.tables.values())
        with short_patience(IN_A_TICK) if traced else nullcontext():
            for_each_guard(context, guards, work)
        return dg.SensorResult(
            run_requests=requests[:MOST_RUNS], asset_events=events, cursor=json.dumps(seen)
        )

    return delta_sensor


def profiles_wanted(
    instance: dg.DagsterInstance, guard: Guard, partitions: Mapping[str, Partitions]
) -> list[dg.RunRequest]:
    """Runs for the partitions whose rows are newer than their profile."""
    wanted: list[dg.RunRequest] = []
    busy: set[str] | None = None
    for table in partitions:
        key = profile_key(guard, table)
        sources = materialized(instance, table_key(guard, table))
        profiles = materialized(instance, key)
        stale = [(p, at) for p, at in sources.items() if profiles.get(p, -1) < at]
        for partition, storage_id in sorted(stale, reverse=True):
            if busy is None:
                busy = _busy_partitions(instance)
            if partition not in busy and len(wanted) < MOST_RUNS:
                wanted += _profile_run(instance, key, partition, str(storage_id))
    return wanted


def _profiles_to_redo(
    instance: dg.DagsterInstance, guard: Guard, evaluator: "DeltaEvaluator"
) -> list[dg.RunRequest]:
    """Runs for profiles on another grid than the champion's, or without what a rule counts."""
    lacking: dict[str, dict[str, None]] = {}
    for rule, signal in delta_rules(guard):
        partitions = dict.fromkeys(evaluator.on_other_grids(rule, signal))
        lacking.setdefault(signal.table, {}).update(partitions)
    wanted: list[dg.RunRequest] = []
    for table, partitions in lacking.items():
        # Each change of what rules count may be tried anew.
        counts = hashlib.sha256(" ".join(sorted(tallies_asked(guard, table))).encode())
        cause = f"v{evaluator.champion}-{counts.hexdigest()[:8]}"
        for partition in partitions:
            wanted += _profile_run(instance, profile_key(guard, table), partition, cause)
    return wanted


def _profile_run(
    instance: dg.DagsterInstance, key: dg.AssetKey, partition: str, cause: str
) -> list[dg.RunRequest]:
    """The next run for one profile: none while one is going on, none after the last attempt."""
    name = f"{key.to_user_string()}/{partition}/{cause}"
    runs = instance.get_runs(dg.RunsFilter(tags={PROFILE_TAG: name}))
    if len(runs) >= MOST_ATTEMPTS or any(run.status in LIVE for run in runs):
        return []
    return [
        dg.RunRequest(
            run_key=f"{name}#{len(runs) + 1}",
            asset_selection=[key],
            partition_key=partition,
            tags={PROFILE_TAG: name},
        )
    ]


def _busy_partitions(instance: dg.DagsterInstance) -> set[str]:
    """Partitions that runs are at work on now, and whose profile may be on its way."""
    live = instance.get_runs(dg.RunsFilter(statuses=LIVE), limit=MOST_LIVE)
    return {run.tags["dagster/partition"] for run in live if "dagster/partition" in run.tags}


def _due(guard: Guard, evaluator: "DeltaEvaluator") -> Iterator[tuple[Rule, Evaluation]]:
    for rule, signal in delta_rules(guard):
        for evaluation in evaluator.due(rule, signal):
            yield rule, evaluation


def check_event(
    guard: Guard, rule: Rule, evaluation: Evaluation, *, target: Target | None
) -> dg.AssetCheckEvaluation:
    """An evaluation as a check on the user's asset, for its newest materialisation."""
    key = check_key(guard, rule)
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=evaluation.verdict is Verdict.OK,
        severity=severity(rule, evaluation),
        description=evaluation.reason,
        metadata=evaluation_metadata(evaluation),
        target_materialization_data=target,
    )
