"""Which engine profiles a table: the one that holds it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import narwhals as nw

from aiguard_dagster.adapters.engines.engine import Engine, Plan
from aiguard_dagster.adapters.engines.polars import PolarsEngine
from aiguard_dagster.adapters.tables.frames import as_lazy
from aiguard_dagster.stats.profile import Profile

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


def profiles_of_table(table: Any, plan: Plan) -> Mapping[str, Profile]:  # noqa: ANN401 - see above
    """Count a table by the engine that holds it: its columns, and the sums that rules ask for.

    Raises:
        MeasurementError: It is no table that is known here, or a column is gone.
    """
    profiles = engine_of(table).profiles(plan)
    if not plan.tallies:
        return profiles
    from aiguard_dagster.adapters.engines.tallies import tallies_of

    tallies = tallies_of(as_frame(table), table, plan)
    return {
        part: replace(profile, tallies=tallies.get(part, {})) for part, profile in profiles.items()
    }


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
