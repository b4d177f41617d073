"""Values: is what stands in the columns possible?"""

from collections.abc import Iterator
from math import isfinite
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import (
    Columns,
    DataSignal,
    Flag,
    Found,
    Layer,
    Limits,
    Share,
)
from aiguard_dagster.core.spoken import joined, tolerated

Number = Annotated[float, Field(strict=True)]


class Allowed(Spec):
    """What one column may hold; nulls are completeness' business."""

    min: Number | None = None
    """The smallest number; an infinite one is outside of any range."""
    max: Number | None = None
    """The largest number."""
    one_of: Annotated[tuple[bool | int | float | str, ...], Field(min_length=1)] | None = None
    """All the values there are: numbers, text, or true and false, as the column holds."""
    varies: Flag = False
    """Whether a column of one value throughout is wrong."""


class Values(DataSignal):
    """Share of a column's values that are not allowed; the worst column speaks. From 0 to 1."""

    layer: ClassVar[Layer] = Layer.FEATURES
    kind: Literal["values"] = "values"
    columns: Annotated[dict[str, Allowed], Field(min_length=1)] | None = None
    """What each column may hold."""
    from_baseline: Columns | None = None
    """Columns that may hold what the champion's baseline held: its range, its categories, its unit
    (no median that jumped by a power of ten), and more than one value if its days had more."""
    margin: Share = 0.1
    """How far beyond the baseline's range numbers may go, as a share of the range's width; never
    across zero."""

    @property
    def limits(self) -> Limits:
        """None may be outside, unless the guard says so."""
        return Limits(default=0.0, share=True, choices="a share such as 0.1%")

    @property
    def needs_model(self) -> str:
        """Where bounds are from the baseline."""
        return "from_baseline is a model's baseline" if self.from_baseline else ""

    def problems(self) -> Iterator[Found]:
        """Nothing to check, and ranges that hold nothing."""
        if not self.columns and not self.from_baseline:
            yield ("", "no column is named", "add columns: {name: {min: 0}}, or from_baseline.")
        for name, allowed in (self.columns or {}).items():
            if allowed == Allowed():
                what = "anything is allowed"
                yield (f"columns.{name}", what, "give min, max, one_of or varies.")
            for bound, number in (("min", allowed.min), ("max", allowed.max)):
                if number is not None and not isfinite(number):
                    what = f"{number:g} is no finite number"
                    hint = f"leave {bound} out where there is no such bound."
                    yield (f"columns.{name}.{bound}", what, hint)
            low, high = allowed.min, allowed.max
            if low is not None and high is not None and low > high:
                what = f"no value is at least {low:g} and at most {high:g}"
                yield (f"columns.{name}", what, "swap min and max.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        pieces = []
        if self.columns:
            pieces.append(f"{joined(list(self.columns))} must hold allowed values")
        if self.from_baseline:
            pieces.append(f"{joined(self.from_baseline)} what the champion's baseline held")
        return f"In {asset}, {joined(pieces)}{tolerated(limit, 'values')}"
