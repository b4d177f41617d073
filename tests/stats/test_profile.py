"""Profiles add up, whatever the order and the grouping."""

import math
from dataclasses import replace
from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.profile import (
    EMPTY,
    ColumnProfile,
    Outcomes,
    Profile,
    Residuals,
    merge,
    merge_all,
    merge_columns,
    merge_outcomes,
    merge_residuals,
)
from tests.stats.profiles import (
    BINS,
    EDGES,
    START,
    counted,
    outcomes,
    profile_of,
    profiles,
    residuals,
    rows_of_a_batch,
    values,
)

COUNTED = ("rows", "counts", "nulls", "nans", "minus_infinite", "plus_infinite")


def without_moments(profile):
    """All but mean, spread and products, which add up only as floats do."""
    bare = {name: replace(c, mean=0.0, spread=0.0) for name, c in profile.columns.items()}
    return replace(profile, columns=bare, products=())


def assert_same(a, b):
    assert without_moments(a) == without_moments(b)
    assert a.products == pytest.approx(b.products, rel=1e-9, abs=1e-6)
    for name, column in a.columns.items():
        assert column.mean == pytest.approx(b.columns[name].mean, rel=1e-9, abs=1e-6)
        assert column.spread == pytest.approx(b.columns[name].spread, rel=1e-9, abs=1e-2)


@settings(max_examples=50)
@given(profiles(), profiles())
def test_the_order_of_two_batches_does_not_matter(a, b):
    assert_same(merge(a, b), merge(b, a))


@settings(max_examples=50)
@given(profiles(), profiles(), profiles())
def test_how_batches_are_grouped_does_not_matter(a, b, c):
    assert_same(merge(merge(a, b), c), merge(a, merge(b, c)))
    assert_same(merge(merge(a, b), c), merge_all([a, b, c]))


@settings(max_examples=50)
@given(st.lists(profiles(), max_size=6), st.randoms())
def test_the_order_of_many_batches_does_not_matter(parts, random):
    assert_same(merge_all(parts), merge_all(random.sample(parts, len(parts))))


@given(profiles())
def test_a_batch_of_no_rows_adds_nothing(a):
    assert merge(a, EMPTY) == merge(EMPTY, a) == merge_all([EMPTY, a, EMPTY]) == a


@given(profiles())
def test_a_window_of_one_batch_is_that_batch(a):
    assert merge_all([a]) == a


def test_a_window_of_no_batch_has_no_rows():
    assert merge_all([]) == merge_all([EMPTY, EMPTY]) == EMPTY


@given(profiles(least=1))
def test_a_column_an_outcome_and_a_residual_alone_stay_as_they_are(a):
    assert merge_columns([a.columns["x"]]) == a.columns["x"]
    assert merge_outcomes([a.outcomes]) == a.outcomes
    for found in a.residuals.values():
        assert merge_residuals([found]) == found


@settings(max_examples=50)
@given(st.lists(profiles(least=1), min_size=1, max_size=6))
def test_every_row_of_a_window_is_counted_once(parts):
    total = merge_all(parts)
    assert total.rows == sum(part.rows for part in parts)
    assert total.first == min(part.first for part in parts)
    assert total.last == max(part.last for part in parts)
    for name, column in total.columns.items():
        for what in COUNTED:
            found = np.sum([getattr(part.columns[name], what) for part in parts], axis=0)
            assert np.array_equal(getattr(column, what), found)
        assert sum(column.counts) + column.missing == column.rows == total.rows
        assert column.finite + column.infinite + column.missing == total.rows


@settings(max_examples=50)
@given(st.lists(profiles(least=1), min_size=1, max_size=6))
def test_the_extremes_of_a_window_are_those_of_its_batches(parts):
    column = merge_all(parts).columns["x"]
    lows = [low for part in parts if (low := part.columns["x"].lowest) is not None]
    highs = [high for part in parts if (high := part.columns["x"].highest) is not None]
    assert column.lowest == min(lows, default=None)
    assert column.highest == max(highs, default=None)


@given(st.lists(outcomes, min_size=1, max_size=5))
def test_outcomes_add_up_pair_by_pair(parts):
    total = merge_outcomes(parts)
    for what in ("labelled", "absolute", "squared", "signed", "priced", "spend"):
        assert getattr(total, what) == sum(getattr(part, what) for part in parts)
    assert total.confusion.keys() == {pair for part in parts for pair in part.confusion}
    for pair, rows in total.confusion.items():
        assert rows == sum(part.confusion.get(pair, 0) for part in parts)
    assert total.scores.keys() == {pair for part in parts for pair in part.scores}
    for pair, counts in total.scores.items():
        none = (0,) * len(counts)
        added = np.sum([part.scores.get(pair, none) for part in parts], axis=0)
        assert counts == tuple(added.tolist())


@given(st.lists(residuals, min_size=1, max_size=5))
def test_residuals_add_up_bin_by_bin(parts):
    total = merge_residuals(parts)
    for what in ("rows", "sums", "squares"):
        added = np.sum([getattr(part, what) for part in parts], axis=0)
        assert getattr(total, what) == tuple(added.tolist())


@settings(max_examples=50)
@given(st.lists(rows_of_a_batch, max_size=6))
def test_a_window_is_the_profile_of_all_its_rows_put_together(batches):
    whole = profile_of([row for rows in batches for row in rows])
    assert_same(merge_all(profile_of(rows) for rows in batches), whole)


