"""Limits by budget of what is read from sums, whatever a day of the reference is."""

from datetime import timedelta

import numpy as np
import pytest

from aiguard_dagster.core.spec import FalseAlarmLimit, Performance
from aiguard_dagster.signals.measure_tallied import Reference, threshold_of
from aiguard_dagster.signals.performance import ERRORS, read_performance
from aiguard_dagster.stats.budget import budget_limit
from aiguard_dagster.stats.tally import Tally

DAY = timedelta(days=1)
SIGNAL = Performance(table="predictions", metric="mae", window=14 * DAY)


def sums(error):
    return Tally(keys=("known",), sums=ERRORS, groups={("1",): (100, 100 * error, *[0.0] * 4)})


def test_a_reference_of_weeks_is_calibrated_by_windows_of_weeks():
    errors = np.random.default_rng(0).normal(10, 1, 52)
    reference = Reference(days=[sums(each) for each in errors], told="first 364d", every=7 * DAY)
    limit = FalseAlarmLimit(false_alarm_every="84d")
    found = threshold_of(SIGNAL, limit, read_performance(SIGNAL, sums(10.0), None), reference)
    pairs = list((errors[1:] + errors[:-1]) / 2)
    expected = budget_limit(pairs, span=2, every=12, high=True)
    assert found.value == pytest.approx(expected.limit)
    assert found.source.startswith("one false alarm in 84d, from 364 days of baseline")
