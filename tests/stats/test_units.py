"""Medians that are a power of ten away from what they were."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiguard_dagster.stats.grid import NumericGrid
from aiguard_dagster.stats.profile import ColumnProfile, merge_columns
from aiguard_dagster.stats.units import (
    FEWEST_VALUES,
    MOST_POWERS,
    Medians,
    full_days,
    jump,
    median_span,
    medians_of,
    power_of_ten,
)

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)
grids = st.lists(st.floats(-1e6, 1e6), max_size=5, unique=True).map(
    lambda edges: NumericGrid(tuple(sorted(edges)))
)
powers = st.integers(-MOST_POWERS, MOST_POWERS)
positive = st.floats(1e-3, 1e6)


def counted(numbers, grid, *, nulls=0, infinite=0):
    """A column as the profiler counts it; infinities fall into the last bin."""
    bins = np.searchsorted(grid.edges, numbers, side="left")
    counts = np.bincount(bins, minlength=grid.size)
    counts[-1] += infinite
    return ColumnProfile(
        rows=len(numbers) + nulls + infinite,
        nulls=nulls,
        plus_infinite=infinite,
        counts=tuple(counts.tolist()),
        lowest=min(numbers, default=None),
        highest=max(numbers, default=None),
        mean=float(np.mean(numbers)) if numbers else 0.0,
    )


@given(values, grids, st.integers(0, 3))
def test_the_median_lies_in_its_span(numbers, grid, nulls):
    low, high = median_span(counted(numbers, grid, nulls=nulls), grid)
    assert min(numbers) <= low <= high <= max(numbers)
    assert low <= sorted(numbers)[(len(numbers) - 1) // 2]
    assert sorted(numbers)[len(numbers) // 2] <= high


@pytest.mark.parametrize(("numbers", "infinite"), [([], 0), ([], 5), ([1.0, 2.0], 2)])
def test_without_values_or_with_as_many_infinities_there_is_no_median(numbers, infinite):
    grid = NumericGrid((1.5,))
    assert median_span(counted(numbers, grid, infinite=infinite), grid) is None


@given(positive, st.floats(1, 4), powers, st.floats(0, 1), st.sampled_from([1, -1]))
def test_a_median_of_an_ordinary_day_in_another_unit_is_found(low, width, power, place, sign):
    span = sorted((sign * low, sign * low * width))
    median = (span[0] + place * (span[1] - span[0])) * 10.0**power
    found = power_of_ten(median, usual=tuple(span), near=tuple(span))
    assert found == power


@given(st.floats(-1e9, 1e9), st.floats(-1e3, 1e3), st.floats(0, 1e3), st.floats(0, 1e3))
def test_a_usual_median_has_never_jumped_and_a_jump_leads_back(median, low, width, beyond):
    near = (low, low + width)
    usual = (low - beyond, low + width + beyond)
    power = power_of_ten(median, usual=usual, near=near)
    if usual[0] <= median <= usual[1]:
        assert power == 0
    if power:
        slack = 0.031 * max(abs(low), abs(low + width))
        assert low - slack <= median / 10.0**power <= low + width + slack


@pytest.mark.parametrize("near", [(0.0, 1.0), (-1.0, 1.0), (1.0, 6.0)])
def test_nothing_is_said_where_an_ordinary_day_could_be_it(near):
    assert power_of_ten(1e4, usual=near, near=near) == 0


@pytest.mark.parametrize(
    ("median", "power"),
    [(0.0, 0), (20.0, 0), (-20.0, 0), (200.0, 1), (0.02, -3), (206.0, 1), (210.0, 0), (60.0, 0)],
)
def test_a_power_of_ten_is_met_within_three_percent(median, power):
    assert power_of_ten(median, usual=(20.0, 20.0), near=(20.0, 20.0)) == power


MEDIANS = Medians(usual=(10.0, 40.0), day=(12.0, 36.0), whole=(20.0, 21.0), day_values=50)


def test_a_batch_smaller_than_a_day_must_hit_the_median_of_all_days():
    assert jump(300.0, 50, MEDIANS) == 1
    assert jump(300.0, 49, MEDIANS) == 0
    assert jump(205.0, 49, MEDIANS) == 1


def test_a_handful_of_values_says_nothing_of_units():
    assert jump(205.0, FEWEST_VALUES, MEDIANS) == 1
    assert jump(205.0, FEWEST_VALUES - 1, MEDIANS) == 0


def test_days_of_less_than_half_the_usual_rows_are_left_out():
    grid = NumericGrid(())
    days = [counted([1.0] * number, grid) for number in (24, 24, 24, 12, 11, 1)]
    full, half = full_days(days)
    assert ([day.rows for day in full], half) == ([24, 24, 24, 12, 11], 9.0)
    assert full_days([]) == ([], 2.0)


def test_one_strange_day_of_many_does_not_widen_what_is_usual():
    grid = NumericGrid(tuple(float(edge) for edge in range(100)))
    days = [counted([20.0 + day % 5] * 20, grid) for day in range(200)]
    strange = counted([2_000.0] * 20, grid)
    for every in (days, [*days, strange]):
        medians = medians_of(every, merge_columns(every), grid)
        assert medians.usual[1] < 30
        assert jump(2_200.0, 20, medians) == 2


def test_a_few_days_do_not_tell_what_is_usual():
    grid = NumericGrid((15.0, 25.0))
    days = [counted([10.0, 20.0, 30.0], grid)] * 3
    medians = medians_of(days, merge_columns(days), grid)
    assert medians.usual == medians.day == medians.whole == (15.0, 25.0)
    assert medians_of([], counted([], grid), grid) is None


@given(st.lists(values, min_size=1, max_size=10), grids)
def test_spans_are_in_order(batches, grid):
    days = [counted(numbers, grid) for numbers in batches]
    medians = medians_of(days, merge_columns(days), grid)
    assume(medians is not None)
    for low, high in (medians.usual, medians.day, medians.whole):
        assert low <= high
