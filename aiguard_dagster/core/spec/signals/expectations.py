"""Expectations: does the batch meet a Great Expectations suite?"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import DataSignal, Flag, Layer, Limits


class Expectations(DataSignal):
    """Expectations of a Great Expectations suite that are not met, counted."""

    layer: ClassVar[Layer] = Layer.FEATURES
    kind: Literal["expectations"] = "expectations"
    suite: (
        Annotated[str, Field(min_length=1)]
        | Annotated[tuple[dict[str, JsonValue], ...], Field(min_length=1)]
    )
    """A JSON file, the import path of an ExpectationSuite (``package.module:name``), or a list of
    expectations: ``{type: expect_column_values_to_not_be_null, kwargs: {column: id}}``."""
    show_values: Flag = False
    """Whether a few of the unexpected values are recorded; they are your users' data."""

    @property
    def limits(self) -> Limits:
        """None."""
        return Limits(refused="any expectation that is not met is a breach")

    def sentence(self, asset: str, limit: Limit | None) -> str:  # noqa: ARG002
        """What must hold."""
        if isinstance(self.suite, str):
            return f"{asset} must meet the expectations of {self.suite}"
        count = len(self.suite)
        return f"{asset} must meet {count} expectation{'' if count == 1 else 's'}"
