"""Rows from declared sources, one engine a file; only the partitions in hand are read."""

from collections.abc import Sequence
from typing import assert_never

from aiguard_dagster.adapters.tables.rows import Rows
from aiguard_dagster.adapters.tables.sources.duckdb import open_duckdb, unreachable_duckdb
from aiguard_dagster.adapters.tables.sources.files import open_files, unreachable_files
from aiguard_dagster.adapters.tables.sources.problems import find_source_problems
from aiguard_dagster.adapters.tables.sources.spark import open_spark
from aiguard_dagster.adapters.tables.sources.sql import open_sql, unreachable_sql
from aiguard_dagster.core.errors import AIGuardError, MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import (
    DuckDBSource,
    FileSource,
    Source,
    SparkSource,
    SQLSource,
)

__all__ = ["find_source_problems", "open_source", "unreachable"]


def open_source(source: Source, table: Table, partitions: Sequence[Partition]) -> Rows:
    """The rows of a declared source.

    Args:
        source: Where they are.
        table: What their columns mean.
        partitions: Those in hand; none for a table without partitions.

    Raises:
        MeasurementError: They cannot be had. Drivers' own messages are left out: they may quote
            rows, and addresses with passwords.
    """
    try:
        match source:
            case FileSource():
                return open_files(source, table, partitions)
            case DuckDBSource():
                return open_duckdb(source, table, partitions)
            case SQLSource():
                return open_sql(source, table, partitions)
            case SparkSource():
                return open_spark(source, table, partitions)
            case _:
                assert_never(source)
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


def unreachable(source: Source) -> str:
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
