"""The tables that users' IO managers hand over, as lazy polars frames."""

from typing import Any

import polars as pl

from aiguard_dagster.core.errors import MeasurementError


def as_lazy(table: Any) -> pl.LazyFrame:  # noqa: ANN401 - whatever the user's IO manager gives
    """Take a pandas, polars or pyarrow table as a lazy polars frame.

    pandas' NaN becomes null, as pandas itself means it.

    Raises:
        MeasurementError: The value is no table that is known here, or one that cannot be read.
    """
    if isinstance(table, pl.LazyFrame):
        return table
    if isinstance(table, pl.DataFrame):
        return table.lazy()
    try:
        found = _converted(table)
    except Exception as error:  # noqa: BLE001 - its message may quote rows, so its name must do
        msg = (
            f"the asset's table cannot be read: {type(error).__name__}"
            "\n\nHint: give each column a name of its own, and values of one type."
        )
        raise MeasurementError(msg) from None
    if found is not None:
        return found
    msg = (
        f"the asset's value is a {type(table).__module__}.{type(table).__name__}, which is no table"
        "\n\nHint: return a pandas, polars or pyarrow table from the IO manager."
    )
    raise MeasurementError(msg)


def _converted(table: Any) -> pl.LazyFrame | None:  # noqa: ANN401 - whatever the IO manager gives
    module = type(table).__module__.partition(".")[0]
    name = type(table).__name__
    if module == "pandas" and name == "DataFrame":
        if list(table.index.names) != [None]:
            table = table.reset_index()
        return pl.DataFrame(pl.from_pandas(table)).lazy()
    if module == "pyarrow" and name in {"Table", "RecordBatch"}:
        return pl.DataFrame(pl.from_arrow(table)).lazy()
    return None
