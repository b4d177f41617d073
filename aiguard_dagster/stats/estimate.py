"""A performance metric before its labels arrive, with how sure that is."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.stats.isotonic import Curve
from aiguard_dagster.stats.scores import Scored, metric_of_scores

DRAWS = 400
LEVEL = 0.95
WIDE = 1.96
"""Standard deviations to each side that hold 95 % of a normal distribution."""
SURE = 3.0
"""Standard deviations beyond which a miss is none of chance."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """An estimate and its 95 % interval.

    Attributes:
        value: The metric that is expected.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float

    @property
    def variance(self) -> float:
        """As of a normal distribution with such an interval."""
        return ((self.high - self.low) / (2 * WIDE)) ** 2

    def widened(self, wander: float) -> "Estimate":
        """The same, less sure by a variance that is not in it yet."""
        if not wander:
            return self
        if not self.variance:
            half = WIDE * math.sqrt(wander)
            return replace(self, low=self.value - half, high=self.value + half)
        wider = math.sqrt(1 + wander / self.variance)
        return Estimate(
            value=self.value,
            low=self.value - wider * (self.value - self.low),
            high=self.value + wider * (self.high - self.value),
        )

    def holds(self, value: float) -> bool:
        """Whether a value lies in the interval."""
        return self.low <= value <= self.high

    def bears(self, value: float) -> bool:
        """Whether chance alone could make a value of it, which three standard deviations say."""
        far = SURE / WIDE
        low, high = self.value - self.low, self.high - self.value
        return self.value - far * low <= value <= self.value + far * high


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlabelled:
    """Rows whose label is not looked at, by bin of their score and by what was predicted.

    Attributes:
        place: Bins of the scores, shape ``(groups,)``.
        said: Whether the positive class was predicted, as 0 or 1.
        rows: Rows of each group.
        loss_if_positive: Sum of the loss that they would have if all were positive.
        loss_if_negative: Likewise if none were.
    """

    place: Numbers
    said: Numbers
    rows: Numbers
    loss_if_positive: Numbers
    loss_if_negative: Numbers


def estimate_from_scores(metric: str, rows: Unlabelled, curve: Curve) -> float | None:
    """What a metric will be, if scores come true as often as they did where the curve is from.

    The metric of the expected counts: confidence-based performance estimation (Kivimäki et al.,
    "Confidence-based estimators for predictive performance in model monitoring", arXiv 2407.08649,
    2024; the method is NannyML's CBPE).

    Returns:
        The estimate; None where there are no rows, or the metric is not defined on them.
    """
    value = float(metric_of_scores(metric, _come_out(rows, curve.at(rows.place) * rows.rows)))
    return value if math.isfinite(value) else None


def interval_from_scores(metric: str, rows: Unlabelled, curve: Curve) -> Estimate | None:
    """The same, with its interval.

    The curve is drawn as it might be given the rows it was learned from, and the labels as they
    might fall given the curve. A change in how scores come true is in neither, which is why
    estimates are checked by what was realised.
    """
    value = estimate_from_scores(metric, rows, curve)
    if value is None:
        return None
    rng = np.random.default_rng(0)
    whole = np.rint(rows.rows).astype(np.int64)
    drawn = rng.binomial(whole, curve.at(rows.place, curve.drawn(rng, DRAWS))).astype(float)
    found = metric_of_scores(metric, _come_out(replace(rows, rows=whole.astype(float)), drawn))
    if not np.isfinite(found).any():
        return None  # So few rows, or so rare a class, that chance alone leaves nothing to measure.
    low, high = np.nanquantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))


def _come_out(rows: Unlabelled, positive: Numbers) -> Scored:
    share = positive / np.maximum(rows.rows, 1.0)
    loss = share * rows.loss_if_positive + (1 - share) * rows.loss_if_negative
    return Scored(
        place=rows.place,
        said=rows.said,
        positive=positive,
        negative=rows.rows - positive,
        loss=loss,
    )


def estimate_from_errors(
    now: Numbers, rows: Numbers, sums: Numbers, squares: Numbers, *, root: bool, signless: bool
) -> Estimate | None:
    """What a mean error will be, if each bin of predictions errs as it did in the baseline.

    The interval allows for the new rows' errors being a sample, and for those of the baseline
    having been one.

    Args:
        now: Rows by bin whose errors are not known yet, shape ``(bins,)``.
        rows: Rows of the baseline in each.
        sums: Sum of their errors: absolute ones, squared ones, or what the metric is a mean of.
        squares: Sum of the squares of the same.
        root: Whether the metric is the root of the mean.
        signless: Whether the sign of the mean is of no interest.

    >>> two, fifty = np.array([2.0, 1.0]), np.array([50.0, 50.0])
    >>> found = estimate_from_errors(
    ...     two * 100, fifty, fifty * two, fifty * two**2 + 50, root=False, signless=False
    ... )
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (1.67, 1.43, 1.9)
    """
    there = (now > 0) & (rows > 0)
    total = float(now[there].sum())
    if not total:
        return None
    mean = sums[there] / rows[there]
    spread = np.maximum(squares[there] / rows[there] - mean**2, 0.0)
    value = float((now[there] * mean).sum() / total)
    new = (now[there] * spread).sum() / total**2
    learned = ((now[there] / total) ** 2 * spread / rows[there]).sum()
    half = WIDE * math.sqrt(float(new + learned))
    low, high = value - half, value + half
    if signless:
        ends = abs(low), abs(high)
        low, high, value = (0.0 if low < 0 < high else min(ends)), max(ends), abs(value)
    if root:
        low, high, value = (math.sqrt(max(each, 0.0)) for each in (low, high, value))
    return Estimate(value=value, low=low, high=high)
