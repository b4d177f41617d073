"""A table of a Spark session; its rows stay there."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aiguard_dagster.adapters.tables.sources.files import paths_of, tells_apart
from aiguard_dagster.adapters.tables.sources.predicates import By, keys_of, time_column
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import FileSource, SparkSource

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


def scan_spark(source: SparkSource, table: Table, partitions: Sequence[Partition]) -> "DataFrame":
    """The rows of the partitions in hand, as a Spark frame."""
    frame = session_of(source.remote).table(".".join(map(quoted, source.table.split("."))))
    return in_hand(frame, source.partition_by, table, partitions)


def scan_parquet(
    source: FileSource, table: Table, partitions: Sequence[Partition], *, remote: str | None
) -> "DataFrame":
    """The rows of parquet files, read by Spark and not by this process."""
    frame = session_of(remote).read.parquet(*paths_of(source, partitions))
    return in_hand(frame, source.partition_by, table, () if tells_apart(source) else partitions)


def session_of(remote: str | None) -> "SparkSession":
    """The session at a Spark Connect address; the active one, or a new one, without."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    return (builder.remote(remote) if remote else builder).getOrCreate()


def in_hand(
    frame: "DataFrame", by: By, table: Table, partitions: Sequence[Partition]
) -> "DataFrame":
    """The rows of the partitions in hand; all where none is."""
    if not partitions:
        return frame
    return frame.where(reduce(or_, [_one(frame, by, table, each) for each in partitions]))


def quoted(identifier: str) -> str:
    """An identifier that stands for itself, whatever it holds."""
    return "`" + identifier.replace("`", "``") + "`"


def _one(frame: "DataFrame", by: By, table: Table, partition: Partition) -> "Column":
    from pyspark.sql import functions as f

    keys = keys_of(by, partition)
    if keys:
        same = [f.col(quoted(name)).cast("string") == key for name, key in keys.items()]
        return reduce(and_, same)
    name = time_column(table, partition)
    assert partition.window is not None  # noqa: S101 - time_column has seen to it
    ends = (partition.window.start, partition.window.end)
    time = f.col(quoted(name))
    if dict(frame.dtypes).get(name) not in {"timestamp_ntz", "date"}:
        return (time >= f.lit(ends[0])) & (time < f.lit(ends[1]))
    local, (start, end) = time.cast("timestamp_ntz"), (_naive(end, table) for end in ends)
    return (local >= start) & (local < end)


def _naive(moment: datetime, table: Table) -> "Column":
    """A moment on the table's own clock; a literal would be moved by the session's zone."""
    from pyspark.sql import functions as f

    local = moment.astimezone(ZoneInfo(table.time_zone)).replace(tzinfo=None)
    return f.lit(local.isoformat(sep=" ")).cast("timestamp_ntz")
