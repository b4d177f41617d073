"""The rows of a guard's tables in a window, read through the user's own IO managers."""

from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg
import polars as pl

from aiguard_dagster.adapters.tables.frames import as_lazy
from aiguard_dagster.adapters.tables.sources import open_source
from aiguard_dagster.adapters.tables.times import utc
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Guard, Table
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.partitions import Partitions, partition_of, time_partitions


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReader:
    """Reads a guard's tables through the user's own IO managers.

    Attributes:
        guard: The guard.
        tables: The user's definitions, which know how each asset is loaded.
        partitions: How each table is partitioned.
        instance: The Dagster instance, which knows the partitions that exist.
    """

    guard: Guard
    tables: dg.Definitions
    partitions: dict[str, Partitions]
    instance: dg.DagsterInstance

    def rows(self, name: str, window: Window) -> pl.LazyFrame:
        """The rows of a table inside a window; only the partitions that overlap it are read.

        Raises:
            MeasurementError: There is no such partition, or its value is no table.
        """
        table, partitions_def = self.guard.tables[name], self.partitions[name]
        if partitions_def is None:
            frames = [self._load(table, None)]
        else:
            frames = [
                self._load(table, partition)
                for key in self._partition_keys(table, partitions_def, window)
                if overlaps((partition := partition_of(partitions_def, key)).window, window)
            ]
        if not frames:
            msg = f"no partition of {table.asset} between {window.start} and {window.end}"
            raise MeasurementError(msg)
        rows = pl.concat(frames, how="diagonal_relaxed")
        if not table.time:
            return rows
        time = utc(rows, table.time, table.time_zone)
        start, end = window.start.replace(tzinfo=None), window.end.replace(tzinfo=None)
        return rows.filter((time >= start) & (time < end))

    def _partition_keys(
        self, table: Table, partitions_def: dg.PartitionsDefinition[str], window: Window
    ) -> Iterable[str]:
        times = time_partitions(partitions_def)
        if table.source is not None and times is partitions_def:
            # Dagster may not know what was written there.
            return times.get_partition_keys_in_time_window(dg.TimeWindow(window.start, window.end))
        return self.instance.get_materialized_partitions(dg.AssetKey(list(table.asset_path)))

    def _load(self, table: Table, partition: Partition | None) -> pl.LazyFrame:
        if table.row_source is not None:
            opened = open_source(table.row_source, table, (partition,) if partition else ())
            return as_lazy(opened.frame.to_native())
        key = dg.AssetKey(list(table.asset_path))
        if partition is None:
            return as_lazy(self.tables.load_asset_value(key, instance=self.instance))
        return as_lazy(
            self.tables.load_asset_value(key, instance=self.instance, partition_key=partition.key)
        )


def overlaps(partition: Window | None, window: Window) -> bool:
    """Whether a partition holds rows of the window."""
    return partition is not None and partition.start < window.end and partition.end > window.start
