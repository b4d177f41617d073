"""What does not fit between guards and the project they are put on, told at load."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import dagster as dg

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.errors import Problem
from aiguard_dagster.core.spec import Action, DeltaSignal, Guard, Rule
from aiguard_dagster.core.spec.semantics import find_short_windows
from aiguard_dagster.core.words import did_you_mean
from aiguard_dagster.orchestration.assets import KnownAsset
from aiguard_dagster.orchestration.keys import hold_key, profiled_tables
from aiguard_dagster.orchestration.partitions import (
    dimension_names,
    partition_length,
    time_partitions,
)

Found = tuple[str, str, str]
"""Path below the guard, what, hint."""
Graph = Any
"""Dagster's asset graph."""
Taken = Mapping[dg.AssetCheckKey, str]
"""Checks that are there already, and the file they are from where it is known."""


def find_misfits(
    guard: Guard,
    known: Mapping[str, KnownAsset],
    graph: Graph,
    *,
    taken: Taken,
    file: str,
    name_of: Callable[[Guard, Rule], str],
) -> list[Problem]:
    """Everything about a guard that its project does not bear.

    Args:
        guard: The guard; its tables may be named wrongly.
        known: What is known of each of its tables.
        graph: How the project's assets are made from each other.
        taken: Checks that are there already.
        file: The name to report problems under.
        name_of: Names the checks.
    """
    found: list[Found] = []
    profiled = set(profiled_tables(guard))
    for name, asset in known.items():
        is_checked = any(rule.signal.table == name for rule in guard.rules)
        is_checked = is_checked or asset.table.review is not None
        misfits = [*_asset(asset, graph, is_checked=is_checked)]
        if not misfits:
            misfits = [*_partitions(asset, is_profiled=name in profiled), *_source(asset)]
            misfits += _schedule(asset)
        found += [(f"tables.{name}.{below}", what, hint) for below, what, hint in misfits]
    found += _follows(guard, known)
    for position, rule in enumerate(guard.rules):
        own = known.get(rule.signal.table)
        if own is None or not own.exists:
            continue
        path = f"rules[{position}]"
        found += [*_waits(guard, rule, graph, path), *_windows(rule, own, path)]
        found += _imports(rule, path)
        key = dg.AssetCheckKey(own.key, name_of(guard, rule))
        if key == hold_key(guard, rule.signal.table):
            what = "the guard's own check has this name: it tells whether predictions are held back"
            found.append((f"{path}.name", what, "give the rule another name."))
        elif key in taken:
            where = f", in {taken[key]}" if taken[key] else ""
            what = f"{own.table.asset} has a check {key.name!r} already{where}"
            found.append((f"{path}.name", what, "give one of them another name."))
    return [Problem(file=file, path=path, what=what, hint=hint) for path, what, hint in found]


def _follows(guard: Guard, known: Mapping[str, KnownAsset]) -> Iterator[Found]:
    """What is to follow a rollback, and cannot."""
    if not any(rule.action is Action.ROLLBACK for rule in guard.rules):
        return
    for name in guard.tables_by_version:
        asset = known[name]
        if not asset.exists:
            continue
        if guard.rollback.repredict is not None and asset.is_external:
            what = f"Dagster does not make {asset.table.asset}, and cannot make it again"
            yield ("rollback.repredict", what, "take it out.")
        length, within = partition_length(asset.partitions_def), guard.rollback.confirm_within
        if length is not None and within < length:
            what = (
                f"{format_duration(within)} is over before a partition of {asset.table.asset} can"
                f" be: it takes {format_duration(length)}"
            )
            hint = f"give at least {format_duration(length)}, and the time until it is there."
            yield ("rollback.confirm_within", what, hint)


def _asset(asset: KnownAsset, graph: Graph, *, is_checked: bool) -> Iterator[Found]:
    """An asset that does not exist; traces get one, and a source may be read that is none."""
    if asset.exists or asset.table.traces or (asset.table.source is not None and not is_checked):
        return
    keys = sorted(key.to_user_string() for key in graph.get_all_asset_keys())
    wanted = asset.table.asset
    hint = f"the assets are: {', '.join(keys) or 'none'}."
    whole = next((key for key in keys if key.endswith(f"/{wanted}")), None)
    hint = f"did you mean {whole}?" if whole else did_you_mean(wanted, keys, hint)
    yield ("asset", f"the project has no asset {wanted!r}", hint)


