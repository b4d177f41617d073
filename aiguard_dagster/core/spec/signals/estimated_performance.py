"""Estimated performance: how well do predictions do, before the labels arrive?"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import PositiveDuration, Ratio
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Found
from aiguard_dagster.core.spec.signals.performance import CLASS_METRICS, ERROR_METRICS, MetricSignal
from aiguard_dagster.core.spec.signals.scored import SCORED_ROLES
from aiguard_dagster.core.spoken import bound, joined, span

WINDOWS_BACK = 4
"""Earlier windows that an estimate is checked on, unless the guard says how far back."""


class EstimatedPerformance(MetricSignal):
    """What a performance metric will turn out to be, from scores or predictions alone."""

    counted: ClassVar[str] = "predictions"
    kind: Literal["estimated_performance"] = "estimated_performance"
    check_back: PositiveDuration | None = None
    """How far before the window labelled rows are looked for, to see whether estimates came true;
    four windows when left out. Longer than labels take to arrive."""
    tolerance: Annotated[Ratio, Field(ge=0)] = 0.05
    """Estimates that were off by more than this share of what was realised, and by more than
    chance, make the rule inconclusive."""

    @property
    def count_name(self) -> str:
        """Classes are estimated from the count of scores, errors from one of their own."""
        return "estimated_errors" if self.metric in ERROR_METRICS else "scores"

    @property
    def needs(self) -> tuple[str, ...]:
        """Scores or predictions with times; the label, for the baseline and for the check."""
        if self.metric in ERROR_METRICS:
            return ("time", "prediction", "label")
        if self.metric in CLASS_METRICS:
            return SCORED_ROLES
        return self.scored_needs

    @property
    def roles(self) -> tuple[str, ...]:
        """What is counted where it is named."""
        return ("time", "prediction", "label") if self.metric in ERROR_METRICS else SCORED_ROLES

    @property
    def counted_by(self) -> dict[str, Any]:
        """The metric whose errors are summed, or what the score is of; and the segments."""
        if self.metric in ERROR_METRICS:
            return {"metric": self.metric, "quantile": self.quantile, "by": self.by}
        return self.scored_by

    @property
    def on_grid(self) -> bool:
        """Errors are told by the bins of the prediction."""
        return self.metric in ERROR_METRICS

    @property
    def looks_back(self) -> timedelta:
        """To the windows whose labels are in hand."""
        return self.check_back or self.window * WINDOWS_BACK

    def problems(self) -> Iterator[Found]:
        """As of any metric; and a check of less than a window."""
        yield from super().problems()
        if self.metric in CLASS_METRICS - {"accuracy"} and self.score_of == "predicted":
            what = f"{self.metric} needs the score of the positive class"
            yield ("score_of", what, "take it out, or use metric: accuracy.")
        if self.metric in ERROR_METRICS and self.score_of == "predicted":
            what = f"{self.metric} is estimated from predictions, without scores"
            yield ("score_of", what, "take it out.")
        if self.check_back is not None and self.check_back < self.window:
            what = "less than one window before the window is none to check"
            yield ("check_back", what, "make it several windows long.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        high = self.direction == "high"
        near = bound(limit, "at most" if high else "at least", share=not high)
        each = f", in all and by {joined(self.by)}" if self.by else ""
        last = span(self.window)
        what = f"{self.said_metric()} of {asset}, estimated before labels arrive,"
        return f"Over the last {last}, {what} must be {near}{each}"
