"""Limits by budget of what is read from sums, whatever a day of the reference is."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aiguard_dagster.core.spec import FalseAlarmLimit, Performance
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.signals.measure_tallied import Reference, measure_tallied, threshold_of
from aiguard_dagster.signals.performance import ERRORS, read_performance
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.budget import budget_limit
from aiguard_dagster.stats.profile import BatchProfile, Profile
from aiguard_dagster.stats.tally import Tally

DAY = timedelta(days=1)
SIGNAL = Performance(table="predictions", metric="mae", window=14 * DAY)


def sums(error):
    return Tally(keys=("known",), sums=ERRORS, groups={("1",): (100, 100 * error, *[0.0] * 4)})


def profile(error):
    return Profile(rows=100, first=None, last=None, columns={}, tallies={"it": sums(error)})


def test_a_reference_of_weeks_is_calibrated_by_windows_of_weeks():
    errors = np.random.default_rng(0).normal(10, 1, 52)
    reference = Reference(days=[sums(each) for each in errors], told="first 364d", every=7 * DAY)
    limit = FalseAlarmLimit(false_alarm_every="84d")
    found = threshold_of(SIGNAL, limit, read_performance(SIGNAL, sums(10.0), None), reference)
    pairs = list((errors[1:] + errors[:-1]) / 2)
    expected = budget_limit(pairs, span=2, every=12, high=True)
    assert found.value == pytest.approx(expected.limit)
    assert found.source.startswith("one false alarm in 84d, from 364 days of baseline")


@pytest.mark.parametrize(("held", "span"), [(14, 14), (7, 7), (1, 1)])
def test_the_few_days_after_a_release_have_the_limit_of_windows_so_short(held, span):
    errors = np.random.default_rng(0).normal(10, 1, 180)
    reference = Reference(days=[sums(each) for each in errors], told="baseline")
    batches = [
        BatchProfile(grid_id="", parts={version: profile(10.0)})
        for version in ["1"] * (14 - held) + ["2"] * held
    ]
    end = datetime(2026, 1, 15, tzinfo=UTC)
    window = Window(start=end - SIGNAL.window, end=end)
    current = WindowProfiles(window=window, batches=batches, expected=14, champion="2")
    limit = FalseAlarmLimit(false_alarm_every="90d")
    measured, threshold = measure_tallied(SIGNAL, limit, "it", current, reference)
    assert measured.n == 100 * held
    few = SIGNAL.model_copy(update={"min_samples": 101})
    rare = measure_tallied(few, limit, "it", current, reference)[1]
    assert held == 1 or rare.value == threshold.value  # A day has 100 rows.
    means = np.convolve(errors, np.ones(span) / span, "valid")
    expected = budget_limit(list(means), span=span, every=90, high=True)
    assert threshold.value == pytest.approx(expected.limit)
