"""What counts on a grid tell of the rows: how far from the exact answer they can be."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from aiguard_dagster.stats.distance import (
    js_distance,
    kolmogorov_smirnov,
    population_stability_index,
    total_variation,
)
from aiguard_dagster.stats.grid import numeric_grid, spread_of
from tests.stats.profiles import below, binned

SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy tail": lambda rng, n: rng.standard_t(3, size=n),
    "skewed": lambda rng, n: rng.lognormal(size=n),
    "few values": lambda rng, n: rng.integers(0, 6, size=n).astype(float),
    "a spike": lambda rng, n: np.where(rng.random(n) < 0.3, 0.5, rng.normal(size=n)),
}
NORMAL = np.array(numeric_grid(spread_of(np.random.default_rng(0).normal(size=100_000))).edges)
FINE = np.union1d(NORMAL, np.linspace(-8, 8, 4_001))
"""A grid two hundred times finer, which stands for the exact distribution."""
MANY = 1e9


def shares(edges, shift):
    """What a normal distribution moved by so much has in each bin."""
    return np.diff(stats.norm.cdf(np.concatenate([[-np.inf], edges, [np.inf]]) - shift))


@pytest.mark.parametrize("shape", SHAPES)
@given(seed=st.integers(0, 2**32), level=st.floats(0.001, 0.999), shift=st.floats(-1, 1))
def test_a_quantile_read_from_the_counts_lies_in_its_bin(shape, seed, level, shift):
    rng = np.random.default_rng(seed)
    edges = numeric_grid(spread_of(SHAPES[shape](rng, 500))).edges
    now = SHAPES[shape](rng, 200) + shift
    exact = np.quantile(now, level, method="inverted_cdf")
    rank = np.searchsorted(np.sort(now), exact)
    found = int(np.searchsorted(below(binned(now, edges)), rank, side="right"))
    low, high = ([-np.inf, *edges][found], [*edges, np.inf][found])
    assert low < exact <= high


def test_bins_of_a_normal_column_are_narrow_where_its_rows_are():
    low, high = stats.norm.ppf([0.06, 0.94])
    middle = [b - a for a, b in pairwise(NORMAL) if low <= a and b <= high]
    assert max(middle) < 0.25
    assert np.median(middle) < 0.1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5, 2.0])
def test_ks_is_at_most_scipy_s_and_below_it_by_less_than_the_largest_bin(shape, shift):
    rng = np.random.default_rng(1)
    then, now = SHAPES[shape](rng, 4_000), SHAPES[shape](rng, 2_000) + shift
    edges = numeric_grid(spread_of(then)).edges
    a, b = binned(now, edges).astype(float), binned(then, edges).astype(float)
    found = kolmogorov_smirnov(a, b)
    exact = stats.ks_2samp(now, then).statistic
    widest = max(a.max() / a.sum(), b.max() / b.sum())
    assert exact - widest < found <= exact + 1e-9


@given(st.integers(0, 2**32), st.floats(-2, 2), st.floats(0.5, 2))
def test_ks_is_so_for_any_move_of_few_rows(seed, shift, scale):
    rng = np.random.default_rng(seed)
    then, now = rng.normal(size=300), shift + scale * rng.normal(size=40)
    edges = numeric_grid(spread_of(then)).edges
    a, b = binned(now, edges).astype(float), binned(then, edges).astype(float)
    exact = stats.ks_2samp(now, then, method="asymp").statistic
    widest = max(a.max() / a.sum(), b.max() / b.sum())
    assert exact - widest < kolmogorov_smirnov(a, b) <= exact + 1e-9


@pytest.mark.parametrize("shift", [0.1, 0.2, 0.3, 0.5, 0.7, 1.0])
def test_hardly_anything_of_a_normal_shift_is_lost_in_the_bins(shift):
    """Psi of an exact normal shift is its square, in standard deviations."""
    now, then = shares(NORMAL, shift) * MANY, shares(NORMAL, 0) * MANY
    fine, was_fine = shares(FINE, shift), shares(FINE, 0)
    exact = float(jensenshannon(fine, was_fine, base=2))
    assert 0.995 * exact < js_distance(now, then) <= exact
    assert 0.99 * shift**2 < population_stability_index(now, then) <= shift**2
    moved = np.abs(fine - was_fine).sum() / 2
    assert 0.995 * moved < total_variation(now, then) <= moved + 1e-12
    apart = np.abs(np.cumsum(fine - was_fine)).max()
    assert 0.995 * apart < kolmogorov_smirnov(now, then) <= apart + 1e-12


@pytest.mark.parametrize("shape", SHAPES)
@given(seed=st.integers(0, 2**32), shift=st.floats(-2, 2))
def test_bins_put_together_are_never_further_apart_than_finer_ones(shape, seed, shift):
    rng = np.random.default_rng(seed)
    then, now = SHAPES[shape](rng, 300), SHAPES[shape](rng, 200) + shift
    edges = numeric_grid(spread_of(then)).edges
    finer = np.union1d(edges, rng.normal(size=30))
    for distance in (js_distance, total_variation, kolmogorov_smirnov):
        coarse = distance(binned(now, edges).astype(float), binned(then, edges).astype(float))
        fine = distance(binned(now, finer).astype(float), binned(then, finer).astype(float))
        assert coarse <= fine + 1e-9
