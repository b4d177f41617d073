"""How far two sets of counts on one grid are apart."""

import math

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.stats.profile import ColumnProfile


def bins_with_nulls(column: ColumnProfile) -> NDArray[np.float64]:
    """The column's counts with its nulls as one more bin: missing values are a value too."""
    return np.array([*column.counts, column.nulls], dtype=float)


def js_distance(current: NDArray[np.float64], baseline: NDArray[np.float64]) -> float:
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
    from scipy.spatial.distance import jensenshannon

    if not current.sum() or not baseline.sum():
        return math.nan
    return float(np.clip(np.nan_to_num(jensenshannon(current, baseline, base=2.0)), 0.0, 1.0))


def population_stability_index(
    current: NDArray[np.float64], baseline: NDArray[np.float64]
) -> float:
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


def total_variation(current: NDArray[np.float64], baseline: NDArray[np.float64]) -> float:
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


def kolmogorov_smirnov(current: NDArray[np.float64], baseline: NDArray[np.float64]) -> float:
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


def sampling_limit(current: ColumnProfile, baseline: ColumnProfile, period: float) -> float:
    """The distance that sampling alone exceeds once in ``period`` draws of these sizes.

    For small differences the Jensen-Shannon divergence in bits of two samples of one distribution
    is chi-square over ``8 ln 2``, scaled by ``1/n + 1/m`` (Lin 1991; Grosse et al., "Analysis of
    symbolic sequences using the Jensen-Shannon divergence", Phys. Rev. E 65, 2002).

    Args:
        current: The window's column.
        baseline: The baseline's column, on the same grid.
        period: Draws in which one may lie beyond; above 1.
    """
    from scipy.stats import chi2

    if not current.rows or not baseline.rows:
        return 1.0
    used = np.count_nonzero(bins_with_nulls(current) + bins_with_nulls(baseline))
    quantile = float(chi2.ppf(1 - 1 / period, max(int(used) - 1, 1)))
    scale = (1 / current.rows + 1 / baseline.rows) / (8 * math.log(2))
    return min(math.sqrt(quantile * scale), 1.0)
