"""Which engine profiles a table: the one that holds it."""

from typing import Any

import narwhals as nw

from aiguard_dagster.adapters.engines.engine import Engine
from aiguard_dagster.adapters.engines.polars import PolarsEngine
from aiguard_dagster.adapters.tables.frames import as_lazy

ELSEWHERE = {"pyspark", "duckdb", "_duckdb", "ibis"}
"""Packages whose tables stay where they are; all others are taken into this process."""


def engine_of(table: Any) -> Engine:  # noqa: ANN401 - whatever the user's IO manager gives
    """The engine for a table.

    Raises:
        MeasurementError: It is no table that is known here.
    """
    match type(table).__module__.partition(".")[0], type(table).__name__:
        case "duckdb" | "_duckdb", "DuckDBPyRelation":
            from aiguard_dagster.adapters.engines.duckdb import DuckDBEngine

            return DuckDBEngine(table)
        case "ibis", "Table":
            from aiguard_dagster.adapters.engines.ibis import IbisEngine

            return IbisEngine(table)
        case "pyspark", "DataFrame":
            from aiguard_dagster.adapters.engines.spark import SparkEngine

            return SparkEngine(table)
        case _:
            return PolarsEngine(as_lazy(table))


def as_frame(table: Any) -> "nw.LazyFrame[Any]":  # noqa: ANN401 - see above
    """The table for portable questions, where it is.

    Raises:
        MeasurementError: It is no table that is known here.
    """
    if type(table).__module__.partition(".")[0] in ELSEWHERE:
        there: nw.LazyFrame[Any] = nw.from_native(table).lazy()
        return there
    frame: nw.LazyFrame[Any] = nw.from_native(as_lazy(table))
    return frame
