"""Skew: are features at inference those of training, for the same keys?"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import Ratio
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, DataSignal, Found, Layer, Limits, Share
from aiguard_dagster.core.spoken import joined, tolerated


class Skew(DataSignal):
    """Share of rows whose value differs from the reference; the worst column speaks. 0 to 1."""

    layer: ClassVar[Layer] = Layer.FEATURES
    kind: Literal["skew"] = "skew"
    reference: str
    """The table of the guard that has the right values: the feature store, or what training saw."""
    keys: Columns | None = None
    """Columns that name a row in both tables; the table's key when left out."""
    columns: Columns | None = None
    """Columns to compare; all that both tables have when left out."""
    tolerance: Annotated[Ratio, Field(ge=0)] = 1e-6
    """Numbers may differ by this share of the larger one."""
    min_coverage: Share = 0.8
    """Share of the rows that must be found in the reference; less is inconclusive."""

    @property
    def limits(self) -> Limits:
        """None may differ, unless the guard says so."""
        return Limits(default=0.0, share=True, choices="a share such as 0.1%")

    @property
    def needs(self) -> tuple[str, ...]:
        """The table's key."""
        return () if self.keys else ("row_key",)

    @property
    def others(self) -> dict[str, str]:
        """The reference."""
        return {"reference": self.reference}

    def problems(self) -> Iterator[Found]:
        """A table with itself."""
        if self.reference == self.table:
            yield ("reference", "a table never differs from itself", "name another table.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        what = joined(self.columns) or "every column"
        return (
            f"For the same {joined(self.keys) or 'key'}, {what} of {asset} must equal"
            f" {self.reference}{tolerated(limit, 'rows').replace(' may', ' may differ')}"
        )
