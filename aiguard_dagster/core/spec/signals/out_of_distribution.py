"""Out of distribution: which rows lie where the baseline had none?"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal
from aiguard_dagster.core.spoken import bound, joined, percent, span

MOST_FAR = 20
"""Each column is weighed against each for every row: 20 columns are 400 products."""
SUPPORT = 0.999


class OutOfDistribution(TalliedSignal):
    """The share of rows outside what the baseline supports."""

    layer: ClassVar[Layer] = Layer.FEATURES
    counted: ClassVar[str] = "rows"
    kind: Literal["out_of_distribution"] = "out_of_distribution"
    of: Literal["columns", "joint"] = "columns"
    """Outside what: the range or the known values of any of the ``columns``; or, of columns of
    numbers taken together, farther from the baseline's middle than its own rows are: ``joint``."""
    columns: Columns | None = None
    """Columns to look at. When left out: all that the baseline counted, without outcomes; for
    ``joint`` all of them that are numbers."""
    support: Annotated[float, Field(ge=0.9, lt=1)] = SUPPORT
    """For ``joint``: how much of the baseline counts as its support, nearest rows first."""

    @property
    def limits(self) -> Limits:
        """A share, relative to the baseline's, or a budget."""
        choices = "a share such as 2%, above_baseline or false_alarm_every"
        return Limits(relative=True, budget=True, share=True, choices=choices)

    @property
    def subject(self) -> str:
        """The share."""
        return "the share of rows out of distribution"

    @property
    def needs(self) -> tuple[str, ...]:
        """The time column."""
        return ("time",)

    @property
    def counted_by(self) -> dict[str, Any]:
        """The columns, and whether they are taken together."""
        return {"of": self.of, "columns": self.columns}

    @property
    def on_grid(self) -> bool:
        """What the baseline supports stands in its grid."""
        return True

    def problems(self) -> Iterator[Found]:
        """One column together with nothing, too many of them, and a support for nothing."""
        if self.of == "columns" and self.support != SUPPORT:
            what = "what single columns support is all that the baseline held"
            yield ("support", what, "take it out, or use of: joint.")
        if self.of == "joint" and self.columns is not None:
            if len(self.columns) == 1:
                what = "one column is not outside together with anything"
                yield ("columns", what, "name two or more, or use of: columns.")
            if len(self.columns) > MOST_FAR:
                what = f"{len(self.columns)} columns are {len(self.columns) ** 2:,} products a row"
                yield ("columns", what, f"name at most {MOST_FAR}, those that belong together.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        last = f"In the last {span(self.window)} of {asset}"
        near = bound(limit, "at most", share=True)
        if self.of == "joint":
            what = joined(self.columns) or "all columns of numbers"
            far = f"farther out together than {percent(self.support)} of the baseline"
            return f"{last}, the share of rows whose {what} lie {far} must be {near}"
        what = joined(self.columns) or "any column"
        return f"{last}, the share of rows in which {what} is beyond the baseline must be {near}"
