"""Whether a candidate would have done better, and how sure that is."""

import numpy as np
import pytest
from sklearn import metrics  # noqa: TID253 - the test compares with it

from aiguard_dagster.stats.compare import compare, outcomes_of

N = 400


def regression(seed, *, gain):
    """Rows on which the candidate's expected absolute error is smaller by ``gain``."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=N).cumsum()
    size, sign = rng.uniform(1, 3, N), rng.choice([-1, 1], N)
    lead = rng.normal(gain, 0.5, N)
    return compare(
        "mae", "high", label=truth, champion=truth + sign * (size + 5),
        candidate=truth + sign * (size + 5 - lead),
    )  # fmt: skip


def autocorrelated(seed):
    """Two models as good as each other whose errors come in runs."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(N)
    errors = [np.convolve(rng.normal(size=N + 9), np.ones(10) / 10, "valid") for _ in range(2)]
    return compare("mae", "high", label=truth, champion=errors[0], candidate=errors[1])


def test_the_interval_holds_the_true_improvement_as_often_as_it_says():
    found = [regression(seed, gain=0.05) for seed in range(40)]
    inside = np.mean([c.low <= 0.05 <= c.high for c in found])
    assert 0.8 <= inside <= 1


def test_two_equal_models_are_seldom_told_apart_although_errors_come_in_runs():
    found = [autocorrelated(seed) for seed in range(40)]
    assert np.mean([c.better for c in found]) <= 0.15


def test_a_clear_gain_is_always_found():
    assert all(regression(seed, gain=1).better for seed in range(10))
    assert not any(regression(seed, gain=-1).better for seed in range(10))


def test_the_same_predictions_are_not_better():
    truth = np.arange(N, dtype=float)
    same = compare("rmse", "high", label=truth, champion=truth + 1, candidate=truth + 1)
    assert (same.low, same.high, same.better) == (0, 0, False)


def test_the_same_rows_always_give_the_same_interval():
    assert regression(3, gain=0.2) == regression(3, gain=0.2)


def test_bias_compares_sizes_not_signs():
    truth = np.zeros(N)
    found = compare("bias", "high", label=truth, champion=truth + 2, candidate=truth - 1)
    assert (found.champion, found.candidate, found.better) == (2, 1, True)


LABELS = np.random.default_rng(0).choice(["approve", "decline", "prüfen"], N)


def wrong(share, seed):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(N) < share, "decline", LABELS)


@pytest.mark.parametrize("kind", [str, object])
@pytest.mark.parametrize("metric", ["accuracy", "precision", "recall", "f1"])
def test_classes_with_names_are_compared_by_name(metric, kind):
    said = {share: wrong(share, 1).astype(kind) for share in (0.05, 0.6)}
    better = compare(
        metric, "low", label=LABELS.astype(kind), champion=said[0.6], candidate=said[0.05]
    )
    assert better.better
    assert better.candidate > 0.9
    assert better.champion < 0.85
    worse = compare(
        metric, "low", label=LABELS.astype(kind), champion=said[0.05], candidate=said[0.6]
    )
    assert worse.high < 0
    assert (worse.low, worse.high) == pytest.approx((-better.high, -better.low))


def test_no_rows_are_no_comparison():
    none = np.array([])
    assert compare("mae", "high", label=none, champion=none, candidate=none) is None
    missing = np.array([np.nan, np.inf])
    assert compare("mae", "high", label=missing, champion=missing, candidate=missing) is None


@pytest.mark.parametrize("kind", [int, float, bool])
@pytest.mark.parametrize("metric", ["accuracy", "precision", "recall", "f1"])
def test_classes_that_are_numbers_are_the_same_whatever_their_type(metric, kind):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, N)
    good, bad = (np.where(rng.random(N) < share, 1 - truth, truth) for share in (0.05, 0.4))
    found = compare(
        metric, "low", label=truth, champion=good.astype(kind), candidate=bad.astype(float)
    )
    assert found.champion > 0.9
    assert found.candidate < 0.7
    assert not found.better


def test_rows_without_a_number_are_left_out():
    truth = np.array([1.0, 2.0, 3.0, np.nan])
    said = np.array([1.0, np.nan, 4.0, 4.0])
    found = compare("mae", "high", label=truth, champion=said, candidate=truth)
    assert (found.n, found.champion, found.candidate) == (2, 0.5, 0)


def test_sums_over_rows_are_those_of_a_profile():
    was, said = np.array([1.0, 2.0]), np.array([3.0, 1.0])
    errors = outcomes_of(was, said, classes=False)
    assert (errors.labelled, errors.absolute, errors.squared, errors.signed) == (2, 3, 5, 1)
    classes = outcomes_of(np.array(["a", "a"]), np.array(["a", "b"]), classes=True)
    assert classes.confusion == {("a", "a"): 1, ("a", "b"): 1}


SCORES = {
    "auc": ("low", metrics.roc_auc_score),
    "log_loss": ("high", metrics.log_loss),
    "brier": ("high", metrics.brier_score_loss),
}


@pytest.mark.parametrize("metric", SCORES)
def test_metrics_of_scores_are_scikit_learn_s_and_the_better_scores_win(metric):
    rng = np.random.default_rng(0)
    score = rng.uniform(size=2_000)
    label = (rng.uniform(size=2_000) < score).astype(float)
    timid = np.clip(score + rng.normal(0, 0.5, 2_000), 0.01, 0.99)
    direction, theirs = SCORES[metric]
    found = compare(metric, direction, label=label, champion=timid, candidate=score)
    assert found.champion == pytest.approx(theirs(label, timid))
    assert found.candidate == pytest.approx(theirs(label, score))
    assert found.better
    back = compare(metric, direction, label=label, champion=score, candidate=timid)
    assert back.high < 0


def test_errors_relative_to_the_label_and_to_a_quantile_are_scikit_learn_s():
    rng = np.random.default_rng(1)
    label = rng.uniform(1, 9, N)
    far, near = label + rng.normal(2, 1, N), label + rng.normal(0, 1, N)
    found = compare("mape", "high", label=label, champion=far, candidate=near)
    told = metrics.mean_absolute_percentage_error(label, far)
    assert (found.champion, found.better) == (pytest.approx(told), True)
    found = compare(
        "quantile_loss", "high", label=label, champion=far, candidate=near, quantile=0.2
    )
    told = [metrics.mean_pinball_loss(label, said, alpha=0.2) for said in (far, near)]
    assert [found.champion, found.candidate] == pytest.approx(told)


def test_an_area_of_very_many_scores_is_near_the_exact_one():
    rng = np.random.default_rng(2)
    score = rng.uniform(size=20_000)
    label = (rng.uniform(size=20_000) < score).astype(float)
    found = compare("auc", "low", label=label, champion=score, candidate=score)
    assert found.champion == pytest.approx(metrics.roc_auc_score(label, score), abs=1e-3)
    assert (found.low, found.high, found.better) == (0, 0, False)
