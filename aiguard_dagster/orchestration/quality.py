"""Checks on the rows, in the run that materialises them: one read of the data for all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING

import dagster as dg

from aiguard_dagster.adapters.dagster.history import read_evaluations
from aiguard_dagster.adapters.dagster.metadata import evaluation_metadata
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.lifecycle import Point, in_order
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Action, Compliance, Guard, Mode, Rule
from aiguard_dagster.core.stops import Stop
from aiguard_dagster.core.verdicts import Evaluation, Measurement, Verdict
from aiguard_dagster.orchestration.assets import KnownAsset, asset_facts, read_rows
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.keys import check_name
from aiguard_dagster.orchestration.loading import Deferred, build_row_manager
from aiguard_dagster.orchestration.partitions import in_hand, series_of, span_of
from aiguard_dagster.orchestration.quiet import quiet
from aiguard_dagster.orchestration.released import is_released
from aiguard_dagster.orchestration.resources import MLflowResource, ResourceKeys

if TYPE_CHECKING:
    from aiguard_dagster.adapters.tables.rows import Rows
    from aiguard_dagster.signals.baseline import TableBaseline
    from aiguard_dagster.signals.batch import Batch

NOBODY = "its owners"
"""The owner of checks that were given none."""
MOST_PAST = 400
"""Earlier evaluations that a rule may compare with: a year of days, two weeks of hours."""


def build_quality_check(
    *,
    guard: Guard,
    table: str,
    assets: Mapping[str, KnownAsset],
    keys: ResourceKeys,
    clock: Clock,
    name_of: Callable[[Guard, Rule], str] = check_name,
    op_name: str = "",
) -> dg.AssetChecksDefinition | None:
    """All checks of one guard on the rows of one table; None where no rule asks for any.

    Args:
        guard: The guard.
        table: Its name for the table.
        assets: What is known of each of its tables.
        keys: Where the resources are.
        clock: Tells the time.
        name_of: Names the checks.
        op_name: What the op is called; by guard and table when left out.
    """
    rules = [r for r in guard.rules if r.signal.judges_data and r.signal.table == table]
    if not rules:
        return None
    mine = assets[table]
    by_name = {name_of(guard, rule): rule for rule in rules}
    others = sorted({other for rule in rules for other in rule.signal.others.values()})
    loaded = [name for name in (table, *others) if assets[name].table.source is None]
    if not any(rule.signal.reads_rows for rule in rules):
        loaded = []
    uses_model = any(rule.signal.needs_model for rule in rules)
    managers = {assets[n].input_manager_key: assets[n].io_manager_key for n in loaded}

    def quality(
        context: dg.AssetCheckExecutionContext, **rows: Deferred
    ) -> Iterator[dg.AssetCheckResult]:
        chosen = {key.name: by_name[key.name] for key in context.selected_asset_check_keys}
        session = _Session(
            guard=guard, assets=assets, keys=keys, context=context, rows=rows, clock=clock
        )
        for name, evaluation in session.evaluate(table, chosen):
            yield dg.AssetCheckResult(
                passed=evaluation.verdict is Verdict.OK,
                asset_key=mine.key,
                check_name=name,
                severity=session.severity(chosen[name], evaluation),
                description=evaluation.reason,
                metadata=evaluation_metadata(evaluation),
            )

    with quiet():
        return dg.multi_asset_check(
            name=op_name or f"{guard.name}__{table}_quality",
            specs=_specs(
                guard, by_name, mine, [assets[name].key for name in others if assets[name].exists]
            ),
            can_subset=True,
            ins={
                name: dg.AssetIn(assets[name].key, input_manager_key=assets[name].input_manager_key)
                for name in loaded
            },
            resource_defs={key: build_row_manager(io_key) for key, io_key in managers.items()},
            required_resource_keys={keys.mlflow} if uses_model else set(),
        )(quality)


def _specs(
    guard: Guard,
    by_name: Mapping[str, Rule],
    asset: KnownAsset,
    others: Sequence[dg.AssetKey],
) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name=name,
            asset=asset.key,
            description=_described(guard, rule),
            blocking=is_blocking(guard, rule),
            partitions_def=asset.partitions_def,
            additional_deps=others,
        )
        for name, rule in by_name.items()
    ]


def _described(guard: Guard, rule: Rule) -> str:
    owner = guard.owner_of(rule)
    return f"{rule.signal.__doc__}" + (f" Owner: {owner}." if owner != NOBODY else "")


class _Session:
    """One run's look at a table: each table is read once, whatever the number of rules."""

    def __init__(
        self,
        *,
        guard: Guard,
        assets: Mapping[str, KnownAsset],
        keys: ResourceKeys,
        context: dg.AssetCheckExecutionContext,
        rows: Mapping[str, Deferred],
        clock: Clock,
    ) -> None:
        self._guard, self._assets, self._keys = guard, assets, keys
        self._context, self._rows = context, rows
        self._now = clock()
        self._opened: list[Rows] = []
        self._open = cache(self._read)

    def evaluate(self, table: str, rules: Mapping[str, Rule]) -> Iterator[tuple[str, Evaluation]]:
        """The rules' evaluations by the names of their checks."""
        from aiguard_dagster.signals.measure import evaluate_batch, failed

        partitions = self._partitions(table)
        try:
            for name, rule in rules.items():
                batch = self._bare(table, partitions)
                try:
                    batch = self.batch(table) if rule.signal.reads_rows else batch
                except Exception as error:  # noqa: BLE001 - it must not take its siblings along
                    nothing = Measurement(value=None, n=0, window=batch.span, as_of=batch.as_of)
                    evaluation = failed(rule, nothing, error)
                else:
                    past = partial(self._past, table, name, batch.as_of)
                    stops = partial(self._stops, table, rule)
                    evaluation = evaluate_batch(rule, replace(batch, past=past, stops=stops))
                yield name, replace(evaluation, series=series_of(partitions))
        finally:
            self._close()

    def severity(self, rule: Rule, evaluation: Evaluation) -> dg.AssetCheckSeverity:
        """Whether it stops what comes after it: not where a person has let it go."""
        found = severity(rule, evaluation)
        stops = evaluation.verdict is Verdict.BREACH and found is dg.AssetCheckSeverity.ERROR
        if stops and is_blocking(self._guard, rule):
            instance = self._context.instance
            if is_released(instance, self._guard, rule, evaluation, now=self._now):
                return dg.AssetCheckSeverity.WARN
        return found

    def batch(self, table: str) -> "Batch":
        """The rows of a table, for the partition in hand."""
        partitions = self._partitions(table)
        opened = self._open(table)
        if isinstance(opened, Exception):
            raise opened
        return replace(self._bare(table, partitions), frame=opened.frame, native=opened.native)

    def _bare(self, table: str, partitions: Sequence[Partition] | None) -> "Batch":
        """A batch without its rows, for the rules that need none."""
        from aiguard_dagster.adapters.tables.rows import NO_ROWS
        from aiguard_dagster.signals.batch import Batch

        asset = self._assets[table]
        return Batch(
            frame=NO_ROWS.frame,
            native=NO_ROWS.native,
            table=asset.table,
            window=span_of(partitions),
            now=self._now,
            asset=asset_facts(asset, self._context.instance),
            accepted=lambda: self._accepted(table),
            signature=self._signature,
            other=self.batch,
        )

    def _partitions(self, table: str) -> tuple[Partition, ...] | None:
        run = self._context.op_execution_context
        return in_hand(run, self._assets[table].partitions_def)

    def _read(self, table: str) -> "Rows | Exception":
        """The rows, or why they cannot be had: that too is asked once."""
        partitions = self._partitions(table)
        try:
            opened = read_rows(self._assets[table], self._rows.get(table), partitions)
        except Exception as error:  # noqa: BLE001 - told by each check
            return error
        self._opened.append(opened)
        return opened

    def _close(self) -> None:
        """Give back what the tables hold."""
        for opened in self._opened:
            opened.close()

    def _past(self, table: str, name: str, before: datetime) -> Sequence[Point]:
        """Earlier evaluations of one check on the same series, in event time."""
        check = dg.AssetCheckKey(self._assets[table].key, name)
        stored = read_evaluations(self._context.instance, check, most=MOST_PAST)
        series = series_of(self._partitions(table))
        found = in_order(e.point for e in stored if e.point.series == series)
        return [point for point in found if point.as_of < before]

    def _stops(self, table: str, rule: Rule) -> Sequence[Stop]:
        """Stops in a tag of the champion's version, or in observations of the asset."""
        from aiguard_dagster.adapters.dagster.stops import observed_stop
        from aiguard_dagster.adapters.mlflow.stops import tagged_stop

        signal = rule.signal
        found = []
        if isinstance(signal, Compliance) and signal.tag:
            found.append(tagged_stop(*self._champion(), signal.tag))
        if isinstance(signal, Compliance) and signal.events:
            found.append(observed_stop(self._context.instance, self._assets[table].key))
        return [stop for stop in found if stop is not None]

    def _accepted(self, table: str) -> "TableBaseline":
        """What the champion's baseline recorded of a table."""
        from aiguard_dagster.orchestration.accepted import load_accepted

        registry, champion = self._champion()
        return load_accepted(registry, champion, self._guard).baseline.table(table)

    def _signature(self) -> Mapping[str, str]:
        """The champion's input columns and their types."""
        from aiguard_dagster.adapters.mlflow.signatures import input_types

        registry, champion = self._champion()
        return input_types(registry, champion)

    def _champion(self) -> tuple[ModelRegistry, str]:
        resource: MLflowResource = getattr(self._context.resources, self._keys.mlflow)
        registry = resource.registry(self._guard)
        champion = registry.champion()
        if champion is None:
            msg = f"{registry.name} has no champion ({registry.pointer})"
            raise MeasurementError(msg)
        return registry, champion


def is_blocking(guard: Guard, rule: Rule) -> bool:
    """Whether a breach stops what comes after it in the same run."""
    return rule.action is Action.HOLD and guard.mode is Mode.ENFORCE


def severity(rule: Rule, evaluation: Evaluation) -> dg.AssetCheckSeverity:
    """ERROR for what stops something or could not be measured; WARN, which never blocks, else."""
    if evaluation.verdict is Verdict.ERROR:
        return dg.AssetCheckSeverity.ERROR
    if evaluation.verdict is Verdict.BREACH and rule.action is not Action.NOTIFY:
        return dg.AssetCheckSeverity.ERROR
    return dg.AssetCheckSeverity.WARN
