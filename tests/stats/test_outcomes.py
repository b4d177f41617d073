"""Metrics from sums are what scikit-learn says of the rows."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics  # noqa: TID253 - the test compares with it

from aiguard_dagster.stats.compare import outcomes_of
from aiguard_dagster.stats.outcomes import metric_value
from aiguard_dagster.stats.profile import Outcomes, merge_outcomes

AVERAGED = ["precision", "recall", "f1"]


def macro(score):
    return partial(score, average="macro", zero_division=0)


BY_SKLEARN = {
    "accuracy": metrics.accuracy_score,
    "precision": macro(metrics.precision_score),
    "recall": macro(metrics.recall_score),
    "f1": macro(metrics.f1_score),
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "bias": lambda was, said: abs(np.mean(np.subtract(said, was))),
}
CLASSES = [name for name in BY_SKLEARN if name in {"accuracy", *AVERAGED}]
ERRORS = [name for name in BY_SKLEARN if name not in CLASSES]
NAMES = st.sampled_from(["cat", "dog", "Kälte", "", "nan"])


@pytest.mark.parametrize("metric", CLASSES)
@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=30))
def test_class_metrics_are_those_of_scikit_learn(metric, rows):
    was, said = (np.array(side) for side in zip(*rows, strict=True))
    expected = BY_SKLEARN[metric](was, said)
    found = metric_value(metric, outcomes_of(was, said, classes=True))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("metric", ERRORS)
@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=30))
def test_error_metrics_are_those_of_scikit_learn(metric, rows):
    was, said = (np.array(side) for side in zip(*rows, strict=True))
    found = metric_value(metric, outcomes_of(was, said, classes=False))
    assert found == pytest.approx(BY_SKLEARN[metric](was, said), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("metric", BY_SKLEARN)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30), st.data()
)
def test_a_metric_of_two_batches_is_that_of_their_rows(metric, rows, data):
    was, said = (np.array(side) for side in zip(*rows, strict=True))
    cut = data.draw(st.integers(0, len(rows)))
    parts = [
        outcomes_of(was[half], said[half], classes=metric in CLASSES)
        for half in (slice(cut), slice(cut, None))
    ]
    assert metric_value(metric, merge_outcomes(parts)) == pytest.approx(
        BY_SKLEARN[metric](was, said), abs=1e-12
    )


def test_a_class_that_is_never_right_or_never_said_counts_as_nothing():
    was, said = np.array(["a", "a", "b", "c"]), np.array(["a", "d", "a", "a"])
    found = outcomes_of(was, said, classes=True)
    for metric in AVERAGED:
        assert metric_value(metric, found) == pytest.approx(BY_SKLEARN[metric](was, said))
    assert metric_value("precision", found) == pytest.approx(1 / 3 / 4)


@pytest.mark.parametrize("metric", BY_SKLEARN)
def test_no_label_is_no_value_and_never_a_good_one(metric):
    assert metric_value(metric, Outcomes()) is None


def test_an_unknown_metric_is_a_programming_error():
    with pytest.raises(ValueError, match="unknown metric 'auc'"):
        metric_value("auc", Outcomes(labelled=1))


def test_text_has_no_error_that_could_be_measured():
    was, said = np.array(["cat"] * 9), np.array(["dog"] * 9)
    found = outcomes_of(was, said, classes=True)
    assert metric_value("accuracy", found) == 0
    for metric in ("mae", "rmse", "bias"):
        assert metric_value(metric, found) is None
