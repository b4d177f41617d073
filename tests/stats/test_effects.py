"""Effects are in standard deviations, and their noise is what chance makes of them."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from aiguard_dagster.stats.effects import (
    LARGE,
    SHAPES,
    Effects,
    bins_effect,
    cell_noise,
    score,
    shape_directions,
    shape_effect,
    share_effect,
    side_by_side,
    unscore,
)
from aiguard_dagster.stats.grid import numeric_grid, spread_of

EDGES = np.array(numeric_grid(spread_of(np.random.default_rng(0).normal(size=100_000))).edges)
MANY = 1e12
COUNTS = hnp.arrays(float, 6, elements=st.integers(0, 10**6).map(float))
FEW = hnp.arrays(float, 6, elements=st.integers(0, 9).map(float))


def normal(shift=0.0, scale=1.0):
    """Counts of very many rows of a normal distribution on the grid of another, as one window."""
    ends = np.concatenate([[-np.inf], EDGES, [np.inf]])
    return MANY * np.diff(stats.norm.cdf((ends - shift) / scale))[None, :]


DIRECTIONS = shape_directions(normal()[0])


def bins(now, then):
    return float(bins_effect(now, then).squared[0]) ** 0.5


def shape(now, then):
    return float(shape_effect(now, then, DIRECTIONS).squared[0]) ** 0.5


@pytest.mark.parametrize("shift", [-0.3, -0.1, 0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("effect", [bins, shape])
def test_a_small_shift_of_a_normal_column_is_an_effect_of_as_many_deviations(effect, shift):
    assert effect(normal(shift), normal()) == pytest.approx(abs(shift), rel=0.01)


@pytest.mark.parametrize("ratio", [0.9, 1.05, 1.1, 1.2])
def test_a_wider_normal_column_is_an_effect_of_the_root_of_two_times_the_log(ratio):
    expected = math.sqrt(2) * abs(math.log(ratio))
    assert bins(normal(scale=ratio), normal()) == pytest.approx(expected, rel=0.03)
    assert shape(normal(scale=ratio), normal()) == pytest.approx(expected, rel=0.15)


def test_a_shift_of_real_rows_is_seen_with_the_noise_taken_out():
    rng = np.random.default_rng(0)
    then = rng.multinomial(1_000_000, normal()[0] / MANY, size=200).astype(float)
    now = rng.multinomial(2_000, normal(0.2)[0] / MANY, size=200).astype(float)
    for found in (bins_effect(now, then), shape_effect(now, then, DIRECTIONS)):
        assert np.sqrt((found.squared - found.noise).mean()) == pytest.approx(0.2, abs=0.01)


@given(COUNTS, COUNTS, st.permutations(range(6)))
def test_bins_are_compared_whatever_their_order_and_either_way_round(a, b, order):
    assume(a.sum() and b.sum())
    there, back = bins_effect(a[None], b[None]), bins_effect(b[None], a[None])
    other = bins_effect(a[None, order], b[None, order])
    assert there.squared[0] == pytest.approx(back.squared[0], abs=1e-9)
    assert there.squared[0] == pytest.approx(other.squared[0], abs=1e-9)
    assert -1e-9 <= there.squared[0] <= 8 + 1e-9
    assert there.noise[0] == pytest.approx(other.noise[0])


@given(COUNTS, st.integers(1, 1000))
def test_the_same_shares_are_no_effect_and_all_noise(a, times):
    assume(a.sum())
    for found in (
        bins_effect(a[None] * times, a[None]),
        shape_effect(a[None] * times, a[None], shape_directions(a)),
    ):
        assert found.squared[0] == pytest.approx(0, abs=1e-9)
        assert found.corrected[0] == pytest.approx(0, abs=1e-4)


@given(FEW | COUNTS, FEW | COUNTS)
def test_every_effect_of_rows_has_a_noise_and_at_least_one_degree_of_freedom(a, b):
    for found in (
        bins_effect(a[None], b[None]),
        shape_effect(a[None], b[None], DIRECTIONS[:, :6]),
        share_effect(a[:1], a[None].sum(axis=1), b[:1], b[None].sum(axis=1)),
    ):
        assert np.isfinite(found.squared[0]) == bool(a.sum() and b.sum())
        assert found.noise[0] >= 0 or not (a.sum() and b.sum())
        assert found.freedom[0] >= 1 or not (a.sum() and b.sum())


def test_no_rows_on_a_side_are_no_effect_of_any_kind():
    none, some = np.zeros((1, 3)), np.ones((1, 3))
    for now, then in ((none, some), (some, none), (none, none)):
        assert np.isnan(bins_effect(now, then).squared).all()
        assert np.isnan(shape_effect(now, then, shape_directions(np.ones(3))).squared).all()
        found = share_effect(now[:, 0], now.sum(axis=1), then[:, 0], then.sum(axis=1))
        assert np.isnan(found.squared).all()
        assert np.isnan(found.corrected).all()


def falling(size):
    shares = np.arange(1, size + 1) ** -1.5
    return shares / shares.sum()


NULLS = {
    "a numeric grid": normal()[0][1:-1] / normal()[0][1:-1].sum(),
    "four alike": np.full(4, 0.25),
    "many categories": falling(66),
    "one and thirty rare ones": np.array([0.97, *[0.001] * 30]),
    "two": np.array([0.9, 0.1]),
}


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize(
    ("n", "m"), [(200, 50_000), (1_000, 50_000), (1_000, 9_000), (10_000, 10**6), (100_000, 10**6)]
)
def test_chance_alone_makes_effects_as_large_as_their_noise_says(null, n, m):
    rng = np.random.default_rng(n + m)
    now, then = (rng.multinomial(rows, NULLS[null], size=3_000).astype(float) for rows in (n, m))
    for found in (bins_effect(now, then), shape_effect(now, then, shape_directions(NULLS[null]))):
        sampled = found.squared.std() / math.sqrt(len(found.squared)) / found.noise.mean()
        ratio = found.squared.mean() / found.noise.mean()
        assert ratio == pytest.approx(1, abs=0.03 + 3 * sampled)


@pytest.mark.parametrize("n", [200, 2_000])
def test_so_it_does_on_a_numeric_grid_where_the_baseline_has_no_more_rows_than_the_window(n):
    rng = np.random.default_rng(n)
    now, then = (rng.multinomial(n, NULLS["a numeric grid"], size=3_000) for _ in range(2))
    found = bins_effect(now.astype(float), then.astype(float))
    assert found.squared.mean() == pytest.approx(found.noise.mean(), rel=0.05)


@pytest.mark.parametrize("size", [2, 3, 4, 12, 36])
def test_noise_has_one_degree_of_freedom_less_than_there_are_cells(size):
    rng = np.random.default_rng(size)
    shares = np.full(size, 1 / size)
    now, then = (rng.multinomial(rows, shares, size=5_000).astype(float) for rows in (5_000, 10**6))
    found = bins_effect(now, then)
    assert found.freedom == pytest.approx(size - 1, rel=0.01)
    # Of a chi-square variable, twice the squared mean over the variance.
    by_spread = 2 * found.squared.mean() ** 2 / found.squared.var()
    assert by_spread == pytest.approx(size - 1, rel=0.15)


def test_a_bin_that_held_no_row_is_not_counted_as_freedom():
    then = np.array([[500.0, 500.0, 0.0, 0.0]])
    found = bins_effect(np.array([[50.0, 50.0, 0.0, 0.0]]), then)
    assert found.freedom[0] == 1
    assert found.noise[0] == pytest.approx(1 / 100 + 1 / 1000, rel=0.02)


def test_a_constant_has_the_noise_of_one_cell_so_that_a_first_other_row_is_no_alarm():
    then = np.array([[0.0, 5_000.0, 0.0]])
    found = bins_effect(np.array([[0.0, 99.0, 1.0]]), then)
    assert found.noise[0] == pytest.approx(1 / 100 + 1 / 5_000, rel=0.02)
    assert score(found.squared, found.noise, found.freedom)[0] < 2.5


@pytest.mark.parametrize("mean", [0.01, 0.3, 1.0, 4.0, 25.0, 150.0, 390.0])
def test_the_noise_of_a_cell_is_the_mean_of_its_definition(mean):
    counts = np.random.default_rng(0).poisson(mean, 400_000)
    expected = (4 * (np.sqrt(counts) - math.sqrt(mean)) ** 2).mean()
    assert float(cell_noise(np.array(mean))) == pytest.approx(expected, rel=0.03)


def test_a_cell_without_rows_has_no_noise_and_one_of_many_rows_has_one():
    assert cell_noise(np.array([0.0, LARGE, 1e12])).tolist() == [0, 1, 1]
    # Seldom a row where there is none: 4 μ for those that are there, 4 μ for those that are not.
    assert float(cell_noise(np.array(1e-4))) == pytest.approx(8e-4, rel=0.02)
    assert float(cell_noise(np.array(LARGE * 0.999))) == pytest.approx(1, abs=0.002)
    assert np.isnan(cell_noise(np.array(math.nan)))


@given(st.floats(0, 1e6))
def test_the_noise_of_a_cell_is_never_above_two(mean):
    assert 0 <= float(cell_noise(np.array(mean))) <= min(2, 8 * mean)


def share(has, n, had, m):
    return share_effect(*(np.array([float(value)]) for value in (has, n, had, m)))


@given(st.integers(10_000, 10**7), st.integers(1, 10**7), st.floats(0, 1), st.floats(0, 1))
def test_an_effect_of_shares_is_cohen_s_h_or_less_where_the_rarer_fell(n, m, p, q):
    has, had = round(p * n), round(q * m)
    # As statsmodels.stats.proportion.proportion_effectsize has it.
    h = 2 * math.asin(math.sqrt(has / n)) - 2 * math.asin(math.sqrt(had / m))
    found = share(has, n, had, m)
    before, after = had / m, has / n
    if after < before < 0.5 or after > before > 0.5:
        assert found.squared[0] ** 0.5 <= abs(h) + 1e-6
    else:
        assert found.squared[0] ** 0.5 == pytest.approx(abs(h), abs=1e-6)
    assert found.noise[0] == pytest.approx(1 / n + 1 / m)
    assert found.freedom[0] == 1


@given(st.integers(1, 500), st.integers(1, 10**5), st.data())
def test_having_and_lacking_something_are_one_effect(n, m, data):
    has, had = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    lacks = share(n - has, n, m - had, m)
    assert share(has, n, had, m).squared[0] == pytest.approx(lacks.squared[0], abs=1e-9)
    assert share(has, n, has * 10, n * 10).squared[0] == pytest.approx(0, abs=1e-12)


def test_none_of_ten_is_less_striking_than_by_plain_shares_but_still_is():
    found = share(0, 500, 2_000, 100_000)
    h = 2 * math.asin(math.sqrt(0.02))
    assert 0.5 * h**2 < found.squared[0] < 0.8 * h**2


@pytest.mark.parametrize("chance", [0.05, 0.5])
def test_chance_alone_makes_effects_of_shares_as_large_as_their_noise_says(chance):
    rng = np.random.default_rng(0)
    now, then = (rng.binomial(rows, chance, 20_000).astype(float) for rows in (2_000, 50_000))
    found = share_effect(now, np.full(20_000, 2e3), then, np.full(20_000, 5e4))
    assert found.squared.mean() == pytest.approx(found.noise[0], rel=0.03)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_first_row_or_two_of_what_was_never_seen_are_far_from_an_alarm(rows):
    found = share(rows, 500, 0, 100_000)
    assert score(found.squared, found.noise, found.freedom)[0] < 3


@given(COUNTS, st.integers(0, 5))
def test_directions_have_mean_zero_variance_one_and_are_orthogonal_on_the_baseline(counts, most):
    assume(counts.sum())
    found = shape_directions(counts, most=most)
    shares = counts / counts.sum()
    filled = int((counts > 0).sum())
    assert len(found) <= min(most, filled - 1)
    assert found @ shares == pytest.approx(np.zeros(len(found)), abs=1e-6)
    assert (found * shares) @ found.T == pytest.approx(np.eye(len(found)), abs=1e-5)


def test_level_width_and_skew_are_told_apart():
    assert DIRECTIONS.shape == (SHAPES, EDGES.size + 1)
    level, width, skew = DIRECTIONS
    assert (np.diff(level) > 0).all()
    assert width[0] > 0 > width[width.size // 2]
    assert width[0] == pytest.approx(width[-1], rel=0.02)
    assert skew[0] == pytest.approx(-skew[-1], rel=0.02)


@pytest.mark.parametrize(
    ("counts", "directions"),
    [([0, 0, 0], 0), ([0, 9, 0], 0), ([0, 9, 3, 0], 1), ([1, 2, 3], 2), ([1] * 9, 3)],
)
def test_fewer_bins_with_rows_have_fewer_directions(counts, directions):
    found = shape_directions(np.array(counts, float))
    assert found.shape == (directions, len(counts))


def test_the_wald_test_on_two_bins_is_that_of_shares():
    then, now = np.array([[600.0, 400.0]]), np.array([[50.0, 50.0]])
    found = shape_effect(now, then, shape_directions(then[0]))
    assert found.squared[0] == pytest.approx((0.5 - 0.4) ** 2 / (0.4 * 0.6))
    assert (found.noise[0], found.freedom[0]) == (1 / 100 + 1 / 1000, 1)


FREEDOM = st.floats(1, 100)


@given(st.floats(0, 20), st.floats(1e-6, 1e3), FREEDOM)
def test_a_score_leads_back_to_its_effect(ratio, variance, freedom):
    args = np.array(variance), np.array(freedom)
    found = unscore(float(score(np.array(ratio * variance), *args)), *args)
    assert float(found) == pytest.approx(ratio * variance, rel=1e-6, abs=1e-12)


@given(st.floats(-20, 20), st.floats(-20, 20), FREEDOM)
def test_a_higher_score_never_is_a_smaller_effect(a, b, freedom):
    low, high = (unscore(z, np.array(1.0), np.array(freedom)) for z in sorted((a, b)))
    assert 0 <= low <= high


@pytest.mark.parametrize("freedom", [1, 2, 3, 10, 36])
def test_scores_of_chi_square_variables_are_almost_standard_normal_in_the_upper_tail(freedom):
    for chance, near in ((0.1, 0.03), (0.01, 0.02), (0.001, 0.05), (1e-5, 0.21)):
        squared = np.array(stats.chi2.isf(chance, freedom) / freedom)
        found = float(score(squared, np.array(1.0), np.array(float(freedom))))
        assert found == pytest.approx(stats.norm.isf(chance), abs=near)


def test_scores_of_draws_go_beyond_a_level_about_as_often_as_a_normal_variable():
    for freedom in (1.0, 3.0, 30.0):
        draws = stats.chi2.rvs(freedom, size=200_000, random_state=1) / freedom
        found = score(draws, np.array(1.0), np.array(freedom))
        for chance in (0.1, 0.01, 0.001):
            assert np.mean(found > stats.norm.isf(chance)) == pytest.approx(chance, rel=0.35)


def test_the_corrected_effect_is_what_noise_does_not_explain():
    found = Effects(
        squared=np.array([0.05, 0.01, math.nan]), noise=np.full(3, 0.01), freedom=np.ones(3)
    )
    assert found.corrected[:2] == pytest.approx([0.2, 0])
    assert math.isnan(found.corrected[2])


def test_tests_side_by_side_keep_their_order():
    a = share_effect(*(np.array([x, x]) for x in (1.0, 9.0, 2.0, 90.0)))
    b = share_effect(*(np.array([x, x]) for x in (5.0, 9.0, 2.0, 90.0)))
    found = side_by_side([a, b])
    assert found.squared.shape == found.noise.shape == found.freedom.shape == (2, 2)
    assert found.squared[0].tolist() == [a.squared[0], b.squared[0]]


def test_no_nulls_where_ten_were_expected_is_no_more_striking_than_it_is_rare():
    n, m = np.full(1, 1_000.0), np.full(1, 365_000.0)
    none = share_effect(np.zeros(1), n, np.full(1, 3_650.0), m)
    chance = score(none.squared, none.noise, none.freedom)[0]
    assert chance == pytest.approx(stats.norm.isf(0.99**1_000), abs=0.6)
