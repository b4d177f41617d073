"""Two models on the same rows, and how far sampling alone may wander."""

import numpy as np
import pytest

from aiguard_dagster.stats.compare import compare
from aiguard_dagster.stats.distance import bins_with_nulls, js_distance, sampling_limit
from aiguard_dagster.stats.profile import ColumnProfile

RNG = np.random.default_rng(0)
CLASSES = RNG.integers(0, 2, 400)


def flipped(share, seed):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(CLASSES.size) < share, 1 - CLASSES, CLASSES)


def test_a_clear_difference_is_better_and_none_is_not():
    truth = RNG.normal(size=300)
    noise = RNG.normal(size=300)
    near = compare("mae", "high", label=truth, champion=truth + noise, candidate=truth + noise)
    assert near
    assert not near.better
    worse = compare("mae", "high", label=truth, champion=truth + 1, candidate=truth + 3)
    assert worse
    assert worse.high < 0
    assert (worse.champion, worse.candidate) == pytest.approx((1, 3))


@pytest.mark.parametrize("kind", [int, float, bool])
@pytest.mark.parametrize("metric", ["accuracy", "precision", "recall", "f1"])
def test_classes_are_the_same_whatever_their_type(kind, metric):
    good, bad = flipped(0.05, 1), flipped(0.4, 2)
    found = compare(
        metric, "low", label=CLASSES, champion=good.astype(kind), candidate=bad.astype(float)
    )
    assert found
    assert found.champion > 0.9
    assert found.candidate < 0.7
    assert not found.better


def test_rows_without_a_number_are_left_out():
    truth = np.array([1.0, 2.0, 3.0, np.nan])
    said = np.array([1.0, np.nan, 4.0, 4.0])
    found = compare("mae", "high", label=truth, champion=said, candidate=truth)
    assert found
    assert found.n == 2
    assert found.champion == pytest.approx(0.5)
    assert compare("mae", "high", label=truth[:0], champion=said[:0], candidate=said[:0]) is None


def column(counts):
    rows = int(sum(counts))
    return ColumnProfile(rows=rows, nulls=0, infinite=0, counts=tuple(int(c) for c in counts))


@pytest.mark.parametrize("n", [100, 1_000, 20_000])
def test_sampling_alone_stays_within_its_limit_as_often_as_stated(n):
    rng = np.random.default_rng(n)
    shares = np.full(16, 1 / 16)
    baseline = column(rng.multinomial(50_000, shares))
    beyond = 0
    for _ in range(600):
        window = column(rng.multinomial(n, shares))
        distance = js_distance(bins_with_nulls(window), bins_with_nulls(baseline))
        beyond += distance > sampling_limit(window, baseline, 20)
    assert beyond / 600 == pytest.approx(1 / 20, abs=0.04)