@settings(max_examples=50)
@given(st.lists(rows_of_a_batch, max_size=6), st.data())
def test_a_late_partition_takes_the_place_of_its_own(batches, data):
    assumed = {place: profile_of(rows) for place, rows in enumerate(batches)}
    before = merge_all(assumed.values())
    if not assumed:
        assert before == EMPTY
        return
    late = data.draw(st.sampled_from(sorted(assumed)))
    old, new = assumed[late], profile_of(data.draw(rows_of_a_batch))
    after = merge_all({**assumed, late: new}.values())
    others = merge_all(part for place, part in assumed.items() if place != late)
    assert_same(after, merge(others, new))
    assert after.rows - new.rows == before.rows - old.rows
    assert after.outcomes.signed - new.outcomes.signed == before.outcomes.signed - (
        old.outcomes.signed
    )
    for name in ("x", "größe"):
        assert counts_of(after, name) - counts_of(new, name) == pytest.approx(
            counts_of(before, name) - counts_of(old, name), abs=0
        )


def counts_of(profile, name):
    column = profile.columns.get(name) or ColumnProfile(rows=0, counts=(0,) * BINS)
    return np.array([*column.counts, column.nulls, column.nans, column.infinite])


@pytest.mark.parametrize("middle", [0.0, 1e9, -1e9, 1e12])
def test_spread_stays_exact_far_from_zero(middle):
    rng = np.random.default_rng(0)
    batches = [middle + rng.normal(size=rng.integers(1, 50)) for _ in range(300)]
    everything = np.concatenate(batches)
    parts = [counted(batch) for batch in batches]
    # As many digits as the values have after the middle.
    digits = max(1e-9, abs(middle) * 1e-15)
    for found in (merge_columns(parts), reduce(lambda a, b: merge_columns([a, b]), parts)):
        assert found.mean - middle == pytest.approx((everything - middle).mean(), abs=digits)
        assert found.deviation == pytest.approx((everything - middle).std(), abs=digits)


@given(st.lists(st.lists(values, min_size=1, max_size=8), min_size=1, max_size=8), st.randoms())
def test_moments_are_the_same_to_rounding_in_any_order(batches, random):
    parts = [counted([np.nan if v is None else v for v in batch]) for batch in batches]
    a, b = merge_columns(parts), merge_columns(random.sample(parts, len(parts)))
    assert a.mean == pytest.approx(b.mean, rel=1e-12, abs=1e-9)
    assert a.spread == pytest.approx(b.spread, rel=1e-9, abs=1e-6)


def test_a_batch_without_a_number_does_not_pull_the_mean_to_zero():
    none = counted([math.nan, math.inf], nulls=3)
    found = merge_columns([none, counted([5.0, 7.0]), none])
    assert (found.mean, found.spread, found.finite) == (6.0, 2.0, 2)


@pytest.mark.parametrize("large", [1e200, -1e200, 1.7e308])
def test_numbers_whose_squares_are_beyond_all_numbers_still_add_up(large):
    found = merge_columns([lone(large), lone(1.0)])
    assert (found.rows, found.lowest, found.highest) == (2, min(large, 1), max(large, 1))
    assert found.spread == math.inf


def lone(value):
    return ColumnProfile(rows=1, counts=(1, 0), lowest=value, highest=value, mean=value, spread=0.0)


def test_what_a_column_says_of_itself():
    column = counted([1.0, 3.0, math.nan, math.inf, -math.inf, -math.inf], nulls=2)
    assert column.counts == (2, 0, 1, 2)
    assert (column.rows, column.missing, column.nulls, column.nans) == (8, 3, 2, 1)
    assert (column.infinite, column.minus_infinite, column.plus_infinite) == (3, 2, 1)
    assert (column.finite, column.mean, column.deviation) == (2, 2.0, 1.0)
    assert counted([]).deviation == 0.0


def test_columns_of_other_bins_cannot_be_added():
    three = counted([1.0], EDGES[:2])
    with pytest.raises(MeasurementError, match=r"^profiles of 3 and 4 bins cannot be added$"):
        merge_columns([counted([1.0]), three])


ONE = Profile(rows=1, first=START, last=START, columns={"x": counted([1.0])}, products=(1.0,))


def test_profiles_of_other_columns_cannot_be_added():
    other = replace(ONE, columns={"y": counted([1.0])})
    with pytest.raises(MeasurementError, match=r"different columns cannot be added: x, y$"):
        merge(ONE, other)
    more = replace(ONE, columns={**ONE.columns, "y": counted([1.0])})
    with pytest.raises(MeasurementError, match=r"different columns cannot be added: y$"):
        merge_all([ONE, ONE, more])


def test_profiles_of_other_joint_columns_cannot_be_added():
    with pytest.raises(MeasurementError, match="cannot be added: those watched jointly"):
        merge(ONE, replace(ONE, products=()))


def test_residuals_that_only_some_batches_have_are_kept():
    some = Residuals(rows=(1, 0), sums=(2.0, 0.0), squares=(4.0, 0.0))
    found = merge_all([ONE, replace(ONE, residuals={"x": some}), ONE])
    assert found.residuals == {"x": some}


def test_outcomes_of_none_are_none():
    assert merge_outcomes([]) == merge_outcomes([Outcomes(), Outcomes()]) == Outcomes()
