"""The delta checks and the sensor that reports them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import dagster as dg

from aiguard_dagster.adapters.dagster.history import (
    materialized,
    newest_materialization,
    newest_target,
)
from aiguard_dagster.adapters.dagster.metadata import evaluation_metadata
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.spec import Guard, Rule
from aiguard_dagster.core.verdicts import Evaluation, Verdict
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.keys import check_key, delta_rules, profile_key, table_key
from aiguard_dagster.orchestration.partitions import Partitions
from aiguard_dagster.orchestration.quality import severity
from aiguard_dagster.orchestration.resources import MLFLOW, PROFILES
from aiguard_dagster.orchestration.ticks import for_each_guard

if TYPE_CHECKING:
    from aiguard_dagster.orchestration.deltas import DeltaEvaluator

MOST_EVALUATIONS = 500
"""Evaluations in one tick; a long backfill is judged over several."""
MOST_RUNS = 25
"""Profile runs that one tick asks for."""
LIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def build_delta_checks(
    *, guard: Guard, table: str, partitions: Mapping[str, Partitions]
) -> dg.AssetChecksDefinition:
    """The checks that the sensor reports to; executed by hand they judge the newest partition."""
    rules = {
        check_key(guard, rule).name: (rule, signal)
        for rule, signal in delta_rules(guard)
        if signal.table == table
    }

    @dg.multi_asset_check(
        name=f"{guard.name}__{table}_deltas",
        specs=[
            dg.AssetCheckSpec(
                name=name,
                asset=table_key(guard, table),
                additional_deps=[profile_key(guard, table)],
                description=f"{rule.signal.__doc__} Owner: {guard.owner_of(rule)}.",
            )
            for name, (rule, _) in rules.items()
        ],
        can_subset=True,
        required_resource_keys={MLFLOW, PROFILES},
    )
    def deltas(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        run = context.op_execution_context.run
        if run.asset_selection:
            return  # The profile of what is being materialised is not there yet: the sensor's turn.
        from aiguard_dagster.orchestration.deltas import DeltaEvaluator

        evaluator = DeltaEvaluator(
            guard=guard,
            partitions=partitions,
            instance=context.instance,
            registry=getattr(context.resources, MLFLOW).registry(guard),
            store=getattr(context.resources, PROFILES),
        )
        for key in context.selected_asset_check_keys:
            rule, signal = rules[key.name]
            batches = evaluator.batches(table)
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
    clock: Clock,
    minimum_interval_seconds: int,
) -> dg.SensorDefinition:
    """One sensor for all guards: asks for missing profiles, judges what is new."""

    @dg.sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        required_resource_keys={MLFLOW, PROFILES},
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
            registry = getattr(context.resources, MLFLOW).registry(guard)
            try:
                registry.observe(now=clock())
            except ActionError as error:  # A user who may only read can still measure.
                context.log.warning(str(error))
            evaluator = DeltaEvaluator(
                guard=guard,
                partitions=mine,
                instance=context.instance,
                registry=registry,
                store=getattr(context.resources, PROFILES),
            )
            signature = evaluator.signature()
            if seen.get(guard.name) == signature:
                return
            requests.extend(_profiles_to_redo(guard, evaluator))
            left = MOST_EVALUATIONS - len(events)
            due = list(islice(_due(guard, evaluator), left + 1))
            events.extend(
                check_event(context.instance, guard, rule, evaluation)
                for rule, evaluation in due[:left]
            )
            if len(due) <= left:
                seen[guard.name] = signature

        for_each_guard(context, guards, work)
        return dg.SensorResult(
            run_requests=requests[:MOST_RUNS], asset_events=events, cursor=json.dumps(seen)
        )

    return delta_sensor


def profiles_wanted(
    instance: dg.DagsterInstance, guard: Guard, partitions: Mapping[str, Partitions]
) -> list[dg.RunRequest]:
    """Runs for the partitions whose rows are newer than their profile."""
    wanted = []
    for table, partitions_def in partitions.items():
        key = profile_key(guard, table)
        sources: Mapping[str | None, int]
        profiles: Mapping[str | None, int]
        if partitions_def is None:
            sources = _whole(instance, table_key(guard, table))
            profiles = _whole(instance, key)
        else:
            sources = _by_partition(instance, table_key(guard, table))
            profiles = _by_partition(instance, key)
        for partition, storage_id in sources.items():
            if profiles.get(partition, -1) < storage_id and not _live(instance, partition):
                wanted.append(
                    dg.RunRequest(
                        run_key=f"{key.to_user_string()}/{partition}/{storage_id}",
                        asset_selection=[key],
                        partition_key=partition,
                    )
                )
    return wanted


def _by_partition(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str | None, int]:
    """The newest materialisation of each partition."""
    return dict(materialized(instance, key).items())


def _whole(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str | None, int]:
    """The newest materialisation of a table without partitions."""
    storage_id = newest_materialization(instance, key)
    return {} if storage_id is None else {None: storage_id}


def _profiles_to_redo(guard: Guard, evaluator: "DeltaEvaluator") -> list[dg.RunRequest]:
    """Runs for profiles that a new champion's baseline, with a grid of its own, cannot use."""
    wanted = []
    for rule, signal in delta_rules(guard):
        for partition in evaluator.on_other_grids(rule, signal):
            key = profile_key(guard, signal.table)
            name = f"{key.to_user_string()}/{partition}/v{evaluator.champion}"
            wanted.append(
                dg.RunRequest(run_key=name, asset_selection=[key], partition_key=partition)
            )
    return wanted


def _live(instance: dg.DagsterInstance, partition: str | None) -> bool:
    """Whether a run of this partition is still under way, and may bring the profile itself."""
    tags = {"dagster/partition": partition} if partition else {}
    return bool(instance.get_runs(dg.RunsFilter(statuses=LIVE, tags=tags), limit=1))


def _due(guard: Guard, evaluator: "DeltaEvaluator") -> Iterator[tuple[Rule, Evaluation]]:
    for rule, signal in delta_rules(guard):
        for evaluation in evaluator.due(rule, signal):
            yield rule, evaluation


def check_event(
    instance: dg.DagsterInstance, guard: Guard, rule: Rule, evaluation: Evaluation
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
        target_materialization_data=newest_target(instance, key.asset_key),
    )
