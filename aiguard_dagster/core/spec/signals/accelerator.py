"""Accelerators: what do they cost, and what of it is idle?"""

from typing import Any, ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal
from aiguard_dagster.core.spoken import bound, span
from aiguard_dagster.core.verdicts import Direction

Of = Literal["idle", "utilisation", "hours", "queue"]
SUBJECTS: dict[Of, str] = {
    "idle": "the idle spend of a prediction",
    "utilisation": "the utilisation",
    "hours": "the number of accelerator hours a day",
    "queue": "the mean queue",
}
NEEDS: dict[Of, tuple[str, ...]] = {
    "idle": ("gpu_seconds", "utilisation", "cost", "answered"),
    "utilisation": ("gpu_seconds", "utilisation"),
    "hours": ("gpu_seconds",),
    "queue": ("queue",),
}


class Accelerator(TalliedSignal):
    """Idle spend a prediction, utilisation, accelerator hours a day, or the queue."""

    layer: ClassVar[Layer] = Layer.USE
    counted: ClassVar[str] = "rows of metrics"
    kind: Literal["accelerator"] = "accelerator"
    table: str = ""
    """One of the guard's tables: metrics of GPUs or other accelerators, a row for each of them and
    each stretch of time."""
    of: Of = "idle"
    """``idle``, what unused time costs for each prediction; ``utilisation``, the share of
    accelerator time that was used, whose fall is bad; ``hours`` a day; the mean ``queue``."""
    scale: Literal["share", "percent"] = "share"
    """Whether the utilisation column runs from 0 to 1 or from 0 to 100."""

    @property
    def direction(self) -> Direction:
        """Of utilisation more is better."""
        return "low" if self.of == "utilisation" else "high"

    @property
    def limits(self) -> Limits:
        """A value, relative to the baseline's, or a budget."""
        low = self.of == "utilisation"
        side = "below_baseline" if low else "above_baseline"
        value = "a share such as 30%" if low else "a value"
        choices = f"{side}, false_alarm_every, or {value}"
        return Limits(relative=True, budget=True, share=low, choices=choices)

    @property
    def subject(self) -> str:
        """What is measured."""
        return SUBJECTS[self.of]

    @property
    def needs(self) -> tuple[str, ...]:
        """Metrics with times, and what is asked of them."""
        return ("time", *NEEDS[self.of])

    @property
    def roles(self) -> tuple[str, ...]:
        """Those, and what explains them."""
        metrics = ("gpu_seconds", "utilisation", "queue", "answered")
        return ("time", *metrics, "cost", "currency")

    @property
    def counted_by(self) -> dict[str, Any]:
        """Which rows are whole, and how the utilisation is written."""
        return {"of": self.of, "scale": self.scale}

    @property
    def every_version(self) -> bool:
        """Machines serve whatever version there is."""
        return True

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        low = self.of == "utilisation"
        near = bound(limit, "at least" if low else "at most", share=low)
        return f"Over the last {span(self.window)}, {self.subject} in {asset} must be {near}"
