"""What is upstream of a guard's tables, and what is wrong there, as Dagster knows it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from aiguard_dagster.adapters.dagster.history import (
    failed_check,
    freshness_fails,
    last_materialised,
    last_run_failed,
    materialized,
)
from aiguard_dagster.core.cause import Trouble
from aiguard_dagster.core.spec import Guard, Layer
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.keys import check_key, hold_key, table_key
from aiguard_dagster.orchestration.partitions import Partitions, window_of

MOST_ASSETS = 50
"""Assets upstream of one guard that are looked at, the nearest first."""
MOST_PARTITIONS = 400
"""Partitions of one asset that are looked at, the newest."""
NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamAsset:
    """An asset that a guard's table is, or is made from.

    Attributes:
        key: The asset.
        layer: ``source`` where nothing is upstream of it.
        partitions: How it is partitioned.
        parents: What it is made from.
        made: Whether Dagster makes it.
        checks: Its checks that are not the guard's own.
    """

    key: dg.AssetKey
    layer: Layer
    partitions: Partitions
    parents: tuple[dg.AssetKey, ...]
    made: bool
    checks: tuple[dg.AssetCheckKey, ...]


def upstream_of(graph: Any, guard: Guard) -> tuple[UpstreamAsset, ...]:  # noqa: ANN401 - Dagster's
    """A guard's tables and all that they are made from, the nearest first."""
    own = {check_key(guard, rule) for rule in guard.rules}
    own |= {hold_key(guard, table) for table in guard.tables}
    ahead = [table_key(guard, table) for table in guard.tables]
    found: dict[dg.AssetKey, UpstreamAsset] = {}
    while ahead and len(found) < MOST_ASSETS:
        key = ahead.pop(0)
        if key in found or not graph.has(key):
            continue
        node = graph.get(key)
        parents = tuple(sorted(node.parent_keys))
        found[key] = UpstreamAsset(
            key=key,
            layer=Layer.PIPELINE if parents else Layer.SOURCE,
            partitions=node.partitions_def,
            parents=parents,
            made=node.is_executable,
            checks=tuple(sorted(set(node.check_keys) - own)),
        )
        ahead += parents
    return tuple(found.values())


def find_troubles(
    instance: dg.DagsterInstance, assets: Sequence[UpstreamAsset], window: Window
) -> tuple[Trouble, ...]:
    """What is failed, late, stale, blocked or breaching upstream in a window.

    Time partitions are judged for the window's own time, so a replay and a live run see the same.
    Anything else is judged as it stands now.

    Args:
        instance: The Dagster instance.
        assets: What to look at.
        window: The window of the failing measurement.
    """
    made = {each.key: _materialized(instance, each, window) for each in assets}
    found: list[Trouble] = []
    for each in assets:
        if isinstance(each.partitions, dg.TimeWindowPartitionsDefinition):
            found += _in_partitions(instance, each, made, window)
        elif each.partitions is None:
            found += _as_it_stands(instance, each, window)
        found += _checks(instance, each, window)
    return tuple(found)


def _keys(asset: UpstreamAsset, window: Window) -> list[str]:
    """The partitions of an asset that have ended in a window, oldest first."""
    if not isinstance(asset.partitions, dg.TimeWindowPartitionsDefinition):
        return []
    span = dg.TimeWindow(window.start, window.end)
    keys = list(asset.partitions.get_partition_keys_in_time_window(span))[-MOST_PARTITIONS:]
    ended = [(key, window_of(asset.partitions, key)) for key in keys]
    return [key for key, its in ended if its and window.start < its.end <= window.end]


def _materialized(
    instance: dg.DagsterInstance, asset: UpstreamAsset, window: Window
) -> Mapping[str, int]:
    keys = _keys(asset, window)
    return materialized(instance, asset.key, partitions=keys) if keys else {}


def _in_partitions(
    instance: dg.DagsterInstance,
    asset: UpstreamAsset,
    made: Mapping[dg.AssetKey, Mapping[str, int]],
    window: Window,
) -> Iterator[Trouble]:
    """Partitions that failed, were not made though others were, or are older than their parents."""
    partitions, mine, keys = asset.partitions, made[asset.key], _keys(asset, window)
    if partitions is None:
        return
    missing = [key for key in keys if key not in mine]
    if asset.made and missing and last_materialised(instance, asset.key) is not None:
        states = instance.get_status_by_partition(asset.key, missing, partitions) or {}
        failed = [k for k in missing if states.get(k) == dg.AssetPartitionStatus.FAILED]
        late = [key for key in missing if key not in failed]
        yield from _told(asset, failed, window, "failed: partition {} was not made")
        yield from _told(asset, late, window, "late: partition {} is not there")
    stale = [
        key
        for key in keys
        if key in mine and any(made.get(p, {}).get(key, -1) > mine[key] for p in asset.parents)
    ]
    text = "stale: partition {} is older than what it is made from"
    yield from _told(asset, stale, window, text, excuses=False)


def _told(
    asset: UpstreamAsset, keys: Sequence[str], window: Window, text: str, *, excuses: bool = True
) -> Iterable[Trouble]:
    """One trouble for all partitions alike."""
    if not keys:
        return []
    ends = [found.end for key in keys if (found := window_of(asset.partitions, key))]
    named = ", ".join(keys[:NAMED]) + (f" and {len(keys) - NAMED} more" if keys[NAMED:] else "")
    since = min([*ends, window.end])
    return [
        Trouble(
            asset=asset.key.to_user_string(),
            layer=asset.layer,
            since=since,
            reason=text.format(named),
            excuses=excuses,
        )
    ]


def _as_it_stands(
    instance: dg.DagsterInstance, asset: UpstreamAsset, window: Window
) -> Iterator[Trouble]:
    """The newest run of an asset without partitions, and its freshness policy."""
    name = asset.key.to_user_string()
    failed = last_run_failed(instance, asset.key) if asset.made else None
    if failed is not None:
        yield Trouble(
            asset=name,
            layer=asset.layer,
            since=min(failed, window.end),
            reason=f"failed: its run of {_minute(failed)} was its last",
        )
    stale = freshness_fails(instance, asset.key)
    if stale is not None:
        yield Trouble(
            asset=name,
            layer=asset.layer,
            since=min(stale, window.end),
            reason=f"stale: its freshness policy fails since {_minute(stale)}",
        )


def _checks(
    instance: dg.DagsterInstance, asset: UpstreamAsset, window: Window
) -> Iterator[Trouble]:
    """Checks of others that failed with severity ERROR when they were last evaluated."""
    for check in asset.checks:
        failed = failed_check(instance, check)
        if failed is None:
            continue
        at, blocks = failed
        yield Trouble(
            asset=asset.key.to_user_string(),
            layer=asset.layer,
            since=min(at, window.end),
            reason=f"{'blocked' if blocks else 'breaching'}: its check {check.name} failed",
            excuses=blocks,
        )


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
