"""Recording a baseline: what a version was accepted on, kept with the version."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import narwhals as nw

from aiguard_dagster.adapters.mlflow.baselines import (
    newest_baseline,
    read_baseline,
    write_baseline,
)
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.signatures import input_types
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.model_inputs import is_optional
from aiguard_dagster.core.spec import Drift, FalseAlarmLimit, Guard, Performance
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.orchestration.asked import asked_of, plan_of
from aiguard_dagster.orchestration.clock import wall_clock

if TYPE_CHECKING:
    from aiguard_dagster.signals.baseline import Baseline, TableBaseline
    from aiguard_dagster.stats.grid import ColumnGrid, Grid
    from aiguard_dagster.stats.profile import ColumnProfile, Profile

MOST_IN_ONE_BIN = 0.5
"""A grid is made anew when an outer bin holds more than this share of the new data, and more than
twice what it held before; or any bin more than this, where a new grid would have most edges."""


def record_baseline(
    guard: Guard,
    *,
    version: str,
    data: Mapping[str, Any],
    tracking_uri: str,
    recorded_at: datetime | None = None,
) -> "Baseline":
    """Profile the data that a version was accepted on and store it with the version in MLflow.

    Args:
        guard: The guard whose rules will be judged against this baseline.
        version: The registered model's version.
        data: By the guard's table names, the accepted data: pandas, polars or pyarrow. Predictions
            should be made on rows that the model was not trained on, or errors look too small. Of
            traces none is given: those that the version has made by now are counted.
        tracking_uri: MLflow's tracking URI, ``http://…`` or ``sqlite:///…``.
        recorded_at: The time to record; now when left out.

    Returns:
        What was stored.

    Raises:
        MeasurementError: A table or column that a rule needs is missing, or there are no rows.
        ActionError: The version has a baseline already, or MLflow refused.
    """
    from aiguard_dagster.signals.baseline import Baseline, baseline_to_json

    if guard.model is None:
        msg = f"{guard.name} has no model\n\nHint: declare model: in the guard."
        raise MeasurementError(msg)
    _require_tables(guard, data)
    registry = ModelRegistry(connect(tracking_uri), guard.model)
    now = recorded_at or wall_clock()
    tables = _traced_tables(guard, str(version), registry, now)
    for name, rows in data.items():
        try:
            tables[name] = _table(guard, name, rows, registry)
        except MeasurementError as error:
            msg = f"{name}: {error}"
            raise MeasurementError(msg) from None
    signals = [rule.signal for rule in guard.rules]
    metrics: dict[str, float] = {}
    for name, table in tables.items():
        for signal in signals:
            if isinstance(signal, Performance) and signal.table == name:
                metrics[signal.subject] = _metric(guard, signal, table)
    _require_length(guard, tables)
    baseline = Baseline(
        guard=guard.name,
        model=guard.model.name,
        version=str(version),
        recorded_at=now,
        tables=tables,
        metrics=metrics,
    )
    write_baseline(registry, str(version), baseline_to_json(baseline), guard=guard.name)
    return baseline


def inputs_without_table(
    guard: Guard, version: str, data: Mapping[str, Any], *, tracking_uri: str
) -> list[str]:
    """The inputs of a version that none of the guard's tables has, so no rollback could try it.

    Args:
        guard: The guard.
        version: The version.
        data: Rows of its tables, by table; where some are left out, nothing can be said.
        tracking_uri: Where MLflow is.

    Returns:
        Names, in the signature's order; none where no signature tells, or MLflow does not answer.
    """
    if guard.model is None or set(guard.tables) - set(data):
        return []
    registry = ModelRegistry(connect(tracking_uri), guard.model)
    try:
        wanted = input_types(registry, version)
    except Exception:  # noqa: BLE001 - the baseline is recorded; this is only a word on the way
        return []
    known = {name for rows in data.values() for name in nw.from_native(rows).collect_schema()}
    return [name for name, kind in wanted.items() if name not in known and not is_optional(kind)]


def _metric(guard: Guard, signal: Performance, table: "TableBaseline") -> float:
    from aiguard_dagster.signals.performance import read_performance
    from aiguard_dagster.signals.tallied import tally_name

    tally = table.total.tallies.get(tally_name(signal, guard.tables[signal.table]))
    found = read_performance(signal, tally, None) if tally else None
    if found is None or found.value is None:
        why = f" ({found.note})" if found and found.note else ""
        msg = f"{signal.table}: no row has both prediction and label, so no {signal.subject}{why}"
        raise MeasurementError(msg)
    return found.value


def baseline_of(guard: Guard, *, tracking_uri: str, version: str | None = None) -> "Baseline":
    """The baseline that was recorded with a version.

    Args:
        guard: The guard it was recorded for.
        tracking_uri: MLflow's tracking URI.
        version: The registered model's version; the champion when left out.

    Raises:
        MeasurementError: There is no champion, no baseline, or it was changed.
        ActionError: MLflow does not answer.
    """
    from aiguard_dagster.orchestration.accepted import load_accepted

    if guard.model is None:
        msg = f"{guard.name} has no model\n\nHint: declare model: in the guard."
        raise MeasurementError(msg)
    registry = ModelRegistry(connect(tracking_uri), guard.model)
    chosen = version or registry.champion()
    if chosen is None:
        what = f"{guard.model.name} has no champion ({registry.pointer})"
        raise MeasurementError(with_hint(what, "name a version with --model-version."))
    return load_accepted(registry, chosen, guard).baseline


def _require_length(guard: Guard, tables: Mapping[str, "TableBaseline"]) -> None:
    """Raise unless drift can be measured and calibrated on this data; later is too late."""
    from aiguard_dagster.signals.drift_reference import DriftReference

    for rule in guard.rules:
        signal = rule.signal
        if isinstance(signal, Drift):
            reference = DriftReference(tables[signal.table])
            try:
                columns = reference.columns(signal)
                if isinstance(rule.limit, FalseAlarmLimit):
                    reference.calibration(signal.of, columns, signal.window.days)
            except MeasurementError as error:
                msg = f"{guard.name}: {rule.name}: {error}"
                raise MeasurementError(msg) from None


def _require_tables(guard: Guard, data: Mapping[str, Any]) -> None:
    unknown = sorted(set(data) - set(guard.tables))
    if unknown:
        msg = f"{guard.name} declares no table {unknown[0]!r}, only {', '.join(guard.tables)}"
        raise MeasurementError(msg)
    traced = sorted(name for name in data if guard.tables[name].traces)
    if traced:
        what = f"{traced[0]} is traces, which the tracking server counts"
        raise MeasurementError(with_hint(what, "leave it out of data."))
    wanted = [name for name in guard.tables_to_record if not guard.tables[name].traces]
    missing = [name for name in wanted if name not in data]
    if missing:
        hint = ", ".join(f"{name}=…" for name in wanted)
        msg = (
            f"{guard.name} compares {', '.join(missing)} with the baseline, and data holds none for"
            f" it\n\nHint: give data for {hint}."
        )
        raise MeasurementError(msg)


def _traced_tables(
    guard: Guard, version: str, registry: ModelRegistry, now: datetime
) -> "dict[str, TableBaseline]":
    """What the version's traces tell, where rules compare with it."""
    from aiguard_dagster.orchestration.deltas import needs_baseline
    from aiguard_dagster.orchestration.traced import TracedTable
    from aiguard_dagster.signals.baseline import TableBaseline
    from aiguard_dagster.stats.grid import Grid

    found = {}
    for name in guard.tables_to_record:
        source = guard.tables[name].traces
        if source is None:
            continue
        table = TracedTable(
            guard=guard,
            table=name,
            source=source,
            registry=registry,
            reigns=(),
            champion=version,
            now=now,
        )
        days = table.days(version)
        needed = [r.name for r in guard.rules if r.signal.table == name and needs_baseline(r)]
        if needed and not days:
            what = f"{name}: v{version} has made no trace that {needed[0]} could compare with"
            raise MeasurementError(with_hint(what, "let the rule have baseline: first 14d."))
        if days:
            by_date = {str(day): profile for day, profile in days.items()}
            found[name] = TableBaseline(grid=Grid(), days=by_date, types={})
    return found


