"""Metrics of binned scores are scikit-learn's of the rows: exactly, or within the bound told."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics  # noqa: TID253 - the test compares with it
from sklearn.calibration import calibration_curve  # noqa: TID253 - likewise

from aiguard_dagster.stats.scores import (
    LEAST,
    PER_UNIT,
    TENTHS,
    Scored,
    area,
    calibration_error,
    metric_of_scores,
    place_of,
)

N = 60
SCORES = arrays(float, N, elements=st.floats(0, 1))
LABELS = arrays(int, N, elements=st.integers(0, 1)).filter(lambda y: 0 < y.sum() < N)
BY_SKLEARN = {
    "accuracy": metrics.accuracy_score,
    "precision": lambda y, p: metrics.precision_score(y, p, average="macro", zero_division=0),
    "recall": lambda y, p: metrics.recall_score(y, p, average="macro", zero_division=0),
    "f1": lambda y, p: metrics.f1_score(y, p, average="macro", zero_division=0),
}


def scored(label, score, *, said=None, loss=None):
    """One group a row."""
    return Scored(
        place=np.array([float(place_of(each)) for each in score]),
        said=np.zeros(len(label)) if said is None else said.astype(float),
        positive=label.astype(float),
        negative=1.0 - label,
        loss=np.zeros(len(label)) if loss is None else loss,
    )


@given(label=LABELS, score=SCORES)
def test_the_exact_area_lies_within_the_bound_of_the_binned_one(label, score):
    value, bound = area(scored(label, score))
    assert abs(value - metrics.roc_auc_score(label, score)) <= bound + 1e-12


@given(label=LABELS, places=arrays(int, N, elements=st.integers(-300, 300)))
def test_scores_of_different_bins_are_told_apart_exactly(label, places):
    score = 1 / (1 + np.exp(-(places - 0.5) / PER_UNIT))
    value, _ = area(scored(label, score))
    assert value == pytest.approx(metrics.roc_auc_score(label, score))


def test_the_bound_is_small_for_scores_that_are_spread():
    rng = np.random.default_rng(0)
    score = rng.uniform(size=20_000)
    label = (rng.uniform(size=20_000) < score).astype(int)
    value, bound = area(scored(label, score))
    assert bound < 0.003
    assert value == pytest.approx(metrics.roc_auc_score(label, score), abs=1e-4)


@given(label=LABELS, said=arrays(int, N, elements=st.integers(0, 1)), score=SCORES)
@pytest.mark.parametrize("metric", BY_SKLEARN)
def test_classes_give_what_scikit_learn_gives(metric, label, said, score):
    found = metric_of_scores(metric, scored(label, score, said=said))
    assert found == pytest.approx(BY_SKLEARN[metric](label, said))


def test_a_metric_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="unknown metric 'gini'"):
        metric_of_scores("gini", scored(np.array([0, 1]), np.array([0.1, 0.9])))


@given(score=st.floats(LEAST, 1 - LEAST))
def test_a_score_lies_in_its_bin(score):
    place = place_of(score)
    odds = math.log(score / (1 - score)) * PER_UNIT
    assert place - 1 - 1e-6 <= odds <= place + 1e-6


@given(score=st.floats(0, 1), more=st.floats(0, 1))
def test_bins_rise_with_the_score(score, more):
    low, high = sorted((score, more))
    assert place_of(low) <= place_of(high)


def test_scores_of_two_digits_each_have_a_bin():
    assert len({place_of(k / 100) for k in range(1, 100)}) == 99


def tenths(label, score):
    at = np.searchsorted(TENTHS, score)
    return [np.bincount(at, weights, minlength=10) for weights in (np.ones(N), score, label)]


@given(label=LABELS, score=SCORES)
@settings(max_examples=50)
def test_the_calibration_error_is_that_of_scikit_learn_s_curve(label, score):
    rows, sums, hits = tenths(label, score)
    found, _ = calibration_error(rows, sums, hits)
    true, said = calibration_curve(label, score, n_bins=10)
    assert found == pytest.approx((rows[rows > 0] * np.abs(true - said)).sum() / N)


def test_what_chance_makes_of_perfect_scores_is_told():
    rng = np.random.default_rng(1)
    found, told = [], []
    for _ in range(200):
        score = rng.uniform(size=N)
        value, chance = calibration_error(*tenths(rng.uniform(size=N) < score, score))
        found.append(value)
        told.append(chance)
    assert np.mean(told) == pytest.approx(np.mean(found), rel=0.1)


def test_no_rows_have_no_calibration_error():
    assert calibration_error(np.zeros(10), np.zeros(10), np.zeros(10)) == (None, 0.0)
