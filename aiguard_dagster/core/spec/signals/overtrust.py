"""Over-trust: do people use answers that nobody should use unseen?"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import PositiveDuration
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal
from aiguard_dagster.core.spoken import bound, joined, span, spoken

SPOKEN = {
    "unreviewed": "the share of outputs to be reviewed that are accepted without a review",
    "skipped": "the share of outputs to be reviewed that are not reviewed in time",
    "blind": "how often wrong outputs are accepted, as a share of how often right ones are,",
    "hasty": "the share of reviews that are too fast to be reviews",
}
ACCEPTED = ("accepted", "approved", "thumbs_up")
TOO_FAST = timedelta(seconds=5)


class Overtrust(TalliedSignal):
    """Outputs that are used though the guard's own policy asks for a review, or though wrong."""

    layer: ClassVar[Layer] = Layer.USE
    counted: ClassVar[str] = "outputs"
    kind: Literal["overtrust"] = "overtrust"
    table: str = "predictions"
    """One of the guard's tables."""
    metric: Literal["unreviewed", "skipped", "blind", "hasty"] = "unreviewed"
    """``unreviewed``: accepted without the review that the table's policy asks for. ``skipped``:
    not reviewed, or too late. ``blind``: accepted when wrong, as a share of accepted when right;
    at 100% acceptance does not depend on being right. ``hasty``: reviews too fast to be reviews."""
    accepted: Columns = ACCEPTED
    """What the decision column says of an output that is used, in any case."""
    too_fast: PositiveDuration = TOO_FAST
    """A review that took less is none, for ``hasty``."""
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """For labels that are numbers: how far off a prediction may be and still be right, for
    ``blind``; it must equal its label when left out."""
    by: Columns | None = None
    """Columns of segments, such as team; the worst is named."""

    @property
    def limits(self) -> Limits:
        """A share, relative to the baseline's, or a budget."""
        choices = "a share such as 5%, above_baseline or false_alarm_every"
        share = self.metric != "blind"
        return Limits(
            relative=True,
            budget=True,
            share=share,
            percentage=True,
            events="judged outputs" if share else "",
            choices=choices,
        )

    @property
    def subject(self) -> str:
        """The share."""
        return SPOKEN[self.metric].removesuffix(",")

    @property
    def needs(self) -> tuple[str, ...]:
        """What the metric is made of."""
        match self.metric:
            case "unreviewed":
                return ("time", "decision", "reviewed", "review")
            case "skipped":
                return ("time", "reviewed", "review")
            case "blind":
                return ("time", "decision", "prediction", "label")
            case "hasty":
                return ("time", "reviewed")

    @property
    def roles(self) -> tuple[str, ...]:
        """A request's name tells repeats; people are told where they are named."""
        more = ("request", "user", "decided_at", "score")
        return tuple(dict.fromkeys((*self.needs, *more)))

    @property
    def counted_by(self) -> dict[str, Any]:
        """The metric, and the options that change what is counted for it."""
        return {
            "metric": self.metric,
            "accepted": self.accepted,
            "too_fast": self.too_fast if self.metric == "hasty" else None,
            "tolerance": self.tolerance,
            "by": self.by,
        }

    def problems(self) -> Iterator[Found]:
        """Options of another metric."""
        if self.tolerance is not None and self.metric != "blind":
            what = f"{self.metric} does not ask what is right"
            yield ("tolerance", what, "take it out, or use metric: blind.")
        if self.too_fast != TOO_FAST and self.metric != "hasty":
            what = f"{self.metric} does not ask how long reviews take"
            yield ("too_fast", what, "take it out, or use metric: hasty.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        near = bound(limit, "at most", share=True)
        fast = f", in less than {spoken(self.too_fast)}," if self.metric == "hasty" else ""
        where = f"; the worst by {joined(self.by)} is told" if self.by else ""
        what = f"{SPOKEN[self.metric]}{fast}"
        return f"Over the last {span(self.window)}, {what} in {asset} must be {near}{where}"
