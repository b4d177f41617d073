"""Partitions of Dagster as spans of event time and series."""

from collections.abc import Sequence
from datetime import UTC, timedelta

import dagster as dg

from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.verdicts import Window

Partitions = dg.PartitionsDefinition[str] | None


def time_partitions(partitions_def: Partitions) -> dg.TimeWindowPartitionsDefinition | None:
    """The partitions' time dimension; None where there is none."""
    if isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
        return partitions_def
    if isinstance(partitions_def, dg.MultiPartitionsDefinition):
        for dimension in partitions_def.partitions_defs:
            if isinstance(dimension.partitions_def, dg.TimeWindowPartitionsDefinition):
                return dimension.partitions_def
    return None


def dimension_names(partitions_def: Partitions) -> tuple[str, ...]:
    """The names of the dimensions; empty where there is but one."""
    if isinstance(partitions_def, dg.MultiPartitionsDefinition):
        return tuple(sorted(partitions_def.partition_dimension_names))
    return ()


def window_of(partitions_def: Partitions, key: str) -> Window | None:
    """The window of one time partition, in UTC.

    None where partitions are not spans of time, and for a key of an earlier definition, such as of
    hours where they are days now.
    """
    if not isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
        return None
    try:
        found = partitions_def.time_window_for_partition_key(key)
    except ValueError:
        return None
    if partitions_def.get_partition_key_for_timestamp(found.start.timestamp()) != key:
        return None
    return Window(start=found.start.astimezone(UTC), end=found.end.astimezone(UTC))


def is_partition(instance: dg.DagsterInstance, partitions_def: Partitions, key: str) -> bool:
    """Whether the definition has this partition now: of another one no run can be asked for."""
    if partitions_def is None:
        return False
    if isinstance(partitions_def, dg.DynamicPartitionsDefinition) and partitions_def.name:
        return instance.has_dynamic_partition(partitions_def.name, key)
    if isinstance(partitions_def, dg.MultiPartitionsDefinition):
        try:
            keys = partitions_def.get_partition_key_from_str(key).keys_by_dimension
        except (dg.DagsterError, ValueError):
            return False
        return all(
            is_partition(instance, each.partitions_def, keys.get(each.name, ""))
            for each in partitions_def.partitions_defs
        )
    return partitions_def.has_partition_key(key)


def partition_length(partitions_def: Partitions) -> timedelta | None:
    """How long the first time partition is; None where there is none."""
    if not isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
        return None
    first = partitions_def.get_next_partition_window(partitions_def.start)
    return first.end - first.start if first else None


def partition_of(partitions_def: dg.PartitionsDefinition[str], key: str) -> Partition:
    """What a partition key stands for."""
    if not isinstance(partitions_def, dg.MultiPartitionsDefinition):
        window = window_of(partitions_def, key)
        return Partition(key=key, window=window, series="" if window else key)
    keys = partitions_def.get_partition_key_from_str(key).keys_by_dimension
    window, rest = None, []
    for dimension in partitions_def.partitions_defs:
        found = window_of(dimension.partitions_def, keys[dimension.name])
        window = window or found
        rest += [] if found else [keys[dimension.name]]
    return Partition(key=key, dimensions=dict(keys), window=window, series="|".join(sorted(rest)))


def in_hand(
    context: dg.OpExecutionContext, partitions_def: Partitions
) -> tuple[Partition, ...] | None:
    """The partitions that a run is about; None where there are none, or none is named."""
    if partitions_def is None or not (context.has_partition_key or context.has_partition_key_range):
        return None
    return tuple(partition_of(partitions_def, key) for key in context.partition_keys)


def span_of(partitions: Sequence[Partition] | None) -> Window | None:
    """From where the first begins to where the last ends; None without time."""
    windows = [p.window for p in partitions or () if p.window]
    if not windows:
        return None
    return Window(start=min(w.start for w in windows), end=max(w.end for w in windows))


def series_of(partitions: Sequence[Partition] | None) -> str:
    """What tells this batch from others of its time; of several series, the first and the last."""
    found = sorted({p.series for p in partitions or ()})
    return "…".join(dict.fromkeys([*found[:1], *found[-1:]]))
