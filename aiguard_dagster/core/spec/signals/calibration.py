"""Calibration: does a score of 0.8 mean eight times of ten?"""

from typing import Any, ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Layer, Limits
from aiguard_dagster.core.spec.signals.scored import SCORED_ROLES, ScoredSignal
from aiguard_dagster.core.spoken import bound, joined, span


class Calibration(ScoredSignal):
    """How far scores lie from how often they come true, or how far confidence has moved."""

    layer: ClassVar[Layer] = Layer.MODEL
    counted: ClassVar[str] = "scored rows"
    kind: Literal["calibration"] = "calibration"
    table: str = "predictions"
    """One of the guard's tables."""
    statistic: Literal["ece", "confidence_drift"] = "ece"
    """``ece`` is the expected calibration error, in ten bins of equal width, and needs labels;
    ``confidence_drift`` is how far the mean confidence lies from the baseline's, and needs none."""

    @property
    def limits(self) -> Limits:
        """A share; a calibration error may be relative to the baseline's, or a budget."""
        if self.statistic == "ece":
            choices = "a share such as 5%, above_baseline or false_alarm_every"
            return Limits(relative=True, budget=True, share=True, choices=choices)
        choices = "a share such as 5%, or false_alarm_every"
        return Limits(budget=True, share=True, choices=choices)

    @property
    def subject(self) -> str:
        """The statistic."""
        if self.statistic == "ece":
            return "the expected calibration error"
        return "the drift of the confidence"

    @property
    def count_name(self) -> str:
        """One count serves all that is asked of scores."""
        return "scores"

    @property
    def needs(self) -> tuple[str, ...]:
        """Scores with times, and the labels that they are held against."""
        return self.scored_needs

    @property
    def roles(self) -> tuple[str, ...]:
        """What was predicted tells the classes apart, where it is named."""
        return SCORED_ROLES

    @property
    def counted_by(self) -> dict[str, Any]:
        """What the score is of, and the segments."""
        return self.scored_by

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        near = bound(limit, "at most", share=True)
        each = f", in all and by {joined(self.by)}" if self.by else ""
        last = f"Over the last {span(self.window)}"
        if self.statistic == "ece":
            return f"{last}, the expected calibration error of {asset} must be {near}{each}"
        return f"{last}, the mean confidence of {asset} may move by {near}{each}"
