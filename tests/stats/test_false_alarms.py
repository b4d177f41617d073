"""Fresh days of the same process raise as many alarms as were budgeted, by simulation."""

import numpy as np
import pytest

from aiguard_dagster.stats.calibration import calibrate
from tests.stats.days import (
    alarms_per_budget,
    breaches,
    concept_of,
    contrast_of,
    days_of,
    effects_of,
    joint_days,
    joint_of,
    outcome_days,
    wandering,
    windows_of,
)

YEAR = 365
FRESH = 1_800
COLUMNS = 4
TIMES = 12
KINDS = {"independent": {"width": 0.0, "week": 0.0}, "wandering, with a weekly rhythm": {}}
ROWS = {
    "as many each day": lambda rng, days: np.full(days, 500),
    "tenfold more on some": lambda rng, days: (500 * 10 ** rng.uniform(-0.5, 0.5, days)).astype(
        int
    ),
}


def year_and_after(rng, kind, rows):
    days = YEAR + FRESH
    cells = days_of(rng, wandering(rng, days, COLUMNS, **KINDS[kind]), ROWS[rows](rng, days))
    return cells[:YEAR], cells[YEAR:]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("span", [1, 7])
def test_alarms_are_no_more_than_half_as_many_again_as_budgeted(kind, rows, span):
    """For 15, 30 and 90 days; single baselines differ more, the fewer alarms they hold."""
    found = []
    for seed in range(TIMES):
        baseline, fresh = year_and_after(np.random.default_rng(seed), kind, rows)
        contrast = contrast_of(baseline)
        calibration = calibrate(baseline, contrast.compare, span=span)
        effects = effects_of(contrast, windows_of(fresh, span), baseline)
        found.append([alarms_per_budget(calibration, effects, every) for every in (15, 30, 90)])
    assert np.mean(found, axis=0).max() < 1.5
    # Nor are limits so wide that nothing would be seen.
    assert np.mean(found, axis=0).min() > 0.4


@pytest.mark.parametrize("span", [1, 7])
@pytest.mark.parametrize(
    ("days", "contrast_with"), [(outcome_days, concept_of), (joint_days, joint_of)]
)
def test_so_they_are_of_outcomes_and_of_columns_together(days, contrast_with, span):
    found = []
    for seed in range(TIMES // 2):
        cells = days(np.random.default_rng(seed), YEAR + 1_000)
        baseline, fresh = cells[:YEAR], cells[YEAR:]
        contrast = contrast_with(baseline)
        calibration = calibrate(baseline, contrast.compare, span=span)
        effects = effects_of(contrast, windows_of(fresh, span), baseline)
        found.append([alarms_per_budget(calibration, effects, every) for every in (15, 30, 90)])
    assert np.mean(found, axis=0).min() > 0.4
    assert np.mean(found, axis=0).max() < 1.5


@pytest.mark.parametrize("span", [1, 7])
def test_a_budget_of_a_year_or_two_is_kept_on_a_year_s_baseline(span):
    found = []
    for seed in range(2 * TIMES):
        rng = np.random.default_rng(1_000 + seed)
        baseline, fresh = year_and_after(rng, "independent", "tenfold more on some")
        contrast = contrast_of(baseline)
        calibration = calibrate(baseline, contrast.compare, span=span)
        effects = effects_of(contrast, windows_of(fresh, span), baseline)
        found.append([alarms_per_budget(calibration, effects, every) for every in (365, 730)])
    assert np.mean(found, axis=0).max() < 1.5


def test_small_days_among_large_ones_are_no_more_often_an_alarm_than_others():
    share = {"small": [], "large": []}
    for seed in range(TIMES):
        rng = np.random.default_rng(seed)
        days = YEAR + FRESH
        rows = ROWS["tenfold more on some"](rng, days)
        cells = days_of(rng, wandering(rng, days, COLUMNS, width=0.05, week=0.0), rows)
        baseline, fresh = cells[:YEAR], cells[YEAR:]
        contrast = contrast_of(baseline)
        calibration = calibrate(baseline, contrast.compare, span=1)
        beyond = breaches(calibration, effects_of(contrast, fresh, baseline), 10)
        small = rows[YEAR:] < 500
        share["small"].append(beyond[small].mean())
        share["large"].append(beyond[~small].mean())
    assert np.mean(share["small"]) < 0.15
    assert np.mean(share["large"]) < 0.15


@pytest.mark.parametrize("weeks", [3, 6, 12])
def test_on_a_short_baseline_alarms_are_no_more_than_half_as_many_again(weeks):
    found = []
    for seed in range(2 * TIMES):
        rng = np.random.default_rng(seed)
        cells = days_of(rng, np.zeros((7 * weeks + FRESH, COLUMNS)), 500)
        baseline, fresh = cells[: 7 * weeks], cells[7 * weeks :]
        contrast = contrast_of(baseline)
        calibration = calibrate(baseline, contrast.compare, span=7)
        effects = effects_of(contrast, windows_of(fresh, 7), baseline)
        found.append(alarms_per_budget(calibration, effects, 30))
    assert np.mean(found) < 1.5
