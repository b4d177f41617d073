"""Pearson's test of two sets of counts, against scipy, and where counts are small."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import chi2_contingency

from aiguard_dagster.stats.distance import FEWEST_EXPECTED, chi_square

COUNTS = hnp.arrays(float, 5, elements=st.integers(0, 10**5).map(float))
SMALL = hnp.arrays(float, 8, elements=st.integers(0, 9).map(float))
NULLS = {
    "even": np.full(20, 1 / 20),
    "falling": 1 / np.arange(1, 41),
    "mostly rare": np.array([0.9, *[0.1 / 60] * 60]),
}


def expected_of(a, b):
    return np.outer([a.sum(), b.sum()], a + b) / (a.sum() + b.sum())


@given(COUNTS, COUNTS)
def test_with_enough_rows_in_each_cell_it_is_scipy_s(a, b):
    assume(a.sum() and b.sum() and (expected_of(a, b) >= FEWEST_EXPECTED).all())
    exact = chi2_contingency(np.array([a, b]), correction=False)
    found = chi_square(a, b)
    assert found.statistic == pytest.approx(exact.statistic, rel=1e-9, abs=1e-9)
    assert found.freedom == exact.dof
    assert found.p_value == pytest.approx(exact.pvalue, rel=1e-9, abs=1e-12)


@given(SMALL | COUNTS, st.data())
def test_the_same_holds_either_way_round_and_in_any_order(a, data):
    b = data.draw(hnp.arrays(float, a.size, elements=st.integers(0, 99).map(float)))
    found, back = chi_square(a, b), chi_square(b, a)
    assert (found is None) == (back is None)
    if found is None:
        return
    assert found.p_value == pytest.approx(back.p_value)
    assert found.freedom == back.freedom
    assert 0 <= found.p_value <= 1
    assert 0 <= found.cramers_v <= 1 + 1e-9
    assert 1 <= found.freedom < a.size


@given(SMALL, SMALL)
def test_cells_of_few_expected_rows_are_put_together(a, b):
    found = chi_square(a, b)
    enough = min(a.sum(), b.sum()) / FEWEST_EXPECTED
    assert found is None or found.freedom + 1 <= enough


@given(COUNTS, COUNTS, st.integers(2, 50))
def test_more_of_the_same_rows_are_surer_and_no_larger_an_effect(a, b, times):
    assume(a.sum() and b.sum() and (expected_of(a, b) >= FEWEST_EXPECTED).all())
    few, many = chi_square(a, b), chi_square(a * times, b * times)
    assert many.cramers_v == pytest.approx(few.cramers_v, abs=1e-6)
    assert many.p_value <= few.p_value + 1e-12


def test_nothing_in_common_is_an_effect_of_one_and_the_same_shares_are_none():
    a, b = np.array([50.0, 0]), np.array([0, 50.0])
    assert chi_square(a, b).cramers_v == pytest.approx(1)
    assert chi_square(a, b).p_value < 1e-20
    same = chi_square(np.array([50.0, 100]), np.array([100.0, 200]))
    assert (same.statistic, same.p_value, same.cramers_v) == pytest.approx((0, 1, 0))


@pytest.mark.parametrize("rows", [15, 100, 1_000])
def test_what_a_far_longer_baseline_never_held_is_seen(rows):
    found = chi_square(np.array([0.0, 0, rows]), np.array([1e6, 1e6, 0]))
    assert found.cramers_v == pytest.approx(1)
    assert found.p_value < 1e-20
    constant = chi_square(np.array([0.0, rows]), np.array([1e6, 0]))
    assert constant.cramers_v == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0, 0], [5, 5]),
        ([5, 5], [0, 0]),
        ([0, 0], [0, 0]),
        ([9, 0], [90, 0]),
        ([2, 2], [50, 50]),
    ],
)
def test_without_two_cells_of_enough_rows_there_is_no_test(a, b):
    assert chi_square(np.array(a, float), np.array(b, float)) is None


@pytest.mark.parametrize("shape", NULLS)
@pytest.mark.parametrize(("n", "m"), [(100, 100), (200, 10_000), (60, 1_000)])
def test_p_values_are_not_too_small_where_nothing_changed_although_counts_are(shape, n, m):
    rng = np.random.default_rng(n + m)
    shares = NULLS[shape] / NULLS[shape].sum()
    now, then = (rng.multinomial(rows, shares, size=700).astype(float) for rows in (n, m))
    found = [chi_square(a, b) for a, b in zip(now, then, strict=True)]
    p_values = np.array([each.p_value for each in found if each is not None])
    assert p_values.size > 200
    assert np.mean(p_values <= 0.1) <= 0.13
    assert np.mean(p_values <= 0.05) <= 0.07
    assert np.mean(p_values <= 0.01) <= 0.02


def test_the_effect_is_the_same_whichever_side_has_more_rows():
    shares = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    for n, m in ((100, 1_000_000), (10_000, 10_000), (1_000_000, 100)):
        found = chi_square(shares[0] * n, shares[1] * m)
        assert found.cramers_v == pytest.approx(0.436, abs=0.001)
