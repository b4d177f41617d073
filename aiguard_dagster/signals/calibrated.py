"""What the rules of a guard amount to on one baseline, before anything is live."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import (
    Drift,
    ErrorBudgetLimit,
    FalseAlarmLimit,
    Guard,
    Rule,
    TalliedSignal,
)
from aiguard_dagster.core.spec.signals import DeltaSignal
from aiguard_dagster.core.verdicts import Evaluation, Verdict, Window
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.baseline import Baseline
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.signals.measure import evaluate_drift, evaluate_tallied
from aiguard_dagster.signals.measure_tallied import reference_of
from aiguard_dagster.signals.tallied import tally_name
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.calibration import Calibration, episodes
from aiguard_dagster.stats.contrast import JointContrast, Test
from aiguard_dagster.stats.effects import Effects, Numbers
from aiguard_dagster.stats.profile import BatchProfile, ColumnProfile

DAY = timedelta(days=1)
POWER = 0.8
SHIFTS = np.geomspace(0.005, 3.0, 120)
NEVER = "not at all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One test of a rule: its limit, and the smallest shift seen in four windows of five.

    Attributes:
        test: What is looked at.
        limit: In standard deviations.
        shift: The smallest true effect that is seen; None if none is.
        told: The same in the column's own unit.
    """

    test: Test
    limit: float
    shift: float | None
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """One rule on one baseline.

    Attributes:
        rule: The rule.
        problem: Why nothing can be said; empty if it can.
        windows: Windows without overlap that the baseline holds.
        fired: On how many of them the rule would have been in breach; with a budget, each was held
            against the rest, and breaches less than a window apart are one.
        unmeasured: On how many of them it would have been inconclusive.
        rows: Rows in a usual window.
        days: Days of baseline.
        supported: The budget, in days of one false alarm, that they can speak for.
        level: The score of the limit; None without a budget.
        scores: The largest score of each of the baseline's windows, in time order.
        seen: What is seen, by test; empty without a budget.
    """

    rule: Rule
    problem: str = ""
    windows: int = 0
    fired: int = 0
    unmeasured: int = 0
    rows: int = 0
    days: int = 0
    supported: int = 0
    level: float | None = None
    scores: tuple[float, ...] = ()
    seen: tuple[Seen, ...] = ()


def calibrate_guard(guard: Guard, baseline: Baseline) -> Sequence[Calibrated]:
    """What each rule that compares with the baseline amounts to on it."""
    return [
        _calibrated(guard, rule, rule.signal, baseline)
        for rule in guard.rules
        if isinstance(rule.signal, DeltaSignal)
    ]


def _calibrated(guard: Guard, rule: Rule, signal: DeltaSignal, baseline: Baseline) -> Calibrated:
    if isinstance(rule.limit, ErrorBudgetLimit):
        what = "an error budget is held against its objective, which no baseline calibrates"
        return Calibrated(rule=rule, problem=what)
    try:
        table = baseline.table(signal.table)
        if not table.total.rows:
            return Calibrated(rule=rule, problem="the baseline has no rows")
        days = len(table.days)
        span = max(1, round(signal.window / DAY))
        found = Calibrated(
            rule=rule,
            windows=days // span,
            rows=round(table.total.rows / max(days, 1) * span),
            days=days,
        )
        reference = DriftReference(table)
        if isinstance(signal, Drift) and isinstance(rule.limit, FalseAlarmLimit):
            return _with_power(found, signal, rule.limit, reference)
        if isinstance(signal, TalliedSignal):
            return _replayed_sums(guard, found, signal, baseline)
        return _replayed(found, signal, baseline, reference)
    except MeasurementError as error:
        return Calibrated(rule=rule, problem=str(error))


def _replayed(
    found: Calibrated, signal: DeltaSignal, baseline: Baseline, reference: DriftReference
) -> Calibrated:
    """The rule on the baseline's own windows."""
    windows = _windows(found, signal, baseline)
    return _counted(found, [evaluate_drift(found.rule, w, lambda _: reference) for w in windows])


def _replayed_sums(
    guard: Guard, found: Calibrated, signal: TalliedSignal, baseline: Baseline
) -> Calibrated:
    """The same for a rule on sums; the first days of what it will be held against are not yet."""
    name = tally_name(signal, guard.tables[signal.table])
    days = list(baseline.table(signal.table).days.values())
    reference = reference_of(days, name, told="baseline")
    if not reference.days:
        what = f"the baseline counted nothing for {found.rule.name}"
        raise MeasurementError(with_hint(what, "record one for a new version."))
    windows = _windows(found, signal, baseline)
    return _counted(
        found, [evaluate_tallied(found.rule, name, w, lambda: reference) for w in windows]
    )


