"""Performance: do predictions meet the labels?"""

from typing import ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import DeltaSignal, Layer, Limits
from aiguard_dagster.core.spoken import bound, span
from aiguard_dagster.core.verdicts import Direction

RegressionMetric = Literal["mae", "rmse", "bias"]
ClassificationMetric = Literal["accuracy", "precision", "recall", "f1"]
LOWER_IS_BETTER = frozenset({"mae", "rmse", "bias"})
SPOKEN = {
    "mae": "the mean absolute error",
    "rmse": "the root mean squared error",
    "bias": "the mean error, whichever its sign,",
    "f1": "the F1 score",
}


class Performance(DeltaSignal):
    """How well predictions meet the labels that have arrived."""

    layer: ClassVar[Layer] = Layer.MODEL
    counted: ClassVar[str] = "labelled rows"
    kind: Literal["performance"] = "performance"
    table: str = "predictions"
    """One of the guard's tables."""
    metric: Literal[RegressionMetric, ClassificationMetric]
    """``bias`` is the mean error without its sign; precision, recall and f1 are macro means."""

    @property
    def direction(self) -> Direction:
        """Errors are worse when high, scores when low."""
        return "high" if self.metric in LOWER_IS_BETTER else "low"

    @property
    def limits(self) -> Limits:
        """A value, or relative to the baseline's."""
        if self.direction == "low":
            choices = "below_baseline, or a value such as 95%"
            return Limits(relative=True, share=True, choices=choices)
        return Limits(relative=True, choices="above_baseline, or a value")

    @property
    def subject(self) -> str:
        """The metric."""
        return self.metric

    @property
    def needs(self) -> tuple[str, ...]:
        """Predictions with times and labels."""
        return ("time", "prediction", "label")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        high = self.direction == "high"
        metric = SPOKEN.get(self.metric, f"the {self.metric}")
        near = bound(limit, "at most" if high else "at least", share=not high)
        return f"Over the last {span(self.window)}, {metric} of {asset} must be {near}"
