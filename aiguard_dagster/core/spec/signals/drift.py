"""Drift: have the columns moved from the baseline?"""

from typing import ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, DeltaSignal, Layer, Limits
from aiguard_dagster.core.spoken import bound, joined, span


class Drift(DeltaSignal):
    """How far the columns have moved from the baseline; the worst column speaks."""

    layer: ClassVar[Layer] = Layer.FEATURES
    counted: ClassVar[str] = "rows"
    kind: Literal["drift"] = "drift"
    columns: Columns | None = None
    """Columns to compare; all that the baseline profiled when left out."""

    @property
    def limits(self) -> Limits:
        """A distance, or a budget."""
        choices = "false_alarm_every, or a distance such as 0.2"
        return Limits(budget=True, share=True, choices=choices)

    @property
    def subject(self) -> str:
        """The distance."""
        return "a Jensen-Shannon distance"

    @property
    def needs(self) -> tuple[str, ...]:
        """The time column."""
        return ("time",)

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        what = joined(self.columns) or "every column that the baseline profiled"
        near = bound(limit, "a Jensen-Shannon distance of at most")
        last = f"In the last {span(self.window)} of {asset}"
        return f"{last}, {what} must stay near the baseline: {near}"
