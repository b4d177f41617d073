"""A table of a DuckDB file, opened to read only."""

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import TYPE_CHECKING

from aiguard_dagster.adapters.tables.rows import Rows, open_rows
from aiguard_dagster.adapters.tables.sources.predicates import keys_of, time_column
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import DuckDBSource

if TYPE_CHECKING:
    import duckdb


def open_duckdb(source: DuckDBSource, table: Table, partitions: Sequence[Partition]) -> Rows:
    """The rows of the partitions in hand; DuckDB filters them."""
    import duckdb

    if not Path(source.path).is_file():
        msg = f"there is no DuckDB file {source.path}\n\nHint: check source.path."
        raise MeasurementError(msg)
    with duckdb.connect(source.path, read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        relation = connection.table(".".join(quoted(part) for part in source.table.split(".")))
        if partitions:
            relation = relation.filter(reduce(or_, [_one(source, table, p) for p in partitions]))
        return open_rows(relation.pl())


def quoted(identifier: str) -> str:
    """An identifier that stands for itself, whatever it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def _one(source: DuckDBSource, table: Table, partition: Partition) -> "duckdb.Expression":
    import duckdb

    def constant(value: object) -> "duckdb.Expression":
        return duckdb.ConstantExpression(value)

    keys = keys_of(source.partition_by, partition)
    if keys:
        same = [
            duckdb.ColumnExpression(column).cast(duckdb.sqltypes.VARCHAR) == constant(key)
            for column, key in keys.items()
        ]
        return reduce(and_, same)
    time = duckdb.ColumnExpression(time_column(table, partition))
    assert partition.window is not None  # noqa: S101 - time_column has seen to it
    start, end = (t.replace(tzinfo=None) for t in (partition.window.start, partition.window.end))
    return (time >= constant(start)) & (time < constant(end))


def unreachable_duckdb(source: DuckDBSource) -> str:
    """Whether the file is there and is DuckDB's."""
    file = Path(source.path)
    if not file.is_file():
        return f"{source.path} is not there"
    with file.open("rb") as stream:
        return "" if stream.read(12)[8:] == b"DUCK" else f"{source.path} is no DuckDB file"
