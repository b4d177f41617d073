"""Grids hold known shares in each bin, whatever the values are."""

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from aiguard_dagster.stats.grid import (
    CATEGORIES,
    DISTINCT,
    KNOWN,
    LEVELS,
    LOG_EDGES,
    SCORE_EDGES,
    CategoryGrid,
    Grid,
    JointGrid,
    NumericGrid,
    category_grid,
    grid_from_json,
    grid_to_json,
    joint_grid,
    numeric_grid,
    spread_of,
)
from tests.stats.profiles import binned

RNG = np.random.default_rng(0)
MOST_BINS = 36
ANY = st.lists(st.floats(), max_size=200)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SHAPES = {
    "normal": RNG.normal(size=10_000),
    "cauchy": RNG.standard_cauchy(10_000),
    "lognormal": RNG.lognormal(sigma=4, size=10_000),
    "pareto": RNG.pareto(0.5, 10_000),
    "huge": RNG.normal(size=10_000) * 1e300,
    "the whole range": RNG.uniform(-1, 1, 10_000) * 1.7e308,
    "tiny": RNG.normal(size=10_000) * 1e-300,
    "narrow": 1e9 + RNG.random(10_000) * 1e-3,
}
ODD = {
    "constant": np.full(1_000, 7.0),
    "constant zero": np.zeros(1_000),
    "the lowest of all": np.full(1_000, -1.7976931348623157e308),
    "the highest of all": np.full(1_000, 1.7976931348623157e308),
    "discrete": RNG.poisson(3, 10_000).astype(float),
    "many whole numbers": RNG.poisson(1_000, 10_000).astype(float),
    "zero-inflated": np.concatenate([np.zeros(9_000), RNG.lognormal(size=1_000)]),
    "one value": np.array([3.5]),
    "two neighbours": np.array([1.0, np.nextafter(1.0, 2)]),
}
EVERY = SHAPES | ODD


def grid_of(values):
    return numeric_grid(spread_of(np.array(values, dtype=float)))


def bin_of(grid, value):
    return int(np.searchsorted(grid.edges, value, side="left"))


@pytest.mark.parametrize("shape", EVERY)
def test_edges_are_finite_ascending_unique_and_not_too_many(shape):
    assert_edges(grid_of(EVERY[shape]))


@given(ANY)
def test_edges_are_so_whatever_the_values(values):
    assert_edges(grid_of(values))


def assert_edges(grid):
    assert all(math.isfinite(edge) for edge in grid.edges)
    assert all(a < b for a, b in pairwise(grid.edges))
    assert grid.size == len(grid.edges) + 1 <= MOST_BINS


@given(ANY)
def test_nan_and_infinities_choose_no_edge(values):
    array = np.array(values, dtype=float)
    assert grid_of(array) == grid_of(array[np.isfinite(array)])


@given(ANY, st.randoms())
def test_the_order_of_the_rows_does_not_matter(values, random):
    assert grid_of(random.sample(values, len(values))) == grid_of(values)


@pytest.mark.parametrize("shape", SHAPES)
def test_bins_hold_equal_shares_and_less_in_the_tails_however_heavy_they_are(shape):
    values = SHAPES[shape]
    found = binned(values, grid_of(values).edges) / values.size
    expected = np.diff([0, 0, *LEVELS, 1, 1])
    assert found == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("shape", EVERY)
def test_values_beyond_all_that_was_held_land_in_outer_bins_that_were_empty(shape):
    values = EVERY[shape]
    grid = grid_of(values)
    with np.errstate(over="ignore"):
        above = np.nextafter(values.max(), np.inf)
        below = np.nextafter(values.min(), -np.inf)
    counts = binned(values, grid.edges)
    assert bin_of(grid, above) == bin_of(grid, math.inf) == grid.size - 1
    assert counts[-1] == 0
    assert bin_of(grid, below) == bin_of(grid, -math.inf) == 0
    # Below the lowest number of all there is nothing but infinity.
    assert counts[0] == 0 or below == -math.inf


@given(st.sets(FINITE, min_size=1, max_size=DISTINCT))
def test_few_distinct_numbers_have_a_bin_each(distinct):
    grid = grid_of([value for value in distinct for _ in range(3)])
    assert len({bin_of(grid, value) for value in distinct}) == len(distinct)


@given(FINITE, st.integers(1, DISTINCT))
def test_neighbours_with_no_number_between_them_have_a_bin_each(start, number):
    distinct = [start]
    with np.errstate(over="ignore", under="ignore"):
        while len(distinct) < number:
            distinct.append(float(np.nextafter(distinct[-1], np.inf)))
    assume(math.isfinite(distinct[-1]))
    grid = grid_of(distinct)
    assert len({bin_of(grid, value) for value in distinct}) == number


