"""Performance: do predictions meet the labels?"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Found, Layer, Limits
from aiguard_dagster.core.spec.signals.scored import SCORED_ROLES, ScoredSignal
from aiguard_dagster.core.spoken import bound, joined, span
from aiguard_dagster.core.verdicts import Direction

RegressionMetric = Literal["mae", "rmse", "mape", "bias", "quantile_loss"]
ClassificationMetric = Literal["accuracy", "precision", "recall", "f1"]
ScoreMetric = Literal["auc", "log_loss", "brier"]
ERROR_METRICS = frozenset(get_args(RegressionMetric))
CLASS_METRICS = frozenset(get_args(ClassificationMetric))
SCORE_METRICS = frozenset(get_args(ScoreMetric))
LOWER_IS_BETTER = ERROR_METRICS | {"log_loss", "brier"}
SPOKEN = {
    "mae": "the mean absolute error",
    "rmse": "the root mean squared error",
    "mape": "the mean absolute percentage error",
    "bias": "the mean error, whichever its sign,",
    "quantile_loss": "the quantile loss",
    "f1": "the F1 score",
    "auc": "the area under the ROC curve",
    "log_loss": "the log loss",
    "brier": "the Brier score",
}


class MetricSignal(ScoredSignal):
    """Base of the kinds that tell a performance metric, whether measured or estimated."""

    layer: ClassVar[Layer] = Layer.MODEL
    table: str = "predictions"
    """One of the guard's tables."""
    metric: Literal[RegressionMetric, ClassificationMetric, ScoreMetric]
    """``bias`` is the mean error without its sign; precision, recall and f1 are macro means; auc,
    log_loss and brier are of the score."""
    quantile: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Which quantile is predicted, for ``quantile_loss``: 0.9 where nine outcomes of ten should be
    below the prediction."""

    @property
    def direction(self) -> Direction:
        """Errors are worse when high, scores when low."""
        return "high" if self.metric in LOWER_IS_BETTER else "low"

    @property
    def limits(self) -> Limits:
        """A value, relative to the baseline's, or a budget."""
        if self.direction == "low":
            choices = "below_baseline, false_alarm_every, or a value such as 95%"
            return Limits(relative=True, budget=True, share=True, choices=choices)
        choices = "above_baseline, false_alarm_every, or a value"
        share, percentage = self.metric == "brier", self.metric == "mape"
        return Limits(
            relative=True, budget=True, share=share, percentage=percentage, choices=choices
        )

    @property
    def subject(self) -> str:
        """The metric."""
        return self.metric

    def problems(self) -> Iterator[Found]:
        """A quantile for nothing, or none where one is asked for; scores for what has none."""
        if self.metric == "quantile_loss" and self.quantile is None:
            yield ("quantile", "of which quantile?", "give quantile: and a number such as 0.9.")
        if self.metric != "quantile_loss" and self.quantile is not None:
            what = f"{self.metric} has no quantile"
            yield ("quantile", what, "take it out, or use metric: quantile_loss.")
        if self.metric in SCORE_METRICS and self.score_of == "predicted":
            what = f"{self.metric} needs the score of the positive class"
            yield ("score_of", what, "take it out.")
        if self.metric in ERROR_METRICS and self.positive is not None:
            yield (
                "positive",
                f"{self.metric} is of numbers, which have no classes",
                "take it out.",
            )

    def said_metric(self) -> str:
        """The metric in words."""
        metric = SPOKEN.get(self.metric, f"the {self.metric}")
        return f"{metric} at {self.quantile:g}" if self.quantile else metric


class Performance(MetricSignal):
    """How well predictions meet the labels that have arrived."""

    counted: ClassVar[str] = "labelled rows"
    kind: Literal["performance"] = "performance"

    @property
    def limits(self) -> Limits:
        """An error budget too, where each labelled prediction is right or wrong."""
        found = super().limits
        return replace(found, events="labelled rows") if self.metric == "accuracy" else found

    @property
    def count_name(self) -> str:
        """Metrics of one family share a count."""
        if self.metric in SCORE_METRICS:
            return "scores"
        return "errors_made" if self.metric in ERROR_METRICS else "classes"

    @property
    def needs(self) -> tuple[str, ...]:
        """Predictions, or scores, with times and labels."""
        if self.metric in SCORE_METRICS:
            return self.scored_needs
        return ("time", "prediction", "label")

    @property
    def roles(self) -> tuple[str, ...]:
        """What is needed; scores are counted by what was predicted, where it is named."""
        return SCORED_ROLES if self.metric in SCORE_METRICS else self.needs

    @property
    def counted_by(self) -> dict[str, Any]:
        """What tells the classes, the quantile, and the segments."""
        if self.metric in SCORE_METRICS:
            return self.scored_by
        return {"quantile": self.quantile, "by": self.by}

    def problems(self) -> Iterator[Found]:
        """As of any metric; and nothing about scores where no score is read."""
        yield from super().problems()
        if self.metric not in SCORE_METRICS and self.score_of == "predicted":
            yield ("score_of", f"{self.metric} is measured without scores", "take it out.")
        if self.metric in CLASS_METRICS and self.positive is not None:
            what = f"{self.metric} looks at all classes alike"
            yield ("positive", what, "take it out.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        high = self.direction == "high"
        near = bound(limit, "at most" if high else "at least", share=not high)
        each = f", in all and by {joined(self.by)}" if self.by else ""
        last = span(self.window)
        return f"Over the last {last}, {self.said_metric()} of {asset} must be {near}{each}"
