"""What scores amount to against labels: metrics of scikit-learn's definition, from counts by bin.

Scores are counted in bins of their log odds, 1/32 wide, so that those near 0 and 1, which rare
classes have, are told apart as well as those in the middle. What is a mean over rows is exact; the
area under the ROC curve is known to a bound, for scores of one bin are not told apart.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PER_UNIT = 32
"""Bins in a unit of log odds: 0.50 and 0.51 lie in different ones."""
COARSE = 4
"""Bins in a unit where segments are told apart too, so that the groups stay few."""
LEAST = 1e-5
"""Scores nearer to 0 or 1 share the outermost bins."""
NUDGE = 1e-9
"""Engines' logarithms differ in the last digit; this keeps round numbers in the bin they end."""
SMALLEST = float(np.finfo(np.float64).eps)
"""A log loss takes scores to be this far from 0 and 1 at least, as scikit-learn's does."""
TENTHS = tuple(float(edge) for edge in np.linspace(0, 1, 11)[1:-1])
"""Edges of the ten bins of equal width in which a calibration error is told."""
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """Rows by bin of their score and by what was predicted; the last axis is the groups.

    Leading axes are other ways that the same rows might have come out.

    Attributes:
        place: Bins of the scores, ascending with them.
        said: Whether the positive class was predicted, as 0 or 1; NaN where that is not known.
        positive: Rows whose label is the positive class.
        negative: Rows whose label is another.
        loss: Sum of the loss that the metric is a mean of; zeros where it is of no mean.
    """

    place: Numbers
    said: Numbers
    positive: Numbers
    negative: Numbers
    loss: Numbers


def place_of(score: float, *, per_unit: int = PER_UNIT) -> int:
    """The bin of a score: ``(k - 1) / 32 < log(p / (1 - p)) <= k / 32`` for bin ``k``.

    >>> place_of(0.5), place_of(0.51), place_of(1.0)
    (0, 2, 369)
    """
    inside = min(max(score, LEAST), 1 - LEAST)
    return math.ceil(math.log(inside / (1 - inside)) * per_unit - NUDGE)


def metric_of_scores(metric: str, found: Scored) -> Numbers:
    """A metric, for each of the ways the rows might have come out; NaN where there is none.

    Precision, recall and F1 are macro means over the classes seen, as :mod:`outcomes` has them.

    Raises:
        ValueError: The metric is not known.
    """
    positive, negative = found.positive.sum(axis=-1), found.negative.sum(axis=-1)
    match metric:
        case "auc":
            return area(found)[0]
        case "log_loss" | "brier":
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray(found.loss.sum(axis=-1) / (positive + negative))
        case "accuracy" | "precision" | "recall" | "f1":
            return _class_metric(metric, found)
        case _:
            msg = f"unknown metric {metric!r}"
            raise ValueError(msg)


def area(found: Scored) -> tuple[Numbers, Numbers]:
    """The area under the ROC curve, and how far the exact one may lie from it.

    Pairs of one bin count half, as pairs of one score do; each might count wholly, or not at all.
    So the bound is half the share of pairs that lie in one bin (Fawcett, "An introduction to ROC
    analysis", Pattern Recognition Letters 27, 2006, has the curve between them straight).

    >>> found = Scored(
    ...     place=np.array([0.0, 1.0]), said=np.zeros(2), positive=np.array([1.0, 3.0]),
    ...     negative=np.array([3.0, 1.0]), loss=np.zeros(2),
    ... )
    >>> [float(value) for value in area(found)]
    [0.75, 0.1875]
    """
    places = np.unique(found.place)
    positive, negative = found.positive, found.negative
    if not np.array_equal(places, found.place):
        of_place = (found.place[:, None] == places).astype(float)
        positive, negative = positive @ of_place, negative @ of_place
    below = np.cumsum(negative, axis=-1) - negative
    pairs = positive.sum(axis=-1) * negative.sum(axis=-1)
    together = (positive * negative).sum(axis=-1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        value = ((positive * below).sum(axis=-1) + together) / pairs
        return np.asarray(value), np.asarray(together / pairs)


def calibration_error(rows: Numbers, scores: Numbers, hits: Numbers) -> tuple[float | None, float]:
    """The expected calibration error, and what chance alone would make of perfect scores.

    The mean distance of a bin's mean score from its share of hits, weighted by rows (Naeini, Cooper
    and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015).
    Few rows make it too large: the second number is its mean where scores mean what they say.

    Args:
        rows: By bin, shape ``(bins,)``.
        scores: Sum of the scores.
        hits: Rows that came true.

    >>> found, chance = calibration_error(*np.array([[100, 100], [10, 90], [30, 90]]))
    >>> round(found, 3), round(chance, 3)
    (0.1, 0.024)
    """
    total = float(rows.sum())
    if not total:
        return None, 0.0
    there = rows > 0
    mean = scores[there] / rows[there]
    gaps = np.abs(mean - hits[there] / rows[there])
    noise = np.sqrt(2 / np.pi * np.clip(mean * (1 - mean), 0, None) / rows[there])
    return float((rows[there] * gaps).sum() / total), float((rows[there] * noise).sum() / total)


def _class_metric(metric: str, found: Scored) -> Numbers:
    yes, no = found.said, 1 - found.said
    hit, miss = (found.positive * yes).sum(axis=-1), (found.positive * no).sum(axis=-1)
    alarm, rest = (found.negative * yes).sum(axis=-1), (found.negative * no).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if metric == "accuracy":
            return np.asarray((hit + rest) / (hit + rest + miss + alarm))
        values, seen = [], []
        for right, said, true in (
            (hit, hit + alarm, hit + miss),
            (rest, rest + miss, rest + alarm),
        ):
            of = {"precision": said, "recall": true, "f1": (said + true) / 2}[metric]
            values.append(np.where(of > 0, right / of, 0.0))
            seen.append(said + true > 0)
        total = np.where(seen[0], values[0], 0.0) + np.where(seen[1], values[1], 0.0)
        return np.asarray(total / (seen[0].astype(float) + seen[1].astype(float)))
