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
