"""Labels: do the outcomes arrive, and can they be believed?"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import PositiveDuration
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import DataSignal, Found, Layer, Limits, Share
from aiguard_dagster.core.spoken import joined, percent, spoken


class Labels(DataSignal):
    """Ways in which the labels of a batch cannot be relied on, counted."""

    layer: ClassVar[Layer] = Layer.SOURCE
    kind: Literal["labels"] = "labels"
    max_missing: Share | None = None
    """Share of the rows that may have no label."""
    due_after: PositiveDuration | None = None
    """Rows younger than this need no label yet."""
    arrived: str | None = None
    """The column that says when each label arrived; its delay is held against its own history."""
    slower: Annotated[float, Field(gt=1)] = 2.0
    """The median delay may be so many times that of earlier batches."""
    classes: Annotated[tuple[bool | int | str, ...], Field(min_length=1)] | None = None
    """All the classes there are."""
    max_share: Share | None = None
    """The largest share of the labels that one class may have."""
    consistent: bool = True
    """Whether rows of one key must have one label."""

    @property
    def limits(self) -> Limits:
        """Its own options."""
        return Limits(refused="its options are its limits")

    @property
    def needs(self) -> tuple[str, ...]:
        """The label, and the time for lateness."""
        return ("label", "time") if self.due_after or self.arrived else ("label",)

    def problems(self) -> Iterator[Found]:
        """A grace for labels that may be missing anyway."""
        if self.due_after and self.max_missing is None:
            hint = "add max_missing, such as 5%."
            yield ("due_after", "labels are due, and any number may be missing", hint)

    def sentence(self, asset: str, limit: Limit | None) -> str:  # noqa: ARG002
        """What must hold."""
        pieces = []
        if self.max_missing is not None:
            old = f" of rows older than {spoken(self.due_after)}" if self.due_after else ""
            pieces.append(f"at most {percent(self.max_missing)}{old} missing")
        if self.arrived:
            pieces.append(f"at most {self.slower:g} times as late as before")
        if self.classes:
            pieces.append("of known classes")
        if self.max_share is not None:
            pieces.append(f"no class more than {percent(self.max_share)}")
        if self.consistent:
            pieces.append("one for each key")
        return f"The labels of {asset} must be {joined(pieces)}"
