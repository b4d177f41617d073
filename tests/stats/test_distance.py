"""Distances of two sets of counts, against scipy and against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from scipy.spatial.distance import jensenshannon

from aiguard_dagster.stats.distance import (
    bins_with_missing,
    js_distance,
    kolmogorov_smirnov,
    population_stability_index,
    total_variation,
)
from aiguard_dagster.stats.profile import ColumnProfile

COUNTS = hnp.arrays(float, 5, elements=st.integers(0, 10**6).map(float))
ALL = [js_distance, population_stability_index, total_variation, kolmogorov_smirnov]
SHARES = [js_distance, total_variation, kolmogorov_smirnov]
BLIND_TO_ORDER = [js_distance, population_stability_index, total_variation]


def both(a, b):
    assume(a.sum() and b.sum())
    return a / a.sum(), b / b.sum()


@pytest.mark.parametrize("distance", ALL)
@given(COUNTS, COUNTS)
def test_it_is_the_same_either_way_round(distance, a, b):
    both(a, b)
    assert distance(a, b) == pytest.approx(distance(b, a), abs=1e-6)


@pytest.mark.parametrize("distance", ALL)
@given(COUNTS, COUNTS)
def test_it_is_never_negative_and_nothing_between_the_same_counts(distance, a, b):
    both(a, b)
    assert distance(a, b) >= 0
    assert distance(a, a) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("distance", SHARES)
@given(COUNTS, COUNTS, st.integers(1, 1000))
def test_it_lies_between_zero_and_one_and_only_shares_count(distance, a, b, times):
    both(a, b)
    assert 0 <= distance(a, b) <= 1 + 1e-9
    assert distance(a * times, b) == pytest.approx(distance(a, b), abs=1e-6)


@pytest.mark.parametrize("distance", SHARES)
@given(COUNTS, COUNTS, COUNTS)
def test_it_keeps_the_triangle_inequality(distance, a, b, c):
    assume(a.sum() and b.sum() and c.sum())
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-6


@pytest.mark.parametrize("distance", BLIND_TO_ORDER)
@given(COUNTS, COUNTS, st.permutations(range(5)))
def test_the_order_of_the_bins_does_not_matter(distance, a, b, order):
    both(a, b)
    assert distance(a[order], b[order]) == pytest.approx(distance(a, b), abs=1e-6)


@pytest.mark.parametrize("distance", SHARES)
def test_nothing_in_common_is_a_distance_of_one(distance):
    assert distance(np.array([3.0, 0, 0]), np.array([0, 1.0, 2])) == pytest.approx(1)


@pytest.mark.parametrize("distance", ALL)
def test_no_counts_on_a_side_is_no_distance(distance):
    none, some = np.zeros(3), np.ones(3)
    assert math.isnan(distance(none, some))
    assert math.isnan(distance(some, none))
    assert math.isnan(distance(none, none))


@given(COUNTS, COUNTS)
def test_jensen_shannon_is_scipy_s_to_base_two(a, b):
    expected = jensenshannon(*both(a, b), base=2)
    # Rounding leaves scipy a NaN where two shares are all but the same.
    assert js_distance(a, b) == pytest.approx(np.nan_to_num(expected), abs=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ([1, 0], [1, 0], 0),
        # Half of it in common: the divergence is 1 - ¾ log₂ 3 + ½ = 0.3113 bits.
        ([1, 1], [1, 0], math.sqrt(1.5 - 0.75 * math.log2(3))),
        ([1, 1, 0], [0, 1, 1], math.sqrt(0.5)),
    ],
)
def test_jensen_shannon_by_hand(a, b, distance):
    assert js_distance(np.array(a, float), np.array(b, float)) == pytest.approx(distance)


@given(COUNTS, COUNTS)
def test_psi_is_its_definition_with_half_a_row_more_in_each_bin(a, b):
    both(a, b)
    p, q = (a + 0.5) / (a.sum() + 2.5), (b + 0.5) / (b.sum() + 2.5)
    expected = stats.entropy(p, q) + stats.entropy(q, p)
    assert population_stability_index(a, b) == pytest.approx(expected, abs=1e-9)


def test_psi_of_many_rows_is_that_of_their_shares_and_of_empty_bins_still_a_number():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    expected = ((p - q) * np.log(p / q)).sum()
    assert population_stability_index(p * 1e9, q * 1e9) == pytest.approx(expected, rel=1e-6)
    apart = population_stability_index(np.array([10.0, 0]), np.array([0, 10.0]))
    assert 1 < apart < math.inf


@given(COUNTS, COUNTS)
def test_total_variation_is_the_largest_difference_of_any_set_of_bins(a, b):
    p, q = both(a, b)
    sets = (np.array([k >> place & 1 for place in range(5)]) for k in range(32))
    largest = max(float((chosen * (p - q)).sum()) for chosen in sets)
    assert total_variation(a, b) == pytest.approx(largest, abs=1e-9)


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=30), st.lists(st.integers(0, 4), min_size=1)
)
def test_ks_is_scipy_s_of_the_numbers_of_the_bins(now, then):
    a, b = (np.bincount(rows, minlength=5).astype(float) for rows in (now, then))
    # Of the p-value, which is not looked at, scipy cannot say anything for so few.
    with np.errstate(all="ignore"):
        expected = stats.ks_2samp(now, then, method="asymp").statistic
    assert kolmogorov_smirnov(a, b) == pytest.approx(expected, abs=1e-9)


@given(COUNTS, COUNTS)
def test_ks_is_at_most_the_total_variation_and_that_at_most_jensen_shannon_s_root(a, b):
    both(a, b)
    assert kolmogorov_smirnov(a, b) <= total_variation(a, b) + 1e-9
    # Lin 1991, theorem 3: the divergence in bits is at most the total variation.
    assert js_distance(a, b) ** 2 <= total_variation(a, b) + 1e-6


def test_missing_values_are_a_bin_of_their_own():
    column = ColumnProfile(rows=10, counts=(3, 4), nulls=2, nans=1)
    assert bins_with_missing(column).tolist() == [3, 4, 3]
    gone = ColumnProfile(rows=9, counts=(0, 0), nulls=9)
    there = ColumnProfile(rows=10, counts=(5, 5))
    assert js_distance(bins_with_missing(gone), bins_with_missing(there)) == 1
