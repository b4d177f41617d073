"""Limits of one number by false-alarm budget: met on days like the baseline's, and told if not."""

import math

import numpy as np
import pytest

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.budget import budget_limit
from aiguard_dagster.stats.calibration import episodes

ROUNDS = 60


def days(rng, count, *, rhythm):
    """Spend a day: noise, and with a rhythm a weekly wave and days that resemble the last."""
    noise = rng.normal(0, 1, count)
    if not rhythm:
        return 100 + noise
    wander = np.zeros(count)
    for day in range(1, count):
        wander[day] = 0.7 * wander[day - 1] + rng.normal(0, 0.7)
    return 100 + noise + wander + 2 * np.sin(2 * np.pi * np.arange(count) / 7)


@pytest.mark.parametrize("rhythm", [False, True])
@pytest.mark.parametrize(("baseline", "most"), [(365, 1.5), (90, 1.5)])
def test_alarms_are_within_the_budget(rhythm, baseline, most):
    rng, found, every = np.random.default_rng(5), [], 45
    for _ in range(ROUNDS):
        values = days(rng, baseline + 360, rhythm=rhythm)
        limit = budget_limit(list(values[:baseline]), span=1, every=every, high=True).limit
        found.append(episodes(values[baseline:] > limit, 1) / (360 / every))
    assert np.mean(found) <= most


def test_a_limit_on_low_values_mirrors_one_on_high_ones():
    values = list(days(np.random.default_rng(1), 120, rhythm=True))
    high = budget_limit(values, span=7, every=60, high=True)
    low = budget_limit([-value for value in values], span=7, every=60, high=False)
    assert low.limit == pytest.approx(-high.limit)


def test_a_rarer_alarm_has_a_higher_limit():
    values = list(days(np.random.default_rng(2), 365, rhythm=False))
    limits = [
        budget_limit(values, span=1, every=e, high=True).limit for e in (10, 30, 90, 365, 999)
    ]
    assert limits == sorted(limits)
    assert limits[0] < limits[-1]


def test_what_a_baseline_supports_is_its_length_if_it_holds_twenty_windows():
    values = list(days(np.random.default_rng(3), 90, rhythm=False))
    assert budget_limit(values, span=1, every=30, high=True).supported == 90
    week = budget_limit(values[:84], span=7, every=30, high=True)
    assert (week.days, week.supported) == (90, 54)


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [math.nan] * 50])
def test_too_short_a_baseline_is_an_error_and_no_limit(values):
    with pytest.raises(MeasurementError, match="too few to tell what is usual"):
        budget_limit(values, span=1, every=30, high=True)
