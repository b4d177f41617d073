"""A table of a DuckDB file, opened to read only."""

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from aiguard_dagster.adapters.tables.sources.files import paths_of, tells_apart
from aiguard_dagster.adapters.tables.sources.predicates import By, keys_of, time_column
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import DuckDBSource, FileSource

if TYPE_CHECKING:
    import duckdb


def scan_duckdb(
    source: DuckDBSource, table: Table, partitions: Sequence[Partition]
) -> "duckdb.DuckDBPyRelation":
    """The rows of the partitions in hand, not read yet; DuckDB filters them."""
    import duckdb

    if not Path(source.path).is_file():
        msg = f"there is no DuckDB file {source.path}\n\nHint: check source.path."
        raise MeasurementError(msg)
    connection = duckdb.connect(source.path, read_only=True)
    connection.execute("SET TimeZone = 'UTC'")
    relation = connection.table(".".join(quoted(part) for part in source.table.split(".")))
    return in_hand(relation, source.partition_by, table, partitions)


def scan_parquet(
    source: FileSource, table: Table, partitions: Sequence[Partition]
) -> "duckdb.DuckDBPyRelation":
    """The rows of parquet files, read by DuckDB and not by this process."""
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    relation = connection.read_parquet(paths_of(source, partitions), union_by_name=True)
    return in_hand(relation, source.partition_by, table, () if tells_apart(source) else partitions)


def in_hand(
    relation: "duckdb.DuckDBPyRelation", by: By, table: Table, partitions: Sequence[Partition]
) -> "duckdb.DuckDBPyRelation":
    """The rows of the partitions in hand; all where none is."""
    if not partitions:
        return relation
    return relation.filter(reduce(or_, [_one(relation, by, table, each) for each in partitions]))


def quoted(identifier: str) -> str:
    """An identifier that stands for itself, whatever it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def _one(
    relation: "duckdb.DuckDBPyRelation", by: By, table: Table, partition: Partition
) -> "duckdb.Expression":
    import duckdb

    def constant(value: object) -> "duckdb.Expression":
        return duckdb.ConstantExpression(value)

    keys = keys_of(by, partition)
    if keys:
        same = [
            duckdb.ColumnExpression(column).cast(duckdb.sqltypes.VARCHAR) == constant(key)
            for column, key in keys.items()
        ]
        return reduce(and_, same)
    name = time_column(table, partition)
    types = {
        column: str(kind) for column, kind in zip(relation.columns, relation.types, strict=True)
    }
    # Naive times are on the table's own clock, others on that of the connection, which is UTC.
    aware = "WITH TIME ZONE" in types.get(name, "")
    zone = ZoneInfo("UTC" if aware else table.time_zone)
    time = duckdb.ColumnExpression(name)
    assert partition.window is not None  # noqa: S101 - time_column has seen to it
    ends = (partition.window.start, partition.window.end)
    start, end = (moment.astimezone(zone).replace(tzinfo=None) for moment in ends)
    return (time >= constant(start)) & (time < constant(end))


def unreachable_duckdb(source: DuckDBSource) -> str:
    """Whether the file is there and is DuckDB's."""
    file = Path(source.path)
    if not file.is_file():
        return f"{source.path} is not there"
    with file.open("rb") as stream:
        return "" if stream.read(12)[8:] == b"DUCK" else f"{source.path} is no DuckDB file"
