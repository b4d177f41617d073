"""Unique: does a key name one row?"""

from typing import ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, DataSignal, Layer, Limits
from aiguard_dagster.core.spoken import joined, tolerated


class Unique(DataSignal):
    """Share of rows whose key another row has too; counted exactly. From 0 to 1."""

    layer: ClassVar[Layer] = Layer.PIPELINE
    kind: Literal["unique"] = "unique"
    columns: Columns | None = None
    """The columns that name a row together; the table's key when left out."""

    @property
    def limits(self) -> Limits:
        """None may repeat, unless the guard says so."""
        return Limits(default=0.0, share=True, choices="a share such as 0.1%")

    @property
    def needs(self) -> tuple[str, ...]:
        """The table's key."""
        return () if self.columns else ("row_key",)

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        key = joined(self.columns) or "its key"
        return f"No two rows of {asset} may share {key}{tolerated(limit, 'rows')}"
