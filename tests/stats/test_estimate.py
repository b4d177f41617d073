"""Estimates hold what comes, as often as they say, where scores mean what they meant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression  # noqa: TID253 - the test compares with it

from aiguard_dagster.stats.estimate import (
    Unlabelled,
    estimate_from_errors,
    estimate_from_scores,
    interval_from_scores,
)
from aiguard_dagster.stats.isotonic import rising
from aiguard_dagster.stats.scores import Scored, metric_of_scores

PLACES = np.arange(-40.0, 41.0, 4.0)
TRUE = 1 / (1 + np.exp(-PLACES / 16))
SAID = (PLACES > 0).astype(float)
METRICS = ["accuracy", "precision", "recall", "f1", "auc", "log_loss", "brier"]
CELLS = st.lists(
    st.tuples(st.integers(1, 50), st.floats(0, 1)).map(lambda c: (c[0], round(c[0] * c[1]))),
    min_size=1, max_size=30,
)  # fmt: skip


def rows_of(rows):
    score = 1 / (1 + np.exp(-PLACES / 32))
    return Unlabelled(
        place=PLACES,
        said=SAID,
        rows=rows,
        loss_if_positive=-rows * np.log(score),
        loss_if_negative=-rows * np.log(1 - score),
    )


def come_out(rows, hits):
    unlabelled = rows_of(rows)
    share = hits / rows
    loss = share * unlabelled.loss_if_positive + (1 - share) * unlabelled.loss_if_negative
    return Scored(place=PLACES, said=SAID, positive=hits, negative=rows - hits, loss=loss)


def drawn(rng, rows):
    return rng.binomial(rows.astype(int), TRUE).astype(float)


@given(cells=CELLS)
def test_the_curve_is_the_isotonic_regression(cells):
    rows, hits = (np.array(each, float) for each in zip(*cells, strict=True))
    places = np.arange(len(rows), dtype=float)
    theirs = IsotonicRegression(y_min=0, y_max=1).fit(places, hits / rows, sample_weight=rows)
    curve = rising(places, rows, hits)
    between = np.linspace(-1, len(rows), 50)
    clipped = np.clip(between, places[0], places[-1])
    assert curve.at(between) == pytest.approx(theirs.predict(clipped), abs=1e-9)


@given(cells=CELLS)
def test_the_curve_rises_and_loses_no_row(cells):
    rows, hits = (np.array(each, float) for each in zip(*cells, strict=True))
    curve = rising(np.arange(len(rows), dtype=float), rows, hits)
    assert (np.diff(curve.at(curve.places)) >= -1e-12).all()
    assert (curve.rows.sum(), curve.hits.sum()) == (rows.sum(), hits.sum())


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_holds_what_comes_as_often_as_it_says(metric):
    rng = np.random.default_rng(3)
    before, now = np.full(len(PLACES), 400.0), np.full(len(PLACES), 40.0)
    held = 0
    for _ in range(60):
        curve = rising(PLACES, before, drawn(rng, before))
        found = interval_from_scores(metric, rows_of(now), curve)
        held += found.holds(float(metric_of_scores(metric, come_out(now, drawn(rng, now)))))
    assert 52 <= held <= 60


@pytest.mark.parametrize("metric", METRICS)
def test_a_curve_that_is_right_estimates_what_comes(metric):
    rows = np.full(len(PLACES), 100_000.0)
    curve = rising(PLACES, rows, np.rint(rows * TRUE))
    realised = float(metric_of_scores(metric, come_out(rows, np.rint(rows * TRUE))))
    assert estimate_from_scores(metric, rows_of(rows), curve) == pytest.approx(realised, rel=1e-3)


def test_a_calibration_learned_from_fewer_rows_is_less_sure():
    now = np.full(len(PLACES), 1000.0)
    widths = []
    for size in (20.0, 2000.0):
        rows = np.full(len(PLACES), size)
        curve = rising(PLACES, rows, np.rint(rows * TRUE))
        found = interval_from_scores("accuracy", rows_of(now), curve)
        widths.append(found.high - found.low)
    assert widths[0] > 2 * widths[1]


def test_no_rows_have_no_estimate():
    curve = rising(PLACES, np.ones(len(PLACES)), TRUE)
    assert interval_from_scores("accuracy", rows_of(np.zeros(len(PLACES))), curve) is None


def test_the_same_counts_give_the_same_interval():
    rows = np.full(len(PLACES), 50.0)
    curve = rising(PLACES, rows, np.rint(rows * TRUE))
    once, again = (interval_from_scores("f1", rows_of(rows), curve) for _ in range(2))
    assert once == again


def test_the_interval_of_a_mean_error_holds_what_comes():
    rng = np.random.default_rng(5)
    scale, held = np.array([1.0, 2.0, 5.0]), 0
    for _ in range(200):
        then, now = (np.abs(rng.normal(0, scale, (n, 3))) for n in (500, 60))
        found = estimate_from_errors(
            np.full(3, 60.0), np.full(3, 500.0), then.sum(axis=0), (then**2).sum(axis=0),
            root=False, signless=False,
        )  # fmt: skip
        held += found.holds(float(now.mean()))
    assert 180 <= held <= 198


@given(bias=st.floats(-5, 5))
def test_a_bias_has_no_sign_and_its_interval_is_never_negative(bias):
    rows = np.array([100.0])
    found = estimate_from_errors(
        rows, rows, rows * bias, rows * (bias**2 + 1), root=False, signless=True
    )
    assert 0 <= found.low <= found.value <= found.high
    assert found.value == pytest.approx(abs(bias))


def test_predictions_where_the_baseline_had_none_are_not_estimated():
    nothing = np.zeros(1)
    assert estimate_from_errors(
        np.ones(1), nothing, nothing, nothing, root=True, signless=False
    ) is None  # fmt: skip


def test_where_chance_leaves_nothing_to_measure_there_is_no_interval():
    curve = rising(np.array([-40.0, 40.0]), np.array([1e9, 1.0]), np.array([1.0, 1.0]))
    rows = Unlabelled(
        place=np.array([-40.0]),
        said=np.zeros(1),
        rows=np.array([3.0]),
        loss_if_positive=np.zeros(1),
        loss_if_negative=np.zeros(1),
    )
    assert estimate_from_scores("auc", rows, curve) == 0.5
    assert interval_from_scores("auc", rows, curve) is None
