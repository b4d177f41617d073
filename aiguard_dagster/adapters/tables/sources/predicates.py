"""Which rows belong to the partitions in hand, as polars, SQLAlchemy and Spark ask for them."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_, or_

import polars as pl

from aiguard_dagster.adapters.tables.times import utc
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table

By = str | Mapping[str, str] | None


def keys_of(by: By, partition: Partition) -> dict[str, str]:
    """Column to key, of one partition; empty where the time column tells partitions apart."""
    if by is None:
        return {}
    if isinstance(by, str):
        return {by: partition.key}
    return {column: partition.dimensions[name] for name, column in by.items()}


def time_column(table: Table, partition: Partition) -> str:
    """The column whose window tells a partition apart.

    Raises:
        MeasurementError: There is no window, or no column.
    """
    if partition.window is None or table.time is None:
        msg = f"nothing tells the partitions of {table.asset} apart\n\nHint: give partition_by."
        raise MeasurementError(msg)
    return table.time


def in_hand(frame: pl.LazyFrame, by: By, table: Table, partitions: Sequence[Partition]) -> pl.Expr:
    """The rows of the partitions in hand, half-open where they are spans of time."""
    return reduce(or_, [_one(frame, by, table, partition) for partition in partitions])


def _one(frame: pl.LazyFrame, by: By, table: Table, partition: Partition) -> pl.Expr:
    keys = keys_of(by, partition)
    if keys:
        same = [
            pl.selectors.by_name(column).as_expr().cast(pl.String) == key
            for column, key in keys.items()
        ]
        return reduce(and_, same)
    column = time_column(table, partition)
    assert partition.window is not None  # noqa: S101 - time_column has seen to it
    time = utc(frame, column, table.time_zone)
    start, end = (t.replace(tzinfo=None) for t in (partition.window.start, partition.window.end))
    return (time >= start) & (time < end)
