"""What a data signal is told besides the rows: the batch's window and the time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Window

Frame = nw.LazyFrame[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch of one table under judgement.

    Attributes:
        frame: The rows.
        table: What the columns mean.
        window: The partition's span of time; None for tables without time partitions.
        now: The time of the judgement.
        recorded_types: Gives the columns and types that the champion's baseline recorded.
    """

    frame: Frame
    table: Table
    window: Window | None
    now: datetime
    recorded_types: Callable[[], Mapping[str, str]] | None = None

    @property
    def as_of(self) -> datetime:
        """The event time the batch speaks for: its partition's end, but never the future."""
        return min(self.window.end, self.now) if self.window else self.now

    @property
    def span(self) -> Window:
        """The window of measurements on this batch."""
        return self.window or Window(start=self.as_of, end=self.as_of)


def column_names(batch: Batch) -> list[str]:
    """The names of the batch's columns."""
    return batch.frame.collect_schema().names()


def column(batch: Batch, name: str) -> nw.Expr:
    """A column by its very name; polars reads ``*`` and ``^…$`` as patterns."""
    is_pattern = name == "*" or (name.startswith("^") and name.endswith("$"))
    return nw.nth(column_names(batch).index(name)) if is_pattern else nw.col(name)


def require(batch: Batch, *names: str) -> None:
    """Raise a MeasurementError when the batch lacks a column."""
    present = column_names(batch)
    gone = sorted(set(names) - set(present))
    if gone:
        msg = f"columns are gone: {', '.join(gone)}\n\nHint: the table has {', '.join(present)}."
        raise MeasurementError(msg)


def as_utc(value: object) -> datetime:
    """A value of a time column as an aware datetime; naive values are UTC.

    Raises:
        MeasurementError: The value is no time.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    msg = f"the time column holds {type(value).__name__}, not times"
    raise MeasurementError(msg)


def row_count(batch: Batch) -> int:
    """Rows of the batch."""
    return int(batch.frame.select(nw.len()).collect().item())
