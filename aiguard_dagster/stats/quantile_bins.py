"""Counts on the logarithmic grid of times, from quantiles that somebody else has computed."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from aiguard_dagster.stats.log_bins import NUDGE, PER_DECADE

RANKS = (0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 1.0)
"""Ranks that quantiles are asked for: closer together where limits are, and with both ends."""
SMALLEST = 1.0
"""Times are whole numbers: between 0 and the next quantile none is less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """Quantiles of so many values, with linear interpolation (Hyndman and Fan, 1996, type 7).

    Attributes:
        n: How many values there are.
        ranks: Rising, from 0 to 1.
        values: The quantile of each rank.
    """

    n: int
    ranks: tuple[float, ...]
    values: tuple[float, ...]

    def at_most(self, value: float) -> int:
        """How many values are this or less, to within the ranks on its two sides.

        >>> Quantiles(n=100, ranks=(0.0, 0.5, 1.0), values=(1, 10, 100)).at_most(10)
        50
        """
        place = bisect_right(self.values, value)
        if place in {0, len(self.values)}:
            return self.n if place else 0
        step = self.ranks[place] - self.ranks[place - 1]
        inside = _inside(self.values[place - 1], value, self.values[place])
        # Rank 0 is that of the first value, rank 1 that of the last.
        steps = (self.ranks[place - 1] + step * inside) * (self.n - 1)
        return min(self.n, 1 + math.floor(steps + NUDGE))


def bins_of(quantiles: Quantiles) -> dict[int, int]:
    """Values above 0 by bin, as :func:`~aiguard_dagster.stats.log_bins.quantile` reads them.

    Counts are whole and add up. The count below any bin's end is right to within the ranks on its
    two sides; between two quantiles the logarithms are taken to be spread evenly.

    >>> bins_of(Quantiles(n=4, ranks=(0.0, 0.5, 1.0), values=(1, 1, 10)))
    {0: 2, 14: 1, 40: 1}

    Args:
        quantiles: Of the values.
    """
    if not quantiles.n or quantiles.values[-1] <= 0:
        return {}
    least = next(value for value in quantiles.values if value > 0)
    first = _place(min(least, SMALLEST) if quantiles.values[0] <= 0 else least)
    last = _place(quantiles.values[-1])
    found: dict[int, int] = {}
    before = quantiles.at_most(0)
    for place in range(first, last + 1):
        # As in :func:`_place`, a round number belongs to the bin that it ends.
        end = 10 ** ((place + NUDGE) / PER_DECADE)
        until = quantiles.n if place == last else quantiles.at_most(end)
        if until > before:
            found[place] = until - before
        before = max(before, until)
    return found


def _inside(low: float, value: float, high: float) -> float:
    """How far a value lies from one quantile to the next, 0 to 1: by logarithms, above 0."""
    if low < 0:
        return (value - low) / (high - low)
    if value <= 0:
        return 0.0
    start = math.log(low if low > 0 else min(SMALLEST, high))
    length = math.log(high) - start
    return min(1.0, max(0.0, math.log(value) - start) / length) if length > 0 else 0.0


def _place(value: float) -> int:
    return math.ceil(math.log10(value) * PER_DECADE - NUDGE)


def quantiles_of(values: Sequence[float], ranks: Sequence[float] = RANKS) -> Quantiles:
    """The quantiles of values in hand, by the same rule as databases' ``PERCENTILE_CONT``.

    >>> quantiles_of([1, 2, 3, 4], [0, 0.5, 1]).values
    (1.0, 2.5, 4.0)
    """
    ordered = sorted(values)
    found = []
    for rank in ranks if ordered else ():
        place = rank * (len(ordered) - 1)
        below = min(int(place), len(ordered) - 1)
        above = min(below + 1, len(ordered) - 1)
        found.append(ordered[below] + (ordered[above] - ordered[below]) * (place - below))
    return Quantiles(
        n=len(ordered), ranks=tuple(ranks) if ordered else (), values=tuple(map(float, found))
    )
