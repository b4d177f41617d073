"""Counts by bin from quantiles: whole, complete, and right to within the ranks."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.log_bins import PER_DECADE, quantile
from aiguard_dagster.stats.quantile_bins import RANKS, Quantiles, bins_of, quantiles_of

TIMES = st.lists(st.integers(min_value=0, max_value=10**7), min_size=1, max_size=300)
POSITIVE = st.lists(st.integers(min_value=1, max_value=10**7), min_size=1, max_size=300)
GAP = max(high - low for low, high in pairwise(RANKS))


@given(TIMES)
def test_every_value_is_counted_once(times):
    quantiles = quantiles_of(times)
    assert sum(bins_of(quantiles).values()) + quantiles.at_most(0) == len(times)


@given(TIMES)
def test_counts_are_whole_and_none_is_below_zero(times):
    assert all(isinstance(n, int) and n > 0 for n in bins_of(quantiles_of(times)).values())


@given(POSITIVE, st.integers(min_value=1, max_value=10**7))
def test_a_share_is_right_to_within_the_ranks_on_its_two_sides(times, limit):
    n = len(times)
    truly = sum(time <= limit for time in times)
    told = quantiles_of(times).at_most(limit)
    assert abs(told - truly) <= GAP * n + 2


@given(POSITIVE)
def test_a_percentile_lies_between_those_of_the_neighbouring_ranks(times):
    counts = bins_of(quantiles_of(times))
    ordered = sorted(times)
    for share in (0.5, 0.95, 0.99):
        found = quantile(counts, share)
        below = max([rank for rank in RANKS if rank < share], default=0.0)
        above = min([rank for rank in RANKS if rank > share], default=1.0)
        low = ordered[max(0, math.floor(below * (len(times) - 1)) - 1)]
        high = ordered[min(len(times) - 1, math.ceil(above * (len(times) - 1)) + 1)]
        assert low / 10 ** (1.01 / PER_DECADE) <= found <= high * 10 ** (1.01 / PER_DECADE)


def test_bins_of_hours_that_are_alike_add_up_to_the_days_percentile():
    hours = [[50 + (7 * n + hour) % 101 for n in range(101)] for hour in range(24)]
    total = {}
    for hour in hours:
        for place, n in bins_of(quantiles_of(hour)).items():
            total[place] = total.get(place, 0) + n
    every = sorted(time for hour in hours for time in hour)
    for share in (0.5, 0.95, 0.99):
        truly = every[int(share * len(every))]
        assert abs(quantile(total, share) / truly - 1) < 0.06


def test_no_values_make_no_bins():
    assert bins_of(quantiles_of([])) == {}
    assert bins_of(Quantiles(n=3, ranks=(0.0, 1.0), values=(0.0, 0.0))) == {}


def test_a_clock_that_ran_backwards_is_below_zero_and_in_no_bin():
    quantiles = quantiles_of([-500, -1, 10, 10])
    assert quantiles.at_most(-1) == 2
    assert sum(bins_of(quantiles).values()) == 2
