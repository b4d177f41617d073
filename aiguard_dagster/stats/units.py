"""Has a column changed its unit? Medians that are a power of ten away from what they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from aiguard_dagster.stats.grid import NumericGrid
from aiguard_dagster.stats.profile import ColumnProfile

MOST_POWERS = 9
"""From a billionth to a billion."""
NEAR = 0.03
"""A median may lie so far, as a share of it, from where it is looked for."""
WIDEST = 5.0
"""So far apart, as a factor, may the ends of a span be in which a jump is looked for."""
FEWEST_VALUES = 10
"""A median of fewer says nothing of units."""
FEWEST_DAYS = 7
"""Of fewer days one cannot tell what is usual."""

Span = tuple[float, float]
"""Both ends belong to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Medians:
    """Where a column's medians were when all was well.

    Attributes:
        usual: All but the strangest 2 % of the days' medians.
        day: The middle 90 % of the days' medians.
        whole: The median of all days together.
        day_values: Half as many values as a day has; batches of fewer are not held against days.
    """

    usual: Span
    day: Span
    whole: Span
    day_values: float


def full_days(days: Sequence[ColumnProfile]) -> tuple[list[ColumnProfile], float]:
    """The days with at least half as many values as the median day, and at least 2; that half."""
    values = [day.rows - day.missing for day in days]
    half = max(2.0, float(np.median(values)) / 2) if values else 2.0
    return [day for day, number in zip(days, values, strict=True) if number >= half], half


def medians_of(
    days: Sequence[ColumnProfile], total: ColumnProfile, grid: NumericGrid
) -> Medians | None:
    """What the counts of many days tell of their medians; None where there are none.

    Args:
        days: A numeric column, counted day by day.
        total: The sum of the days.
        grid: The grid that they are counted on.
    """
    whole = median_span(total, grid)
    if whole is None:
        return None
    full, half = full_days(days)
    spans = [span for day in full if (span := median_span(day, grid)) is not None]
    if len(spans) < FEWEST_DAYS:
        return Medians(usual=whole, day=whole, whole=whole, day_values=half)
    lows, highs = np.array(spans).T
    usual = (float(np.quantile(lows, 0.01)), float(np.quantile(highs, 0.99)))
    day = (float(np.quantile(lows, 0.05)), float(np.quantile(highs, 0.95)))
    return Medians(usual=usual, day=day, whole=whole, day_values=half)


def jump(median: float, values: int, medians: Medians) -> int:
    """The power of ten by which a batch's median is too large; 0 when none explains it.

    A batch as large as a day may be as unusual as a day; a smaller one must hit the median of all
    days.
    """
    if values < FEWEST_VALUES:
        return 0
    near = medians.day if values >= medians.day_values else medians.whole
    return power_of_ten(median, usual=medians.usual, near=near)


def median_span(column: ColumnProfile, grid: NumericGrid) -> Span | None:
    """Where the median of a counted column lies: the ends of its bin, or of its two bins.

    None where there is no finite value, or where infinities are so many that they could be it.

    >>> column = ColumnProfile(rows=4, counts=(1, 3), lowest=1, highest=4)
    >>> median_span(column, NumericGrid((2.0,)))
    (2.0, 4)
    """
    known = column.rows - column.missing
    if column.lowest is None or column.highest is None or 2 * column.infinite >= known:
        return None
    below = list(accumulate(column.counts))
    lower, upper = _bin_of((known - 1) // 2, below), _bin_of(known // 2, below)
    low = max(column.lowest, grid.edges[lower - 1]) if lower else column.lowest
    high = min(column.highest, grid.edges[upper]) if upper < len(grid.edges) else column.highest
    return low, high


def _bin_of(rank: int, below: Sequence[int]) -> int:
    return next(position for position, rows in enumerate(below) if rows > rank)


def power_of_ten(median: float, *, usual: Span, near: Span) -> int:
    """The power of ten by which a median is too large; 0 when none explains it.

    A median within ``usual`` has not jumped. One outside has jumped by 10^k when, divided by it, it
    would lie within ``near``; both spans are taken 3 % wider, and the smallest k that does counts.
    Nothing is said where ``near`` has zero in it or its ends are more than a factor of 5 apart:
    there a jump cannot be told from an unusual day.

    Args:
        median: Of the batch.
        usual: The medians that were seen when all was well.
        near: Where the median is looked for after the division.

    >>> power_of_ten(21_300.0, usual=(15.0, 30.0), near=(18.0, 25.0))
    3
    >>> power_of_ten(60.0, usual=(15.0, 30.0), near=(18.0, 25.0))
    0
    """
    if median < 0:
        median, usual, near = -median, _mirrored(usual), _mirrored(near)
    if not 0 < near[0] <= near[1] <= WIDEST * near[0] or _within(median, usual):
        return 0
    powers = sorted(range(-MOST_POWERS, MOST_POWERS + 1), key=abs)
    return next((k for k in powers if k and _within(median / 10.0**k, near)), 0)


def _mirrored(span: Span) -> Span:
    return -span[1], -span[0]


def _within(median: float, span: Span) -> bool:
    low, high = (abs(end) * NEAR for end in span)
    return span[0] - low <= median <= span[1] + high
