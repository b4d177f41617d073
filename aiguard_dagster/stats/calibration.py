"""Limits by false-alarm budget: how far the baseline's own windows wander from the rest of it.

The null distribution comes from the baseline by windows in time order, so weekday rhythm and
autocorrelation are part of normal. A column's limit is a return level of a Gumbel distribution
fitted by moments to the distances of its own windows (Gumbel, Statistics of Extremes, 1958; Coles,
An Introduction to Statistical Modeling of Extreme Values, 2001, section 3.3). The budget is shared
among the columns evenly (Bonferroni), which holds however they depend on each other.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.distance import js_distance

MIN_WINDOWS = 3
"""Windows without overlap that the baseline must hold for its spread to mean anything."""
EFFECT_FLOOR = 0.1
"""Jensen-Shannon distance that no limit goes below: shifts this small are not worth a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLimits:
    """The calibrated limit of each column, as a Jensen-Shannon distance.

    Attributes:
        columns: Limit by column name.
        windows: Windows without overlap that the baseline held.
    """

    columns: Mapping[str, float]
    windows: int


def null_distances(daily: NDArray[np.float64], *, span: int) -> NDArray[np.float64]:
    """Distance of every window of the baseline from the rest of the baseline.

    Args:
        daily: Counts of one column, shape ``(days, bins)``, in time order.
        span: Days in a window.

    Returns:
        Shape ``(days - span + 1,)``; NaN where a window is empty.
    """
    total = daily.sum(axis=0)
    sums = np.vstack([np.zeros(daily.shape[1]), daily.cumsum(axis=0)])
    windows = sums[span:] - sums[:-span]
    return np.array([js_distance(window, total - window) for window in windows])


def calibrate(
    daily: Mapping[str, NDArray[np.float64]], *, span: int, windows_per_alarm: float
) -> DriftLimits:
    """The limit of each column, so that all together alarm once in ``windows_per_alarm`` windows.

    Args:
        daily: By column, counts of shape ``(days, bins)`` in time order; the same days for all.
        span: Days in a window.
        windows_per_alarm: Windows without overlap in the time of one false alarm; above 1.

    Raises:
        MeasurementError: The baseline is too short to say how far normal windows wander.

    >>> rng = np.random.default_rng(0)
    >>> days = rng.multinomial(200, [0.25] * 4, size=60).astype(float)
    >>> limits = calibrate({"x": days}, span=7, windows_per_alarm=13)
    >>> limits.columns["x"]
    0.1
    """
    days = min((counts.shape[0] for counts in daily.values()), default=0)
    held = days // span
    if held < MIN_WINDOWS:
        msg = (
            f"the baseline has {days} days, {held} windows of {span} days, and a false-alarm budget"
            f" needs at least {MIN_WINDOWS}\n\nHint: record the baseline on at least"
            f" {MIN_WINDOWS * span} days, shorten the window, or give an absolute limit."
        )
        raise MeasurementError(msg)
    share = windows_per_alarm * len(daily)
    columns = {
        name: float(np.clip(_limit(null_distances(counts, span=span), share), EFFECT_FLOOR, 1.0))
        for name, counts in daily.items()
    }
    return DriftLimits(columns=columns, windows=held)


def _limit(distances: NDArray[np.float64], period: float) -> float:
    """The return level of one column; the floor where no window held a value."""
    known = distances[np.isfinite(distances)]
    return gumbel_return_level(known, period) if known.size else 0.0


def gumbel_return_level(maxima: NDArray[np.float64], period: float) -> float:
    """The value that maxima exceed once in ``period`` draws, by a Gumbel fit of moments.

    >>> draws = np.random.default_rng(0).gumbel(size=100_000)
    >>> round(gumbel_return_level(draws, 100), 1)
    4.6
    """
    scale = float(np.std(maxima)) * math.sqrt(6) / math.pi
    location = float(np.mean(maxima)) - np.euler_gamma * scale
    return location - scale * math.log(-math.log1p(-1 / period))
