"""How fast an error budget is spent, over a long and a short window, and what is left of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec import ErrorBudgetLimit, TalliedSignal
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Measurement, Threshold, crosses
from aiguard_dagster.signals.window import WindowProfiles


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWindows:
    """What an error budget is seen over besides its long window.

    Attributes:
        short: The newest part of the long window.
        period: The batches of the budget's period, each with the champion of its time: a new
            version gets no new budget. Those that cannot be read are left out.
    """

    short: WindowProfiles
    period: Sequence[WindowProfiles]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOfBudget:
    """What one of the windows holds.

    Attributes:
        value: The share of its events, as the signal tells it; None where there are none.
        n: The events.
        coverage: Share, 0 to 1, of it that was there and could be measured.
        interval: The ends of the value's 95 % interval; None where it is not known.
    """

    value: float | None
    n: int
    coverage: float
    interval: tuple[float, float] | None = None


def burned(
    signal: TalliedSignal,
    limit: ErrorBudgetLimit,
    long: Measurement,
    short: SeenOfBudget,
    period: SeenOfBudget,
    *,
    near: timedelta,
) -> tuple[Measurement, Threshold]:
    """Hold both windows against the burn rate.

    The value is that of the window that is less bad, so that it crosses the limit if and only if
    both windows do. A long window that is not beyond the limit is enough for that; if it is, and
    the short one holds too little to say whether it goes on, there is no value.

    Args:
        signal: What is asked.
        limit: The rule's limit.
        long: What was measured over the signal's window.
        short: What its newest part holds; as many samples are needed as it is long.
        period: What the period holds.
        near: How long the short window is.
    """
    threshold = limit.threshold(signal.window, signal.direction)
    rates = _rates(signal, limit, long.value, short.value, near)
    told = f"{rates}; {_spent(signal, limit, period)}"
    threshold = replace(threshold, source=told)
    if long.value is None or not crosses(long.value, threshold):
        return long, threshold
    least = max(1, math.ceil(signal.min_samples * (near / signal.window)))
    if short.value is None or short.n < least or short.coverage < signal.min_coverage:
        there = f"{short.n:,} of {least:,} {signal.samples} needed"
        if short.n >= least:
            there = f"{percent(short.coverage)} of {percent(signal.min_coverage)} coverage needed"
        note = f"only {there} in the last {format_duration(near)}, to see whether it goes on"
        return replace(long, value=None, interval=None, note=f"{note} ({told})"), threshold
    better = max if signal.direction == "low" else min
    if better(long.value, short.value) == long.value:
        return long, threshold
    return replace(long, value=short.value, interval=short.interval), threshold


def _rates(
    signal: TalliedSignal,
    limit: ErrorBudgetLimit,
    long: float | None,
    short: float | None,
    near: timedelta,
) -> str:
    """Both burn rates, and their limit."""
    rates = [
        f"{_rate(signal, limit, value)} over {format_duration(length)}"
        for value, length in ((long, signal.window), (short, near))
    ]
    most = f"{limit.burn_rate_over(signal.window):.4g}"
    return f"burn rate {' and '.join(rates)}, limit {most}"


def _rate(signal: TalliedSignal, limit: ErrorBudgetLimit, value: float | None) -> str:
    return "unknown" if value is None else f"{limit.rate_of(value, signal.direction):.3g}"


def _spent(signal: TalliedSignal, limit: ErrorBudgetLimit, period: SeenOfBudget) -> str:
    """What was spent, taking all days to be alike; what is missing of the period spent nothing."""
    length = format_duration(limit.period)
    if period.value is None:
        return f"what is spent of the budget of {length} is not known"
    rate = limit.rate_of(period.value, signal.direction)
    there = f", of which {percent(period.coverage)} is there" if period.coverage < 1 else ""
    return f"{rate * period.coverage * 100:.3g}% of the budget of {length} spent{there}"
