"""Freshness: is the data new enough?"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import ClassVar, Literal

from aiguard_dagster.core.durations import PositiveDuration
from aiguard_dagster.core.spec.base import Spec, Zone
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import DataSignal, Found, Layer, Limits
from aiguard_dagster.core.spoken import joined, spoken

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class Calendar(Spec):
    """Days on which no data is due; they do not count towards an age."""

    closed: tuple[Weekday, ...] = ()
    """Days of the week, such as ``[saturday, sunday]``."""
    holidays: tuple[date, ...] = ()
    """Single days, such as ``2026-12-25``."""
    country: str | None = None
    """A country, or a part of one, whose public holidays are closed days too: ``US``, ``DE-BY``."""
    time_zone: Zone = "UTC"
    """Where those days begin and end, such as ``America/New_York``."""


class Freshness(DataSignal):
    """How old the newest data is, in seconds."""

    layer: ClassVar[Layer] = Layer.SOURCE
    kind: Literal["freshness"] = "freshness"
    max_age: PositiveDuration
    """How old the newest data may be, at the end of the partition or now."""
    by: Literal["time", "materialisation", "partition"] = "time"
    """What tells the age: the newest row's time, when the asset was last materialised, or where
    its newest materialised partition ends."""
    max_ahead: PositiveDuration = timedelta(minutes=5)
    """How far in the future the newest row may lie before the clock that wrote it is wrong."""
    calendar: Calendar | None = None
    """Days on which no data is due."""

    @property
    def limits(self) -> Limits:
        """Its own option."""
        return Limits(refused="max_age is its limit")

    @property
    def needs(self) -> tuple[str, ...]:
        """The time column, unless Dagster tells the age."""
        return ("time",) if self.by == "time" else ()

    @property
    def needs_time_partitions(self) -> str:
        """Where their ends tell the age."""
        return "by" if self.by == "partition" else ""

    @property
    def reads_rows(self) -> bool:
        """Only for the newest row."""
        return self.by == "time"

    def problems(self) -> Iterator[Found]:
        """Every day closed."""
        if self.calendar and len(set(self.calendar.closed)) == len(Weekday.__args__):  # type: ignore[attr-defined]
            yield ("calendar.closed", "every day is closed", "leave a day on which data is due.")

    def sentence(self, asset: str, limit: Limit | None) -> str:  # noqa: ARG002
        """What must hold."""
        what = {
            "time": f"The newest row of {asset}",
            "materialisation": f"The last materialisation of {asset}",
            "partition": f"The end of the newest partition of {asset}",
        }[self.by]
        closed = self.calendar and joined([f"{day}s" for day in self.calendar.closed])
        apart = f", {closed or 'closed days'} not counted" if self.calendar else ""
        return f"{what} must be at most {spoken(self.max_age)} old{apart}"
