"""How far out rows lie, of several columns together: their distance from the baseline's middle."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.stats.grid import Grid, JointGrid

PER_DECADE = 40
"""Bins in a factor of ten of a squared distance: a bin is 5.9 % wide."""
RIDGE = 0.01
"""Variance added to each column, as a share of its own: columns that say the same are not told
apart by their rounding."""
Numbers = NDArray[np.float64]


def with_moments(grid: Grid, products: Sequence[float], rows: int) -> Grid:
    """The grid, with means and covariances of its joint columns in the baseline.

    Args:
        grid: The grid that the products were counted on.
        products: Of the whole baseline, as a profile holds them.
        rows: Rows of the baseline.
    """
    joint = grid.joint
    if joint is None or not joint.columns or not rows:
        return grid
    width = len(joint.columns)
    sums = np.array(products[-width:]) / rows
    squares = np.array(products[:-width]) / rows
    covariances = squares - (sums[:, None] * sums[None, :])[np.tril_indices(width)]
    told = replace(joint, means=tuple(sums.tolist()), covariances=tuple(covariances.tolist()))
    return Grid(grid.columns, told)


def weights_of(joint: JointGrid, names: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Means of some columns, and the inverse of their covariances, for a squared distance.

    The distance of a row ``z`` is ``(z - m)' W (z - m)`` (Mahalanobis, "On the generalised distance
    in statistics", 1936), with a little variance added to each column.

    Returns:
        ``m``, shape ``(columns,)``, and ``W``, shape ``(columns, columns)``.
    """
    if not names:
        return np.zeros(0), np.zeros((0, 0))
    width = len(joint.columns)
    whole = np.zeros((width, width))
    whole[np.tril_indices(width)] = joint.covariances
    whole = whole + np.tril(whole, -1).T
    at = [joint.columns.index(name) for name in names]
    part = whole[np.ix_(at, at)]
    spread = np.diag(np.maximum(np.diag(part), 1e-6))
    weights = np.linalg.inv(part + RIDGE * spread)
    return np.array(joint.means)[at], np.asarray((weights + weights.T) / 2)


def edge_of(distances: Mapping[int, float], support: float) -> int | None:
    """The bin of distances within which so large a share of the baseline lies; None of no rows.

    >>> edge_of({1: 500, 2: 499, 9: 1}, 0.999)
    2
    """
    total, below = sum(distances.values()), 0.0
    for place in sorted(distances):
        below += distances[place]
        if below >= support * total > 0:
            return place
    return None
