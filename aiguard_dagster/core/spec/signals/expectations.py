"""Expectations: does the batch meet a Great Expectations suite?"""

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, field_validator

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import (
    IMPORT_PATTERN,
    DataSignal,
    Flag,
    Found,
    Layer,
    Limits,
)
from aiguard_dagster.core.words import with_hint

HINT = "give suites/hourly.json, package:suites/hourly.json, package.module:name or a list."


class Expectations(DataSignal):
    """Expectations of a Great Expectations suite that are not met, counted."""

    layer: ClassVar[Layer] = Layer.FEATURES
    kind: Literal["expectations"] = "expectations"
    suite: (
        Annotated[str, Field(min_length=1)]
        | Annotated[tuple[dict[str, JsonValue], ...], Field(min_length=1)]
    )
    """A JSON file below the working directory, or in a package (``package:folder/suite.json``); the
    import path of an ExpectationSuite (``package.module:name``); or a list of expectations:
    ``{type: expect_column_values_to_not_be_null, kwargs: {column: id}}``."""
    show_values: Flag = False
    """Whether a few of the unexpected values are recorded; they are your users' data."""

    @field_validator("suite", mode="before")
    @classmethod
    def _of_one_form(cls, suite: object) -> object:
        """Tell what is of no form before both are tried, and both fail."""
        match suite:
            case "" | [] | ():
                raise ValueError(with_hint("is empty", HINT))
            case str():
                return suite
            case [*items] if all(isinstance(each, dict) for each in items):
                return suite
            case _:
                raise ValueError(with_hint("is neither a file nor a list of expectations", HINT))

    @property
    def imports(self) -> dict[str, str]:
        """The suite, or the package that has it."""
        is_path = isinstance(self.suite, str) and ":" in self.suite
        return {"suite": str(self.suite)} if is_path else {}

    @property
    def limits(self) -> Limits:
        """None."""
        return Limits(refused="any expectation that is not met is a breach")

    def problems(self) -> Iterator[Found]:
        """What is neither a file nor an import path, and expectations without a type."""
        if isinstance(self.suite, str):
            if not self.suite.endswith(".json") and not re.match(IMPORT_PATTERN, self.suite):
                what = f"{self.suite!r} is neither a JSON file nor an import path"
                yield ("suite", what, HINT)
            return
        for number, expectation in enumerate(self.suite):
            if isinstance(expectation.get("type"), str):
                continue
            old = "expectation_type" in expectation
            hint = "write type:, as GX 1 does." if old else "add type: and its name."
            yield (f"suite[{number}]", "the expectation has no type", hint)

    def sentence(self, asset: str, limit: Limit | None) -> str:  # noqa: ARG002
        """What must hold."""
        if isinstance(self.suite, str):
            return f"{asset} must meet the expectations of {self.suite}"
        count = len(self.suite)
        return f"{asset} must meet {count} expectation{'' if count == 1 else 's'}"
