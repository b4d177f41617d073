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
