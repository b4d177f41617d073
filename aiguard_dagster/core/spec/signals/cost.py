"""Cost: what do predictions cost?"""

from typing import ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import DeltaSignal, Layer, Limits
from aiguard_dagster.core.spoken import bound, span


class Cost(DeltaSignal):
    """Spend per 1,000 predictions, in the currency of the cost column."""

    layer: ClassVar[Layer] = Layer.USE
    counted: ClassVar[str] = "predictions"
    kind: Literal["cost"] = "cost"
    table: str = "predictions"
    """One of the guard's tables."""

    @property
    def limits(self) -> Limits:
        """A value, or relative to the baseline's."""
        return Limits(relative=True, choices="above_baseline, or a value")

    @property
    def needs(self) -> tuple[str, ...]:
        """Predictions with times and prices."""
        return ("time", "cost")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        last = span(self.window)
        near = bound(limit, "at most")
        return f"Over the last {last}, the cost of 1,000 predictions in {asset} must be {near}"
