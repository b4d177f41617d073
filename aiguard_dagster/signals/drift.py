"""How far a window has moved from the baseline."""

from dataclasses import replace
from datetime import timedelta

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import AbsoluteLimit, Drift, FalseAlarmLimit, Limit
from aiguard_dagster.core.verdicts import Measurement, Threshold
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.drift_case import DriftCase
from aiguard_dagster.signals.drift_distances import distances
from aiguard_dagster.signals.drift_effects import calibrated_effects, plain_effects
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.signals.window import WindowProfiles

MOST_PARTS = 5
DAY = timedelta(days=1)


def measure_drift(
    signal: Drift, limit: Limit | None, current: WindowProfiles, reference: DriftReference
) -> tuple[Measurement, Threshold]:
    """Measure the worst column's distance from the baseline.

    With a false-alarm budget the value is the column's effect over its own calibrated limit, so 1
    is the limit whatever the column; with an absolute limit it is the distance itself. Of
    predictions, the champion's own count.

    Profiles on another grid than the baseline's do not count, which shows in the coverage; so do
    outcomes that are not known yet.

    Raises:
        MeasurementError: A column is not in the baseline, or the baseline is too short for the
            budget.
    """
    current = replace(
        current, batches=[b for b in current.batches if b.grid_id == reference.grid.id]
    )
    case = DriftCase(
        signal=signal,
        columns=reference.columns(signal),
        rows=current.champion_profile(),
        reference=reference,
        days=max(1, round(signal.window / DAY * current.champion_coverage)),
    )
    match limit:
        case FalseAlarmLimit() if signal.statistic != "effect":
            hint = "give a distance as the limit, or leave statistic out."
            raise MeasurementError(with_hint(f"{signal.statistic} is not calibrated", hint))
        case FalseAlarmLimit(false_alarm_every=every):
            found, threshold = calibrated_effects(case, every)
        case AbsoluteLimit(value=value):
            threshold = Threshold(value=value, direction="high")
            measure = plain_effects if signal.statistic == "effect" else distances
            found = measure(case, value)
        case _:
            msg = "drift takes an absolute limit or false_alarm_every"
            raise MeasurementError(msg)
    parts = sorted(found, key=lambda part: -part.value)
    unjudged = case.unjudged({part.name for part in parts})
    judged = case.answered * (1 - len(unjudged) / max(len(case.names), 1))
    measurement = Measurement(
        value=parts[0].value if parts else None,
        n=case.n,
        window=current.window,
        as_of=current.window.end,
        coverage=current.partition_coverage * judged,
        parts=tuple(parts[:MOST_PARTS]),
        note=_note(case, current, unjudged[:MOST_PARTS]),
    )
    return measurement, threshold


def _note(case: DriftCase, current: WindowProfiles, unjudged: list[str]) -> str:
    if not case.rows.rows:
        others = any(part.rows for batch in current.batches for part in batch.parts.values())
        if others:
            return f"no row of v{current.champion} in the window"
        return "no profile with rows on the baseline's grid in the window"
    if not unjudged:
        return ""
    concept = case.signal.of == "concept"
    what = "no labels yet" if concept else "no distance, as a side has no numbers"
    return f"{what}: {', '.join(unjudged)}"
