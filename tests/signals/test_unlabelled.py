"""Without labels: what is clear is said by both the distance and the expectation."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of
from aiguard_dagster.core.spec import Table
from aiguard_dagster.signals.baseline import TableBaseline
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.signals.unlabelled import (
    Distance,
    distance_of,
    effects_of,
    is_expected_better,
    is_nearer,
)
from aiguard_dagster.stats.estimate import Estimate
from aiguard_dagster.stats.profile import merge_all

TABLE = Table(asset="features", time="at")


def rows_of(*means, n=20_000, seed=0):
    """Columns a, b, … around so many means, spread by 1."""
    rng = np.random.default_rng(seed)
    start = datetime(2026, 1, 1)
    return pl.DataFrame(
        {
            "at": [start + timedelta(minutes=k) for k in range(n)],
            **{name: rng.normal(mean, 1.0, n) for name, mean in zip("abcd", means, strict=False)},
        }
    )


def reference_of(rows):
    engine = engine_of(rows)
    grid = choose_grid(engine, TABLE)
    days = engine.profiles(Plan(table=TABLE, grid=grid, by="day"))
    return DriftReference(TableBaseline(grid=grid, days=days, types={}))


def distance(now, accepted, columns=("a", "b")):
    reference = reference_of(accepted)
    counted = engine_of(now).profiles(Plan(table=TABLE, grid=reference.grid))
    return distance_of(effects_of(merge_all(counted.values()), reference, columns))


def test_a_distance_is_in_standard_deviations_and_names_the_worst_input():
    found = distance(rows_of(0.5, 0.0, seed=1), rows_of(0.0, 0.0))
    assert found.largest == pytest.approx(0.5, abs=0.1)
    assert found.mean == pytest.approx(0.25, abs=0.1)
    assert (found.worst, found.inputs) == ("a", 2)


def test_inputs_that_have_not_moved_are_at_no_distance():
    assert distance(rows_of(0.0, 0.0, seed=1), rows_of(0.0, 0.0)).largest < 0.1


def test_only_a_versions_own_inputs_count():
    found = distance(rows_of(3.0, 0.0, seed=1), rows_of(0.0, 0.0), columns=("b",))
    assert found.largest < 0.1


def test_there_is_no_distance_without_rows_or_inputs():
    assert distance(rows_of(0.0, 0.0).head(0), rows_of(0.0, 0.0)) is None
    assert distance(rows_of(0.0, 0.0), rows_of(0.0, 0.0), columns=()) is None


def test_few_rows_are_noisy():
    many, few = (distance(rows_of(0.0, 0.0, n=n, seed=1), rows_of(0.0, 0.0)) for n in (10_000, 50))
    assert few.noise > 5 * many.noise


def far(mean, largest, noise=0.0):
    return Distance(mean=mean, largest=largest, worst="a", inputs=2, noise=noise)


@pytest.mark.parametrize(
    ("candidate", "champion", "nearer"),
    [
        (far(0.1, 0.2), far(0.5, 1.0), True),
        (far(0.5, 1.0), far(0.1, 0.2), False),
        (far(0.1, 0.2), far(0.19, 0.4), None),
        (far(1.0, 2.0), far(1.2, 2.5), None),
        (far(0.1, 2.0), far(0.5, 1.0), None),
        (far(0.1, 0.2), far(0.5, 1.0, noise=0.5), None),
    ],
    ids=["nearer", "farther", "too little", "both far off", "one input is farther off", "noise"],
)
def test_nearer_is_a_clear_margin_on_average_and_no_input_farther_off(candidate, champion, nearer):
    assert is_nearer(candidate, champion) is nearer


sizes = st.floats(min_value=0, max_value=10)
distances = st.builds(lambda a, b: far(min(a, b), max(a, b)), sizes, sizes)
estimates = st.tuples(sizes, sizes, sizes).map(
    lambda each: Estimate(**dict(zip(("low", "value", "high"), sorted(each), strict=True)))
)


@given(distances, distances)
def test_the_distances_say_the_opposite_with_the_roles_changed(one, other):
    there, back = is_nearer(one, other), is_nearer(other, one)
    assert there is (None if back is None else not back)


@given(estimates, estimates, st.sampled_from(["high", "low"]))
def test_an_expectation_says_the_opposite_with_the_bad_direction_changed(one, other, direction):
    opposite = "low" if direction == "high" else "high"
    there = is_expected_better(one, other, direction=direction, tolerance=0.05)
    back = is_expected_better(one, other, direction=opposite, tolerance=0.05)
    assert there is (None if back is None else not back)
    if there is not None:
        assert one.high < other.low or other.high < one.low


def test_what_estimates_may_miss_by_is_no_difference():
    one = Estimate(value=1.00, low=0.999, high=1.001)
    other = Estimate(value=1.04, low=1.039, high=1.041)
    assert is_expected_better(one, other, direction="high", tolerance=0.05) is None
    assert is_expected_better(one, other, direction="high", tolerance=0.01) is True
