"""The confidence policy: what a person must review before it is used, and within how long."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from aiguard_dagster.core.durations import PositiveDuration, Ratio
from aiguard_dagster.core.spec.base import Column, Spec
from aiguard_dagster.core.spoken import either, percent, spoken
from aiguard_dagster.core.words import with_hint

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Found = tuple[str, str, str]
"""Path below the policy, what is wrong, hint."""


def _in_order(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        what = f"no score is at least {ends[0]:g} and at most {ends[1]:g}"
        raise ValueError(with_hint(what, "write the smaller one first."))
    return ends


Confidence = Annotated[Ratio, Field(ge=0, le=1)]
Ends = Annotated[tuple[Confidence, Confidence], AfterValidator(_in_order)]


class Region(Spec):
    """Where the model is at home in one column; what is missing is not there."""

    min: Number | None = None
    """The smallest number."""
    max: Number | None = None
    """The largest number."""
    one_of: Annotated[tuple[bool | int | float | str, ...], Field(min_length=1)] | None = None
    """The values, of numbers, text, or true and false, as the column holds."""

    def spoken(self) -> str:
        """The region as one says it."""
        if self.one_of is not None:
            return either([str(value) for value in self.one_of])
        if self.min is None:
            return f"at most {self.max:g}"
        return f"at least {self.min:g}" if self.max is None else f"{self.min:g} to {self.max:g}"


class Review(Spec):
    """Which outputs a person must review: any of these makes it so."""

    score_below: Annotated[Ratio, Field(gt=0, le=1)] | None = None
    """For scores that are a confidence: those below it, such as ``70%``."""
    score_between: Ends | None = None
    """For scores that are the probability of a class: the unsure ones, such as ``[40%, 60%]``."""
    inside: Annotated[dict[Column, Region], Field(min_length=1)] | None = None
    """Where the model is at home, by column; outputs outside must be reviewed."""
    within: PositiveDuration = timedelta(days=1)
    """How long after the output the review may come."""

    @property
    def uses_score(self) -> bool:
        """Whether scores decide."""
        return self.score_below is not None or self.score_between is not None

    def problems(self) -> Iterator[Found]:
        """What nobody could follow."""
        if not self.uses_score and not self.inside:
            hint = "add score_below, score_between or inside."
            yield ("", "nothing says what must be reviewed", hint)
        for name, region in (self.inside or {}).items():
            where = f"inside.{name}"
            if region == Region():
                yield (where, "it holds everything", "give min, max or one_of.")
            if region.one_of is not None and (region.min is not None or region.max is not None):
                yield (where, "a region is a range or a list", "give one_of, or min and max.")
            if region.min is not None and region.max is not None and region.min > region.max:
                what = f"no value is at least {region.min:g} and at most {region.max:g}"
                yield (where, what, "swap min and max.")

    def sentence(self, asset: str) -> str:
        """What must be reviewed, and within how long."""
        cases = []
        if self.score_below is not None:
            cases.append(f"its score is below {percent(self.score_below)}")
        if self.score_between is not None:
            low, high = self.score_between
            cases.append(f"its score is from {percent(low)} to {percent(high)}")
        cases += [f"{name} is not {r.spoken()}" for name, r in (self.inside or {}).items()]
        within, when = spoken(self.within), either(cases)
        return f"An output in {asset} must be reviewed by a person within {within} when {when}"
