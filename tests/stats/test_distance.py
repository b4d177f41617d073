"""The Jensen-Shannon distance of two sets of counts."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import jensenshannon

from aiguard_dagster.stats.distance import bins_with_nulls, js_distance, sampling_limit
from aiguard_dagster.stats.profile import ColumnProfile

COUNTS = hnp.arrays(float, 5, elements=st.integers(0, 10**6).map(float))


@given(COUNTS, COUNTS)
def test_it_is_scipy_s_to_base_two(a, b):
    assume(a.sum() and b.sum())
    expected = jensenshannon(a / a.sum(), b / b.sum(), base=2)
    # Rounding leaves scipy a NaN where two shares are all but the same.
    assert js_distance(a, b) == pytest.approx(np.nan_to_num(expected), abs=1e-6)


@given(COUNTS, COUNTS)
def test_it_is_symmetric_and_lies_between_zero_and_one(a, b):
    assume(a.sum() and b.sum())
    assert 0 <= js_distance(a, b) <= 1
    assert js_distance(a, b) == pytest.approx(js_distance(b, a), abs=1e-6)


@given(COUNTS, COUNTS, COUNTS)
def test_it_keeps_the_triangle_inequality(a, b, c):
    assume(a.sum() and b.sum() and c.sum())
    assert js_distance(a, c) <= js_distance(a, b) + js_distance(b, c) + 1e-6


@given(COUNTS, st.integers(1, 1000))
def test_only_shares_count_not_how_many_rows(a, times):
    assume(a.sum())
    assert js_distance(a, a * times) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ([1, 0], [1, 0], 0),
        ([1, 0], [0, 1], 1),
        # Half of it in common: the divergence is 1 - ¾ log₂ 3 + ½ = 0.3113 bits.
        ([1, 1], [1, 0], math.sqrt(1.5 - 0.75 * math.log2(3))),
        ([1, 1, 0], [0, 1, 1], math.sqrt(0.5)),
    ],
)
def test_known_distances(a, b, distance):
    assert js_distance(np.array(a, float), np.array(b, float)) == pytest.approx(distance)


def test_no_counts_on_a_side_is_no_distance():
    none, some = np.zeros(3), np.ones(3)
    assert math.isnan(js_distance(none, some))
    assert math.isnan(js_distance(some, none))
    assert math.isnan(js_distance(none, none))


def column(*counts, nulls=0):
    return ColumnProfile(rows=sum(counts) + nulls, nulls=nulls, infinite=0, counts=counts)


def test_nulls_are_a_bin_of_their_own():
    assert bins_with_nulls(column(3, 4, nulls=2)).tolist() == [3, 4, 2]
    gone = js_distance(bins_with_nulls(column(0, 0, nulls=9)), bins_with_nulls(column(5, 5)))
    assert gone == 1


def test_sampling_wanders_less_the_more_rows_there_are_and_further_the_rarer_the_alarm():
    baseline = column(5_000, 5_000)
    limits = [sampling_limit(column(n, n), baseline, 20) for n in (1, 10, 100, 10_000)]
    assert limits == sorted(limits, reverse=True)
    assert limits[0] <= 1
    rarer = [sampling_limit(column(50, 50), baseline, period) for period in (2, 20, 2_000)]
    assert rarer == sorted(rarer)
    assert sampling_limit(column(0, 0), baseline, 20) == 1
    assert sampling_limit(baseline, column(0, 0), 20) == 1
