"""Distances of several columns together, and how much of the baseline they hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.grid import Grid, JointGrid, grid_from_json, grid_to_json
from aiguard_dagster.stats.support import RIDGE, edge_of, weights_of, with_moments

COUNTS = st.dictionaries(st.integers(-20, 20), st.integers(0, 100), max_size=20)


def grid_of(values):
    """A grid with the moments of rows that are on its scale already."""
    n, width = values.shape
    names = tuple("abcdef"[:width])
    joint = JointGrid(names, (0.0,) * width, (1.0,) * width)
    products = (values.T @ values)[np.tril_indices(width)]
    return with_moments(Grid({}, joint), (*products, *values.sum(axis=0)), n)


@given(seed=st.integers(0, 1000), width=st.integers(1, 4))
def test_the_distance_is_mahalanobis_s_but_for_the_ridge(seed, width):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(200, width)) @ rng.normal(size=(width, width))
    joint = grid_of(values).joint
    means, weights = weights_of(joint, joint.columns)
    covariance = np.atleast_2d(np.cov(values.T, bias=True))
    covariance = covariance + RIDGE * np.diag(np.maximum(np.diag(covariance), 1e-6))
    assert means == pytest.approx(values.mean(axis=0))
    assert weights @ covariance == pytest.approx(np.eye(width), abs=1e-6)


def test_some_of_the_columns_have_a_distance_of_their_own():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3))
    part, alone = grid_of(values).joint, grid_of(values[:, [0, 2]]).joint
    _, of_part = weights_of(part, ["a", "c"])
    _, of_alone = weights_of(alone, alone.columns)
    assert of_part == pytest.approx(of_alone)


def test_columns_that_say_the_same_do_not_blow_up():
    column = np.random.default_rng(0).normal(size=300)
    joint = grid_of(np.column_stack([column, column])).joint
    _, weights = weights_of(joint, joint.columns)
    assert np.abs(weights).max() < 1 / RIDGE


def test_moments_are_kept_with_the_grid_and_name_it_anew():
    grid = grid_of(np.random.default_rng(0).normal(size=(50, 3)))
    assert grid_from_json(grid_to_json(grid)) == grid
    assert grid.id != Grid({}, JointGrid(grid.joint.columns, (0.0,) * 3, (1.0,) * 3)).id


@given(counts=COUNTS, support=st.floats(0.9, 0.999))
def test_the_edge_holds_the_support_and_no_smaller_one_does(counts, support):
    edge, total = edge_of(counts, support), sum(counts.values())
    if not total:
        assert edge is None
        return
    assert sum(n for at, n in counts.items() if at <= edge) >= support * total
    assert sum(n for at, n in counts.items() if at < edge) < support * total
