"""How far two sets of counts on one grid are apart, by the statistics that people know."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.stats.profile import ColumnProfile

Counts = NDArray[np.float64]
FEWEST_EXPECTED = 5.0
"""Cells of fewer expected rows are put together before chi-square is taken (Cochran 1954)."""
FAR = 4.0
"""Standard deviations, and rows, beyond what is expected that chance does not reach."""


def bins_with_missing(column: ColumnProfile) -> Counts:
    """The column's counts with its missing values as one more bin: they are a value too."""
    return np.array([*column.counts, column.missing], dtype=float)


def js_distance(current: Counts, baseline: Counts) -> float:
    """Jensen-Shannon distance to base 2, from 0 (the same shares) to 1 (nothing in common).

    Source: Lin, "Divergence measures based on the Shannon entropy", IEEE Trans. Inf. Theory 37
    (1991); the distance is the square root of the divergence (Endres and Schindelin 2003).

    Args:
        current: Counts, shape ``(bins,)``.
        baseline: Counts on the same bins.

    Returns:
        The distance; NaN where either side has no counts at all.

    >>> js_distance(np.array([10.0, 0.0]), np.array([0.0, 10.0]))
    1.0
    """
    from scipy.special import rel_entr

    if not current.sum() or not baseline.sum():
        return math.nan
    p, q = current / current.sum(), baseline / baseline.sum()
    middle = (p + q) / 2
    nats = float(rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2
    return math.sqrt(min(max(nats / math.log(2), 0.0), 1.0))


def population_stability_index(current: Counts, baseline: Counts) -> float:
    """PSI in nats: the sum of ``(p - q) ln(p / q)``, from 0 without an upper end.

    Half a row is added to each bin, so that an empty one does not make it infinite (Jeffreys).
    Source: Siddiqi, Credit Risk Scorecards (2006); Yurdakul and Naranjo, "Statistical properties of
    the population stability index", J. Risk Model Validation 14 (2020).

    Args:
        current: Counts, shape ``(bins,)``.
        baseline: Counts on the same bins.

    Returns:
        The index; NaN where either side has no counts at all.

    >>> round(population_stability_index(np.array([60.0, 40.0]), np.array([50.0, 50.0])), 3)
    0.04
    """
    if not current.sum() or not baseline.sum():
        return math.nan
    p, q = (current + 0.5) / (current + 0.5).sum(), (baseline + 0.5) / (baseline + 0.5).sum()
    return float(((p - q) * np.log(p / q)).sum())


def total_variation(current: Counts, baseline: Counts) -> float:
    """The share of rows that would have to move to another bin: half the sum of differences.

    Args:
        current: Counts, shape ``(bins,)``.
        baseline: Counts on the same bins.

    Returns:
        The distance, 0 to 1; NaN where either side has no counts at all.

    >>> total_variation(np.array([3.0, 1.0]), np.array([1.0, 1.0]))
    0.25
    """
    if not current.sum() or not baseline.sum():
        return math.nan
    return float(np.abs(current / current.sum() - baseline / baseline.sum()).sum() / 2)


def kolmogorov_smirnov(current: Counts, baseline: Counts) -> float:
    """The largest difference of the two distribution functions, at the edges of the bins.

    It is at most the exact statistic, and below it by less than the largest share of one bin on
    either side. Source: Smirnov, "Table for estimating the goodness of fit of empirical
    distributions", Ann. Math. Stat. 19 (1948).

    Args:
        current: Counts of ordered bins, shape ``(bins,)``.
        baseline: Counts on the same bins.

    Returns:
        The statistic, 0 to 1; NaN where either side has no counts at all.

    >>> kolmogorov_smirnov(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0]))
    0.5
    """
    if not current.sum() or not baseline.sum():
        return math.nan
    gap = np.cumsum(current) / current.sum() - np.cumsum(baseline) / baseline.sum()
    return float(np.abs(gap).max())


def wasserstein(current: ColumnProfile, baseline: ColumnProfile, edges: tuple[float, ...]) -> float:
    """How far values have moved on average, in standard deviations of the baseline.

    Rows are taken to lie evenly in their bin, the outer bins to end at the extremes; it differs
    from the exact first Wasserstein distance by less than the mean width of the bins that rows lie
    in. Infinities are left out. Source: Vallender, "Calculation of the Wasserstein distance between
    probability distributions on the line", Theory Prob. Appl. 18 (1974).

    Args:
        current: A numeric column.
        baseline: The same column of the baseline.
        edges: Those of its grid.

    Returns:
        The distance, from 0 without an upper end; NaN where either side has no finite numbers, or
        the baseline is constant.

    >>> a = ColumnProfile(rows=2, counts=(2, 0), lowest=0, highest=1, mean=0.5, spread=0.5)
    >>> b = ColumnProfile(rows=2, counts=(0, 2), lowest=1, highest=2, mean=1.5, spread=0.5)
    >>> wasserstein(b, a, (1.0,))
    2.0
    """
    lows = [column.lowest for column in (current, baseline) if column.lowest is not None]
    highs = [column.highest for column in (current, baseline) if column.highest is not None]
    if len(lows) < 2 or len(highs) < 2 or not baseline.deviation:  # noqa: PLR2004 - both sides
        return math.nan
    inner = [edge for edge in edges if min(lows) < edge < max(highs)]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # A constant jumps at its value, so the height just below it is needed, too.
        points = np.unique([*lows, *np.nextafter(lows, -np.inf), *inner, *highs])
        points = points[np.isfinite(points)]
        gap = _below(current, edges, points) - _below(baseline, edges, points)
        # It is a line between points: where it changes its sign, two triangles are left of it.
        a, b, width = np.abs(gap[:-1]), np.abs(gap[1:]), np.diff(points)
        crosses = gap[:-1] * gap[1:] < 0
        area = np.where(crosses, (a * a + b * b) / (2 * (a + b)), (a + b) / 2)
        return float((area * width).sum() / baseline.deviation)


def _below(column: ColumnProfile, edges: tuple[float, ...], points: Counts) -> Counts:
    """The share of finite values at or below each point, in a straight line within a bin."""
    counts = np.array(column.counts, dtype=float)
    counts[0] -= column.minus_infinite
    counts[-1] -= column.plus_infinite
    below = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    low, high = column.lowest or 0.0, column.highest or 0.0
    # Rows in bins that end where the values begin all are at that value.
    start, stop = np.searchsorted(edges, low, side="right"), np.searchsorted(edges, high)
    known = [low, *edges[start:stop], high]
    found = np.interp(points, known, [*below[start : max(start, stop) + 1], 1.0], left=0.0)
    return np.where(points >= high, 1.0, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChiSquare:
    """Pearson's test of whether two sets of counts come from one distribution.

    Attributes:
        statistic: Chi-square.
        freedom: Its degrees of freedom: cells less one.
        p_value: The chance of as much, or more, if nothing changed.
        cramers_v: The effect, 0 to 1, as if both sides had as many rows, so that neither's number
            matters (Cramér 1946).
    """

    statistic: float
    freedom: int
    p_value: float
    cramers_v: float


def chi_square(current: Counts, baseline: Counts) -> ChiSquare | None:
    """Pearson's chi-square of two sets of counts, cells of few expected rows put together.

    Cells of fewer than five expected rows on either side are one cell, and if that is still too
    small, it is put to the smallest other (Cochran, "Some methods for strengthening the common
    chi-square tests", Biometrics 10, 1954). A cell stays where it holds more than chance could put
    there, such as a value of many rows that a far longer baseline never held.

    Args:
        current: Counts, shape ``(bins,)``.
        baseline: Counts on the same bins.

    Returns:
        The test; None where either side has no counts, or fewer than two cells are left.

    >>> found = chi_square(np.array([30.0, 70.0]), np.array([500.0, 500.0]))
    >>> round(found.statistic, 2), found.freedom, round(found.cramers_v, 3)
    (14.56, 1, 0.204)
    """
    from scipy.special import chdtrc

    n, m = current.sum(), baseline.sum()
    if not n or not m:
        return None
    table = np.vstack([current, baseline])
    table = table[:, table.sum(axis=0) > 0]
    table = table[:, np.argsort(table.sum(axis=0), kind="stable")]
    shorter = 0 if n <= m else 1
    while table.shape[1] > 1:
        expected = table.sum(axis=0) * min(n, m) / (n + m)
        by_chance = table[shorter] <= expected + FAR * (np.sqrt(expected) + 1)
        few = np.flatnonzero((expected < FEWEST_EXPECTED) & by_chance)
        if not few.size:
            break
        place = few[0]
        other = place + 1 if place + 1 < table.shape[1] else place - 1
        table[:, other] += table[:, place]
        table = np.delete(table, place, axis=1)
        table = table[:, np.argsort(table.sum(axis=0), kind="stable")]
    if table.shape[1] < 2:  # noqa: PLR2004 - nothing to compare
        return None
    p, q = table[0] / n, table[1] / m
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / (n + m)
    statistic = float(((table - expected) ** 2 / expected).sum())
    freedom = table.shape[1] - 1
    return ChiSquare(
        statistic=statistic,
        freedom=freedom,
        p_value=float(chdtrc(freedom, statistic)),
        cramers_v=math.sqrt(float(((p - q) ** 2 / (p + q)).sum()) / 2),
    )
