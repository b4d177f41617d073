"""Errors: which answers were none?"""

from typing import Any, ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal, TracePiece
from aiguard_dagster.core.spoken import bound, either, joined, span

FINE = ("ok", "OK", "success", "200")


class Errors(TalliedSignal):
    """The share of requests that failed, timed out, were refused, empty, cut short or malformed."""

    layer: ClassVar[Layer] = Layer.USE
    counted: ClassVar[str] = "requests"
    traced: ClassVar[frozenset[TracePiece]] = frozenset({"requests"})
    kind: Literal["errors"] = "errors"
    table: str = "predictions"
    """One of the guard's tables."""
    fine: Columns = FINE
    """What the status of a request says that is no error."""
    classes: Columns | None = None
    """The statuses that count, such as ``timeout``; all that are not fine when left out."""
    by: Columns | None = None
    """Columns of segments, such as region; the worst is named."""

    @property
    def limits(self) -> Limits:
        """A share, relative to the baseline's, or a budget."""
        choices = "a share such as 2%, above_baseline or false_alarm_every"
        return Limits(relative=True, budget=True, share=True, events="requests", choices=choices)

    @property
    def subject(self) -> str:
        """The share."""
        return "the share of errors"

    @property
    def needs(self) -> tuple[str, ...]:
        """Requests with times and what became of them."""
        return ("time", "status")

    @property
    def counted_by(self) -> dict[str, Any]:
        """What an error is, and the segments."""
        return {"fine": self.fine, "classes": self.classes, "by": self.by}

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        which = f"that are {either(self.classes)}" if self.classes else "that are errors"
        near = bound(limit, "at most", share=True)
        last = span(self.window)
        each = f"; the worst by {joined(self.by)} is told" if self.by else ""
        return (
            f"Over the last {last}, the share of requests in {asset} {which} must be {near}{each}"
        )
