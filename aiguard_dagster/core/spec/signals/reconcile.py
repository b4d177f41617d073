"""Reconcile: do two sources that should agree agree?"""

from collections.abc import Iterator
from typing import ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, DataSignal, Flag, Found, Layer, Limits
from aiguard_dagster.core.spoken import joined, tolerated


class Reconcile(DataSignal):
    """The largest relative difference between two tables that should agree. 0 when they do."""

    layer: ClassVar[Layer] = Layer.SOURCE
    kind: Literal["reconcile"] = "reconcile"
    other: str
    """The table of the guard that this one should agree with."""
    rows: Flag = True
    """Compare the numbers of rows."""
    sums: Columns | None = None
    """Columns whose sums are compared."""
    keys: Columns | None = None
    """Columns that name a row: the share of keys that only one of the two tables has."""
    by: Columns | None = None
    """Compare within each group of these columns."""

    @property
    def limits(self) -> Limits:
        """They agree exactly, unless the guard says so."""
        return Limits(default=0.0, percentage=True, choices="a share such as 0.1%")

    @property
    def others(self) -> dict[str, str]:
        """The other source."""
        return {"other": self.other}

    def problems(self) -> Iterator[Found]:
        """Nothing to compare, and a table with itself."""
        if not self.rows and not self.sums and not self.keys:
            yield ("rows", "nothing is compared", "leave rows out, or give sums or keys.")
        if self.other == self.table:
            yield ("other", "a table always agrees with itself", "name another table.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        pieces = ["the number of rows"] if self.rows else []
        pieces += [f"the sum of {name}" for name in self.sums or ()]
        pieces += [f"the keys of {joined(self.keys)}"] if self.keys else []
        within = f", for each {joined(self.by)}" if self.by else ""
        near = tolerated(limit, "total").replace(" may", " may differ")
        return f"{asset} and {self.other} must agree in {joined(pieces)}{within}{near}"
