"""Limits: an absolute value, relative to the baseline, a false-alarm or an error budget."""

from typing import Annotated, assert_never

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from aiguard_dagster.core.durations import RATIO_PATTERN, PositiveDuration, Ratio, format_duration
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.spec.error_budget import ErrorBudgetLimit
from aiguard_dagster.core.verdicts import Direction, Threshold
from aiguard_dagster.core.words import figure, with_hint


class AbsoluteLimit(Spec):
    """The measurement must not cross this value."""

    value: Ratio

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: object) -> object:
        """A number or a percentage stands for itself."""
        return {"value": value} if isinstance(value, str | int | float) else value


class BaselineLimit(Spec):
    """The measurement must not be worse than the baseline by more than this share of it."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    above_baseline: Annotated[Ratio, Field(ge=0)] | None = None
    """For signals where larger is worse: ``50%`` allows 1.5 times the baseline."""
    below_baseline: Annotated[Ratio, Field(ge=0)] | None = None
    """For signals where smaller is worse: ``5%`` allows 0.95 times the baseline."""

    @model_validator(mode="after")
    def _one_side(self) -> "BaselineLimit":
        if (self.above_baseline is None) == (self.below_baseline is None):
            what = "a limit has one side"
            hint = "give one of above_baseline and below_baseline."
            raise ValueError(with_hint(what, hint))
        return self


class FalseAlarmLimit(Spec):
    """The limit is calibrated on the baseline to this rate of false alarms."""

    false_alarm_every: PositiveDuration
    """One false alarm in this much time is expected, over all columns together."""


Limit = AbsoluteLimit | BaselineLimit | FalseAlarmLimit | ErrorBudgetLimit
CHOICES = (
    "a number, a percentage, above_baseline, below_baseline, false_alarm_every,"
    " objective and period"
)
_KEYS = {
    "value": "absolute",
    "above_baseline": "baseline",
    "below_baseline": "baseline",
    "false_alarm_every": "false_alarm",
    **dict.fromkeys(ErrorBudgetLimit.model_fields, "error_budget"),
}


def _form(value: object) -> str | None:
    """Which of the limit models a value is meant to be; None when it is none of them."""
    match value:
        case bool():
            return None
        case str() | int() | float() | AbsoluteLimit():
            return "absolute"
        case BaselineLimit():
            return "baseline"
        case FalseAlarmLimit():
            return "false_alarm"
        case ErrorBudgetLimit():
            return "error_budget"
        case dict():
            return next((form for key, form in _KEYS.items() if key in value), None)
        case _:
            return None


_RATIO_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": RATIO_PATTERN}]}
_ABSOLUTE_SCHEMA = {
    "description": "The measurement must not cross this value: 0.95, 95% or {value: 0.95}.",
    "anyOf": [
        *_RATIO_SCHEMA["anyOf"],
        {
            "type": "object",
            "properties": {"value": _RATIO_SCHEMA},
            "required": ["value"],
            "additionalProperties": False,
        },
    ],
}
LimitField = Annotated[
    Annotated[AbsoluteLimit, Tag("absolute"), WithJsonSchema(_ABSOLUTE_SCHEMA)]
    | Annotated[BaselineLimit, Tag("baseline")]
    | Annotated[FalseAlarmLimit, Tag("false_alarm")]
    | Annotated[ErrorBudgetLimit, Tag("error_budget")],
    Discriminator(_form),
]


def describe_limit(limit: Limit) -> str:
    """The limit in words.

    >>> describe_limit(BaselineLimit(above_baseline=0.5))
    '50% above the baseline'
    """
    match limit:
        case AbsoluteLimit():
            return f"{limit.value:g}"
        case BaselineLimit(above_baseline=float(share)):
            return f"{share * 100:.4g}% above the baseline"
        case BaselineLimit():
            return f"{(limit.below_baseline or 0.0) * 100:.4g}% below the baseline"
        case FalseAlarmLimit():
            return f"calibrated to one false alarm in {format_duration(limit.false_alarm_every)}"
        case ErrorBudgetLimit():
            allowed = f"{limit.allowed * 100:.4g}%"
            return f"an error budget of {allowed} in {format_duration(limit.period)}"
        case _:
            assert_never(limit)


def resolve_limit(
    limit: AbsoluteLimit | BaselineLimit, *, direction: Direction, baseline: float | None
) -> Threshold | None:
    """The value that must not be crossed; None when it needs a baseline value that is missing."""
    match limit:
        case AbsoluteLimit():
            return Threshold(value=limit.value, direction=direction)
        case BaselineLimit():
            if baseline is None:
                return None
            share = (
                limit.above_baseline
                if limit.above_baseline is not None
                else -(limit.below_baseline or 0.0)
            )
            return Threshold(
                value=baseline * (1 + share),
                direction=direction,
                source=f"baseline {figure(baseline)} {share * 100:+.4g}%",
            )
        case _:
            assert_never(limit)
