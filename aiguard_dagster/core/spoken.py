"""Limits, durations and lists as one says them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec.error_budget import ErrorBudgetLimit
from aiguard_dagster.core.spec.limits import (
    AbsoluteLimit,
    BaselineLimit,
    FalseAlarmLimit,
    Limit,
    describe_limit,
)

UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}


def spoken(duration: timedelta) -> str:
    """A duration as one says it.

    >>> spoken(timedelta(hours=2))
    '2 hours'
    """
    text = format_duration(duration)
    number, unit = text[:-1], UNITS[text[-1]]
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def span(duration: timedelta) -> str:
    """A duration after "the last" or "every".

    >>> span(timedelta(days=1))
    'day'
    """
    return spoken(duration).removeprefix("1 ")


def joined(words: Sequence[str] | None) -> str:
    """A list as one says it.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    said = list(words or ())
    return " and ".join(filter(None, (", ".join(said[:-1]), *said[-1:])))


def either(words: Sequence[str]) -> str:
    """A list of which any will do.

    >>> either(["a", "b", "c"])
    'a, b or c'
    """
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def percent(share: float) -> str:
    """A share of 1 as a percentage.

    >>> percent(0.995)
    '99.5%'
    """
    return f"{share * 100:.4g}%"


def bound(limit: Limit | None, side: str, *, share: bool = False) -> str:
    """A limit after the words "must be".

    Args:
        limit: The limit.
        side: Which side of it is right, such as "at most".
        share: Whether an absolute value is a share of 1.
    """
    match limit:
        case None:
            return "within its limit"
        case AbsoluteLimit() if share:
            return f"{side} {percent(limit.value)}"
        case AbsoluteLimit():
            return f"{side} {describe_limit(limit)}"
        case BaselineLimit():
            return f"at most {describe_limit(limit)}"
        case FalseAlarmLimit():
            every = spoken(limit.false_alarm_every)
            return f"within limits calibrated to one false alarm in {every}"
        case ErrorBudgetLimit():
            return f"within an error budget of {percent(limit.allowed)} in {spoken(limit.period)}"
        case _:
            assert_never(limit)


def tolerated(limit: Limit | None, thing: str) -> str:
    """What may be wrong, where nothing may be wrong unless a limit says so.

    >>> tolerated(None, "rows")
    ''
    >>> tolerated(AbsoluteLimit(value=0.01), "rows")
    '; up to 1% of the rows may'
    """
    if not isinstance(limit, AbsoluteLimit) or not limit.value:
        return ""
    return f"; up to {percent(limit.value)} of the {thing} may"
