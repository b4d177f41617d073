"""Limits by false-alarm budget: what they are made of, and what they cannot be."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import split_hint
from aiguard_dagster.stats.calibration import (
    FEWEST_PARTS,
    Calibration,
    calibrate,
    episodes,
)
from aiguard_dagster.stats.effects import (
    Effects,
    bins_effect,
    score,
    share_effect,
    side_by_side,
)
from tests.stats.days import (
    breaches,
    contrast_of,
    days_of,
    effects_of,
    wandering,
    windows_of,
)

YEAR = 365


def bins(now, then):
    """All cells as the bins of one column."""
    return side_by_side([bins_effect(now, then)])


def nulls(now, then):
    """Two cells: rows with a value, and without."""
    return side_by_side([share_effect(now[:, 1], now.sum(axis=1), then[:, 1], then.sum(axis=1))])


def known(extremes, *, span=1, days=YEAR, wander=(0.0,)):
    """A calibration that found these extremes."""
    ordered = np.sort(np.array(extremes, float))
    return Calibration(
        span=span, days=days, wander=np.array(wander), scores=ordered, extremes=ordered
    )


EXTREMES = hnp.arrays(float, st.integers(1, 60), elements=st.floats(-5, 50))
BUDGETS = st.floats(1.01, 10_000)


@given(EXTREMES, st.integers(1, 30), BUDGETS, BUDGETS)
@example(np.array([0.0, 1.0, 1.0]), 1, 1.25, 2.0)
def test_a_rarer_alarm_never_has_a_lower_limit(extremes, span, a, b):
    found = known(extremes, span=span)
    low, high = (found.level(span * every) for every in sorted((a, b)))
    assert low <= high + 1e-9


@given(EXTREMES, st.integers(1, 30), st.floats(1, 100))
def test_beyond_the_baseline_s_length_no_limit_is_lower_than_at_its_length(extremes, span, times):
    found = known(extremes, span=span)
    assert found.level(YEAR * times) >= found.level(YEAR) - 1e-9


@given(EXTREMES, st.floats(1.01, 1_000), st.integers(1, 50))
def test_beyond_the_baseline_s_length_no_limit_is_lower_than_chance_alone(extremes, times, tests):
    found = known(extremes, wander=[0.0] * tests)
    every = YEAR * times
    assert found.level(every) >= stats.norm.isf(1 / every / tests)


@given(EXTREMES, st.integers(1, 30), st.integers(90, 1_000))
def test_beyond_the_budget_that_a_baseline_supports_no_limit_is_lower(extremes, span, days):
    found = known(extremes, span=span, days=days)
    every = found.supported + 1.0
    assert found.level(every) >= found.level(found.supported) - 1e-9
    assert found.level(every) >= stats.norm.isf(1 / max(every, span))


@pytest.mark.parametrize(
    ("days", "span", "supported"),
    [(365, 1, 365), (365, 7, 365), (365, 30, 222), (21, 7, 3), (3, 1, 0)],
)
def test_a_baseline_of_twenty_windows_supports_a_budget_as_long_as_itself(days, span, supported):
    assert known([0.0], days=days, span=span).supported == supported


@given(EXTREMES, st.integers(1, 30))
def test_every_window_may_be_an_alarm_at_the_lowest_level(extremes, span):
    assert known(extremes, span=span).level(span) == pytest.approx(extremes.min())


@pytest.mark.parametrize("every", [2, 4, 12])
def test_a_level_that_the_baseline_has_seen_is_a_quantile_of_its_extremes(every):
    extremes = np.random.default_rng(0).normal(size=1_000)
    found = known(extremes, days=1_000).level(every)
    assert np.mean(extremes > found) == pytest.approx(1 / every if every < 10 else 1 / 12, abs=0.01)


@pytest.mark.parametrize("every", [30, 100, 1_000, 10_000])
def test_an_exponential_tail_goes_beyond_its_level_as_often_as_stated(every):
    draws = np.random.default_rng(0).exponential(2, 20_000)
    found = known(draws, days=100_000).level(every)
    assert found == pytest.approx(2 * math.log(every), rel=0.05)


@pytest.mark.parametrize("every", [15, 30, 300, 3_000])
def test_a_normal_tail_goes_beyond_its_level_hardly_oftener_than_stated(every):
    draws = np.random.default_rng(0).normal(size=20_000)
    level = known(draws, days=100_000).level(every)
    assert stats.norm.sf(level) * every < 1.15


@pytest.mark.parametrize("windows", [15, 40, 200])
def test_a_level_learned_from_few_windows_is_exceeded_no_oftener_than_stated(windows):
    rng = np.random.default_rng(0)
    drawn = [known(rng.exponential(size=windows), days=100_000) for _ in range(1_500)]
    for every in (3, 6, 12, 30, 90):
        beyond = np.mean([math.exp(-found.level(every)) for found in drawn])
        assert 0.9 / every < beyond < (1.1 if windows < 40 else 1.03) / every


@pytest.mark.parametrize("days", [0, 1, FEWEST_PARTS * 7 - 1])
def test_too_short_a_baseline_says_how_long_it_must_be(days):
    with pytest.raises(MeasurementError) as refused:
        calibrate(np.ones((days, 4)), bins, span=7)
    what, hint = split_hint(str(refused.value))
    assert what == (
        f"the baseline has {days} days, {days // 7} windows of 7 days, and a false-alarm budget"
        " needs at least 3"
    )
    assert hint == (
        "record the baseline on at least 21 days, shorten the window, or give an absolute limit."
    )


def test_no_days_at_all_are_too_short():
    with pytest.raises(MeasurementError, match="the baseline has 0 days"):
        calibrate(np.array([]), bins, span=1)


@pytest.mark.parametrize("span", [1, 2, 7, 30])
def test_the_shortest_baseline_is_three_windows(span):
    days = np.random.default_rng(0).multinomial(500, [0.25] * 4, size=3 * span).astype(float)
    found = calibrate(days, bins, span=span)
    assert (found.days, found.span, len(found.scores)) == (3 * span, span, 2 * span + 1)
    for every in (30, 365, 10_000):
        assert math.isfinite(found.level(every))


def test_a_baseline_without_rows_says_so():
    days = np.zeros((30, 4))
    days[[3, 20]] = 5
    with pytest.raises(MeasurementError) as refused:
        calibrate(days, bins, span=1)
    assert split_hint(str(refused.value)) == (
        "the baseline has rows in 2 windows of 1 days only",
        "record it on days that have rows.",
    )


def test_days_without_rows_among_others_are_no_windows():
    rng = np.random.default_rng(0)
    days = rng.multinomial(500, [0.25] * 4, size=60).astype(float)
    days[10:14] = 0
    found = calibrate(days, bins, span=1)
    assert len(found.scores) == 56
    assert np.isfinite(found.scores).all()
    # Windows of which one day has rows are windows.
    assert len(calibrate(days, bins, span=7).scores) == 54


@pytest.mark.parametrize("span", [1, 3, 7])
@pytest.mark.parametrize("days", [21, 50, 365])
def test_each_window_is_measured_against_days_outside_it_only(days, span):
    seen = []

    def spy(now, then):
        seen.append((now, then))
        return bins(now, then)

    # Each day has a cell of its own.
    calibrate(np.eye(days), spy, span=span)
    ((now, then),) = seen
    assert len(now) == days - span + 1
    assert (now.sum(axis=1) == span).all()
    assert (now * then == 0).all()
    assert np.isin(then, [0, 1]).all()
    assert (then.sum(axis=1) >= days / 3).all()


def test_the_rest_of_the_baseline_is_all_but_the_window_s_part():
    rest = []

    def spy(now, then):
        rest.append(then.sum(axis=1))
        return bins(now, then)

    calibrate(np.ones((365, 1)) * np.eye(1), spy, span=7)
    (found,) = rest
    # Ten parts of 36 windows, each seven days long.
    assert found.min() >= 365 - 43
    assert found.max() <= 365 - 41


def test_the_same_days_always_give_the_same_limits():
    days = np.random.default_rng(0).multinomial(500, [0.25] * 4, size=90).astype(float)
    a, b = (calibrate(days, bins, span=7) for _ in range(2))
    assert np.array_equal(a.extremes, b.extremes)
    assert a.level(90) == b.level(90)


def test_a_column_that_never_was_null_breaks_nothing():
    days = np.tile([200.0, 0.0], (YEAR, 1))
    found = calibrate(days, nulls, span=1)
    assert found.wander.tolist() == [0]
    assert np.isfinite(found.scores).all()
    same = nulls(days[:1], days.sum(axis=0, keepdims=True))
    gone = nulls(np.array([[150.0, 50.0]]), days.sum(axis=0, keepdims=True))
    for every in (30, 90, 1_000):
        limit = found.limits(same, found.level(every), least=0.1)[0, 0]
        assert same.corrected[0, 0] == 0
        assert 0.1 <= limit < gone.corrected[0, 0]


def test_a_column_that_never_varied_does_not_change_the_limits_of_another():
    rng = np.random.default_rng(0)
    moving = rng.multinomial(500, [0.25] * 4, size=YEAR).astype(float)
    both = np.hstack([moving, np.tile([500.0, 0.0], (YEAR, 1))])

    def two(now, then):
        return side_by_side(
            [
                bins_effect(now[:, :4], then[:, :4]),
                share_effect(
                    now[:, 5], now[:, :4].sum(axis=1), then[:, 5], then[:, :4].sum(axis=1)
                ),
            ]
        )

    alone, among = calibrate(moving, bins, span=1), calibrate(both, two, span=1)
    assert among.level(90) == pytest.approx(alone.level(90))


def test_effects_without_any_variance_are_no_windows():
    def nothing(now, then):
        zero = np.zeros((len(now), 1))
        return Effects(squared=zero, noise=zero, freedom=zero + 1)

    with pytest.raises(MeasurementError, match="rows in 0 windows"):
        calibrate(np.ones((60, 2)), nothing, span=7)


def test_real_wandering_is_found_as_a_variance_of_its_own():
    rng = np.random.default_rng(0)
    shifts = np.stack([rng.normal(0, 0.2, YEAR), np.zeros(YEAR)], axis=1)
    days = days_of(rng, shifts, 5_000)
    contrast = contrast_of(days)
    found = dict(zip(contrast.tests, calibrate(days, contrast.compare, span=1).wander, strict=True))
    by_test = {(test.name, test.aspect): wander for test, wander in found.items()}
    assert by_test["x0", "shape"] ** 0.5 == pytest.approx(0.2, abs=0.03)
    assert by_test["x0", "bins"] ** 0.5 == pytest.approx(0.2, abs=0.03)
    assert by_test["x1", "shape"] ** 0.5 < 0.02
    assert by_test["x0", "missing"] ** 0.5 < 0.02


@pytest.mark.parametrize(("days", "span"), [(365, 1), (365, 7), (21, 7)])
def test_the_variance_of_few_windows_is_taken_larger_by_half_its_standard_error(days, span):
    def wanders(now, then):
        one = np.ones((len(now), 1))
        return Effects(squared=0.05 * one, noise=0.01 * one, freedom=one)

    found = calibrate(np.ones((days, 2)), wanders, span=span).wander
    assert found == pytest.approx(0.04 * (1 + math.sqrt(2 * span / days) / 2))


def test_a_strange_day_of_the_baseline_is_judged_by_the_other_days():
    def one_is_strange(now, then):
        one = np.ones((len(now), 1))
        squared = 0.01 * one
        squared[50] = 1.0
        return Effects(squared=squared, noise=0.01 * one, freedom=one)

    found = calibrate(np.ones((100, 2)), one_is_strange, span=1)
    assert found.wander[0] > 0.009
    assert found.scores[50] == pytest.approx(
        float(score(np.array(1.0), np.array(0.01), np.array(1.0)))
    )


def test_the_budget_is_shared_by_all_columns():
    rng = np.random.default_rng(1)
    days = days_of(rng, np.zeros((YEAR, 12)), 500)
    one = days[:, : days.shape[1] // 12]
    alone, among = (
        calibrate(each, contrast_of(each).compare, span=7).level(90) for each in (one, days)
    )
    assert among > alone + 0.3


def test_a_weekly_rhythm_is_part_of_normal():
    rng = np.random.default_rng(3)
    shifts = np.where(np.arange(YEAR) % 7 > 4, 0.8, 0.0)[:, None]
    days = days_of(rng, shifts, 1_000)
    contrast = contrast_of(days)
    fresh = days_of(rng, shifts, 1_000)
    daily, weekly = (calibrate(days, contrast.compare, span=span) for span in (1, 7))
    # Weekends are far from the mean of all days, and yet no alarm.
    effects = effects_of(contrast, fresh, days)
    assert effects.corrected[5, 0] > 0.4
    assert breaches(daily, effects, 90).mean() < 0.03
    # Weeks have no rhythm, so that a shift smaller than that is seen.
    moved = effects_of(contrast, windows_of(days_of(rng, shifts + 0.2, 1_000), 7), days)
    assert breaches(weekly, moved, 90).mean() > 0.95
    assert breaches(weekly, effects_of(contrast, windows_of(fresh, 7), days), 90).mean() < 0.1


def test_a_trivial_shift_of_very_many_rows_is_below_the_least_effect():
    rng = np.random.default_rng(0)
    days = days_of(rng, np.zeros((100, 3)), 10_000_000)
    contrast = contrast_of(days)
    found = calibrate(days, contrast.compare, span=1)
    moved = effects_of(contrast, days_of(rng, np.full((100, 3), 0.03), 10_000_000), days)
    assert breaches(found, moved, 90, least=0.0).all()
    assert not breaches(found, moved, 90, least=0.1).any()
    assert found.limits(moved, found.level(90), least=0.1).max() == 0.1


def test_fewer_rows_have_a_wider_limit_and_a_calibration_serves_all_of_them():
    rng = np.random.default_rng(0)
    days = days_of(rng, np.zeros((YEAR, 2)), 2_000)
    contrast = contrast_of(days)
    found = calibrate(days, contrast.compare, span=1)
    limits = [
        found.limits(
            effects_of(contrast, days_of(rng, np.zeros((1, 2)), rows), days),
            found.level(90),
            least=0.0,
        )[0]
        for rows in (200, 2_000, 20_000)
    ]
    assert (limits[0] > 2 * limits[1]).all()
    assert (limits[1] > 2 * limits[2]).all()


SQUARES = hnp.arrays(float, (4, 3), elements=st.floats(0, 2))


@given(SQUARES, st.floats(-1, 8), st.floats(1e-4, 0.1), st.floats(0, 0.1), st.floats(1, 40))
def test_an_effect_is_beyond_its_limit_where_its_score_is_beyond_the_level(
    squared, level, noise, wander, freedom
):
    effects = Effects(
        squared=squared, noise=np.full((4, 3), noise), freedom=np.full((4, 3), freedom)
    )
    found = known([0.0], wander=[wander, 0.0, wander / 2])
    limits = found.limits(effects, level, least=0.0)
    clear = np.abs(effects.corrected - limits) > 1e-6
    beyond = found.scored(effects) > level
    # What noise explains is no effect, so a level as low as that says nothing.
    assert np.array_equal(
        (effects.corrected > limits)[clear],
        (beyond & (limits > 0) | ((limits == 0) & (effects.corrected > 0)))[clear],
    )


def test_a_window_without_rows_has_no_limit():
    days = np.random.default_rng(0).multinomial(500, [0.25] * 4, size=90).astype(float)
    found = calibrate(days, bins, span=1)
    empty = bins(np.zeros((1, 4)), days.sum(axis=0, keepdims=True))
    assert np.isnan(found.limits(empty, 3.0, least=0.1)).all()
    assert np.isnan(found.scored(empty)).all()


@pytest.mark.parametrize("level", [2.0, 3.5])
@pytest.mark.parametrize("wander", [0.0, 0.01])
def test_with_no_shift_power_is_the_chance_of_a_false_alarm(level, wander):
    one = np.full((1, 1), 1.0)
    effects = Effects(squared=0.0 * one, noise=0.002 * one, freedom=3 * one)
    found = known([0.0], wander=[wander])
    limits = found.limits(effects, level, least=0.0)
    chance = found.power(effects, limits, np.array([[0.0]]))[0, 0]
    assert chance == pytest.approx(stats.norm.sf(level), rel=0.4)


@given(st.floats(0, 0.1), st.floats(1e-4, 0.01), st.floats(0.05, 0.5))
def test_a_larger_shift_is_never_less_likely_to_be_seen(wander, noise, limit):
    one = np.full((1, 1), 1.0)
    effects = Effects(squared=0.0 * one, noise=noise * one, freedom=3 * one)
    shifts = np.linspace(0, 1, 21)[:, None]
    found = known([0.0], wander=[wander]).power(effects, limit * one, shifts)[:, 0]
    assert (np.diff(found) >= -1e-9).all()
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize(
    ("span", "rows", "width", "memory", "week"),
    [(1, 500, 0, 0, 0), (7, 500, 0, 0, 0), (1, 2_000, 0.1, 0, 0), (7, 2_000, 0.1, 0.7, 0.3)],
)
def test_shifts_are_seen_as_often_as_power_says(span, rows, width, memory, week):
    seen, said = [], []
    shifts = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4])
    for seed in range(8):
        rng = np.random.default_rng(seed)

        def means(rng=rng):
            return wandering(rng, YEAR, 2, width=width, memory=memory, week=week)

        days = days_of(rng, means(), rows)
        contrast = contrast_of(days)
        found = calibrate(days, contrast.compare, span=span)
        moving = [k for k, test in enumerate(contrast.tests) if test.aspect != "missing"]
        for shift in shifts:
            fresh = days_of(rng, means() + shift, rows)
            effects = effects_of(contrast, windows_of(fresh, span)[::span], days)
            limits = found.limits(effects, found.level(60), least=0.0)
            seen.append((effects.corrected > limits).mean(axis=0)[moving])
            said.append(found.power(effects, limits, np.array([[shift]])).mean(axis=0)[moving])
    apart = (np.array(seen) - np.array(said)).reshape(8, len(shifts), -1).mean(axis=0)
    assert np.abs(apart).max() < 0.1


@given(hnp.arrays(bool, st.integers(0, 60)), st.integers(1, 10))
def test_episodes_are_breaches_that_lie_a_window_apart_or_more(beyond, span):
    found, last = 0, -math.inf
    for place in np.flatnonzero(beyond):
        found += place - last >= span
        last = place
    assert episodes(beyond, span) == found
    assert (found > 0) == beyond.any()
