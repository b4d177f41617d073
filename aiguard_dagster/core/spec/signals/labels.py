"""Labels: do the outcomes arrive, and can they be believed?"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import PositiveDuration
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import (
    DataSignal,
    Flag,
    Found,
    Layer,
    Limits,
    Share,
)
from aiguard_dagster.core.spoken import joined, percent, spoken


class Labels(DataSignal):
    """Ways in which the labels of a batch cannot be relied on, counted."""

    layer: ClassVar[Layer] = Layer.SOURCE
    kind: Literal["labels"] = "labels"
    max_missing: Share | None = None
    """Share of the rows that may have no label; of those that are due, with ``due_after``."""
    due_after: PositiveDuration | None = None
    """Rows younger than this, by the clock of the check, need no label yet."""
    arrived: str | None = None
    """The column that says when each label arrived; its delay is held against its own history."""
    slower: Annotated[float, Field(gt=1)] = 2.0
    """The median delay may be so many times that of earlier batches; five are needed."""
    classes: Annotated[tuple[bool | int | str, ...], Field(min_length=1)] | None = None
    """All the classes there are."""
    max_share: Share | None = None
    """The largest share of the labels that one class may have; judged from 30 labels on."""
    consistent: Flag = True
    """Whether rows of one key must have one label; asked of tables that declare ``key``."""

    @property
    def limits(self) -> Limits:
        """Its own options."""
        return Limits(refused="its options are its limits")

    @property
    def needs(self) -> tuple[str, ...]:
        """The label, the time for lateness, and the key where nothing but that is asked."""
        if self.due_after or self.arrived:
            return ("label", "time")
        return ("label",) if self._asks_of_all_rows else ("label", "key")

    @property
    def _asks_of_all_rows(self) -> bool:
        return any(o is not None for o in (self.max_missing, self.classes, self.max_share))

    def problems(self) -> Iterator[Found]:
        """Nothing to check, shares that are never or always crossed, and a grace for nothing."""
        if not self.consistent and not self.arrived and not self._asks_of_all_rows:
            hint = "add max_missing, arrived, classes or max_share."
            yield ("", "nothing is asked of the labels", hint)
        for option, share in (("max_missing", self.max_missing), ("max_share", self.max_share)):
            if share == 1:
                what = "100% can never be crossed: a share is never above 1"
                yield (option, what, "give less than 100%, or leave it out.")
        classes = set(self.classes or ())
        if classes and self.max_share is not None and self.max_share < 1 / len(classes):
            what = f"{percent(self.max_share)} is always crossed: of {len(classes)} classes one has"
            yield ("max_share", f"{what} at least {percent(1 / len(classes))}", "give more.")
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
