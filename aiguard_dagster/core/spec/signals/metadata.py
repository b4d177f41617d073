"""Metadata: is the asset described, and does the description hold?"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import DataSignal, Layer, Limits
from aiguard_dagster.core.spoken import joined

Described = Literal["owner", "description", "tags", "columns", "column_descriptions", "lineage"]
EVERYTHING: tuple[Described, ...] = (
    "owner",
    "description",
    "tags",
    "columns",
    "column_descriptions",
    "lineage",
)


class Metadata(DataSignal):
    """What the asset's definition leaves out, and columns that it declares wrongly, counted."""

    layer: ClassVar[Layer] = Layer.METADATA
    kind: Literal["metadata"] = "metadata"
    require: Annotated[tuple[Described, ...], Field(min_length=1)] = ("owner", "description")
    """What the asset's definition must have. ``columns``: a column schema, that the rows fulfil.
    ``lineage``: assets that it is made from."""
    tags: tuple[str, ...] = ()
    """Tags that must be set."""

    @property
    def limits(self) -> Limits:
        """None."""
        return Limits(refused="anything missing is a breach")

    @property
    def reads_rows(self) -> bool:
        """Only to compare the declared columns with them."""
        return "columns" in self.require

    def sentence(self, asset: str, limit: Limit | None) -> str:  # noqa: ARG002
        """What must hold."""
        named = [part.replace("_", " ") for part in self.require]
        tags = f" and the tags {joined(self.tags)}" if self.tags else ""
        return f"The definition of {asset} must have {joined(named)}{tags}"
