"""Grids hold about the same share in each bin, whatever the values are."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.grid import (
    BINS,
    CATEGORIES,
    CategoryGrid,
    Grid,
    NumericGrid,
    category_grid,
    grid_from_json,
    grid_to_json,
    numeric_grid,
)

RNG = np.random.default_rng(0)
ANY = st.lists(st.floats(), max_size=200)


def shares(grid, values):
    finite = values[np.isfinite(values)]
    bins = np.searchsorted(grid.edges, finite, side="left")
    return np.bincount(bins, minlength=grid.size) / finite.size


@given(ANY)
def test_edges_are_finite_in_order_and_not_too_many_whatever_the_values(values):
    edges = numeric_grid(np.array(values, dtype=float)).edges
    assert all(math.isfinite(edge) for edge in edges)
    assert list(edges) == sorted(edges)
    assert len(edges) < BINS


@given(ANY)
def test_nan_and_infinities_choose_no_edge(values):
    array = np.array(values, dtype=float)
    assert numeric_grid(array) == numeric_grid(array[np.isfinite(array)])


@given(ANY, st.randoms())
def test_the_order_of_the_rows_does_not_matter(values, random):
    shuffled = random.sample(values, len(values))
    assert numeric_grid(np.array(shuffled, dtype=float)) == numeric_grid(
        np.array(values, dtype=float)
    )


@pytest.mark.parametrize(
    "values",
    [
        RNG.normal(size=10_000),
        RNG.standard_cauchy(10_000),
        RNG.lognormal(sigma=4, size=10_000),
        RNG.pareto(0.5, 10_000),
        RNG.normal(size=10_000) * 1e300,
        1e9 + RNG.random(10_000) * 1e-3,
    ],
    ids=["normal", "cauchy", "lognormal", "pareto", "huge", "narrow"],
)
def test_continuous_values_fill_all_bins_alike_however_heavy_the_tail(values):
    found = shares(numeric_grid(values), values)
    assert found.size == BINS
    assert found == pytest.approx(np.full(BINS, 1 / BINS), abs=5e-4)


@given(st.sets(st.integers(-(10**6), 10**6), min_size=1, max_size=BINS))
def test_few_distinct_values_get_a_bin_each(distinct):
    values = np.array(sorted(distinct), dtype=float)
    grid = numeric_grid(values.repeat(3))
    assert grid.size == len(distinct)
    assert shares(grid, values) == pytest.approx(np.full(len(distinct), 1 / len(distinct)))


@pytest.mark.parametrize("value", [0.0, -7.5, 1e308])
def test_a_constant_has_one_bin(value):
    assert numeric_grid(np.full(1000, value)) == NumericGrid(())


def test_no_usable_value_has_one_bin():
    assert numeric_grid(np.array([])).size == 1
    assert numeric_grid(np.array([math.nan, math.inf, -math.inf])).size == 1


def test_a_value_that_most_rows_hold_keeps_a_bin_to_itself():
    values = np.concatenate([np.zeros(9_000), RNG.random(1_000) + 1])
    found = shares(numeric_grid(values), values)
    assert found[0] == pytest.approx(0.9)
    assert found.sum() == pytest.approx(1)


counts = st.dictionaries(st.text(max_size=4), st.integers(1, 99), max_size=90)


@given(counts)
def test_the_most_frequent_categories_are_kept_and_ties_go_by_name(found):
    kept = category_grid(found).categories
    assert len(kept) == min(len(found), CATEGORIES)
    assert list(kept) == sorted(found, key=lambda name: (-found[name], name))[: len(kept)]
    least = min((found[name] for name in kept), default=0)
    assert all(found[name] <= least for name in set(found) - set(kept))


@given(counts, st.randoms())
def test_the_order_of_the_categories_does_not_matter(found, random):
    names = random.sample(list(found), len(found))
    assert category_grid({name: found[name] for name in names}) == category_grid(found)


def test_there_is_a_bin_for_every_other_value():
    assert category_grid({"a": 1, "b": 2}).size == 3
    assert CategoryGrid(()).size == 1


numeric = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5)
grids = st.dictionaries(
    st.text(max_size=5),
    numeric.map(lambda edges: NumericGrid(tuple(sorted(edges))))
    | st.lists(st.text(max_size=5), max_size=5).map(lambda names: CategoryGrid(tuple(names))),
    max_size=4,
).map(Grid)


@given(grids)
def test_a_grid_is_the_same_after_json(grid):
    found = grid_from_json(json.loads(json.dumps(grid_to_json(grid), allow_nan=False)))
    assert found == grid
    assert found.id == grid.id


@given(grids, grids)
def test_grids_that_differ_have_names_that_differ(a, b):
    assert (a.id == b.id) == (grid_to_json(a) == grid_to_json(b))
    assert Grid(dict(reversed(a.columns.items()))).id == a.id
