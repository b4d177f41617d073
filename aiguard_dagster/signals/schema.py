"""Columns that are gone, retyped or unexpected."""

from collections.abc import Mapping

import narwhals as nw

from aiguard_dagster.core.spec import Schema
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.signals.batch import Batch, row_count

TYPES = ("int", "float", "string", "boolean", "timestamp", "date", "any")


def type_name(dtype: nw.dtypes.DType) -> str:
    """The short name of a column's type, one of ``TYPES``, or the engine's own name."""
    if dtype.is_integer():
        return "int"
    if dtype.is_float() or dtype.is_decimal():
        return "float"
    match dtype:
        case nw.String() | nw.Categorical() | nw.Enum():
            return "string"
        case nw.Boolean():
            return "boolean"
        case nw.Datetime():
            return "timestamp"
        case nw.Date():
            return "date"
        case _:
            return str(dtype)


def measure_schema(signal: Schema, batch: Batch) -> tuple[Measurement, Threshold]:
    """Count the columns that differ from the declaration, or from the baseline; 0 is the limit.

    A difference is one whatever the number of rows; a table of no rows is never ok.
    """
    found = {name: type_name(dtype) for name, dtype in _types(batch).items()}
    parts = []
    expected = _expected(signal, batch)
    for name, declared in expected.items():
        if name not in found:
            parts.append(Part(name=name, value=1, text="gone"))
        elif declared not in {"any", found[name]}:
            parts.append(Part(name=name, value=1, text=f"{found[name]}, not {declared}"))
    if not signal.allow_extra:
        extra = [name for name in found if name not in expected]
        parts += [Part(name=name, value=1, text="not expected") for name in extra]
    measurement = Measurement(
        value=float(len(parts)),
        n=row_count(batch) or len(parts),
        window=batch.span,
        as_of=batch.as_of,
        parts=tuple(parts),
        note="" if parts else "no rows",
    )
    return measurement, Threshold(value=0, direction="high")


def _types(batch: Batch) -> Mapping[str, nw.dtypes.DType]:
    """The table's types; what narwhals does not know, such as America/New_York, polars may."""
    schema = batch.frame.collect_schema()
    unknown = [name for name, dtype in schema.items() if dtype == nw.Unknown]
    if not unknown:
        return schema
    none = nw.from_native(batch.frame.select(unknown).head(0).collect().to_polars())
    return {**schema, **none.schema}


def _expected(signal: Schema, batch: Batch) -> Mapping[str, str]:
    if signal.columns:
        return {name: column.type for name, column in signal.columns.items()}
    return batch.accepted().types
