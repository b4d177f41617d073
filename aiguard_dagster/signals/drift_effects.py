"""Effects of columns, pairs and outcomes, held against calibrated limits or one of the user's."""

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

import numpy as np

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.verdicts import Chart, Part, Threshold
from aiguard_dagster.signals.drift_case import DriftCase
from aiguard_dagster.signals.moves import chart_of, how_moved, how_outcomes_moved
from aiguard_dagster.stats.calibration import Calibration
from aiguard_dagster.stats.contrast import JointContrast, Test
from aiguard_dagster.stats.effects import Numbers

DAY = timedelta(days=1)
MOVED = 0.2
"""Standard deviations by which a column of a pair must have moved to be told beside it."""


def plain_effects(case: DriftCase, limit: float) -> Sequence[Part]:
    """The worst effect of each column, in standard deviations."""
    if not case.rows.rows:
        return []
    now, then = _sides(case)
    found = case.contrast.compare(now, then).corrected[0]
    return _parts(case, found, found, np.full(len(found), limit))


def calibrated_effects(case: DriftCase, every: timedelta) -> tuple[Sequence[Part], Threshold]:
    """The worst effect of each column, as a share of its own limit for the budget.

    Raises:
        MeasurementError: The baseline is too short.
    """
    calibration = case.reference.calibration(case.signal.of, case.columns, case.days)
    threshold = Threshold(
        value=1.0,
        direction="high",
        source=f"of its limit for one false alarm in {format_duration(every)}, "
        + supported(calibration, every),
        unit="share",
    )
    if not case.rows.rows:
        return [], threshold
    effects = case.contrast.compare(*_sides(case))
    level = calibration.level(every / DAY)
    limits = calibration.limits(effects, level, least=case.signal.min_effect)[0]
    found = effects.corrected[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(limits > 0, found / limits, np.where(found > 0, np.inf, 0.0))
    return _parts(case, found, shares, limits), threshold


def supported(calibration: Calibration, every: timedelta) -> str:
    """What a limit rests on, and whether that is enough."""
    told = f"from {calibration.days} days of baseline"
    if every <= calibration.supported * DAY:
        return told
    return f"{told}, which support one in {calibration.supported}d: beyond, it is extrapolated"


def _sides(case: DriftCase) -> tuple[Numbers, Numbers]:
    now = case.contrast.row(case.rows)
    then = case.reference.row(case.signal.of, case.columns)
    return now[None, :], then[None, :]


def _parts(case: DriftCase, found: Numbers, values: Numbers, limits: Numbers) -> Sequence[Part]:
    tests = case.contrast.tests
    return [
        Part(
            name=tests[place].name,
            value=float(values[place]),
            text=f"{_told(case, place)}; effect {found[place]:.3g}, limit {limits[place]:.3g}",
            chart=_chart(case, tests[place].name),
        )
        for place in _worst_of_each(tests, values)
    ]


def _worst_of_each(tests: Sequence[Test], values: Numbers) -> list[int]:
    """The place of each name's worst test, where any could be taken."""
    worst: dict[str, int] = {}
    for place, test in enumerate(tests):
        value = values[place]
        if not math.isnan(value) and (test.name not in worst or value > values[worst[test.name]]):
            worst[test.name] = place
    return list(worst.values())


def _told(case: DriftCase, place: int) -> str:
    test, total = case.contrast.tests[place], case.reference.total
    grids = case.reference.grid.columns
    match case.signal.of:
        case "columns":
            now, then = case.rows.columns[test.name], total.columns[test.name]
            return how_moved(now, then, grids[test.name], test.aspect)
        case "concept":
            sides = case.rows.residuals[test.name], total.residuals[test.name]
            return how_outcomes_moved(test.name, *sides, grids[test.name])
        case "joint":
            return _told_together(cast("JointContrast", case.contrast), place, *_sides(case))


def _told_together(contrast: JointContrast, place: int, now: Numbers, then: Numbers) -> str:
    """Both correlations, and what moved by itself: two levels in one window look like noise."""
    after, before = (float(contrast.correlations(side)[0, place]) for side in (now, then))
    digits = 2 if round(before, 2) != round(after, 2) else 3
    text = f"correlation {before:.{digits}f} → {after:.{digits}f}"
    moved = {
        name: shift
        for name, shift in contrast.moved(place, now, then).items()
        if abs(shift) >= MOVED
    }
    told = [f"{name} itself is {shift:+.2g} sd" for name, shift in moved.items()]
    return f"{text}, but {' and '.join(told)}" if told else text


def _chart(case: DriftCase, name: str) -> Chart | None:
    if case.signal.of != "columns":
        return None
    now, then = case.rows.columns[name], case.reference.total.columns[name]
    return chart_of(now, then, case.reference.grid.columns[name])
