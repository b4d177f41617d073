"""The short names of column types, one for every engine."""

from collections.abc import Mapping
from typing import Any

import narwhals as nw

from aiguard_dagster.core.columns import UNKNOWN

NAMES: Mapping[type[nw.dtypes.DType], str] = {
    nw.Decimal: "decimal",
    nw.String: "string",
    nw.Categorical: "string",
    nw.Enum: "string",
    nw.Boolean: "boolean",
    nw.Datetime: "timestamp",
    nw.Date: "date",
    nw.Time: "time",
    nw.Duration: "duration",
    nw.Binary: "binary",
    nw.List: "list",
    nw.Array: "list",
    nw.Struct: "struct",
}
CATEGORY = "category"
WITH_ZONE = "timestamp with zone"


def type_name(dtype: nw.dtypes.DType) -> str:
    """The short name of a column's type; ``unknown`` where an engine tells none.

    Widths, units, zones, precisions and what a list holds are not in it: engines differ in them
    where the data do not.
    """
    if dtype.is_integer():
        return "int"
    if dtype.is_float():
        return "float"
    if str(dtype).startswith("Map"):  # narwhals has it since 2.2
        return "map"
    return NAMES.get(type(dtype), UNKNOWN)


def exact_type_name(dtype: nw.dtypes.DType, *, zones: bool = True) -> str:
    """The name with what decides whether pandas, and so MLflow, can convert it without loss.

    Args:
        dtype: The column's type.
        zones: Whether the engine's zones reach pandas; those of Spark's sessions do not.
    """
    match dtype:
        case _ if dtype.is_integer() or dtype.is_float():
            return str(dtype).lower()
        case nw.Categorical() | nw.Enum():
            return CATEGORY
        case nw.Datetime() if zones and dtype.time_zone:
            return WITH_ZONE
        case _:
            return type_name(dtype)


def column_types(frame: "nw.LazyFrame[Any]") -> Mapping[str, nw.dtypes.DType]:
    """A frame's types; what narwhals does not know, such as America/New_York, polars may."""
    schema = frame.collect_schema()
    unknown = [place for place, dtype in enumerate(schema.dtypes()) if dtype == nw.Unknown]
    if not unknown or frame.implementation.is_polars():
        return schema
    none = frame.select(nw.nth(*unknown)).head(0).collect()
    return {**schema, **nw.from_native(none.to_polars()).schema}
