"""Retraining: how often, at what cost, and did it help?"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import Ratio, format_duration
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Count, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import Counts, TalliedSignal
from aiguard_dagster.core.spoken import bound, span

DAY = timedelta(days=1)


class Retraining(TalliedSignal):
    """New versions of the model: how many, what they took, and whether they were any better."""

    layer: ClassVar[Layer] = Layer.MODEL
    counted: ClassVar[str] = "new versions"
    counts: ClassVar[Counts] = "runs"
    kind: Literal["retraining"] = "retraining"
    table: str = "training"
    """The guard's table whose asset trains the model."""
    of: Literal["unhelpful", "often", "compute"] = "unhelpful"
    """``unhelpful``: the share of new versions that are no better than what was in production;
    ``often``: new versions in 30 days; ``compute``: seconds of the training asset's steps for each
    new version."""
    metric: Annotated[str, Field(min_length=1)] | None = None
    """The metric of a version's MLflow run that says how good it is, such as ``val_mae``."""
    better: Literal["lower", "higher"] = "lower"
    """Which values of it are better."""
    min_gain: Annotated[Ratio, Field(ge=0)] = 0.0
    """By how much a version must be better to have helped, as a share of what was there."""
    min_samples: Count = 1

    @property
    def limits(self) -> Limits:
        """A value; a share where it is one."""
        share = self.of == "unhelpful"
        choices = "a share such as 50%" if share else "a value"
        return Limits(
            relative=True, budget=True, share=share, choices=f"{choices}, or above_baseline"
        )

    @property
    def subject(self) -> str:
        """What is held against the limit."""
        return {
            "unhelpful": "the share of new versions that did not help",
            "often": "the number of new versions in 30 days",
            "compute": "the compute of a new version",
        }[self.of]

    def problems(self) -> Iterator[Found]:
        """Whether it helped is told by a metric, and days are whole."""
        if self.of == "unhelpful" and self.metric is None:
            hint = "add metric: and the name of a metric of the training run, such as val_mae."
            yield ("metric", "what tells whether a version helped?", hint)
        if self.window % DAY:
            what = f"{format_duration(self.window)} is no number of whole days"
            yield ("window", what, "runs are counted by the day: make it 1d or more.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        near = bound(limit, "at most", share=self.of == "unhelpful")
        last, made = span(self.window), f"new versions made by {asset}"
        if self.of == "unhelpful":
            which = f"{made} that did not help, by {self.metric} of their runs,"
            return f"Over the last {last}, the share of {which} must be {near}"
        what = {
            "often": f"the number of {made} in 30 days",
            "compute": f"the compute seconds of each of the {made}",
        }[self.of]
        return f"Over the last {last}, {what} must be {near}"
