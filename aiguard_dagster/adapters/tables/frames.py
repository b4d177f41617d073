"""The tables that users' IO managers hand over, as lazy polars frames."""

from typing import Any

import polars as pl

from aiguard_dagster.core.errors import MeasurementError


def as_lazy(table: Any) -> pl.LazyFrame:  # noqa: ANN401 - whatever the user's IO manager gives
    """Take a pandas, polars or pyarrow table as a lazy polars frame.

    pandas' NaN becomes null, as pandas itself means it.

    Raises:
        MeasurementError: The value is no table that is known here.
    """
    if isinstance(table, pl.LazyFrame):
        return table
    if isinstance(table, pl.DataFrame):
        return table.lazy()
    module = type(table).__module__.partition(".")[0]
    name = type(table).__name__
    if module == "pandas" and name == "DataFrame":
        if list(table.index.names) != [None]:
            table = table.reset_index()
        return pl.DataFrame(pl.from_pandas(table)).lazy()
    if module == "pyarrow" and name in {"Table", "RecordBatch"}:
        return pl.DataFrame(pl.from_arrow(table)).lazy()
    msg = (
        f"the asset's value is a {type(table).__module__}.{name}, which is no table"
        "\n\nHint: return a pandas, polars or pyarrow table from the IO manager."
    )
    raise MeasurementError(msg)
