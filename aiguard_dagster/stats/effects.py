"""How far counts have moved, in standard deviations, and how far chance alone moves them.

Every effect here is squared and on one scale: a small shift of a normal column by 0.1 of its
standard deviation is an effect of about 0.1, whatever is looked at (Cohen, Statistical Power
Analysis for the Behavioral Sciences, 1988, calls 0.2 small). Beside each stands what sampling alone
makes of it, in closed form and exact for small counts, and with how many degrees of freedom.

Arrays are of shape ``(windows, …)``: many windows are measured at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
SHAPES = 3
"""Directions in which numbers are followed: level, width, skew."""
HALF = 0.5
LARGE = 400.0
"""From this expected count on the noise of a cell is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Effects of several tests on several windows.

    Attributes:
        squared: Squared effect, shape ``(windows, tests)``; NaN where a side has no rows.
        noise: What sampling alone makes of it on average, likewise.
        freedom: Degrees of freedom of that noise, likewise.
    """

    squared: Numbers
    noise: Numbers
    freedom: Numbers

    @property
    def corrected(self) -> Numbers:
        """Effects with the noise taken out; 0 where it explains them."""
        return np.sqrt(np.maximum(self.squared - self.noise, 0.0))


def side_by_side(found: Sequence[Effects]) -> Effects:
    """Several tests on the same windows as one."""
    return Effects(
        squared=np.column_stack([each.squared for each in found]),
        noise=np.column_stack([each.noise for each in found]),
        freedom=np.column_stack([each.freedom for each in found]),
    )


def bins_effect(current: Numbers, baseline: Numbers) -> Effects:
    """Whether rows are in other bins: the Hellinger distance, scaled.

    The square is ``4 Σ (√p - √q)²``, the Freeman-Tukey statistic over n (Freeman and Tukey,
    "Transformations related to the angular and the square root", Ann. Math. Stat. 21, 1950). It
    sees any move, spikes and gaps as well as shifts.

    Args:
        current: Counts, shape ``(windows, bins)``.
        baseline: Counts on the same bins.

    >>> found = bins_effect(np.array([[50.0, 50.0]]), np.array([[4_000.0, 6_000.0]]))
    >>> round(float(found.squared[0]) ** 0.5, 2), round(float(found.freedom[0]), 1)
    (0.2, 1.0)
    """
    n, m = current.sum(axis=1, keepdims=True), baseline.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = current / n, baseline / m
        ours, theirs = cell_noise(n * q), cell_noise(m * q)
        # The shares add up to one, which takes one degree of freedom of as many as there are cells.
        cells = (q > 0).sum(axis=1)
        free = np.maximum(cells - 1, 1) / np.maximum(cells, 1)
        return Effects(
            squared=4 * ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1),
            noise=free * (ours / n + theirs / m).sum(axis=1),
            freedom=np.maximum(free * ours.sum(axis=1) ** 2 / (ours**2).sum(axis=1), 1.0),
        )


def shape_effect(current: Numbers, baseline: Numbers, directions: Numbers) -> Effects:
    """Whether numbers moved up or down, spread or leaned: few directions, so small shifts are seen.

    Smooth components on mid-ranks (Neyman, "Smooth test for goodness of fit", Skandinavisk
    Aktuarietidskrift 20, 1937; Rayner and Best, Smooth Tests of Goodness of Fit, 1989).

    Args:
        current: Counts of ordered bins, shape ``(windows, bins)``.
        baseline: Counts on the same bins.
        directions: From :func:`shape_directions`, shape ``(directions, bins)``.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        n, m = current.sum(axis=1), baseline.sum(axis=1)
        moved = (current / n[:, None] - baseline / m[:, None]) @ directions.T
        noise = len(directions) * (1 / n + 1 / m)
    return Effects(
        squared=(moved**2).sum(axis=1),
        noise=noise,
        freedom=np.full(len(n), float(max(len(directions), 1))),
    )


