"""Partitions as windows of event time."""

from datetime import UTC

import dagster as dg

from aiguard_dagster.core.verdicts import Window

Partitions = dg.PartitionsDefinition[str] | None


def window_of(partitions_def: Partitions, key: str) -> Window | None:
    """The window of one partition, in UTC; None where partitions are not spans of time."""
    if not isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
        return None
    found = partitions_def.time_window_for_partition_key(key)
    return Window(start=found.start.astimezone(UTC), end=found.end.astimezone(UTC))


def window_in_hand(context: dg.OpExecutionContext, partitions_def: Partitions) -> Window | None:
    """The window of the partition, or range of partitions, that a run is about."""
    if not isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
        return None
    if not context.has_partition_key and not context.has_partition_key_range:
        return None
    span = context.partition_time_window
    return Window(start=span.start.astimezone(UTC), end=span.end.astimezone(UTC))
