"""Rows from declared sources, one engine a file; only the partitions in hand are read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, assert_never

from aiguard_dagster.adapters.tables.rows import Rows, open_rows
from aiguard_dagster.adapters.tables.sources import duckdb, spark
from aiguard_dagster.adapters.tables.sources.duckdb import unreachable_duckdb
from aiguard_dagster.adapters.tables.sources.files import scan_files, unreachable_files
from aiguard_dagster.adapters.tables.sources.problems import find_source_problems
from aiguard_dagster.adapters.tables.sources.sql import open_sql, unreachable_sql
from aiguard_dagster.core.errors import AIGuardError, MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import (
    DuckDBSource,
    FileSource,
    RowSource,
    SparkSource,
    SQLSource,
)

__all__ = ["EngineName", "find_source_problems", "open_source", "scan_source", "unreachable"]


EngineName = Literal["own", "duckdb", "spark"]
"""What reads parquet files: polars in this process (own), DuckDB, or Spark."""


def open_source(source: RowSource, table: Table, partitions: Sequence[Partition]) -> Rows:
    """The rows of a declared source, read once.

    Args:
        source: Where they are.
        table: What their columns mean.
        partitions: Those in hand; none for a table without partitions.

    Raises:
        MeasurementError: They cannot be had. Drivers' own messages are left out: they may quote
            rows, and addresses with passwords.
    """
    with _told(source, table):
        if isinstance(source, SQLSource):
            return open_sql(source, table, partitions)
        return open_rows(_scanned(source, table, partitions, "own", None))


def scan_source(
    source: RowSource,
    table: Table,
    partitions: Sequence[Partition],
    *,
    engine: EngineName = "own",
    remote: str | None = None,
) -> object:
    """The table of a declared source, not read yet where its engine can wait.

    Args:
        source: Where it is.
        table: What its columns mean.
        partitions: Those in hand; none for a table without partitions.
        engine: What reads parquet files; all other sources are read by their own.
        remote: A Spark Connect address.

    Raises:
        MeasurementError: It cannot be had.
    """
    with _told(source, table):
        if isinstance(source, SQLSource):
            opened = open_sql(source, table, partitions)
            opened.close()
            return opened.frame.to_native()
        return _scanned(source, table, partitions, engine, remote)


def _scanned(
    source: FileSource | DuckDBSource | SparkSource,
    table: Table,
    partitions: Sequence[Partition],
    engine: EngineName,
    remote: str | None,
) -> object:
    match source:
        case FileSource(kind="parquet") if engine == "spark":
            return spark.scan_parquet(source, table, partitions, remote=remote)
        case FileSource(kind="parquet") if engine == "duckdb":
            return duckdb.scan_parquet(source, table, partitions)
        case FileSource():
            return scan_files(source, table, partitions)
        case DuckDBSource():
            return duckdb.scan_duckdb(source, table, partitions)
        case SparkSource():
            return spark.scan_spark(source, table, partitions)
        case _:
            assert_never(source)


@contextmanager
def _told(source: RowSource, table: Table) -> Iterator[None]:
    """Tell of whatever a driver raises without its own words."""
    try:
        yield
    except AIGuardError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever the engine raises
        where = "" if isinstance(source, FileSource) else f", table {source.table!r},"
        msg = (
            f"the {source.kind} source of {table.asset}{where} cannot be read:"
            f" {type(error).__name__}"
            "\n\nHint: see that it is there, and that this user may read it."
        )
        raise MeasurementError(msg) from None


def unreachable(source: RowSource) -> str:
    """Why a source cannot be reached now, within seconds; empty when it can, or nobody can tell."""
    try:
        match source:
            case FileSource():
                return unreachable_files(source)
            case DuckDBSource():
                return unreachable_duckdb(source)
            case SQLSource():
                return unreachable_sql(source)
            case SparkSource():
                return ""  # To ask would start a session.
            case _:
                assert_never(source)
    except Exception as error:  # noqa: BLE001 - a code location must load
        return f"it cannot be asked: {type(error).__name__}"
