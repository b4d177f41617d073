"""Quantiles from counts on a logarithmic grid: as near as their bins are wide."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.log_bins import NUDGE, PER_DECADE, quantile

WIDTH = 10 ** (1 / PER_DECADE)


def counts_of(values):
    places = [math.ceil(math.log10(value) * PER_DECADE - NUDGE) for value in values]
    return {place: places.count(place) for place in set(places)}


@given(st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_quantile_is_known_to_a_bin(values, share):
    exact = float(np.quantile(values, share, method="inverted_cdf"))
    found = quantile(counts_of(values), share)
    assert exact / WIDTH * (1 - 1e-6) <= found <= exact * WIDTH * (1 + 1e-6)


@given(st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=40))
def test_larger_shares_have_larger_quantiles(values):
    found = [quantile(counts_of(values), share) for share in (0.1, 0.5, 0.95, 1.0)]
    assert found == sorted(found)


def test_round_numbers_end_their_bin():
    assert counts_of([1.0, 10.0, 1000.0]) == {0: 1, 40: 1, 120: 1}


def test_of_nothing_there_is_no_quantile():
    assert quantile({}, 0.5) is None
    assert quantile({3: 0}, 0.5) is None


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_it_is_near_the_quantile_of_many_values(share):
    values = np.random.default_rng(0).lognormal(5, 1, 20_000)
    assert quantile(counts_of(values), share) == pytest.approx(np.quantile(values, share), rel=0.03)
