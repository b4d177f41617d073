"""Limits by false-alarm budget, and how far they can be trusted."""

import math

import numpy as np
import pytest

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.calibration import (
    EFFECT_FLOOR,
    MIN_WINDOWS,
    calibrate,
    gumbel_return_level,
    null_distances,
)
from aiguard_dagster.stats.distance import js_distance

SPAN = 7
BINS = 32


def days_of(rng, days, rows=24, bins=BINS):
    """Independent days: what the limits assume at best."""
    return rng.multinomial(rows, np.full(bins, 1 / bins), size=days).astype(float)


def windows_beyond(rng, baseline, limit, windows):
    """The share of fresh windows, without overlap, that lie beyond the limit."""
    fresh = days_of(rng, windows * SPAN).reshape(windows, SPAN, -1).sum(axis=1)
    total = baseline.sum(axis=0)
    return np.mean([js_distance(window, total) > limit for window in fresh])


@pytest.mark.parametrize("period", [5, 13, 26])
def test_fresh_windows_of_the_same_process_cross_the_limit_about_as_often_as_budgeted(period):
    rng = np.random.default_rng(period)
    rates = []
    for _ in range(12):
        baseline = days_of(rng, 365)
        limits = calibrate({"x": baseline}, span=SPAN, windows_per_alarm=period)
        assert limits.columns["x"] > EFFECT_FLOOR
        rates.append(windows_beyond(rng, baseline, limits.columns["x"], 300))
    assert 0.5 / period < np.mean(rates) < 2 / period


def test_columns_share_the_budget():
    rng = np.random.default_rng(1)
    x = days_of(rng, 365)
    alone = calibrate({"x": x}, span=SPAN, windows_per_alarm=13)
    among = calibrate(
        {"x": x, "y": days_of(rng, 365), "z": days_of(rng, 365)}, span=SPAN, windows_per_alarm=13
    )
    assert among.columns["x"] > alone.columns["x"]
    expected = calibrate({"x": x}, span=SPAN, windows_per_alarm=39).columns["x"]
    assert among.columns["x"] == pytest.approx(expected)


def test_a_rarer_alarm_has_a_higher_limit():
    baseline = days_of(np.random.default_rng(2), 365)
    levels = [
        calibrate({"x": baseline}, span=SPAN, windows_per_alarm=period).columns["x"]
        for period in (2, 13, 52, 500)
    ]
    assert levels == sorted(levels)


def test_a_weekly_rhythm_is_part_of_normal():
    rng = np.random.default_rng(3)
    weekday, weekend = np.array([0.8, 0.2]), np.array([0.2, 0.8])
    days = np.vstack(
        [rng.multinomial(500, weekend if day % 7 > 4 else weekday) for day in range(180)]
    ).astype(float)
    daily = calibrate({"x": days}, span=1, windows_per_alarm=30).columns["x"]
    weekly = calibrate({"x": days}, span=7, windows_per_alarm=30).columns["x"]
    assert daily > 0.4
    assert weekly == EFFECT_FLOOR


def test_a_shift_too_small_to_matter_is_below_every_limit():
    many = days_of(np.random.default_rng(4), 100, rows=1_000_000)
    limits = calibrate({"x": many}, span=SPAN, windows_per_alarm=13)
    assert limits.columns["x"] == EFFECT_FLOOR
    assert limits.windows == 100 // SPAN


def test_no_limit_is_beyond_the_largest_distance():
    apart = np.zeros((21, 2))
    apart[:7, 0] = apart[7:, 1] = 5
    assert calibrate({"x": apart}, span=SPAN, windows_per_alarm=1e6).columns["x"] == 1


def test_a_column_that_was_always_empty_has_the_lowest_limit():
    empty = np.zeros((60, 3))
    assert calibrate({"x": empty}, span=SPAN, windows_per_alarm=13).columns["x"] == EFFECT_FLOOR


@pytest.mark.parametrize("days", [0, 1, MIN_WINDOWS * SPAN - 1])
def test_too_short_a_baseline_says_how_long_it_must_be(days):
    with pytest.raises(MeasurementError, match=r"(?s)needs at least 3.*Hint: .* 21 days"):
        calibrate({"x": np.ones((days, 4))}, span=SPAN, windows_per_alarm=13)


def test_the_shortest_baseline_is_three_windows():
    baseline = np.ones((MIN_WINDOWS * SPAN, 4))
    assert calibrate({"x": baseline}, span=SPAN, windows_per_alarm=13).windows == MIN_WINDOWS


def test_no_columns_are_no_baseline():
    with pytest.raises(MeasurementError, match="the baseline has 0 days"):
        calibrate({}, span=SPAN, windows_per_alarm=13)


def test_each_window_is_compared_with_the_days_outside_it():
    daily = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    found = null_distances(daily, span=2)
    middle = js_distance(np.array([1.0, 1]), np.array([1.0, 1]))
    assert found == pytest.approx([1, middle, 1])
    daily[0] = daily[1] = 0
    assert math.isnan(null_distances(daily, span=2)[0])


@pytest.mark.parametrize("period", [2, 10, 100, 1000])
def test_a_gumbel_variable_exceeds_its_return_level_as_often_as_stated(period):
    rng = np.random.default_rng(period)
    draws = rng.gumbel(loc=3, scale=2, size=200_000)
    level = gumbel_return_level(draws, period)
    assert level == pytest.approx(3 - 2 * math.log(-math.log(1 - 1 / period)), rel=0.02)
    assert np.mean(draws > level) == pytest.approx(1 / period, rel=0.15)


def test_values_that_never_vary_have_themselves_as_return_level():
    assert gumbel_return_level(np.full(9, 0.25), 100) == pytest.approx(0.25)