def test_one_distinct_number_more_is_cut_at_quantiles():
    few, many = np.arange(float(DISTINCT)), np.arange(DISTINCT + 1.0)
    assert spread_of(few).distinct == tuple(few)
    assert spread_of(many).distinct == ()
    assert all(edge % 1 == 0.5 for edge in grid_of(few).edges[1:-1])
    assert not [edge for edge in grid_of(many).edges if edge % 1 == 0.5]


@pytest.mark.parametrize("rare", [1, 40])
def test_rare_numbers_among_many_rows_count_as_distinct(rare):
    values = np.concatenate([np.zeros(50_000), np.arange(rare) + 1.0])
    found = spread_of(values).distinct
    assert found == (tuple(np.unique(values)) if rare == 1 else ())


@given(FINITE, FINITE)
def test_a_constant_that_comes_alive_lands_outside_its_bin(constant, value):
    assume(value != constant)
    grid = grid_of([constant] * 5)
    assert binned([constant], grid.edges).sum() == 1
    assert bin_of(grid, value) != bin_of(grid, constant)


@pytest.mark.parametrize("values", [[], [math.nan], [math.nan, math.inf, -math.inf]])
def test_no_usable_value_has_one_bin_for_all(values):
    assert spread_of(np.array(values)) is None
    assert grid_of(values) == NumericGrid(())
    assert grid_of(values).size == 1


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=DISTINCT + 1, max_size=80, unique=True),
    st.floats(-1e6, 1e6),
    st.floats(0.1, 0.9),
)
def test_a_number_that_fills_several_shares_has_a_bin_to_itself(others, spike, share):
    times = math.ceil(len(others) * share / (1 - share))
    grid = grid_of([*others, *[spike] * times])
    place = bin_of(grid, spike)
    assert not [value for value in others if value != spike and bin_of(grid, value) == place]


def test_zeros_among_numbers_are_told_from_the_smallest_of_them():
    values = ODD["zero-inflated"]
    grid = grid_of(values)
    counts = binned(values, grid.edges)
    assert counts[bin_of(grid, 0.0)] == 9_000
    assert bin_of(grid, 1e-300) == bin_of(grid, 0.0) + 1
    assert counts[bin_of(grid, 1e-300) :].sum() == 1_000


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=200))
def test_cuts_are_numbers_that_the_column_holds_at_numpy_s_lower_quantiles(values):
    found = spread_of(np.array(values))
    assert set(found.cuts) <= set(values)
    assert found.cuts == tuple(np.quantile(values, LEVELS, method="lower"))
    assert (found.lowest, found.highest) == (min(values), max(values))


def test_what_is_read_of_a_column_is_part_of_its_grid():
    spread = spread_of(np.array([1.0, 2.0]))
    assert numeric_grid(spread).reading == "number"
    for reading in ("length", "age", "error"):
        assert numeric_grid(spread, reading=reading).reading == reading
        assert numeric_grid(None, reading=reading) == NumericGrid((), reading)


@pytest.mark.parametrize(("edges", "size"), [(LOG_EDGES, 241), (SCORE_EDGES, 19)])
def test_edges_that_no_baseline_chooses_ascend(edges, size):
    assert len(edges) == size
    assert all(a < b for a, b in pairwise(edges))


def test_costs_are_told_apart_by_an_eighth_from_a_millionth_to_a_million():
    assert (LOG_EDGES[0], LOG_EDGES[-1]) == pytest.approx((1e-6, 1e6))
    assert np.diff(np.log(LOG_EDGES)) == pytest.approx(np.log(10) / 20)


counts = st.dictionaries(st.text(max_size=4), st.integers(1, 99), max_size=90)


@given(counts, st.integers(0, 9), st.integers(0, 20))
def test_the_most_frequent_categories_are_kept_and_ties_go_by_name(found, most, more):
    grid = category_grid(found, most=most, known=most + more)
    ranked = sorted(found, key=lambda name: (-found[name], name))
    assert list(grid.categories) == ranked[:most]
    assert list(grid.known) == ranked[: most + more]


@given(counts, st.randoms())
def test_the_order_of_the_categories_does_not_matter(found, random):
    names = random.sample(list(found), len(found))
    assert category_grid({name: found[name] for name in names}) == category_grid(found)


