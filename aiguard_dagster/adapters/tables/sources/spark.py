"""A table of a Spark session; its rows stay there."""

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING

from aiguard_dagster.adapters.tables.rows import Rows, open_rows
from aiguard_dagster.adapters.tables.sources.predicates import keys_of, time_column
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import SparkSource

if TYPE_CHECKING:
    from pyspark.sql import Column


def open_spark(source: SparkSource, table: Table, partitions: Sequence[Partition]) -> Rows:
    """The rows of the partitions in hand, as a Spark frame."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    session = (builder.remote(source.remote) if source.remote else builder).getOrCreate()
    frame = session.table(".".join(quoted(part) for part in source.table.split(".")))
    if partitions:
        frame = frame.where(reduce(or_, [_one(source, table, p) for p in partitions]))
    return open_rows(frame)


def quoted(identifier: str) -> str:
    """An identifier that stands for itself, whatever it holds."""
    return "`" + identifier.replace("`", "``") + "`"


def _one(source: SparkSource, table: Table, partition: Partition) -> "Column":
    from pyspark.sql import functions as f

    keys = keys_of(source.partition_by, partition)
    if keys:
        same = [f.col(quoted(name)).cast("string") == key for name, key in keys.items()]
        return reduce(and_, same)
    time = f.col(quoted(time_column(table, partition)))
    assert partition.window is not None  # noqa: S101 - time_column has seen to it
    return (time >= f.lit(partition.window.start)) & (time < f.lit(partition.window.end))
