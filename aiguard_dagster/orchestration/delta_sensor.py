"""The delta checks and the sensor that reports them."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING

import dagster as dg

from aiguard_dagster.adapters.dagster.connection import one_connection
from aiguard_dagster.adapters.dagster.history import (
    Target,
    materialized,
    newest_event,
    newest_target,
    news_since,
)
from aiguard_dagster.adapters.dagster.metadata import evaluation_metadata
from aiguard_dagster.adapters.mlflow.client import in_a_tick
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.steady import SteadyRegistry
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.spec import Guard, Rule
from aiguard_dagster.core.verdicts import Evaluation, Verdict
from aiguard_dagster.orchestration.agenda import Agenda
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
from aiguard_dagster.orchestration.lost_runs import LIVE, goes_on
from aiguard_dagster.orchestration.partitions import Partitions, is_partition
from aiguard_dagster.orchestration.progress import Note
from aiguard_dagster.orchestration.quality import severity
from aiguard_dagster.orchestration.resources import MLflowResource, ProfileStore, ResourceKeys
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
        tick = _Tick(
            context=context,
            agenda=Agenda.from_cursor(context.cursor, now=clock()),
            mlflow=getattr(context.resources, keys.mlflow),
            store=getattr(context.resources, keys.profiles),
            partitions=partitions,
            lineages=lineages,
        )
        with in_a_tick(), one_connection(context.instance):
            for_each_guard(context, tick.agenda, tick.wanted(guards), tick.look)
        tick.agenda.keep(guards)
        return dg.SensorResult(
            run_requests=tick.requests[:MOST_RUNS],
            asset_events=tick.events,
            cursor=tick.agenda.to_cursor(),
        )

    return delta_sensor


@dataclass(kw_only=True)
class _Tick:
    """One tick of the delta sensor: what it reads, and what it has found so far."""

    context: dg.SensorEvaluationContext
    agenda: Agenda
    mlflow: MLflowResource
    store: ProfileStore
    partitions: Mapping[str, Mapping[str, Partitions]]
    lineages: Mapping[str, Mapping[str, Lineage]]
    events: list[dg.AssetCheckEvaluation] = field(default_factory=list)
    requests: list[dg.RunRequest] = field(default_factory=list)
    champions: Mapping[str, str | None] = field(default_factory=dict)
    down: ActionError | None = None

    def wanted(self, guards: Sequence[Guard]) -> list[Guard]:
        """The guards whose tables, profiles or champion have changed, or whose time it is."""
        if self.agenda.read is None:
            self.agenda.read, assets = newest_event(self.context.instance), None
        else:
            news = news_since(self.context.instance, self.agenda.read)
            self.agenda.read, assets = news.read, news.assets
        try:
            self.champions = self.mlflow.champions(guards)
        except ActionError as error:
            self.down = error
        return [guard for guard in guards if self._is_wanted(guard, assets)]

    def _is_wanted(self, guard: Guard, assets: frozenset[dg.AssetKey] | None) -> bool:
        if assets is None or self.agenda.is_due(guard) or is_live(guard):
            return True
        tables = self.partitions[guard.name]
        mine = {table_key(guard, t) for t in tables} | {profile_key(guard, t) for t in tables}
        known = Note.parse(self.agenda.note(guard)).champion
        moved = self.down is None and known != (self._champion(guard) or "-")
        return moved or bool(mine & assets)

    def _champion(self, guard: Guard) -> str | None:
        return self.champions.get(guard.model.name) if guard.model else None

    def look(self, guard: Guard) -> None:
        """Ask for missing profiles, and judge what is new."""
        if len(self.events) >= MOST_EVALUATIONS:
            self.agenda.put_off(guard)
            return
        instance = self.context.instance
        missing = profiles_wanted(instance, guard, self.partitions[guard.name], now=self.agenda.now)
        self.requests += missing.runs
        evaluator = self._evaluator(guard)
        if evaluator is None:
            return
        champion, signature = self._champion(guard) or "-", evaluator.signature()
        last, goes_on = Note.parse(self.agenda.note(guard)), missing.goes_on
        note = Note(champion, signature, last.progress)
        if last != note:
            others = _profiles_to_redo(
                instance, guard, evaluator, self.partitions[guard.name], now=self.agenda.now
            )
            self.requests += others.runs
            after = evaluator.goes_on_from(last.progress)
            # Only a tick that finds nothing left to judge knows that all was written down.
            if self._judge(guard, evaluator, after) or evaluator.errors or others.goes_on:
                note, goes_on = Note(champion, "", last.progress), True
            else:
                note = Note(champion, signature, evaluator.progress())
        self.agenda.looked_at(guard, note=str(note))
        if goes_on:
            self.agenda.put_off(guard)

    def _judge(self, guard: Guard, evaluator: "DeltaEvaluator", after: int) -> bool:
        """Judge what is due, as far as a tick may; returns whether anything was."""
        due = list(islice(_due(guard, evaluator, after), MOST_EVALUATIONS - len(self.events)))
        target = cache(partial(newest_target, self.context.instance))
        self.events += [
            check_event(guard, rule, evaluation, target=target(check_key(guard, rule).asset_key))
            for rule, evaluation in due
        ]
        return bool(due) or len(self.events) >= MOST_EVALUATIONS

    def _evaluator(self, guard: Guard) -> "DeltaEvaluator | None":
        """What judges a guard's rules; None where MLflow does not answer and that was told."""
        from aiguard_dagster.orchestration.deltas import DeltaEvaluator

        instance = self.context.instance
        try:
            if self.down is not None:
                raise self.down
            registry = SteadyRegistry.of(self.mlflow.registry(guard))
            self._observe(registry)
            return DeltaEvaluator(
                guard=guard,
                partitions=self.partitions[guard.name],
                instance=instance,
                registry=registry,
                store=self.store,
                now=self.agenda.now,
                lineages=self.lineages[guard.name],
            )
        except ActionError as error:
            if not any(table.traces for table in guard.tables.values()):
                raise
            self.context.log.error(str(error))  # noqa: TRY400 - it is the user who reads this
            from aiguard_dagster.orchestration.unreadable import unreadable

            found = unreadable(instance, guard, error, now=self.agenda.now)
            self.events += [check_event(guard, *each, target=None) for each in found]
            self.agenda.failed(guard)
            return None

    def _observe(self, registry: ModelRegistry) -> None:
        try:
            registry.observe(now=self.agenda.now)
        except ActionError as error:  # A user who may only read can still measure.
            self.context.log.warning(str(error))


