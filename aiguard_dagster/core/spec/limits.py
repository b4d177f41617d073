"""Limits: an absolute value, relative to the baseline, or a false-alarm budget."""

from typing import Annotated, assert_never

from pydantic import BeforeValidator, Field, model_validator

from aiguard_dagster.core.durations import PositiveDuration, Ratio, format_duration
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.verdicts import Direction, Threshold


class AbsoluteLimit(Spec):
    """The measurement must not cross this value."""

    value: Ratio


class BaselineLimit(Spec):
    """The measurement must not be worse than the baseline by more than this share of it."""

    above_baseline: Annotated[Ratio, Field(ge=0)] | None = None
    """For signals where larger is worse: ``50%`` allows 1.5 times the baseline."""
    below_baseline: Annotated[Ratio, Field(ge=0)] | None = None
    """For signals where smaller is worse: ``5%`` allows 0.95 times the baseline."""

    @model_validator(mode="after")
    def _one_side(self) -> "BaselineLimit":
        if (self.above_baseline is None) == (self.below_baseline is None):
            msg = "give one of above_baseline and below_baseline"
            raise ValueError(msg)
        return self


class FalseAlarmLimit(Spec):
    """The limit is calibrated on the baseline to this rate of false alarms."""

    false_alarm_every: PositiveDuration
    """One false alarm in this much time is expected, over all columns together."""


Limit = AbsoluteLimit | BaselineLimit | FalseAlarmLimit
CHOICES = "a number, a percentage, above_baseline, below_baseline, false_alarm_every"


def _read_limit(value: object) -> object:
    """Turn the short forms of YAML into one of the limit models."""
    if isinstance(value, AbsoluteLimit | BaselineLimit | FalseAlarmLimit):
        return value
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return AbsoluteLimit.model_validate({"value": value})
    if isinstance(value, dict):
        keys = set(value)
        if keys == {"value"}:
            return AbsoluteLimit.model_validate(value)
        if keys == {"false_alarm_every"}:
            return FalseAlarmLimit.model_validate(value)
        if keys and keys <= {"above_baseline", "below_baseline"}:
            return BaselineLimit.model_validate(value)
        msg = f"{', '.join(sorted(map(repr, keys))) or 'an empty mapping'} is no limit; choose {CHOICES}"
        raise ValueError(msg)
    msg = f"{value!r} is no limit; choose {CHOICES}"
    raise ValueError(msg)


LimitField = Annotated[Limit, BeforeValidator(_read_limit)]


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
        case _:
            assert_never(limit)


def resolve_limit(
    limit: AbsoluteLimit | BaselineLimit, *, direction: Direction, baseline: float | None
) -> Threshold | None:
    """The value that must not be crossed, or None when it needs a baseline value that is missing."""
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
                source=f"baseline {baseline:.4g} {share:+.0%}",
            )
        case _:
            assert_never(limit)
