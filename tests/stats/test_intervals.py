import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from aiguard_dagster.stats.agreement import agreement
from aiguard_dagster.stats.intervals import wilson

trials = st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
cells = st.integers(0, 200)


@given(trials)
def test_the_interval_is_that_of_scipy(found):
    hits, n = found
    expected = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(trials)
def test_the_share_lies_in_its_interval_and_the_interval_in_0_to_1(found):
    hits, n = found
    low, high = wilson(hits, n)
    assert 0 <= low <= hits / n <= high <= 1


@given(trials)
def test_ten_times_the_trials_make_a_narrower_interval(found):
    hits, n = found
    widths = [high - low for low, high in (wilson(hits, n), wilson(10 * hits, 10 * n))]
    assert widths[1] < widths[0]


def test_more_hits_than_trials_are_refused():
    with pytest.raises(ValueError, match="3 hits in 2 trials"):
        wilson(3, 2)


@given(cells, cells, cells, cells)
def test_kappa_is_the_same_whoever_is_named_first(a, b, c, d):
    first, second = agreement(a, b, c, d), agreement(a, c, b, d)
    assert first.share == second.share
    assert (first.kappa is None) == (second.kappa is None)
    if first.kappa is not None:
        assert math.isclose(first.kappa, second.kappa, abs_tol=1e-9)
        assert -1 - 1e-9 <= first.kappa <= 1 + 1e-9


@given(st.integers(1, 200), st.integers(1, 200))
def test_who_always_agrees_has_kappa_1_and_who_judges_by_chance_0(yes, no):
    assert agreement(yes, 0, 0, no).kappa == pytest.approx(1)
    assert agreement(yes * yes, yes * no, no * yes, no * no).kappa == pytest.approx(0, abs=1e-9)


def test_of_two_who_only_ever_said_one_thing_nothing_is_learned():
    assert agreement(0, 0, 0, 50).kappa is None


@given(cells, cells, cells, cells)
def test_kappa_is_that_of_scikit_learn(a, b, c, d):
    from sklearn.metrics import cohen_kappa_score

    found = agreement(a, b, c, d)
    if found.kappa is not None:
        first = [1] * (a + b) + [0] * (c + d)
        second = [1] * a + [0] * b + [1] * c + [0] * d
        assert found.kappa == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)