def _windows(
    found: Calibrated, signal: DeltaSignal, baseline: Baseline
) -> Iterator[WindowProfiles]:
    table = baseline.table(signal.table)
    span = max(1, round(signal.window / DAY))
    days = list(table.days.items())
    for start in range(0, found.windows * span, span):
        held = days[start : start + span]
        end = datetime.fromisoformat(held[-1][0]).replace(tzinfo=UTC) + DAY
        yield WindowProfiles(
            window=Window(start=end - signal.window, end=end),
            batches=[BatchProfile(grid_id=table.grid.id, parts={"": day}) for _, day in held],
            expected=span,
            champion=baseline.version,
        )


def _counted(found: Calibrated, evaluations: Sequence[Evaluation]) -> Calibrated:
    verdicts = [evaluation.verdict for evaluation in evaluations]
    for evaluation in evaluations:
        if evaluation.verdict is Verdict.ERROR:
            raise MeasurementError(evaluation.reason)
    return replace(
        found,
        fired=verdicts.count(Verdict.BREACH),
        unmeasured=verdicts.count(Verdict.INCONCLUSIVE),
    )


def _with_power(
    found: Calibrated, signal: Drift, limit: FalseAlarmLimit, reference: DriftReference
) -> Calibrated:
    columns = reference.columns(signal)
    span = max(1, round(signal.window / DAY))
    calibration = reference.calibration(signal.of, columns, span)
    contrast = reference.contrast(signal.of, columns)
    level = calibration.level(limit.false_alarm_every / DAY)
    total = reference.row(signal.of, columns)[None, :]
    usual = contrast.compare(total * span / calibration.days, total)
    limits = calibration.limits(usual, level, least=signal.min_effect)
    shifts = _smallest(calibration, usual, limits)
    seen = [
        Seen(
            test=test,
            limit=float(limits[0, place]),
            shift=shifts[place],
            told=_told(reference, signal, test, shifts[place]),
        )
        for place, test in enumerate(contrast.tests)
    ]
    return replace(
        found,
        supported=calibration.supported,
        fired=int(episodes(calibration.scores > level, span)),
        level=level,
        scores=tuple(calibration.scores.tolist()),
        seen=tuple(seen),
    )


def _smallest(calibration: Calibration, usual: Effects, limits: Numbers) -> list[float | None]:
    power = calibration.power(usual, limits, SHIFTS[:, None])
    enough = power >= POWER
    return [
        float(SHIFTS[enough[:, place].argmax()]) if enough[:, place].any() else None
        for place in range(enough.shape[1])
    ]


def _told(reference: DriftReference, signal: Drift, test: Test, shift: float | None) -> str:
    """A shift in the unit of what is looked at."""
    if shift is None:
        return NEVER
    column = reference.total.columns.get(test.name)
    match test.aspect:
        case "shape" if column is not None:
            return f"mean by {shift * column.deviation:.3g}"
        case "missing" if column is not None:
            return f"nulls {_raised(column.missing, column.rows, shift)}"
        case "unseen" if column is not None:
            return f"new values {_raised(column.counts[-1], _known(column), shift)}"
        case "together":
            return _correlation(reference, signal, test, shift)
        case "residual" if signal.of == "concept":
            residuals = reference.total.residuals[test.name]
            rows = max(sum(residuals.rows), 1)
            spread = sum(residuals.squares) / rows - (sum(residuals.sums) / rows) ** 2
            return f"mean residual by {shift * max(spread, 0.0) ** 0.5:.3g}"
        case _:
            return f"effect of {shift:.2g}"


def _correlation(reference: DriftReference, signal: Drift, test: Test, shift: float) -> str:
    """A pair's correlation, and what it is after falling, or from below zero rising, so far."""
    columns = reference.columns(signal)
    contrast = reference.contrast("joint", columns)
    row = reference.row("joint", columns)[None, :]
    before = float(cast("JointContrast", contrast).correlations(row)[0, contrast.tests.index(test)])
    after = np.tanh(np.arctanh(before) - np.copysign(shift, before))
    return f"correlation {before:.3g} → {after:.3g}"


def _known(column: ColumnProfile) -> int:
    return column.rows - column.missing


def _raised(rows: int, of: int, effect: float) -> str:
    """A share, and what it is after an effect on the scale of ``2 asin √p``."""
    before = rows / max(of, 1)
    after = np.sin(min(np.arcsin(np.sqrt(before)) + effect / 2, np.pi / 2)) ** 2
    return f"{before:.2%} → {after:.2%}"
