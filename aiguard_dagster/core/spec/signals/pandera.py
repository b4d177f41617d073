"""Pandera: does every row pass the user's schema?"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import IMPORT_PATTERN, DataSignal, Flag, Layer, Limits


class Pandera(DataSignal):
    """Failures of a pandera schema: values and columns that break it, counted."""

    layer: ClassVar[Layer] = Layer.FEATURES
    kind: Literal["pandera"] = "pandera"
    schema_: Annotated[str, Field(alias="schema", pattern=IMPORT_PATTERN)]
    """Import path of a DataFrameModel or DataFrameSchema, ``package.module:Name``."""
    show_values: Flag = False
    """Whether a few of the failing values are recorded; they are your users' data."""

    @property
    def imports(self) -> dict[str, str]:
        """The schema."""
        return {"schema": self.schema_}

    @property
    def limits(self) -> Limits:
        """None."""
        return Limits(refused="any failure is a breach")

    def sentence(self, asset: str, limit: Limit | None) -> str:  # noqa: ARG002
        """What must hold."""
        return f"Every row of {asset} must pass {self.schema_}"
