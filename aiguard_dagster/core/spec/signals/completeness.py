"""Completeness: is everything there?"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import PositiveDuration
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.limits import AbsoluteLimit, Limit
from aiguard_dagster.core.spec.signals.base import Columns, Count, DataSignal, Found, Layer, Limits
from aiguard_dagster.core.spoken import joined, percent, span
from aiguard_dagster.core.verdicts import Direction


class Entities(Spec):
    """Things, such as stores or sensors, each of which should have at least one row."""

    column: str
    """The column that names them."""
    expected: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Their names; those of the champion's baseline when left out."""


class Completeness(DataSignal):
    """The worst of: rows, time slots, entities, partitions, values not null. From 0 to 1."""

    layer: ClassVar[Layer] = Layer.PIPELINE
    kind: Literal["completeness"] = "completeness"
    min_rows: Count | None = None
    """So many rows make a complete batch."""
    rows_like: Literal["previous", "weekday", "weekday_and_hour", "baseline"] | None = None
    """Rows are compared with the median of earlier batches: all of them, those of the same weekday,
    of the same weekday and hour; or with a day of the champion's baseline."""
    every: PositiveDuration | None = None
    """The table's time column should have at least one row in each slot of this length."""
    columns: Columns | None = None
    """Columns whose nulls count; all when left out."""
    entities: Entities | None = None
    """Things that should all be there."""
    partitions: PositiveDuration | None = None
    """Of the partitions that ended in so much time, all should be materialised."""

    @property
    def direction(self) -> Direction:
        """A smaller share is worse."""
        return "low"

    @property
    def limits(self) -> Limits:
        """The share that must be there."""
        return Limits(share=True, choices="a share such as 90%")

    @property
    def needs(self) -> tuple[str, ...]:
        """The time column, for slots."""
        return ("time",) if self.every else ()

    @property
    def needs_time_partitions(self) -> str:
        """Where partitions are counted."""
        return "partitions" if self.partitions else ""

    @property
    def needs_model(self) -> str:
        """Where it compares with the baseline."""
        if self.rows_like == "baseline":
            return "rows_like: baseline compares with a model's baseline"
        if self.entities and not self.entities.expected:
            return "without expected, entities are those of a model's baseline"
        return ""

    def problems(self) -> Iterator[Found]:
        """Two ways to count rows."""
        if self.min_rows and self.rows_like:
            yield ("rows_like", "min_rows says how many rows there should be", "give one of them.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        enough = "Enough"
        if isinstance(limit, AbsoluteLimit):
            enough = "All" if limit.value == 1 else f"At least {percent(limit.value)}"
        return f"{enough} of {asset} must be there in each batch: {joined(self._pieces())}"

    def _pieces(self) -> list[str]:
        pieces = []
        if self.min_rows:
            pieces.append("1 row" if self.min_rows == 1 else f"{self.min_rows:,} rows")
        like = {
            "previous": "as many rows as earlier batches",
            "weekday": "as many rows as on earlier days of that weekday",
            "weekday_and_hour": "as many rows as at earlier times of that weekday and hour",
            "baseline": "as many rows as in the champion's baseline",
        }
        if self.rows_like:
            pieces.append(like[self.rows_like])
        if self.every:
            pieces.append(f"a row for every {span(self.every)}")
        if self.entities:
            pieces.append(f"a row for each {self.entities.column}")
        if self.partitions:
            pieces.append(f"every partition of the last {span(self.partitions)}")
        return [*pieces, f"values in {joined(self.columns) or 'every column'}"]
