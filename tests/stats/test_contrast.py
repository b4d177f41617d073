"""What is compared of profiles: rows that add up, and effects of what they say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aiguard_dagster.stats.contrast import (
    ColumnContrast,
    ConceptContrast,
    JointContrast,
    rows_of,
)
from aiguard_dagster.stats.contrast import Test as Way  # pytest takes a Test for one of its own
from aiguard_dagster.stats.effects import bins_effect, share_effect
from aiguard_dagster.stats.grid import CategoryGrid, Grid, JointGrid, NumericGrid
from aiguard_dagster.stats.profile import (
    EMPTY,
    ColumnProfile,
    Profile,
    Residuals,
    merge,
)
from tests.stats.profiles import BINS, GRID, products_of, profiles, scaled

ANY_TOTAL = Profile(
    rows=40,
    first=None,
    last=None,
    columns={
        "x": ColumnProfile(rows=40, counts=(10, 10, 10, 10)),
        "größe": ColumnProfile(rows=40, counts=(20, 20, 0, 0)),
    },
    residuals={
        name: Residuals(rows=(9,) * (BINS + 1), sums=(1.0,) * 5, squares=(9.0,) * 5)
        for name in ("x", "größe")
    },
    products=(1.0,) * 5,
)
CONTRASTS = {
    "columns": ColumnContrast(GRID, ("x", "größe"), ANY_TOTAL),
    "concept": ConceptContrast(("größe", "x"), ANY_TOTAL),
    "joint": JointContrast(GRID),
}


def squared(contrast, now, then):
    """Squared effects of one profile against another, by test."""
    found = contrast.compare(contrast.row(now)[None], contrast.row(then)[None])
    return dict(zip(contrast.tests, found.squared[0], strict=True))


@pytest.mark.parametrize("of", CONTRASTS)
@settings(max_examples=40)
@given(profiles(least=1), profiles(least=1))
def test_the_row_of_a_window_is_the_sum_of_the_rows_of_its_batches(of, a, b):
    row = CONTRASTS[of].row
    assert np.array_equal(row(merge(a, b)), row(a) + row(b))


@pytest.mark.parametrize("of", CONTRASTS)
@settings(max_examples=40)
@given(st.lists(profiles(least=1), min_size=1, max_size=3), profiles(least=1))
def test_many_windows_are_compared_as_each_of_them_alone(of, windows, then):
    contrast = CONTRASTS[of]
    rows = np.array([contrast.row(each) for each in windows])
    together = contrast.compare(rows, np.tile(contrast.row(then), (len(windows), 1)))
    assert together.squared.shape == (len(windows), len(contrast.tests))
    for place, window in enumerate(windows):
        alone = contrast.compare(contrast.row(window)[None], contrast.row(then)[None])
        for what in ("squared", "noise", "freedom"):
            assert np.allclose(
                getattr(together, what)[place], getattr(alone, what)[0], equal_nan=True
            )


@pytest.mark.parametrize("of", ["columns", "joint"])
@settings(max_examples=40)
@given(profiles(least=1))
def test_a_batch_is_at_no_distance_from_itself(of, a):
    found = np.array(list(squared(CONTRASTS[of], a, a).values()))
    assert np.nan_to_num(found) == pytest.approx(np.zeros(found.size), abs=1e-9)


@pytest.mark.parametrize("of", CONTRASTS)
def test_no_rows_are_no_effect(of):
    contrast = CONTRASTS[of]
    some = contrast.row(ANY_TOTAL)[None]
    assert np.isnan(contrast.compare(0 * some, some).squared).all()
    assert np.isnan(contrast.compare(some, 0 * some).squared).all()


def test_days_without_rows_are_left_out_of_the_rows_and_the_others_keep_their_order():
    two = replace(ANY_TOTAL, rows=41, products=(2.0,) * 5)
    days = {"1": two, "2": EMPTY, "3": ANY_TOTAL}
    assert rows_of(JointContrast(GRID), days)[:, 0].tolist() == [41, 40]


def test_numbers_are_looked_at_in_three_ways_and_so_are_categories():
    assert CONTRASTS["columns"].tests == (
        Way("x", "bins"),
        Way("x", "shape"),
        Way("x", "missing"),
        Way("größe", "bins"),
        Way("größe", "unseen"),
        Way("größe", "missing"),
    )


def test_a_constant_has_no_shape_and_a_late_column_may_be_missing():
    constant = replace(ANY_TOTAL.columns["x"], counts=(0, 40, 0, 0))
    total = replace(ANY_TOTAL, columns={**ANY_TOTAL.columns, "x": constant})
    found = ColumnContrast(GRID, ("größe", "x"), total, late=["x"])
    assert [test.aspect for test in found.tests] == ["bins", "unseen", "missing", "bins"]
    gone = ColumnProfile(rows=40, counts=(0, 10, 0, 0), nulls=30)
    now = replace(total, columns={**total.columns, "x": gone})
    assert max(squared(found, now, total).values()) == pytest.approx(0, abs=1e-12)


@settings(max_examples=40)
@given(profiles(least=1), profiles(least=1))
def test_each_test_of_a_column_is_taken_of_its_own_counts(now, then):
    found = squared(CONTRASTS["columns"], now, then)
    for name in ("x", "größe"):
        a, b = now.columns[name], then.columns[name]
        bins = bins_effect(np.array([a.counts], float), np.array([b.counts], float))
        assert same(found[Way(name, "bins")], bins.squared[0])
        missing = share_effect(*(np.array([v]) for v in (a.missing, a.rows, b.missing, b.rows)))
        assert same(found[Way(name, "missing")], missing.squared[0])
    unseen = share_effect(
        *(np.array([v]) for v in (a.counts[-1], sum(a.counts), b.counts[-1], sum(b.counts)))
    )
    assert same(found[Way("größe", "unseen")], unseen.squared[0])


def same(a, b):
    return np.allclose(a, b, equal_nan=True)


def test_columns_that_nobody_asked_for_are_not_compared():
    contrast = ColumnContrast(GRID, ("größe",), ANY_TOTAL)
    moved = replace(ANY_TOTAL.columns["x"], counts=(40, 0, 0, 0))
    now = replace(ANY_TOTAL, columns={**ANY_TOTAL.columns, "x": moved})
    assert set(squared(contrast, now, ANY_TOTAL).values()) == {0.0}


def concept(rows, means, sds=1.0):
    """A profile of residuals of so many rows, with a mean and a deviation by region."""
    rows, means = np.array(rows), np.array(means, float)
    residuals = Residuals(
        rows=tuple(rows.tolist()),
        sums=tuple((rows * means).tolist()),
        squares=tuple((rows * (means**2 + np.array(sds) ** 2)).tolist()),
    )
    return Profile(rows=100, first=None, last=None, columns={}, residuals={"x": residuals})


@pytest.mark.parametrize("deviation", [0.01, 1.0, 250.0])
def test_a_residual_effect_is_the_difference_of_means_in_deviations(deviation):
    then = concept([600, 300, 100], np.array([1, 1, 1]) * deviation, deviation)
    now = concept([60, 30, 10], np.array([1.3, 1.3, 1.3]) * deviation, deviation)
    found = squared(ConceptContrast(("x",), then), now, then)
    assert found[Way("x", "residual")] ** 0.5 == pytest.approx(0.3)
    assert found[Way("x", "regions")] ** 0.5 == pytest.approx(0.3)


def test_regions_that_moved_apart_are_seen_although_the_mean_did_not_move():
    then = concept([500, 500, 0], [0, 0, 0])
    now = concept([50, 50, 0], [0.4, -0.4, 0])
    found = squared(ConceptContrast(("x",), then), now, then)
    assert found[Way("x", "residual")] == pytest.approx(0)
    assert found[Way("x", "regions")] ** 0.5 == pytest.approx(0.4)


def test_other_inputs_with_the_same_outcomes_given_them_are_no_move_of_any_region():
    then = concept([900, 100, 0], [0.5, -0.5, 0])
    now = concept([100, 900, 0], [0.5, -0.5, 0])
    found = squared(ConceptContrast(("x",), then), now, then)
    assert found[Way("x", "regions")] == pytest.approx(0)
    assert found[Way("x", "residual")] > 0.3


def test_chance_alone_makes_residual_effects_as_large_as_their_noise_says():
    rng = np.random.default_rng(0)
    regions, days = 12, 3_000
    then_rows = np.full(regions, 5_000)
    contrast = ConceptContrast(("x",), concept(then_rows, np.zeros(regions)))
    rows = rng.multinomial(600, np.full(regions, 1 / regions), size=days)
    sums = rng.normal(size=rows.shape) * np.sqrt(rows)
    then = rng.normal(size=rows.shape) * np.sqrt(then_rows)
    found = contrast.compare(
        np.hstack([rows, sums]).astype(float),
        np.hstack([np.tile(then_rows, (days, 1)), then]).astype(float),
    )
    assert found.squared.mean(axis=0) == pytest.approx(found.noise.mean(axis=0), rel=0.08)
    assert found.freedom.mean(axis=0).tolist() == [1, regions]


def test_a_profile_without_residuals_counts_as_none():
    contrast = ConceptContrast(("x",), concept([9, 9, 9], [1, 1, 1]))
    assert contrast.row(EMPTY).tolist() == [0.0] * 6


def test_predictions_that_were_always_right_are_compared_in_units_of_the_label():
    then = concept([50, 50, 0], [0, 0, 0], 0.0)
    found = squared(ConceptContrast(("x",), then), concept([5, 5, 0], [2, 2, 0]), then)
    assert found[Way("x", "residual")] ** 0.5 == pytest.approx(2)


NAMES = ("a", "b", "c", "d")
JOINT = JointGrid(NAMES, (0.0, 1.0, -2.0, 0.5), (1.0, 2.0, 0.5, 1.0))
WATCHED = Grid({name: NumericGrid((0.0,)) for name in NAMES}, JOINT)


def watched(table):
    """A profile of rows of four columns that are watched jointly."""
    return Profile(
        rows=len(table),
        first=None,
        last=None,
        columns={},
        products=products_of(scaled(table, JOINT)),
    )


def table(rng, rows, correlation=0.0):
    """Four normal columns, of which the first two go together."""
    found = rng.normal(JOINT.centres, JOINT.scales, (rows, 4))
    z = found[:, 0]
    noise = (found[:, 1] - 1) / 2 * np.sqrt(1 - correlation**2)
    found[:, 1] = 1 + 2 * (correlation * z + noise)
    return found


@given(st.integers(0, 2**32), st.integers(3, 60), st.floats(-0.9, 0.9))
def test_correlations_are_numpy_s_of_the_scaled_values_cut_off_at_three(seed, rows, correlation):
    rng = np.random.default_rng(seed)
    values = table(rng, rows, correlation) * rng.choice([0.5, 1, 4])
    z = scaled(values, JOINT)
    contrast = JointContrast(WATCHED)
    found = contrast.correlations(contrast.row(watched(values))[None])[0]
    assume((z.std(axis=0) > 1e-6).all())
    exact = np.corrcoef(z.T)
    for (i, j), value in zip(contrast._pairs, found, strict=True):
        assert value == pytest.approx(np.clip(exact[i, j], -0.999, 0.999), abs=1e-6)


def test_every_pair_is_a_test_with_both_names():
    contrast = JointContrast(WATCHED)
    names = [test.name for test in contrast.tests]
    assert names == ["a & b", "a & c", "b & c", "a & d", "b & d", "c & d"]
    assert {test.aspect for test in contrast.tests} == {"together"}


def test_pairs_of_chosen_columns_are_the_same_as_among_all():
    rng = np.random.default_rng(0)
    then, now = watched(table(rng, 500)), watched(table(rng, 500, 0.5))
    some = squared(JointContrast(WATCHED, ("b", "d", "a")), now, then)
    every = squared(JointContrast(WATCHED), now, then)
    assert [test.name for test in some] == ["a & b", "a & d", "b & d"]
    assert some == {test: every[test] for test in some}


@pytest.mark.parametrize("columns", [("a",), ()])
def test_fewer_than_two_columns_are_no_test(columns):
    contrast = JointContrast(WATCHED, columns)
    row = contrast.row(watched(table(np.random.default_rng(0), 9)))[None]
    assert contrast.tests == ()
    assert contrast.compare(row, row).squared.shape == (1, 0)


def test_a_joint_effect_is_the_difference_on_fisher_s_scale():
    rng = np.random.default_rng(0)
    then, now = watched(table(rng, 200_000, 0.2)), watched(table(rng, 200_000, 0.5))
    found = squared(JointContrast(WATCHED), now, then)
    expected = np.arctanh(0.5) - np.arctanh(0.2)
    assert found[Way("a & b", "together")] ** 0.5 == pytest.approx(expected, abs=0.02)
    assert found[Way("c & d", "together")] ** 0.5 < 0.01


def test_a_column_that_moves_alone_is_no_joint_effect():
    rng = np.random.default_rng(0)
    values = table(rng, 100_000, 0.6)
    moved = values + np.array([0.3, 0, 0, 0])
    found = squared(JointContrast(WATCHED), watched(moved), watched(values))
    assert max(found.values()) ** 0.5 < 0.02


def test_chance_alone_makes_joint_effects_as_large_as_their_noise_says():
    rng = np.random.default_rng(0)
    contrast = JointContrast(WATCHED)
    now = np.array([contrast.row(watched(table(rng, 400))) for _ in range(1_000)])
    then = np.tile(contrast.row(watched(table(rng, 200_000))), (1_000, 1))
    found = contrast.compare(now, then)
    assert found.squared.mean() == pytest.approx(found.noise.mean(), rel=0.05)


def test_a_constant_column_has_no_correlation():
    values = table(np.random.default_rng(0), 50)
    values[:, 2] = -2.0
    contrast = JointContrast(WATCHED)
    found = contrast.correlations(contrast.row(watched(values))[None])[0]
    with_c = ["c" in test.name for test in contrast.tests]
    assert np.isnan(found).tolist() == with_c


def test_columns_that_are_one_and_the_same_are_cut_off_before_their_scale_has_no_end():
    values = table(np.random.default_rng(0), 50)
    values[:, 3] = values[:, 0] + 0.5
    found = squared(JointContrast(WATCHED), watched(values), watched(-values))
    assert np.isfinite(list(found.values())).all()


def test_a_grid_that_watches_nothing_jointly_has_no_joint_tests():
    assert JointContrast(Grid({"x": CategoryGrid(("a",))})).tests == ()
