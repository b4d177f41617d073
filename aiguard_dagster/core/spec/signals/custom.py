"""Custom: a function of the user's own."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import DataSignal, ImportPath, Layer, Limits
from aiguard_dagster.core.spoken import bound
from aiguard_dagster.core.verdicts import Direction


class Custom(DataSignal):
    """What a function of your own measures: a Measurement, a number, or whether all is well."""

    layer: ClassVar[Layer] = Layer.FEATURES
    kind: Literal["custom"] = "custom"
    function: ImportPath
    """Import path, ``package.module:name``; it is given the table, as the IO manager loads it."""
    options: Annotated[dict[str, JsonValue], Field(default_factory=dict)]
    """Keyword arguments for it."""
    worse: Literal["higher", "lower"] = "higher"
    """Which values are worse."""

    @property
    def imports(self) -> dict[str, str]:
        """The function."""
        return {"function": self.function}

    @property
    def direction(self) -> Direction:
        """As the guard says."""
        return "high" if self.worse == "higher" else "low"

    @property
    def limits(self) -> Limits:
        """A function that returns whether all is well has the limit 0, as it counts failures."""
        return Limits(default=0.0, percentage=True)

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        if limit is None:
            return f"{self.function} must find nothing wrong with {asset}"
        side = "at most" if self.worse == "higher" else "at least"
        return f"What {self.function} measures on {asset} must be {bound(limit, side)}"
