"""Drift: have the columns moved from the baseline?"""

from typing import ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, DeltaSignal, Layer, Limits
from aiguard_dagster.core.spoken import bound, joined, span

Statistic = Literal["jensen_shannon", "psi", "total_variation", "ks"]
SPOKEN: dict[Statistic, str] = {
    "jensen_shannon": "a Jensen-Shannon distance",
    "psi": "a population stability index",
    "total_variation": "a total variation",
    "ks": "a Kolmogorov-Smirnov distance",
}


class Drift(DeltaSignal):
    """How far the columns have moved from the baseline; the worst column speaks."""

    layer: ClassVar[Layer] = Layer.FEATURES
    counted: ClassVar[str] = "rows"
    kind: Literal["drift"] = "drift"
    columns: Columns | None = None
    """Columns to compare; all that the baseline profiled when left out."""

    statistic: Statistic = "jensen_shannon"
    """What is measured, with nulls as a bin of their own: ``jensen_shannon`` distance (0 to 1),
    ``psi``, or ``total_variation`` (0 to 1); or ``ks`` (0 to 1) of numbers, without their nulls."""

    @property
    def limits(self) -> Limits:
        """A distance, or a budget."""
        budget = self.statistic == "jensen_shannon"
        choices = "false_alarm_every, or " if budget else ""
        has_end = self.statistic != "psi"
        return Limits(budget=budget, share=has_end, choices=f"{choices}a distance such as 0.2")

    @property
    def subject(self) -> str:
        """The distance."""
        return SPOKEN[self.statistic]

    @property
    def needs(self) -> tuple[str, ...]:
        """The time column."""
        return ("time",)

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        what = joined(self.columns) or "every column that the baseline profiled"
        near = bound(limit, f"{self.subject} of at most")
        last = f"In the last {span(self.window)} of {asset}"
        return f"{last}, {what} must stay near the baseline: {near}"
