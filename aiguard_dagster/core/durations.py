"""Durations and ratios as people write them: ``30m``, ``3d``, ``50%``."""

import math
import re
from datetime import timedelta
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from aiguard_dagster.core.words import shown, with_hint

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
DURATION_PATTERN = r"^\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*$"
RATIO_PATTERN = r"^\s*(\d+(?:\.\d+)?)\s*%\s*$"
NUMBER_AND_WORD = r"^\d+(?:\.\d+)?\s*([^\W\d_]*)$"
LONGEST = timedelta(days=36_525)
"""A century: windows are counted back from today, and calendars end."""
UNIT_HINT = "write a number and one of s, m, h, d, w, such as 30m or 3d."


def parse_duration(value: object) -> timedelta:
    """Read a duration.

    Args:
        value: A number and one unit (``s``, ``m``, ``h``, ``d``, ``w``) as text, or a timedelta.

    Raises:
        ValueError: The text is no duration, or the duration is negative or over a century.

    >>> parse_duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    found = value if isinstance(value, timedelta) else _read_duration(value)
    if found < timedelta(0):
        raise ValueError(with_hint(f"{format_duration(found)} is negative", "leave the sign out."))
    if found > LONGEST:
        raise ValueError(with_hint(f"{shown(value)} is longer than a century", "shorten it."))
    return found


def _read_duration(value: object) -> timedelta:
    text = value if isinstance(value, str) else ""
    if match := re.match(DURATION_PATTERN, text):
        number, unit = match.groups()
        try:
            return timedelta(seconds=float(number) * UNITS[unit])
        except OverflowError:
            return timedelta.max
    if text.strip().startswith("-"):
        raise ValueError(with_hint(f"{shown(value)} is negative", "leave the sign out."))
    if match := re.match(NUMBER_AND_WORD, text.strip()):
        unit = match.group(1)
        what = f"{shown(unit)} is no unit of time" if unit else f"{shown(value)} has no unit"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        what = f"{shown(value)} has no unit"
    else:
        what = f"{shown(value)} is no duration"
    raise ValueError(with_hint(what, UNIT_HINT))


def format_duration(value: timedelta) -> str:
    """Write a duration with the largest unit that leaves a whole number.

    >>> format_duration(timedelta(days=3))
    '3d'
    >>> format_duration(timedelta(minutes=90))
    '90m'
    """
    seconds = value.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def parse_ratio(value: object) -> float:
    """Read a ratio: ``50%`` is 0.5, and a plain number stands for itself.

    >>> parse_ratio("50%")
    0.5
    """
    hint = "write a number or a percentage, such as 0.95 or 50%."
    if isinstance(value, str) and (match := re.match(RATIO_PATTERN, value)):
        found = float(match.group(1)) / 100
    elif isinstance(value, int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
    elif isinstance(value, str) and value.strip().startswith("-"):
        raise ValueError(with_hint(f"{shown(value)} is below 0%", hint))
    else:
        raise ValueError(with_hint(f"{shown(value)} is no number and no percentage", hint))
    if not math.isfinite(found):
        raise ValueError(with_hint("is not a finite number", hint))
    return found


class Percentage(float):
    """A ratio that was written with a percent sign; it equals the plain number."""


def _as_written(value: object, read: ValidatorFunctionWrapHandler) -> float:
    found: float = read(value)
    return Percentage(found) if isinstance(value, str | Percentage) else found


def _not_zero(value: timedelta) -> timedelta:
    if not value:
        raise ValueError(with_hint("must be longer than zero", UNIT_HINT))
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["30m", "3d"]}),
]
PositiveDuration = Annotated[Duration, AfterValidator(_not_zero)]
Ratio = Annotated[
    float,
    BeforeValidator(parse_ratio),
    WrapValidator(_as_written),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number"}, {"type": "string", "pattern": RATIO_PATTERN}],
            "examples": [0.5, "50%"],
        }
    ),
]