def _partitions(asset: KnownAsset, *, is_profiled: bool) -> Iterator[Found]:
    partitions_def = asset.partitions_def
    times = time_partitions(partitions_def)
    if is_profiled and (times is None or times is not partitions_def):
        kind = "no partitions" if partitions_def is None else type(partitions_def).__name__
        what = f"{asset.table.asset} has {kind}, and a model is judged over spans of time"
        yield ("asset", what, "partition it by time (daily, hourly, …).")


def _source(asset: KnownAsset) -> Iterator[Found]:
    if asset.table.row_source is None:
        return
    from aiguard_dagster.adapters.tables.sources import find_source_problems

    yield from (
        (f"source{'.' if below else ''}{below}", what, hint)
        for below, what, hint in find_source_problems(
            asset.table.row_source,
            asset.table,
            dimensions=dimension_names(asset.partitions_def),
            has_time=time_partitions(asset.partitions_def) is not None,
            partitioned=asset.partitions_def is not None,
        )
    )


def _schedule(asset: KnownAsset) -> Iterator[Found]:
    cron = asset.table.schedule
    if cron is None:
        return
    try:
        dg.ScheduleDefinition(name="probe", job_name="probe", cron_schedule=cron)
    except dg.DagsterInvalidDefinitionError:
        yield ("schedule", f"{cron!r} is no cron schedule", "write five fields: 0 6 * * 1-5.")


def _waits(guard: Guard, rule: Rule, graph: Graph, path: str) -> Iterator[Found]:
    """A rule that would wait for what its table's checks keep back."""
    table = rule.signal.table
    if not any(r.action is Action.HOLD and r.signal.table == table for r in guard.rules):
        return
    mine = guard.tables[table].asset_path
    for option, name in rule.signal.others.items():
        other = guard.tables.get(name)
        if other is None or not _comes_after(graph, mine, other.asset_path):
            continue
        what = f"{name} is made from {table}, which a rule with action hold keeps back"
        hint = f"put this rule on {name}, with {table} as the other one."
        yield (f"{path}.signal.{option}", what, hint)


def _comes_after(graph: Graph, path: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one asset is made, step by step, from another."""
    wanted, start = dg.AssetKey(list(path)), dg.AssetKey(list(other))
    seen, ahead = set(), [start]
    while ahead:
        key = ahead.pop()
        if key in seen or not graph.has(key):
            continue
        seen.add(key)
        ahead += graph.get(key).parent_keys
    return wanted in seen and start != wanted


def _windows(rule: Rule, asset: KnownAsset, path: str) -> Iterator[Found]:
    """Questions about time that the asset's partitions cannot answer."""
    signal = rule.signal
    option = signal.needs_time_partitions
    if option and time_partitions(asset.partitions_def) is None:
        what = f"{asset.table.asset} has no partitions in time"
        yield (f"{path}.signal.{option}", what, "partition it by time, or leave this out.")
    if signal.needs_all_rows and asset.partitions_def is not None:
        what = f"{signal.needs_all_rows}, and {asset.table.asset} has partitions"
        hint = "name an asset without partitions; each check must see all rows."
        yield (f"{path}.signal.table", what, hint)
    length = partition_length(asset.partitions_def)
    if not isinstance(signal, DeltaSignal) or signal.of_runs:
        return
    if length is not None and signal.window < length:
        spoken = f"{format_duration(signal.window)} is shorter than a partition"
        what = f"{spoken} of {signal.table}, {format_duration(length)}"
        yield (f"{path}.signal.window", what, "make it several partitions long.")
    elif length is not None:
        yield from find_short_windows(rule, length, path)


def _imports(rule: Rule, path: str) -> Iterator[Found]:
    """Modules that are not there; a name in them is looked for when the check runs."""
    for option, wanted in rule.signal.imports.items():
        module = wanted.partition(":")[0]
        try:
            is_there = find_spec(module) is not None
        except Exception:  # noqa: BLE001 - the user's packages above it may fail
            is_there = False
        if not is_there:
            hint = "it must be importable where this project is loaded."
            yield (f"{path}.signal.{option}", f"there is no module {module!r}", hint)
