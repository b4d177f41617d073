"""Checks on the rows, in the run that materialises them: one read of the data for all."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from aiguard_dagster.adapters.dagster.metadata import evaluation_metadata
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Action, Guard, Mode, Rule, Schema
from aiguard_dagster.core.verdicts import Evaluation, Measurement, Verdict, Window
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.keys import check_key, table_key
from aiguard_dagster.orchestration.loading import as_frame
from aiguard_dagster.orchestration.partitions import Partitions, window_in_hand
from aiguard_dagster.orchestration.resources import MLFLOW


def build_quality_check(
    *,
    guard: Guard,
    table: str,
    rules: Sequence[Rule],
    partitions_def: Partitions,
    input_manager_key: str,
    clock: Clock,
) -> dg.AssetChecksDefinition:
    """All checks of one guard on the rows of one table."""
    by_name = {check_key(guard, rule).name: rule for rule in rules}
    with warnings.catch_warnings():
        # Partitioned checks are in preview; without them a check would load every partition.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        specs = [
            dg.AssetCheckSpec(
                name=name,
                asset=table_key(guard, table),
                description=f"{rule.signal.__doc__} Owner: {guard.owner_of(rule)}.",
                blocking=is_blocking(guard, rule),
                partitions_def=partitions_def,
            )
            for name, rule in by_name.items()
        ]

    @dg.multi_asset_check(
        name=f"{guard.name}__{table}_quality",
        specs=specs,
        can_subset=True,
        ins={"rows": dg.AssetIn(table_key(guard, table), input_manager_key=input_manager_key)},
        required_resource_keys={MLFLOW} if _needs_baseline(rules) else set(),
    )
    def quality(
        context: dg.AssetCheckExecutionContext,
        rows: Any,  # noqa: ANN401 - the user's own table
    ) -> Iterator[dg.AssetCheckResult]:
        from aiguard_dagster.signals.batch import Batch
        from aiguard_dagster.signals.measure import evaluate_batch, failed

        run = context.op_execution_context
        window = window_in_hand(run, partitions_def)
        now = clock()
        chosen = [by_name[key.name] for key in context.selected_asset_check_keys]
        try:
            frame = as_frame(rows)
        except MeasurementError as error:
            span = window or Window(start=now, end=now)
            nothing = Measurement(value=None, n=0, window=span, as_of=min(span.end, now))
            evaluations = [failed(rule, nothing, error) for rule in chosen]
        else:
            batch = Batch(
                frame=frame,
                table=guard.tables[table],
                window=window,
                now=now,
                recorded_types=lambda: recorded_types(guard, table, context),
            )
            evaluations = [evaluate_batch(rule, batch) for rule in chosen]
        for rule, evaluation in zip(chosen, evaluations, strict=True):
            yield dg.AssetCheckResult(
                passed=evaluation.verdict is Verdict.OK,
                asset_key=table_key(guard, table),
                check_name=check_key(guard, rule).name,
                severity=severity(rule, evaluation),
                description=evaluation.reason,
                metadata=evaluation_metadata(evaluation),
            )

    return quality


def _needs_baseline(rules: Sequence[Rule]) -> bool:
    return any(isinstance(r.signal, Schema) and r.signal.columns is None for r in rules)


def recorded_types(
    guard: Guard, table: str, context: dg.AssetCheckExecutionContext
) -> Mapping[str, str]:
    """The columns and types that the champion's baseline recorded.

    Raises:
        MeasurementError: There is no champion, no baseline, or no such table in it.
        ActionError: MLflow does not answer.
    """
    from aiguard_dagster.orchestration.accepted import load_accepted

    registry = getattr(context.resources, MLFLOW).registry(guard)
    champion = registry.champion()
    if champion is None:
        msg = f"{registry.name} has no champion ({registry.pointer})"
        raise MeasurementError(msg)
    return load_accepted(registry, champion, guard).baseline.table(table).types


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