def _table(guard: Guard, name: str, rows: Any, registry: ModelRegistry) -> "TableBaseline":  # noqa: ANN401 - any table
    from aiguard_dagster.adapters.engines.grids import choose_grid, late_columns, outcome_columns
    from aiguard_dagster.adapters.engines.open import as_frame, engine_of, profiles_of_table
    from aiguard_dagster.signals.baseline import TableBaseline
    from aiguard_dagster.signals.types import column_types, type_name
    from aiguard_dagster.stats.profile import merge_all
    from aiguard_dagster.stats.support import with_moments

    spec = guard.tables[name]
    engine = engine_of(rows)
    types = {column: type_name(dtype) for column, dtype in column_types(as_frame(rows)).items()}
    asked = asked_of(guard, name)
    grid = choose_grid(engine, spec, also=asked.columns, joint=asked.joint)
    earlier = _earlier(guard, name, registry)
    grids = [grid]
    # What the baseline supports is what this version was accepted on, and no earlier one.
    if earlier is not None and not asked.outside and _counts_the_same(earlier.grid, grid):
        grids.insert(0, earlier.grid)
    for chosen in grids:
        days = dict(profiles_of_table(rows, replace(plan_of(guard, name, chosen), by="day")))
        days.pop("", None)  # Rows without a time belong to no day.
        if chosen is grid or (earlier and _resolves(earlier, merge_all(days.values()), grid)):
            break
    if asked.far:  # Distances are from the middle of all rows, so these are read once more.
        total = merge_all(days.values())
        chosen = with_moments(chosen, total.products, total.rows)
        days = dict(profiles_of_table(rows, replace(plan_of(guard, name, chosen), by="day")))
        days.pop("", None)
    if not any(day.rows for day in days.values()):
        msg = "no rows\n\nHint: give the data that the version was accepted on."
        raise MeasurementError(msg)
    return TableBaseline(
        grid=chosen,
        days=days,
        types=types,
        late=late_columns(spec),
        outcomes=outcome_columns(spec),
    )


