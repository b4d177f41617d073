"""Base of the kinds that hold scores against labels."""

from typing import Annotated, Any, Literal

from pydantic import Field

from aiguard_dagster.core.spec.signals.base import Columns
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal

Label = Annotated[bool, Field(strict=True)] | Annotated[int, Field(strict=True)] | str
SCORED_ROLES = ("time", "label", "score", "prediction")
"""What is counted of scores, for all kinds that share the count."""
Meaning = Literal["positive", "predicted"]


class ScoredSignal(TalliedSignal):
    """Base of the kinds that hold scores against labels; they share one count."""

    positive: Label | None = None
    """What the label says of the positive class; 1 or true when left out."""
    score_of: Meaning = "positive"
    """What the score is the probability of: the ``positive`` class, or whatever was ``predicted``,
    as models of many classes tell it."""
    by: Columns | None = None
    """Columns of segments, such as region; the worst is named."""

    @property
    def positive_label(self) -> str:
        """The positive class, as labels are compared: 1, 1.0 and true are one."""
        if self.positive is None:
            return "1"
        return str(int(self.positive)) if isinstance(self.positive, bool) else str(self.positive)

    @property
    def scored_needs(self) -> tuple[str, ...]:
        """The fields without which there is nothing to hold against each other."""
        if self.score_of == "predicted":
            return ("time", "label", "score", "prediction")
        return ("time", "label", "score")

    @property
    def scored_by(self) -> dict[str, Any]:
        """What decides how scores are counted."""
        return {"positive": self.positive_label, "score_of": self.score_of, "by": self.by}
