"""What a data signal is told besides the rows: the window, the time, and whom it may ask."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import narwhals as nw

from aiguard_dagster.core.calendars import midnight, zone_of
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.spec import AbsoluteLimit, DataSignal, Limit, Table
from aiguard_dagster.core.stops import Stop
from aiguard_dagster.core.verdicts import Threshold, Unit, Window
from aiguard_dagster.signals.baseline import TableBaseline
from aiguard_dagster.stats.grid import Grid

Frame = nw.LazyFrame[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """What Dagster knows of the asset behind a table.

    Attributes:
        key: Its key, parts joined by ``/``.
        owners: As declared.
        description: As declared; empty where there is none.
        tags: As declared.
        columns: Declared column types by name, as the column schema in its metadata writes them.
        descriptions: Declared column descriptions by name; only those that are not empty.
        upstream: Keys of the assets that it is made from.
        last_materialised: When it was last materialised; None when never.
        partition_ends: Ends of the materialised time partitions in a span of time, and of all that
            are due in it.
    """

    key: str
    owners: tuple[str, ...] = ()
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    upstream: tuple[str, ...] = ()
    last_materialised: Callable[[], datetime | None] | None = None
    partition_ends: Callable[[Window], tuple[Sequence[datetime], Sequence[datetime]]] | None = None


def _nobody() -> Any:  # noqa: ANN401 - it never returns
    msg = "nobody can be asked here"
    raise MeasurementError(msg)


@dataclass(frozen=True, kw_only=True)  # Slots would leave no place for the schema.
class Batch:
    """One batch of one table under judgement.

    What costs a question to Dagster, MLflow or another table is a function, asked only by the
    signals that need it.

    Attributes:
        frame: The rows, as one lazy frame on polars, Spark or a database.
        native: The rows as the user's IO manager gave them, for libraries that know their kind.
        table: What the columns mean.
        window: The partition's span of time; None for tables without time partitions.
        now: The time of the judgement.
        limit: The rule's limit; None where the guard names none.
        asset: What Dagster knows of the asset.
        accepted: Gives what the champion's baseline recorded of this table.
        signature: Gives the champion's input columns and short type names.
        past: Gives the rule's evaluations of earlier batches, in event time.
        stops: Gives the stops that were raised outside the rows.
        other: Gives another table of the guard, for the same partition.
        grid: What the champion's baseline counts on; empty where there is none.
    """

    frame: Frame
    native: object
    table: Table
    window: Window | None
    now: datetime
    limit: Limit | None = None
    asset: Asset | None = None
    accepted: Callable[[], TableBaseline] = _nobody
    signature: Callable[[], Mapping[str, str]] = _nobody
    past: Callable[[], Sequence[Point]] = tuple
    stops: Callable[[], Sequence[Stop]] = _nobody
    other: Callable[[str], "Batch"] = lambda _: _nobody()
    grid: Grid = field(default_factory=Grid)

    @cached_property
    def schema(self) -> Mapping[str, nw.dtypes.DType]:
        """The columns' types by name, in order."""
        return self.frame.collect_schema()

    @property
    def as_of(self) -> datetime:
        """The event time the batch speaks for: its partition's end, but never the future."""
        return min(self.window.end, self.now) if self.window else self.now

    @property
    def span(self) -> Window:
        """The window of measurements on this batch."""
        return self.window or Window(start=self.as_of, end=self.as_of)


def column(batch: Batch, name: str) -> nw.Expr:
    """A column by its very name.

    polars reads ``*`` and ``^…$`` as patterns, Spark a dot as a way into a struct.
    """
    if batch.frame.implementation.is_spark_like():
        return nw.col("`{}`".format(name.replace("`", "``")) if set(name) & set(".*`") else name)
    is_pattern = name == "*" or (name.startswith("^") and name.endswith("$"))
    return nw.nth(list(batch.schema).index(name)) if is_pattern else nw.col(name)


class NoTableError(MeasurementError):
    """The batch has neither rows nor columns, as an empty list has none."""


def require(batch: Batch, *names: str) -> None:
    """Raise a MeasurementError when the batch lacks a column, a NoTableError when it has none."""
    if names and not batch.schema:
        msg = "no rows, and no columns"
        raise NoTableError(msg)
    gone = sorted(set(names).difference(batch.schema))
    if gone:
        has = ", ".join(batch.schema)
        msg = f"columns are gone: {', '.join(gone)}\n\nHint: the table has {has}."
        raise MeasurementError(msg)


def to_utc(value: object, table: Table) -> datetime:
    """A value of a time column as an aware datetime; naive values are in the table's time zone.

    Where clocks are put back, the earlier of two moments is meant.

    Raises:
        MeasurementError: The value is no time, or the zone is none.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            value = value.replace(tzinfo=zone_of(table.time_zone))
        return value.astimezone(UTC)
    if isinstance(value, date):
        return midnight(value, zone_of(table.time_zone)).astimezone(UTC)
    msg = f"the time column holds {type(value).__name__}, not times"
    raise MeasurementError(msg)


def threshold(signal: DataSignal, batch: Batch, unit: Unit = "number") -> Threshold:
    """The limit in force: the rule's own, or the kind's.

    Raises:
        MeasurementError: The rule has no absolute limit, and its kind has none of its own.
    """
    value = batch.limit.value if isinstance(batch.limit, AbsoluteLimit) else signal.limits.default
    if value is None or not (batch.limit is None or isinstance(batch.limit, AbsoluteLimit)):
        msg = f"{signal.kind} takes an absolute limit\n\nHint: choose {signal.limits.choices}."
        raise MeasurementError(msg)
    return Threshold(value=value, direction=signal.direction, unit=unit)


def row_count(batch: Batch) -> int:
    """Rows of the batch."""
    return int(batch.frame.select(nw.len()).collect().item())
