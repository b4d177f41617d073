"""What a signal measured, and what the limit says of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf
from typing import Any, Literal, assert_never

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.words import figure

Direction = Literal["high", "low"]
"""The bad direction of a signal: ``high`` when larger values are worse."""
Unit = Literal["number", "seconds", "share"]
"""How a value is written for a reader; shares run from 0 to 1."""


class Verdict(StrEnum):
    """``ok``, ``breach``, ``inconclusive`` (too little data), ``error`` (could not measure)."""

    OK = "ok"
    BREACH = "breach"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open span of event time, ``[start, end)``, both aware and in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Shares of rows by bin, in the baseline and now.

    Attributes:
        labels: What each bin holds.
        before: Shares of the baseline, 0 to 1.
        now: Shares of the window.
    """

    labels: tuple[str, ...]
    before: tuple[float, ...]
    now: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One column (or other piece) that explains a measurement, worst first in its list."""

    name: str
    value: float
    text: str
    chart: Chart | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One value of one signal.

    Attributes:
        value: In the signal's own unit; None where nothing could be measured.
        n: Rows (or labelled rows, or predictions) that the value rests on.
        window: The span of event time it speaks of.
        as_of: The event time it speaks for.
        coverage: Share, 0 to 1, of what should have been measured that was.
        parts: The few columns that explain the value, worst first.
        note: Why there is no value, or anything a reader must know; empty if nothing.
        facts: JSON values that later evaluations of the same rule compare with; never rows.
        interval: The ends of the value's 95 % interval; None where it is not known.
    """

    value: float | None
    n: int
    window: Window
    as_of: datetime
    coverage: float = 1.0
    parts: tuple[Part, ...] = ()
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    interval: tuple[float, float] | None = None


MANY = 10
"""From so many hundred per cent on a share is told as a multiple."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A limit made concrete.

    Attributes:
        value: What a measurement must not cross.
        direction: Which side of it is bad.
        source: Where it is from; empty for a value that stands in the guard.
        unit: How to write values for a reader.
    """

    value: float
    direction: Direction
    source: str = ""
    unit: Unit = "number"

    def show(self, value: float) -> str:
        """A value in this limit's unit, as a reader wants it.

        >>> Threshold(value=7200, direction="high", unit="seconds").show(86_400)
        '1d'
        """
        match self.unit:
            case "number":
                return figure(value)
            case _ if value == inf:
                return "never"
            case "seconds":
                return format_duration(timedelta(seconds=round(value)))
            case "share" if value >= MANY:
                return f"{value:.3g} times"
            case "share":
                return f"{value * 100:.3g}%"
            case _:
                assert_never(self.unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The verdict of one rule for one event time.

    Attributes:
        rule: The rule's name.
        verdict: What the limit says of the measurement.
        measurement: What was measured.
        threshold: The limit in force; None when there was none to be had.
        subject: The champion's version that was judged; None for rules on the data alone.
        in_force_since: When it became champion; None where that is not known.
        reason: One sentence for a reader.
        fingerprint: Names the inputs; the same inputs give the same fingerprint.
        series: Which part of the table, where partitions are not only spans of time.
    """

    rule: str
    verdict: Verdict
    measurement: Measurement
    threshold: Threshold | None
    subject: str | None
    reason: str
    in_force_since: datetime | None = None
    fingerprint: str = ""
    series: str = ""


def crosses(value: float, threshold: Threshold) -> bool:
    """Whether the value lies beyond the limit; a value on the limit does not."""
    match threshold.direction:
        case "high":
            return value > threshold.value
        case "low":
            return value < threshold.value
        case _:
            assert_never(threshold.direction)


def judge(
    measurement: Measurement,
    threshold: Threshold,
    *,
    min_samples: int = 1,
    min_coverage: float = 0.0,
) -> tuple[Verdict, str]:
    """Compare a measurement with its limit.

    Too few samples, too little coverage, no value and no limit are ``inconclusive``, never ``ok``.

    Returns:
        The verdict and one sentence that says why.
    """
    if measurement.n < min_samples:
        return Verdict.INCONCLUSIVE, f"only {measurement.n} of {min_samples} samples needed"
    if measurement.coverage < min_coverage:
        share = f"{measurement.coverage:.0%} of {min_coverage:.0%} coverage needed"
        return Verdict.INCONCLUSIVE, f"only {share}"
    if measurement.value is None or measurement.value != measurement.value:
        return Verdict.INCONCLUSIVE, measurement.note or "no data"
    if threshold.value != threshold.value:
        return Verdict.INCONCLUSIVE, "the limit is no number"
    breach = crosses(measurement.value, threshold)
    sign = {("high", True): ">", ("high", False): "≤", ("low", True): "<", ("low", False): "≥"}[
        threshold.direction, breach
    ]
    source = f"{threshold.source}, " if threshold.source else ""
    told = (
        f"{threshold.show(measurement.value)} {sign} {threshold.show(threshold.value)}"
        f" ({source}{_interval(measurement, threshold)}n={measurement.n:,})"
    )
    return (Verdict.BREACH if breach else Verdict.OK), told


def _interval(measurement: Measurement, threshold: Threshold) -> str:
    if measurement.interval is None:
        return ""
    low, high = (threshold.show(end) for end in measurement.interval)
    return f"95% interval {low} to {high}, "