def shape_directions(counts: Numbers, *, most: int = SHAPES) -> Numbers:
    """Polynomials of the baseline's mid-ranks, of mean 0 and variance 1 there, orthogonal.

    Args:
        counts: The baseline's counts of ordered bins, shape ``(bins,)``.
        most: How many to make; fewer where there are fewer bins with rows.

    Returns:
        Shape ``(directions, bins)``: how far along each direction a row of each bin lies.
    """
    shares = counts / counts.sum() if counts.sum() else counts
    ranks = np.cumsum(shares) - shares / 2 - 0.5
    found: list[Numbers] = [np.ones_like(shares)]
    for power in range(1, most + 1):
        direction = ranks**power
        for earlier in found:
            direction = direction - (shares * direction * earlier).sum() * earlier
        length = np.sqrt((shares * direction**2).sum())
        if length < 1e-9:  # noqa: PLR2004 - rounding
            break
        found.append(direction / length)
    return np.array(found[1:]).reshape(-1, len(shares))


def share_effect(current: Numbers, n: Numbers, baseline: Numbers, m: Numbers) -> Effects:
    """Whether a share of rows has changed: the difference of ``2 asin √p`` (Cohen 1988, chapter 6).

    On that scale none of ten expected is more striking than it is rare, so a share that fell is
    measured by the deviance over n, which is the same where changes are small (McCullagh and
    Nelder, Generalized Linear Models, 1989, section 4.4).

    Args:
        current: Rows that are so, shape ``(windows,)``.
        n: All rows.
        baseline: Rows of the baseline that are so.
        m: All rows of the baseline.

    >>> n, m = np.array([1000.0]), np.array([100_000.0])
    >>> found = share_effect(np.array([40.0]), n, np.array([1000.0]), m)
    >>> round(float(found.squared[0]) ** 0.5, 2)
    0.2
    """
    from scipy.special import xlogy

    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = current / n, baseline / m
        rise = (2 * (np.arcsin(np.sqrt(p)) - np.arcsin(np.sqrt(q)))) ** 2
        fall = 2 * (xlogy(p, p / q) + xlogy(1 - p, (1 - p) / (1 - q)))
        # Of what was never seen a first row or two must not be an alarm, so not less for few.
        noise = 1 / n + 1 / m
        # The rarer of having and lacking decides which of them fell.
        fell = np.where(q < HALF, p < q, (q > HALF) & (p > q))
    squared = np.where(fell, np.maximum(fall, 0.0), rise)
    return Effects(squared=squared, noise=noise, freedom=np.ones_like(squared))


def cell_noise(expected: Numbers) -> Numbers:
    """The mean of ``4 (√X - √μ)²`` for a Poisson count X of mean μ: 0 for μ = 0, 1 for a large one.

    Args:
        expected: Means, of any shape.
    """
    means, noise = _noise_table()
    return np.asarray(np.where(expected >= LARGE, 1.0, np.interp(expected, means, noise)))


@cache
def _noise_table() -> tuple[Numbers, Numbers]:
    from scipy.special import gammaln, xlogy  # scipy.stats takes a second to import.

    means = np.concatenate([[0.0], np.geomspace(1e-4, LARGE, 200)])
    counts = np.arange(800.0)
    chances = np.exp(xlogy(counts, means[:, None]) - gammaln(counts + 1) - means[:, None])
    gaps = (np.sqrt(counts)[None, :] - np.sqrt(means)[:, None]) ** 2
    return means, (4 * chances * gaps).sum(axis=1)


def score(squared: Numbers, variance: Numbers, freedom: Numbers) -> Numbers:
    """Squared effects as standard normal scores, whatever their degrees of freedom.

    The cube root of a chi-square variable over its degrees of freedom is almost normal (Wilson and
    Hilferty, "The distribution of chi-square", PNAS 17, 1931).

    >>> from scipy.stats import chi2, norm
    >>> x = chi2.isf(0.001, 3)
    >>> round(float(score(np.array(x / 3), np.array(1.0), np.array(3.0)) - norm.isf(0.001)), 2)
    -0.04
    """
    a = 2 / (9 * freedom)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (np.cbrt(squared / variance) - (1 - a)) / np.sqrt(a)


def unscore(scores: Numbers | float, variance: Numbers, freedom: Numbers) -> Numbers:
    """The squared effect that has this score; the inverse of :func:`score`."""
    a = 2 / (9 * freedom)
    return np.asarray(variance * np.maximum(1 - a + scores * np.sqrt(a), 0.0) ** 3)