def test_of_a_million_distinct_names_a_thousand_are_known():
    grid = category_grid({f"{number:06}": 1_000_000 - number for number in range(1_000_000)})
    assert (len(grid.categories), len(grid.others)) == (CATEGORIES, KNOWN - CATEGORIES)
    assert (len(grid.others), grid.size) == (936, CATEGORIES + 2)
    assert grid.known == tuple(f"{number:06}" for number in range(KNOWN))


def test_other_known_values_and_new_ones_have_a_bin_each():
    assert category_grid({"a": 1, "b": 2}).size == 4
    assert CategoryGrid(()).size == 2


def test_the_scale_of_a_normal_column_is_its_standard_deviation():
    values = RNG.normal(5, 2, 100_000)
    wild = np.concatenate([values, np.full(100, 1e12)])
    for column in (values, wild):
        found = joint_grid({"x": spread_of(column)})
        assert found.columns == ("x",)
        assert found.centres[0] == pytest.approx(5, abs=0.03)
        assert found.scales[0] == pytest.approx(2, rel=0.02)


def test_columns_that_hold_one_number_or_none_are_not_watched_jointly():
    found = joint_grid(
        {"a": spread_of(np.full(9, 2.0)), "b": None, "c": spread_of(np.array([1.0, 2.0]))}
    )
    assert found.columns == ("c",)
    assert joint_grid({}) == JointGrid((), (), ())


def test_a_column_that_is_mostly_one_number_is_scaled_by_its_range():
    values = np.concatenate([np.zeros(90), np.full(10, 8.0)])
    assert joint_grid({"x": spread_of(values)}) == JointGrid(("x",), (0.0,), (4.0,))


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=100))
@example([-1.7e308, 0.0, 0.0, 0.0, 0.0, 0.0, 1.7e308])
@example((np.linspace(-1, 1, 100) * 1.7e308).tolist())
def test_every_scale_is_a_positive_number(values):
    found = joint_grid({"x": spread_of(np.array(values))})
    assert all(scale > 0 and math.isfinite(scale) for scale in found.scales)
    assert len(found.scales) == int(len(set(values)) > 1)


numbers = st.lists(FINITE, max_size=5)
names = st.lists(st.text(max_size=5), max_size=5, unique=True)
readings = st.sampled_from(["number", "length", "age", "error"])
numeric = st.builds(
    NumericGrid, numbers.map(lambda edges: tuple(sorted(set(edges)))), reading=readings
)
categories = st.builds(
    lambda named, cut: CategoryGrid(tuple(named[:cut]), tuple(named[cut:])),
    names,
    st.integers(0, 5),
)
joints = names.flatmap(
    lambda named: st.builds(
        JointGrid,
        st.just(tuple(named)),
        st.tuples(*[FINITE] * len(named)),
        st.tuples(*[FINITE] * len(named)),
    )
)
grids = st.builds(
    Grid,
    st.dictionaries(st.text(max_size=5), numeric | categories, max_size=4),
    st.none() | joints,
)


@given(grids)
def test_a_grid_is_the_same_after_json(grid):
    found = grid_from_json(json.loads(json.dumps(grid_to_json(grid), allow_nan=False)))
    assert found == grid
    assert found.id == grid.id


@pytest.mark.parametrize("shape", EVERY)
def test_a_chosen_grid_is_the_same_after_json(shape):
    spread = spread_of(EVERY[shape])
    grid = Grid({"x": numeric_grid(spread)}, joint_grid({"x": spread}))
    assert grid_from_json(json.loads(json.dumps(grid_to_json(grid), allow_nan=False))) == grid


@given(grids, grids)
def test_grids_that_differ_have_names_that_differ(a, b):
    assert (a.id == b.id) == (grid_to_json(a) == grid_to_json(b))
    assert len(a.id) == 16


@given(grids)
def test_the_order_of_the_columns_does_not_change_the_name(grid):
    assert Grid(dict(reversed(grid.columns.items())), grid.joint).id == grid.id


def test_an_edge_a_reading_a_category_or_a_scale_more_is_another_grid():
    joint = JointGrid(("x",), (0.0,), (1.0,))
    all_of_them = [
        Grid({"x": NumericGrid((1.0,))}),
        Grid({"x": NumericGrid((1.0, 2.0))}),
        Grid({"x": NumericGrid((1.0,), "age")}),
        Grid({"x": CategoryGrid(("a", "b"))}),
        Grid({"x": CategoryGrid(("a",), ("b",))}),
        Grid({"x": NumericGrid((1.0,))}, joint),
        Grid({"x": NumericGrid((1.0,))}, JointGrid(("x",), (0.0,), (2.0,))),
    ]
    assert len({grid.id for grid in all_of_them}) == len(all_of_them)
