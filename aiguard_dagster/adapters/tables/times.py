"""Times and versions of polars tables as they are compared everywhere else."""

import polars as pl

from aiguard_dagster.adapters.engines.engine import require
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.profile import UNKNOWN_VERSION


def named(name: str) -> pl.Expr:
    """A column by its very name; ``pl.col`` reads ``*`` and ``^…$`` as patterns."""
    return pl.selectors.by_name(name).as_expr()


def version_text(frame: pl.LazyFrame, column: str) -> pl.Expr:
    """The version column as MLflow writes versions: 2 and 2.0 are ``"2"``, a null is unknown."""
    schema = frame.collect_schema()
    require([column], schema.names())
    value = named(column)
    if schema[column].is_float():
        value = value.cast(pl.Int64, strict=False)
    return value.cast(pl.String).fill_null(UNKNOWN_VERSION)


def utc(frame: pl.LazyFrame, column: str, time_zone: str = "UTC") -> pl.Expr:
    """A time column in UTC; naive values are read in ``time_zone``, dates start at midnight.

    Raises:
        MeasurementError: The column is gone, or holds no times.
    """
    schema = frame.collect_schema()
    require([column], schema.names())
    match schema[column]:
        case pl.Datetime(time_zone=str()):
            return named(column).dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        case pl.Datetime():
            return _local(named(column), time_zone)
        case pl.Date():
            return _local(named(column).cast(pl.Datetime("us")), time_zone)
        case other:
            msg = f"the time column {column!r} holds {other}, not times"
            raise MeasurementError(msg)


def _local(time: pl.Expr, time_zone: str) -> pl.Expr:
    """Naive times of a zone in UTC: the earlier of two, the next one where there is none."""
    if time_zone == "UTC":
        return time

    def moment(value: pl.Expr) -> pl.Expr:
        return value.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")

    found = pl.coalesce(moment(time), moment(time.dt.offset_by("1h")))
    return found.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
