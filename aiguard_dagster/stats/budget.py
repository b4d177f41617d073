"""A limit by false-alarm budget for one number, from the numbers of the baseline's own windows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.stats.calibration import WINDOWS_APART, tail_quantile

FEWEST_WINDOWS = 3
"""Windows without overlap that a baseline must hold, to say anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit, and what it rests on.

    Attributes:
        limit: The value that windows go beyond once in the time asked for.
        days: Days of baseline.
        supported: The budget, in days of one false alarm, that they can speak for.
    """

    limit: float
    days: int
    supported: int


def budget_limit(values: Sequence[float], *, span: int, every: float, high: bool) -> Budget:
    """The limit that windows of so many days cross once in so many days, if nothing changes.

    By the largest of the baseline's own windows over stretches as long as one, so that an alarm is
    an episode, with an exponential tail beyond what was seen; and not less than a normal value of
    the windows' own spread would need (Hahn, "Factors for calculating two-sided prediction
    intervals", JASA 64, 1969) where the budget is more than the baseline supports.

    Args:
        values: Of the baseline's windows, one a day, in time order.
        span: Days in a window.
        every: Days of one false alarm.
        high: Whether large values are bad.

    Raises:
        MeasurementError: The baseline is too short.

    >>> wave = [10 + math.sin(day) for day in range(365)]
    >>> found = budget_limit(wave, span=1, every=90, high=True)
    >>> 10.9 < found.limit < 11.3, found.supported
    (True, 365)
    """
    known = np.array([value for value in values if math.isfinite(value)])
    days = len(values) + span - 1
    if len(known) < FEWEST_WINDOWS * span:
        what = f"the baseline has {days} days, too few to tell what is usual for windows of {span}"
        raise MeasurementError(
            with_hint(what, "record more of them, or give a value as the limit.")
        )
    signed = known if high else -known
    views = np.lib.stride_tricks.sliding_window_view(signed, min(span, len(signed)))
    chance = min(span / every, 1.0)
    limit = tail_quantile(np.sort(views.max(axis=1)), chance, span=span)
    apart = len(known) / span
    supported = int(days * min(1.0, apart / WINDOWS_APART))
    if every > supported:
        from scipy.special import stdtrit

        reach = float(stdtrit(max(apart - 1, 1.0), 1 - chance / span))
        limit = max(limit, float(signed.mean() + reach * signed.std() * math.sqrt(1 + 1 / apart)))
    return Budget(limit=limit if high else -limit, days=days, supported=supported)