def _counts_the_same(earlier: "Grid", now: "Grid") -> bool:
    """Whether two grids count the same of the same columns, and watch the same ones jointly."""
    joint = [grid.joint and grid.joint.columns for grid in (earlier, now)]
    kinds = [{name: _kind(each) for name, each in grid.columns.items()} for grid in (earlier, now)]
    return kinds[0] == kinds[1] and joint[0] == joint[1]


def _kind(grid: "ColumnGrid") -> str:
    """What a column holds; text may be counted by value at one time and by length at another."""
    from aiguard_dagster.stats.grid import CategoryGrid

    return "text" if isinstance(grid, CategoryGrid) or grid.reading == "length" else grid.reading


def _earlier(guard: Guard, name: str, registry: ModelRegistry) -> "TableBaseline | None":
    from aiguard_dagster.signals.baseline import baseline_from_json

    version = newest_baseline(registry, guard.name)
    if version is None:
        return None
    try:
        earlier = baseline_from_json(read_baseline(registry, version, guard=guard.name))
    except MeasurementError:
        return None  # Only its grid is wanted, and a new one will do.
    return earlier.tables.get(name)


def _resolves(earlier: "TableBaseline", profile: "Profile", now: "Grid") -> bool:
    """Whether an earlier grid still tells the new data's values apart, out to its outer bins.

    Args:
        earlier: The baseline that the grid is from.
        profile: The new data on that grid.
        now: The grid that would be chosen for them.
    """
    if not profile.rows:
        return False
    total = earlier.total
    for name, column in profile.columns.items():
        before = total.columns[name]
        for end in (0, -1):
            share = column.counts[end] / max(column.rows, 1)
            usual = before.counts[end] / max(before.rows, 1)
            if share > max(MOST_IN_ONE_BIN, 2 * usual):
                return False
        if _is_coarse(column, earlier.grid.columns[name], now.columns[name]):
            return False
    return True


def _is_coarse(column: "ColumnProfile", before: "ColumnGrid", now: "ColumnGrid") -> bool:
    """Whether one bin holds most of the rows, and most of the edges that a new grid would have."""
    import numpy as np

    from aiguard_dagster.stats.grid import NumericGrid

    if not isinstance(before, NumericGrid) or not isinstance(now, NumericGrid):
        return False
    edges = np.bincount(np.searchsorted(before.edges, now.edges), minlength=before.size)
    many = np.array(column.counts) > MOST_IN_ONE_BIN * max(column.rows, 1)
    return bool((many & (edges > MOST_IN_ONE_BIN * len(now.edges))).any())
