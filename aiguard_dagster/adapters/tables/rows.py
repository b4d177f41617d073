"""The rows of a batch as the signals want them: one lazy frame, read once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import polars as pl

from aiguard_dagster.adapters.tables.frames import as_lazy
from aiguard_dagster.core.errors import MeasurementError


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one batch.

    Attributes:
        frame: One lazy frame: polars for all that lives in this process, else the engine's own.
        native: The rows as they came, for libraries that know their kind.
        close: Gives back what the engine holds of them.
    """

    frame: "nw.LazyFrame[Any]"
    native: object
    close: Callable[[], None] = lambda: None


NO_ROWS = Rows(frame=nw.from_native(pl.LazyFrame()), native=None)
"""For signals that ask Dagster only."""


def open_rows(value: Any) -> Rows:  # noqa: ANN401 - whatever the user's IO manager gives
    """Take what an IO manager loaded; a mapping of partitions is put together.

    What lives in this process becomes polars, so that every engine counts alike: pandas' NaN is
    null, as pandas itself means it. A lazy frame is collected, so that it is read once whatever the
    number of checks; a Spark frame is persisted until ``close``.

    Raises:
        MeasurementError: It is no table, or one that cannot be read.
    """
    value = together(value)
    match type(value).__module__.partition(".")[0], type(value).__name__:
        case "pyspark", "DataFrame":
            kept = value.persist()
            return Rows(frame=nw.from_native(kept), native=kept, close=kept.unpersist)
        case _:
            collected = _collected(value)
    native = collected if isinstance(value, pl.LazyFrame) else value
    return Rows(frame=nw.from_native(collected.lazy()), native=native)


def together(value: Any) -> Any:  # noqa: ANN401 - whatever the user's IO manager gives
    """A table as it came; of several partitions one table.

    Raises:
        MeasurementError: The partitions differ, or one cannot be read.
    """
    if not isinstance(value, Mapping) or not value:
        return value
    parts = [_collected(part) for part in value.values()]
    try:
        return pl.concat(parts, how="vertical")
    except pl.exceptions.PolarsError:
        msg = (
            f"the {len(parts)} partitions differ in columns or types\n\nHint: check one at a time."
        )
        raise MeasurementError(msg) from None


def _collected(value: Any) -> pl.DataFrame:  # noqa: ANN401 - whatever the user's IO manager gives
    lazy = as_lazy(value)
    try:
        return lazy.collect()
    except Exception as error:  # noqa: BLE001 - its message may quote rows, so its name must do
        msg = (
            f"the asset's lazy frame cannot be computed: {type(error).__name__}"
            "\n\nHint: collect it once to see why."
        )
        raise MeasurementError(msg) from None
