"""The first Wasserstein distance from counts, against scipy on the rows."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from aiguard_dagster.stats.distance import wasserstein
from aiguard_dagster.stats.grid import numeric_grid, spread_of
from aiguard_dagster.stats.profile import ColumnProfile, merge_columns
from tests.stats.profiles import binned, counted

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "far from zero": lambda rng, n: 1e9 + rng.normal(size=n),
    "heavy tail": lambda rng, n: rng.standard_t(3, size=n),
    "skewed": lambda rng, n: rng.lognormal(size=n),
    "few values": lambda rng, n: rng.integers(0, 6, size=n).astype(float),
    "a spike": lambda rng, n: np.where(rng.random(n) < 0.3, 0.5, rng.normal(size=n)),
}

EIGHTHS = st.integers(-999, 999).map(lambda number: number / 8)


def edges_of(values):
    return numeric_grid(spread_of(values)).edges


def mean_width(values, edges):
    """Of the bins that the rows lie in, cut off at the extremes."""
    ends = [values.min(), *np.clip(edges, values.min(), values.max()), values.max()]
    widths = np.array([b - a for a, b in pairwise(ends)])
    counts = binned(values, edges)
    return float((counts * widths).sum() / counts.sum())


def assert_near(now, then, edges):
    exact = wasserstein_distance(now, then) / then.std()
    found = wasserstein(counted(now, edges), counted(then, edges), edges)
    bound = (mean_width(now, edges) + mean_width(then, edges)) / 2 / then.std()
    assert abs(found - exact) <= bound * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("shape", SHAPES)
@given(seed=st.integers(0, 2**32), shift=st.floats(-3, 3), scale=st.floats(0.2, 3))
def test_it_is_scipy_s_to_the_mean_width_of_the_bins(shape, seed, shift, scale):
    rng = np.random.default_rng(seed)
    then = SHAPES[shape](rng, 300)
    now = then.mean() + (SHAPES[shape](rng, 200) - then.mean()) * scale + shift
    assert_near(now, then, edges_of(then))


@given(
    st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=20),
    st.lists(st.integers(-9, 9).map(float), min_size=2, max_size=20, unique=True),
    st.lists(st.integers(-9, 9).map(float), max_size=5, unique=True),
)
def test_it_is_so_on_any_edges(now, then, edges):
    assert_near(np.array(now), np.array(then), tuple(sorted(edges)))


@pytest.mark.parametrize(("shift", "near"), [(0.1, 0.01), (0.3, 0.01), (1.0, 0.02), (5.0, 1.0)])
def test_a_shift_of_a_normal_column_is_its_distance(shift, near):
    rng = np.random.default_rng(0)
    then, now = rng.normal(7, 2, 100_000), rng.normal(7 + 2 * shift, 2, 100_000)
    edges = edges_of(then)
    found = wasserstein(counted(now, edges), counted(then, edges), edges)
    assert found == pytest.approx(shift, abs=near)


@given(st.lists(EIGHTHS, min_size=2, max_size=30, unique=True), st.integers(0, 9))
def test_a_column_is_at_no_distance_from_itself_however_often(values, times):
    array = np.array(values)
    edges = edges_of(array)
    once = counted(array, edges)
    again = merge_columns([once] * (times + 1))
    assert wasserstein(again, once, edges) == pytest.approx(0, abs=1e-6)


@given(st.lists(EIGHTHS, min_size=2, max_size=30, unique=True), st.floats(-9, 9))
def test_only_the_baseline_s_deviation_is_not_the_same_either_way_round(values, shift):
    then, now = np.array(values), np.array(values[1:]) * 0.5 + shift
    edges = edges_of(then)
    a, b = counted(now, edges), counted(then, edges)
    if not a.deviation or not b.deviation:
        return
    there, back = wasserstein(a, b, edges), wasserstein(b, a, edges)
    assert there >= 0
    assert there * b.deviation == pytest.approx(back * a.deviation, rel=1e-6, abs=1e-9)


def test_infinities_are_left_out():
    then, now = np.arange(50.0), np.arange(50.0) + 3
    edges = edges_of(then)
    wild = np.concatenate([now, [np.inf, np.inf, -np.inf, np.nan]])
    plain = wasserstein(counted(now, edges), counted(then, edges), edges)
    assert wasserstein(counted(wild, edges), counted(then, edges), edges) == plain
    wild = np.concatenate([then, [np.inf, -np.inf]])
    assert wasserstein(counted(now, edges), counted(wild, edges), edges) == plain


@pytest.mark.parametrize("value", [-1e9, -3.0, 0.0, 50.0, 100.0, 110.0, 1e12])
def test_a_constant_window_is_as_far_as_its_value(value):
    then = np.arange(101.0)
    edges = edges_of(then)
    found = wasserstein(counted([value] * 9, edges), counted(then, edges), edges)
    assert found == pytest.approx(wasserstein_distance([value], then) / then.std(), rel=0.01)


def test_a_window_beyond_all_that_was_held_is_as_far_as_it_lies():
    then, now = np.arange(101.0), np.arange(101.0) + 10_000
    edges = edges_of(then)
    found = wasserstein(counted(now, edges), counted(then, edges), edges)
    assert found == pytest.approx(10_000 / then.std(), rel=0.001)


@pytest.mark.parametrize("large", [1e160, 1.7976931348623157e308])
def test_numbers_whose_squares_are_beyond_all_numbers_break_nothing(large):
    then = ColumnProfile(
        rows=9, counts=(0, 9, 0), lowest=-large, highest=large, mean=0.0, spread=math.inf
    )
    now = ColumnProfile(rows=1, counts=(1, 0, 0), lowest=-large, highest=-large, mean=-large)
    assert not wasserstein(now, then, (-large, large)) > 0


NONE = counted([math.nan, math.inf], nulls=2)
SOME = counted([1.0, 2.0])


@pytest.mark.parametrize(
    ("now", "then"), [(NONE, SOME), (SOME, NONE), (NONE, NONE), (SOME, counted([5.0, 5.0]))]
)
def test_without_numbers_or_a_deviation_there_is_no_distance(now, then):
    assert math.isnan(wasserstein(now, then, (-1.0, 0.0, 2.5)))


def test_lines_that_cross_leave_two_triangles():
    now = ColumnProfile(rows=4, counts=(4,), lowest=0, highest=4, mean=2, spread=4)
    then = ColumnProfile(rows=4, counts=(4,), lowest=1, highest=3, mean=2, spread=4)
    assert wasserstein(now, then, ()) == pytest.approx(4 * 0.25 / 2)


def test_a_column_of_no_edges_is_a_line_between_its_extremes():
    now = ColumnProfile(rows=4, counts=(4,), lowest=2, highest=4, mean=3, spread=4)
    then = ColumnProfile(rows=4, counts=(4,), lowest=0, highest=2, mean=1, spread=4)
    assert wasserstein(now, then, ()) == pytest.approx(2)
