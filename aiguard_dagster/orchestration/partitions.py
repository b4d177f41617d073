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
