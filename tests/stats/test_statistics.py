"""Drift statistics from counts, against scipy on the rows, and against their definitions."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from aiguard_dagster.stats.distance import (
    kolmogorov_smirnov,
    population_stability_index,
    total_variation,
)
from aiguard_dagster.stats.grid import numeric_grid

COUNTS = hnp.arrays(float, 5, elements=st.integers(0, 10**6).map(float))
ON_COUNTS = [population_stability_index, total_variation, kolmogorov_smirnov]
SHAPES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy tail": lambda rng, n: rng.standard_t(3, size=n),
    "skewed": lambda rng, n: rng.lognormal(size=n),
    "few values": lambda rng, n: rng.integers(0, 6, size=n).astype(float),
}


def counted(values, edges):
    at = np.searchsorted(edges, values, side="left")
    return np.bincount(at, minlength=len(edges) + 1).astype(float)


@pytest.mark.parametrize("statistic", ON_COUNTS)
@given(COUNTS, COUNTS)
def test_it_is_symmetric_and_nothing_between_the_same_shares(statistic, a, b):
    assume(a.sum() and b.sum())
    assert statistic(a, b) == pytest.approx(statistic(b, a))
    assert statistic(a, b) >= 0
    assert statistic(a, a) == 0


@given(COUNTS, COUNTS)
def test_ks_and_total_variation_are_shares_and_ks_the_smaller(a, b):
    assume(a.sum() and b.sum())
    ks, moved = kolmogorov_smirnov(a, b), total_variation(a, b)
    assert ks <= moved + 1e-9
    assert moved <= 1 + 1e-9


@pytest.mark.parametrize("statistic", ON_COUNTS)
def test_no_counts_on_a_side_is_no_distance(statistic):
    assert math.isnan(statistic(np.zeros(3), np.ones(3)))
    assert math.isnan(statistic(np.ones(3), np.zeros(3)))


def test_psi_of_many_rows_is_its_definition():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    expected = ((p - q) * np.log(p / q)).sum()
    assert population_stability_index(p * 1e9, q * 1e9) == pytest.approx(expected, rel=1e-6)
    assert math.isfinite(population_stability_index(np.array([10.0, 0]), np.array([0, 10.0])))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.5, 2.0])
def test_ks_is_at_most_scipy_s_and_near_it(shape, shift):
    rng = np.random.default_rng(1)
    then, now = SHAPES[shape](rng, 4_000), SHAPES[shape](rng, 2_000) + shift
    edges = np.array(numeric_grid(then).edges)
    a, b = counted(now, edges), counted(then, edges)
    found = kolmogorov_smirnov(a, b)
    exact = stats.ks_2samp(now, then).statistic
    widest = max(a.max() / a.sum(), b.max() / b.sum())
    assert exact - widest <= found <= exact + 1e-9