def is_live(guard: Guard) -> bool:
    """Whether some rule is counted anew at each tick: on traces, or on runs."""
    of_runs = any(signal.of_runs for _, signal in delta_rules(guard))
    return of_runs or any(table.traces for table in guard.tables.values())


@dataclass(kw_only=True)
class Profiling:
    """The profiles that are missing.

    Attributes:
        now: The time of the wall.
        runs: Runs to ask for now.
        goes_on: Whether some are still to come: asked for now, under way, or put off.
    """

    now: datetime
    runs: list[dg.RunRequest] = field(default_factory=list)
    goes_on: bool = False

    def ask(
        self, instance: dg.DagsterInstance, key: dg.AssetKey, partition: str, cause: str
    ) -> None:
        """Ask for the next run for one profile, unless one goes on or it was the last attempt."""
        name = f"{key.to_user_string()}/{partition}/{cause}"
        runs = instance.get_run_records(dg.RunsFilter(tags={PROFILE_TAG: name}))
        live = any(goes_on(run, now=self.now) for run in runs)
        if len(runs) >= MOST_ATTEMPTS and not live:
            return
        self.goes_on = True
        if live or len(self.runs) >= MOST_RUNS:
            return
        self.runs.append(
            dg.RunRequest(
                run_key=f"{name}#{len(runs) + 1}",
                asset_selection=[key],
                partition_key=partition,
                tags={PROFILE_TAG: name},
            )
        )


def profiles_wanted(
    instance: dg.DagsterInstance,
    guard: Guard,
    partitions: Mapping[str, Partitions],
    *,
    now: datetime,
) -> Profiling:
    """Runs for the partitions whose rows are newer than their profile."""
    wanted = Profiling(now=now)
    busy: set[str] | None = None
    for table in partitions:
        key = profile_key(guard, table)
        sources = materialized(instance, table_key(guard, table))
        profiles = materialized(instance, key)
        stale = [(p, at) for p, at in sources.items() if profiles.get(p, -1) < at]
        for partition, storage_id in sorted(stale, reverse=True):
            if not is_partition(instance, partitions[table], partition):
                continue
            if busy is None:
                busy = _busy_partitions(instance, now)
            if partition in busy or len(wanted.runs) >= MOST_RUNS:
                wanted.goes_on = True
            else:
                wanted.ask(instance, key, partition, str(storage_id))
    return wanted


def _profiles_to_redo(
    instance: dg.DagsterInstance,
    guard: Guard,
    evaluator: "DeltaEvaluator",
    partitions: Mapping[str, Partitions],
    *,
    now: datetime,
) -> Profiling:
    """Runs for profiles on another grid than the champion's, or without what a rule counts."""
    lacking: dict[str, dict[str, None]] = {}
    for rule, signal in delta_rules(guard):
        found = dict.fromkeys(evaluator.on_other_grids(rule, signal))
        lacking.setdefault(signal.table, {}).update(found)
    wanted = Profiling(now=now)
    for table, keys in lacking.items():
        # Each change of what rules count may be tried anew.
        counts = hashlib.sha256(" ".join(sorted(tallies_asked(guard, table))).encode())
        cause = f"v{evaluator.champion}-{counts.hexdigest()[:8]}"
        for partition in keys:
            if is_partition(instance, partitions[table], partition):
                wanted.ask(instance, profile_key(guard, table), partition, cause)
    return wanted


def _busy_partitions(instance: dg.DagsterInstance, now: datetime) -> set[str]:
    """Partitions that runs are at work on now, and whose profile may be on its way."""
    records = instance.get_run_records(dg.RunsFilter(statuses=LIVE), limit=MOST_LIVE)
    tags = [record.dagster_run.tags for record in records if goes_on(record, now=now)]
    return {each["dagster/partition"] for each in tags if "dagster/partition" in each}


def _due(
    guard: Guard, evaluator: "DeltaEvaluator", after: int
) -> Iterator[tuple[Rule, Evaluation]]:
    for rule, signal in delta_rules(guard):
        for evaluation in evaluator.due(rule, signal, after=after):
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
