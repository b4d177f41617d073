"""The tables that users' IO managers hand over, as lazy polars frames."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from aiguard_dagster.core.errors import MeasurementError

HINT = "\n\nHint: give a pandas, polars, pyarrow, DuckDB, ibis or Spark table, or a list of dicts."


def as_lazy(table: Any) -> pl.LazyFrame:  # noqa: ANN401 - whatever the user's IO manager gives
    """Take a table that lives in this process as a lazy polars frame.

    pandas' NaN becomes null, as pandas itself means it; an object column of values of several types
    becomes text. A list of dicts is a table of their keys.

    Raises:
        MeasurementError: The value is no table that is known here, or one that cannot be read.
    """
    if isinstance(table, pl.LazyFrame):
        return table
    if isinstance(table, pl.DataFrame):
        return table.lazy()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Between the libraries; nothing a user could mend.
            found = _converted(table)
    except Exception as error:  # noqa: BLE001 - its message may quote rows, so its name must do
        msg = (
            f"the asset's table cannot be read: {type(error).__name__}"
            "\n\nHint: give each column a name of its own, and values of one type."
        )
        raise MeasurementError(msg) from None
    if found is not None:
        return found.lazy()
    kind = f"{type(table).__module__}.{type(table).__name__}"
    msg = f"the asset's value is a {kind}, which is no table{HINT}"
    raise MeasurementError(msg)


def _converted(table: Any) -> pl.DataFrame | None:  # noqa: ANN401 - whatever the IO manager gives
    module = type(table).__module__.partition(".")[0]
    match module, type(table).__name__:
        case "pandas", "DataFrame":
            if list(table.index.names) != [None]:
                table = table.reset_index()
            return _from_pandas(table)
        case "pyarrow", "Table" | "RecordBatch":
            frame = pl.DataFrame(pl.from_arrow(table))
            frame.columns = table.schema.names  # polars names a nameless column anew.
            return frame
        case "duckdb" | "_duckdb", "DuckDBPyRelation":
            return pl.DataFrame(table.pl())
        case "ibis", "Table":
            return pl.DataFrame(pl.from_arrow(table.to_pyarrow()))
        case "builtins", "list" if all(isinstance(row, Mapping) for row in table):
            return _from_dicts(table)
        case _:
            return None


def _from_pandas(table: Any) -> pl.DataFrame:  # noqa: ANN401 - pandas is imported by its user only
    try:
        return pl.DataFrame(pl.from_pandas(table))
    except Exception:
        if not table.columns.is_unique:
            raise
    columns = []
    for name in table.columns:
        values = table[name]
        try:
            column = pl.from_pandas(values)
        except Exception:  # noqa: BLE001 - see above
            known = values.notna()
            column = pl.Series([str(v) if k else None for v, k in zip(values, known, strict=True)])
        columns.append(column.alias(str(name)))
    return pl.DataFrame(columns)


def _from_dicts(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """What a row leaves out is null; what came as several types is text."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = []
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            column = pl.Series(values, strict=True)
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            known = {type(value) for value in values} - {type(None)}
            is_number = known <= {int, float}
            told = [None if v is None else float(v) if is_number else str(v) for v in values]
            column = pl.Series(told)
        columns.append(column)
    frame = pl.DataFrame(columns)
    frame.columns = [str(name) for name in names]
    return frame
