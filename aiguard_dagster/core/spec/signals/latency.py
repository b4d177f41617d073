"""Latency: how long do answers take?"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal, TracePiece
from aiguard_dagster.core.spoken import bound, joined, span

Percentile = Literal["p50", "p95", "p99"]


class Latency(TalliedSignal):
    """How long answers take: a percentile, or the share of them above an objective."""

    layer: ClassVar[Layer] = Layer.USE
    counted: ClassVar[str] = "timed answers"
    traced: ClassVar[frozenset[TracePiece]] = frozenset({"requests", "latency"})
    kind: Literal["latency"] = "latency"
    table: str = "predictions"
    """One of the guard's tables."""
    statistic: Percentile | Literal["over"] = "p95"
    """``over`` is the share of answers that took longer than the objective."""
    objective: Annotated[float, Field(gt=0)] | None = None
    """What no answer should take longer than, in the unit of the latency column."""
    by: Columns | None = None
    """Columns of segments, such as region; the slowest is named."""

    @property
    def limits(self) -> Limits:
        """A value, relative to the baseline's, or a budget."""
        if self.statistic == "over":
            choices = "a share such as 5%, above_baseline or false_alarm_every"
            return Limits(
                relative=True, budget=True, share=True, events="timed answers", choices=choices
            )
        choices = "a time, above_baseline or false_alarm_every"
        return Limits(relative=True, budget=True, choices=choices)

    @property
    def subject(self) -> str:
        """The statistic."""
        return "the share over the objective" if self.statistic == "over" else self.statistic

    @property
    def needs(self) -> tuple[str, ...]:
        """Answers with times and how long they took."""
        return ("time", "latency")

    @property
    def counted_by(self) -> dict[str, Any]:
        """The objective and the segments."""
        return {"objective": self.objective, "by": self.by}

    def problems(self) -> Iterator[Found]:
        """``over`` is over something, and nothing else is."""
        if self.statistic == "over" and self.objective is None:
            yield ("objective", "over what?", "give objective: and a time, in the column's unit.")
        if self.statistic != "over" and self.objective is not None:
            what = f"{self.statistic} has no objective"
            yield ("objective", what, "take it out, or use statistic: over.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        share = self.statistic == "over"
        what = (
            f"the share of answers that take longer than {self.objective:g}"
            if share
            else f"the {self.statistic} of the time that answers take"
        )
        near = bound(limit, "at most", share=share)
        each = f"; the worst by {joined(self.by)} is told" if self.by else ""
        return f"Over the last {span(self.window)}, {what} in {asset} must be {near}{each}"
