"""From a rule and its data to an evaluation: the one place that turns errors into a verdict."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiguard_dagster.core.errors import AIGuardError, MeasurementError
from aiguard_dagster.core.spec import (
    Completeness,
    Compliance,
    Custom,
    DeltaSignal,
    Drift,
    Expectations,
    Freshness,
    Labels,
    Metadata,
    Pandera,
    Reconcile,
    Rule,
    Schema,
    Skew,
    TalliedSignal,
    Unique,
    Values,
)
from aiguard_dagster.core.spec.signals import SignalBase
from aiguard_dagster.core.verdicts import Evaluation, Measurement, Threshold, Verdict, judge
from aiguard_dagster.signals.batch import Batch, NoTableError
from aiguard_dagster.signals.completeness import measure_completeness
from aiguard_dagster.signals.compliance import measure_compliance
from aiguard_dagster.signals.custom import measure_custom
from aiguard_dagster.signals.drift import measure_drift
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.signals.error_budget import BudgetWindows
from aiguard_dagster.signals.expectations import measure_expectations
from aiguard_dagster.signals.freshness import measure_freshness
from aiguard_dagster.signals.labels import measure_labels
from aiguard_dagster.signals.measure_tallied import Reference, TooLittleError, measure_tallied
from aiguard_dagster.signals.metadata import measure_metadata
from aiguard_dagster.signals.pandera import measure_pandera
from aiguard_dagster.signals.reconcile import measure_reconcile
from aiguard_dagster.signals.schema import measure_schema
from aiguard_dagster.signals.skew import measure_skew
from aiguard_dagster.signals.unique import measure_unique
from aiguard_dagster.signals.values import measure_values
from aiguard_dagster.signals.window import WindowProfiles

Measure = Callable[[Any, Batch], tuple[Measurement, Threshold]]
MEASURES: Mapping[type[SignalBase], Measure] = {
    Completeness: measure_completeness,
    Compliance: measure_compliance,
    Custom: measure_custom,
    Expectations: measure_expectations,
    Freshness: measure_freshness,
    Labels: measure_labels,
    Metadata: measure_metadata,
    Reconcile: measure_reconcile,
    Skew: measure_skew,
    Pandera: measure_pandera,
    Schema: measure_schema,
    Unique: measure_unique,
    Values: measure_values,
}


OURS = Path(__file__).parents[1]
LIBRARIES = {"site-packages", "dist-packages"}


def evaluate_batch(rule: Rule, batch: Batch) -> Evaluation:
    """Judge one rule on one batch of rows; a failure to measure is the verdict ``error``."""
    try:
        measurement, threshold = _measure_batch(rule, batch)
    except NoTableError as error:
        nothing = Measurement(value=None, n=0, window=batch.span, as_of=batch.as_of)
        return _evaluation(rule, Verdict.INCONCLUSIVE, nothing, None, str(error))
    except Exception as error:  # noqa: BLE001 - a check that crashes must not take its siblings along
        nothing = Measurement(value=None, n=0, window=batch.span, as_of=batch.as_of)
        return failed(rule, nothing, error)
    least = rule.signal.min_coverage if isinstance(rule.signal, Skew) else 0.0
    verdict, reason = judge(measurement, threshold, min_coverage=least)
    return _evaluation(rule, verdict, measurement, threshold, reason)


def evaluate_drift(
    rule: Rule, current: WindowProfiles, reference: Callable[[str], DriftReference]
) -> Evaluation:
    """Judge one rule on drift on the profiles of its window; a failure to measure is ``error``.

    Args:
        rule: A rule on drift.
        current: The window's profiles.
        reference: Gives a table's baseline made ready for drift; it may raise a MeasurementError.
    """
    signal = rule.signal
    if not isinstance(signal, Drift):
        raise _wrong_door(rule)
    try:
        against = reference(signal.table)
        measurement, threshold = measure_drift(signal, rule.limit, current, against)
    except Exception as error:  # noqa: BLE001 - one rule that crashes must not stop the others
        return _failed_window(rule, current, error)
    return _judged_window(rule, signal, current, measurement, threshold)


def evaluate_tallied(
    rule: Rule,
    name: str,
    current: WindowProfiles,
    reference: Callable[[], Reference | None],
    *,
    earlier: Sequence[WindowProfiles] = (),
    budget: BudgetWindows | None = None,
) -> Evaluation:
    """Judge one rule on the sums of its window; a failure to measure is ``error``.

    Args:
        rule: A rule on a signal that is measured from sums by group.
        name: The tally's name.
        current: The window's profiles.
        reference: Gives what to compare with; it may raise a MeasurementError, which is a
            TooLittleError where more will be there in time.
        earlier: Earlier windows, newest first, for signals that look back.
        budget: The other windows of an error budget; None for other limits.
    """
    signal = rule.signal
    if not isinstance(signal, TalliedSignal):
        raise _wrong_door(rule)
    try:
        against = reference()
        measurement, threshold = measure_tallied(
            signal, rule.limit, name, current, against, earlier=earlier, budget=budget
        )
    except TooLittleError as error:
        window, champion = current.window, current.champion
        nothing = Measurement(value=None, n=0, window=window, as_of=window.end)
        inconclusive = Verdict.INCONCLUSIVE
        return _evaluation(rule, inconclusive, nothing, None, str(error), subject=champion)
    except Exception as error:  # noqa: BLE001 - see above
        return _failed_window(rule, current, error)
    return _judged_window(rule, signal, current, measurement, threshold)


def _failed_window(rule: Rule, current: WindowProfiles, error: Exception) -> Evaluation:
    window = current.window
    nothing = Measurement(value=None, n=0, window=window, as_of=window.end)
    return failed(rule, nothing, error, subject=current.champion)


def _judged_window(
    rule: Rule,
    signal: DeltaSignal,
    current: WindowProfiles,
    measurement: Measurement,
    threshold: Threshold,
) -> Evaluation:
    verdict, reason = judge(
        measurement,
        threshold,
        min_samples=signal.min_samples,
        min_coverage=signal.min_coverage,
    )
    return _evaluation(rule, verdict, measurement, threshold, reason, subject=current.champion)


def failed(
    rule: Rule, measurement: Measurement, error: Exception, *, subject: str | None = None
) -> Evaluation:
    """The evaluation of a rule that could not be measured."""
    told = str(error) if isinstance(error, AIGuardError) else place_of(error)
    return _evaluation(rule, Verdict.ERROR, measurement, None, told, subject=subject)


def place_of(error: Exception) -> str:
    """What was raised and where; not its message, which may quote the user's rows."""
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not Path(frame.filename).is_relative_to(OURS)]
    of_user = [frame for frame in theirs if not set(Path(frame.filename).parts) & LIBRARIES]
    at = (of_user or frames)[-1] if frames else None
    where = f" in {at.name}, {Path(at.filename).name}:{at.lineno}" if at else ""
    return f"could not be measured: {type(error).__name__}{where}"


def _measure_batch(rule: Rule, batch: Batch) -> tuple[Measurement, Threshold]:
    measure = MEASURES.get(type(rule.signal))
    if measure is None:
        raise _wrong_door(rule)
    return measure(rule.signal, replace(batch, limit=rule.limit))


def _wrong_door(rule: Rule) -> MeasurementError:
    return MeasurementError(f"{rule.signal.kind} is not measured on this kind of data")


def _evaluation(
    rule: Rule,
    verdict: Verdict,
    measurement: Measurement,
    threshold: Threshold | None,
    reason: str,
    *,
    subject: str | None = None,
) -> Evaluation:
    if measurement.parts and verdict is Verdict.BREACH:
        worst = measurement.parts[0]
        reason = f"{reason}; worst: {worst.name} ({worst.text})"
    elif measurement.note and verdict is Verdict.BREACH:
        reason = f"{reason}; {measurement.note}"
    return Evaluation(
        rule=rule.name,
        verdict=verdict,
        measurement=measurement,
        threshold=threshold,
        subject=subject,
        reason=reason,
    )
