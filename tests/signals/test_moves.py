"""What moved, told in words and as a small chart."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.signals.moves import (
    MOST_BARS,
    bin_labels,
    chart_of,
    how_moved,
    how_outcomes_moved,
)
from aiguard_dagster.stats.grid import CategoryGrid, NumericGrid, numeric_grid, spread_of
from aiguard_dagster.stats.profile import ColumnProfile, Residuals
from tests.stats.profiles import counted

RNG = np.random.default_rng(0)
GRID = NumericGrid((-1.0, 0.0, 2.5))


def grid_of(values, **options):
    return numeric_grid(spread_of(np.array(values, float)), **options)


def moved(now, then, grid, aspect="shape"):
    """What is told of two sets of numbers."""
    return how_moved(counted(now, grid.edges), counted(then, grid.edges), grid, aspect)


def test_numbers_went_up_or_down_by_so_many_deviations():
    then = [8.0, 12.0] * 50
    grid = grid_of(then)
    assert moved([9.0, 13.0] * 50, then, grid) == "up: mean 10 → 11, 0.5 sd"
    assert moved([3.0, 7.0] * 50, then, grid) == "down: mean 10 → 5, 2.5 sd"


def test_numbers_became_wider_or_narrower_where_that_explains_more():
    then = [8.0, 12.0] * 50
    grid = grid_of(then)
    assert moved([4.1, 16.0] * 50, then, grid) == "wider: sd 2 → 5.95"
    assert moved([9.5, 10.5] * 50, then, grid) == "narrower: sd 2 → 0.5"


def test_a_constant_that_changed_is_told_without_deviations():
    assert moved([5.0, 5.0], [3.0, 3.0], grid_of([3.0])) == "up: mean 3 → 5"
    assert moved([1.0, 2.0], [3.0, 3.0], grid_of([3.0])) == "down: mean 3 → 1.5"


def test_a_column_that_became_constant_still_went_up_or_down():
    assert moved([9.0, 9.0], [8.0, 12.0], grid_of([8.0, 12.0])) == "down: mean 10 → 9, 0.5 sd"


@pytest.mark.parametrize(
    ("now", "then", "told"),
    [
        ([math.nan], [1.0], "no numbers now"),
        ([math.inf], [1.0], "no numbers now"),
        ([1.0], [], "numbers where there were none"),
        ([], [], "numbers where there were none"),
    ],
)
def test_numbers_that_are_gone_or_new_are_told_as_that(now, then, told):
    assert moved(now, then, GRID) == told


@pytest.mark.parametrize(
    ("nulls", "rows", "were", "told"),
    [
        (50, 1_000, 10, "more nulls: 1.0% → 5.0%"),
        (0, 1_000, 10, "fewer nulls: 1.0% → 0.0%"),
        (3, 1_000, 0, "more nulls: 0.00% → 0.30%"),
        (0, 0, 10, "fewer nulls: 1.0% → 0.0%"),
    ],
)
def test_nulls_are_told_as_shares_of_all_rows(nulls, rows, were, told):
    now = ColumnProfile(rows=rows, counts=(rows - nulls,), nulls=nulls)
    then = ColumnProfile(rows=1_000, counts=(1_000 - were,), nulls=were)
    assert how_moved(now, then, NumericGrid(()), "missing") == told


def test_nan_counts_as_null():
    now = ColumnProfile(rows=10, counts=(5,), nulls=2, nans=3)
    then = ColumnProfile(rows=10, counts=(10,))
    assert how_moved(now, then, NumericGrid(()), "missing") == "more nulls: 0.0% → 50.0%"


def test_new_values_are_told_as_shares_of_the_rows_that_have_one():
    grid = CategoryGrid(("a", "b"))
    then = ColumnProfile(rows=100, counts=(50, 50, 0, 0))
    now = ColumnProfile(rows=100, counts=(20, 20, 0, 10), nulls=50)
    assert how_moved(now, then, grid, "unseen") == "more new values: 0.0% → 20.0%"


def test_of_categories_the_one_that_changed_most_is_told():
    grid = CategoryGrid(("a", "b"), ("c",))
    then = ColumnProfile(rows=100, counts=(60, 30, 10, 0))
    now = ColumnProfile(rows=50, counts=(25, 20, 5, 0))
    for aspect in ("bins", "shape"):
        assert how_moved(now, then, grid, aspect) == "b: 30.0% → 40.0%"
    others = ColumnProfile(rows=50, counts=(10, 10, 30, 0))
    assert how_moved(others, then, grid, "bins") == "other known values: 10.0% → 60.0%"


def test_of_numbers_the_bin_that_changed_most_is_told_and_how_the_mean_went():
    then = [0.0] * 10 + [1.0] * 80 + [2.0] * 10
    grid = grid_of(then)
    now = [0.0] * 10 + [1.0] * 20 + [2.0] * 70
    assert moved(now, then, grid, "bins") == "2: 10.0% → 70.0%, up: mean 1 → 1.6, 1.3 sd"


def test_zeros_that_became_more_are_told_as_zero():
    then = [0.0] * 500 + RNG.lognormal(size=500).tolist()
    now = [0.0] * 900 + RNG.lognormal(size=100).tolist()
    assert moved(now, then, grid_of(then), "bins").startswith("0: 50.0% → 90.0%, narrower: sd ")


@pytest.mark.parametrize("aspect", ["bins", "shape", "missing"])
@given(st.lists(st.floats()), st.lists(st.floats(), min_size=1))
def test_there_are_words_for_any_numbers(aspect, now, then):
    with np.errstate(all="ignore"):
        told = moved(now, then, grid_of(then), aspect)
    assert told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("edges", "labels"),
    [
        ((), ["any number"]),
        ((2.0,), ["below 2", "above 2"]),
        ((0.0, 2.0), ["below 0", "0 to 2", "above 2"]),
        ((1.0, 2.5, 1e6), ["below 1", "1 to 2.5", "2.5 to 1e+06", "above 1e+06"]),
        ((-5e-324, 0.0), ["below 0", "0", "above 0"]),
    ],
)
def test_bins_of_numbers_are_told_by_their_edges(edges, labels):
    assert list(bin_labels(NumericGrid(edges))) == labels


@pytest.mark.parametrize("value", [-7.5, 0.0, 3.0, 1e300])
def test_a_constant_has_a_label_for_itself(value):
    assert bin_labels(grid_of([value] * 9)) == [
        f"below {value:.4g}", f"{value:.4g}", f"above {value:.4g}"
    ]  # fmt: skip


def test_few_numbers_are_told_by_themselves():
    assert bin_labels(grid_of([0.0, 1.0, 1.0])) == ["below 0", "0", "1", "above 1"]
    assert bin_labels(grid_of([1.0, 2.5, 4.0])) == ["below 1", "1", "2.5", "4", "above 4"]


def test_labels_have_as_many_digits_as_tell_them_apart():
    near = [1e9, 1e9 + 1e-3, 1e9 + 2e-3]
    assert bin_labels(grid_of(near))[1:4] == ["1000000000", "1000000000.001", "1000000000.002"]
    edges = (0.123456, 0.123457, 1.0)
    assert bin_labels(NumericGrid(edges))[1] == "0.123456 to 0.123457"


def test_labels_are_in_the_unit_of_what_was_read():
    lengths = NumericGrid((2.0, 40.0), "length")
    assert bin_labels(lengths)[1] == "2 characters to 40 characters"
    ages = NumericGrid((-90.0, -0.2, 0.0, 3_600.0, 86_400.0, 1e11), "age")
    assert list(bin_labels(ages)) == [
        "below -90s", "-90s to 0s", "0s", "0s to 1h", "1h to 1d", "1d to 1e+11", "above 1e+11"
    ]  # fmt: skip


def test_ages_are_told_as_durations():
    grid = NumericGrid((0.0, 7_200.0), "age")
    assert moved([7_200.0, 7_200.0], [3_600.0, 3_600.0], grid) == "up: mean 1h → 2h"


@given(st.lists(st.floats(), max_size=80), st.sampled_from(["number", "length", "age", "error"]))
def test_every_bin_has_a_label(values, reading):
    grid = grid_of(values, reading=reading)
    labels = bin_labels(grid)
    assert len(labels) == grid.size
    assert all(labels)


@given(st.lists(st.text(max_size=3), max_size=5, unique=True))
def test_every_category_has_a_label_and_so_have_the_others(names):
    grid = CategoryGrid(tuple(names))
    assert list(bin_labels(grid)) == [*names, "other known values", "new values"]


def assert_whole(chart, now, then):
    assert len(chart.labels) == len(chart.before) == len(chart.now) <= MOST_BARS + 1
    for bars, column in ((chart.before, then), (chart.now, now)):
        assert all(0 <= bar <= 1 + 1e-9 for bar in bars)
        assert sum(bars) == pytest.approx(1 if column.rows else 0)


@given(st.lists(st.floats(), max_size=60), st.lists(st.floats(), max_size=60), st.integers(0, 9))
def test_a_chart_of_numbers_shows_every_row_once_in_few_bars(now, then, nulls):
    grid = grid_of(then)
    with np.errstate(all="ignore"):
        a, b = counted(now, grid.edges, nulls=nulls), counted(then, grid.edges)
    chart = chart_of(a, b, grid)
    assert_whole(chart, a, b)
    assert ("null" in chart.labels) == bool(a.missing or b.missing)


@given(st.integers(0, 70), st.integers(0, 2**32), st.integers(0, 9))
def test_a_chart_of_categories_shows_every_row_once_in_few_bars(number, seed, nulls):
    grid = CategoryGrid(tuple(f"c{place}" for place in range(number)))
    now, then = np.random.default_rng(seed).integers(0, 50, (2, grid.size)).tolist()
    a = ColumnProfile(rows=sum(now) + nulls, counts=tuple(now), nulls=nulls)
    b = ColumnProfile(rows=sum(then), counts=tuple(then))
    chart = chart_of(a, b, grid)
    assert_whole(chart, a, b)
    assert [*chart.labels[-2 - bool(nulls) :]][:2] == ["other known values", "new values"]


def test_the_outermost_bins_of_numbers_stay_bars_of_their_own():
    then = RNG.normal(size=1_000)
    grid = grid_of(then)
    now = np.concatenate([then[:900], np.full(60, 99.0), np.full(40, -99.0)])
    chart = chart_of(counted(now, grid.edges), counted(then, grid.edges), grid)
    assert len(chart.labels) == MOST_BARS
    assert (chart.labels[0][:6], chart.labels[-1][:6]) == ("below ", "above ")
    assert (chart.before[0], chart.before[-1]) == (0, 0)
    assert (chart.now[0], chart.now[-1]) == pytest.approx((0.04, 0.06))


def test_bars_of_several_bins_are_told_from_end_to_end():
    then = [5.0] * 500 + [float(number) for number in range(40)]
    grid = grid_of(then)
    few = NumericGrid(tuple(float(edge) for edge in range(21)))
    for each in (grid, few):
        chart = chart_of(counted(then, each.edges), counted(then, each.edges), each)
        inner = [label.split(" to ") for label in chart.labels[1:-1]]
        assert inner[0][0] == f"{max(each.edges[0], 0.0):g}"
        assert inner[-1][-1] == f"{each.edges[-1]:g}"
        assert [a[-1] for a in inner[:-1]] == [b[0] for b in inner[1:]]


def test_a_bar_that_begins_with_a_spike_is_told_to_its_end():
    edges = sorted([*range(1, 22), float(np.nextafter(1.0, 0))])
    grid = NumericGrid(tuple(float(edge) for edge in edges))
    column = counted([1.0, 2.5, 30.0], grid.edges)
    assert chart_of(column, column, grid).labels[1] == "1 to 3"


def test_a_bar_that_ends_with_a_spike_is_told_to_it():
    edges = sorted([*range(1, 22), float(np.nextafter(3.0, 0))])
    grid = NumericGrid(tuple(float(edge) for edge in edges))
    column = counted([1.0, 2.5, 30.0], grid.edges)
    assert chart_of(column, column, grid).labels[1] == "1 to 3"


def test_the_largest_categories_of_either_side_are_shown_and_the_rest_put_together():
    grid = CategoryGrid(tuple("abcdefghijklmno"))
    then = ColumnProfile(rows=150, counts=(*[10] * 15, 0, 0))
    now = ColumnProfile(rows=100, counts=(*[0] * 14, 90, 0, 10))
    chart = chart_of(now, then, grid)
    assert chart.labels[0] == "o"
    assert len(chart.labels) == MOST_BARS
    assert chart.labels[-2:] == ("other known values", "new values")
    assert (chart.now[0], chart.now[-1]) == (0.9, 0.1)
    assert chart.before[-2] == pytest.approx(5 / 15)


def test_missing_values_are_a_bar_of_their_own_and_take_their_share_of_the_others():
    grid = CategoryGrid(("a",))
    then = ColumnProfile(rows=100, counts=(100, 0, 0))
    now = ColumnProfile(rows=100, counts=(30, 0, 0), nulls=50, nans=20)
    chart = chart_of(now, then, grid)
    assert chart.labels == ("a", "other known values", "new values", "null")
    assert chart.before == (1, 0, 0, 0)
    assert chart.now == pytest.approx((0.3, 0, 0, 0.7))


def residuals(rows, sums):
    return Residuals(rows=rows, sums=sums, squares=tuple(abs(each) for each in sums))


def test_outcomes_are_told_over_all_and_where_they_moved_most():
    then = residuals((50, 50, 0, 0), (0.0, 0.0, 0.0, 0.0))
    now = residuals((10, 10, 0, 0), (1.0, -20.0, 0.0, 0.0))
    told = how_outcomes_moved("score", now, then, NumericGrid((0.5, 0.9)))
    assert told == (
        "outcome less prediction, mean 0 → -0.95; most where score is 0.5 to 0.9: 0 → -2"
    )


def test_many_rows_that_moved_a_little_matter_more_than_one_that_moved_far():
    then = residuals((500, 500, 0), (0.0, 0.0, 0.0))
    now = residuals((100, 1, 0), (50.0, -2.0, 0.0))
    told = how_outcomes_moved("score", now, then, NumericGrid((0.5,)))
    assert told.endswith("most where score is below 0.5: 0 → 0.5")


def test_outcomes_of_rows_without_a_value_are_told_as_those_of_null():
    then = residuals((50, 50), (0.0, 0.0))
    now = residuals((10, 10), (0.0, 5.0))
    told = how_outcomes_moved("score", now, then, NumericGrid(()))
    assert told.endswith("most where score is null: 0 → 0.5")


def test_regions_that_a_side_has_no_rows_of_are_not_compared():
    then = residuals((50, 0, 0), (0.0, 0.0, 0.0))
    now = residuals((0, 10, 0), (0.0, 5.0, 0.0))
    told = how_outcomes_moved("score", now, then, NumericGrid((0.5,)))
    assert told == "outcome less prediction, mean 0 → 0.5"


def test_outcomes_that_did_not_move_are_told_over_all_only():
    same = residuals((50, 50), (5.0, 0.0))
    told = how_outcomes_moved("score", same, same, NumericGrid(()))
    assert told == "outcome less prediction, mean 0.05 → 0.05"
