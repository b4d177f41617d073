"""Durations and ratios as people write them: ``30m``, ``3d``, ``50%``."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
DURATION_PATTERN = r"^\s*(\d+(?:\.\d+)?)\s*([smhdw])\s*$"
RATIO_PATTERN = r"^\s*(\d+(?:\.\d+)?)\s*%\s*$"


def parse_duration(value: object) -> timedelta:
    """Read a duration.

    Args:
        value: A number and one unit (``s``, ``m``, ``h``, ``d``, ``w``) as text, or a timedelta.

    Raises:
        ValueError: The text is no duration, or the duration is negative.

    >>> parse_duration("36h")
    datetime.timedelta(days=1, seconds=43200)
    """
    if isinstance(value, timedelta):
        if value < timedelta(0):
            msg = f"{format_duration(value)} is negative"
            raise ValueError(msg)
        return value
    if isinstance(value, str):
        if value.strip().startswith("-"):
            msg = f"{value!r} is negative; a duration runs forward"
            raise ValueError(msg)
        if match := re.match(DURATION_PATTERN, value):
            number, unit = match.groups()
            try:
                return timedelta(seconds=float(number) * UNITS[unit])
            except OverflowError:
                msg = f"{value!r} is longer than any calendar"
                raise ValueError(msg) from None
    msg = f"{value!r} is no duration; write a number and one of s, m, h, d, w, such as 30m or 3d"
    raise ValueError(msg)


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
    return f"{seconds:g}s"


def parse_ratio(value: object) -> float:
    """Read a ratio: ``50%`` is 0.5, and a plain number stands for itself.

    >>> parse_ratio("50%")
    0.5
    """
    if isinstance(value, str) and (match := re.match(RATIO_PATTERN, value)):
        return float(match.group(1)) / 100
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    msg = f"{value!r} is no number and no percentage, such as 0.95 or 50%"
    raise ValueError(msg)


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["30m", "3d"]}),
]


def _not_zero(value: timedelta) -> timedelta:
    if not value:
        msg = "must be longer than zero"
        raise ValueError(msg)
    return value


PositiveDuration = Annotated[Duration, AfterValidator(_not_zero)]
Ratio = Annotated[
    float,
    BeforeValidator(parse_ratio),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number"}, {"type": "string", "pattern": RATIO_PATTERN}],
            "examples": [0.5, "50%"],
        }
    ),
]
