"""How far the columns have moved from the baseline."""

import math
from dataclasses import replace
from datetime import timedelta

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import AbsoluteLimit, Drift, FalseAlarmLimit, Limit
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.signals.baseline import DriftReference
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.distance import bins_with_nulls, js_distance, sampling_limit
from aiguard_dagster.stats.profile import ColumnProfile

MOST_PARTS = 5
NOTICED = 0.005
"""A share of rows that must change before the words mention it."""


def measure_drift(
    signal: Drift, limit: Limit | None, current: WindowProfiles, reference: DriftReference
) -> tuple[Measurement, Threshold]:
    """Measure the worst column's Jensen-Shannon distance from the baseline.

    With a false-alarm budget the value is that distance over the column's own calibrated limit, so
    1 is the limit whatever the column; with an absolute limit it is the distance itself.

    Profiles on another grid than the baseline's do not count, which shows in the coverage.

    Raises:
        MeasurementError: A column is not in the baseline, or the baseline is too short for the
            budget.
    """
    columns = signal.columns or tuple(reference.grid.columns)
    unknown = sorted(set(columns) - set(reference.grid.columns))
    if unknown:
        msg = f"the baseline has no column {', '.join(unknown)}"
        raise MeasurementError(msg)
    current = replace(
        current, batches=[b for b in current.batches if b.grid_id == reference.grid.id]
    )
    rows = current.rows()
    days = round(signal.window / timedelta(days=1) * current.partition_coverage)
    scale, threshold = _scale(signal, limit, columns, reference, days)
    if isinstance(limit, FalseAlarmLimit):
        period = limit.false_alarm_every / signal.window * len(columns)
        for name in set(columns) & set(rows.columns):
            noise = sampling_limit(rows.columns[name], reference.total.columns[name], period)
            scale[name] = max(scale[name], noise)
    parts = []
    for name in columns:
        if name not in rows.columns:
            continue
        now, then = rows.columns[name], reference.total.columns[name]
        distance = js_distance(bins_with_nulls(now), bins_with_nulls(then))
        if math.isfinite(distance):
            text = f"{how_moved(now, then)}; distance {distance:.3f}, limit {scale[name]:.3f}"
            value = distance / scale[name] if isinstance(limit, FalseAlarmLimit) else distance
            parts.append(Part(name=name, value=value, text=text))
    parts.sort(key=lambda part: -part.value)
    measurement = Measurement(
        value=parts[0].value if parts else None,
        n=rows.rows,
        window=current.window,
        as_of=current.window.end,
        coverage=current.partition_coverage,
        parts=tuple(parts[:MOST_PARTS]),
        note="" if parts else "no profile with rows on the baseline's grid in the window",
    )
    return measurement, threshold


def _scale(
    signal: Drift,
    limit: Limit | None,
    columns: tuple[str, ...],
    reference: DriftReference,
    days: int,
) -> tuple[dict[str, float], Threshold]:
    match limit:
        case FalseAlarmLimit(false_alarm_every=every):
            limits = reference.limits(columns, signal.window, days, every)
            budget = f"one false alarm in {format_duration(every)}"
            source = f"of its limit for {budget}, from {limits.windows} windows of baseline"
            return dict(limits.columns), Threshold(
                value=1.0, direction="high", source=source, unit="share"
            )
        case AbsoluteLimit(value=value):
            return dict.fromkeys(columns, value), Threshold(value=value, direction="high")
        case _:
            msg = "drift takes an absolute limit or false_alarm_every"
            raise MeasurementError(msg)


def how_moved(now: ColumnProfile, then: ColumnProfile) -> str:
    """What changed in a column, in its own unit: nulls, new values, or the mean.

    >>> a = ColumnProfile(rows=2, nulls=0, infinite=0, counts=(2, 0), lowest=1, highest=1, mean=1)
    >>> b = ColumnProfile(rows=2, nulls=0, infinite=0, counts=(0, 2), lowest=3, highest=3, mean=3)
    >>> how_moved(b, a)
    'mean 1 → 3'
    """
    told = []
    null_now, null_then = now.nulls / max(now.rows, 1), then.nulls / max(then.rows, 1)
    if abs(null_now - null_then) >= NOTICED:
        told.append(f"nulls {null_then:.1%} → {null_now:.1%}")
    if now.lowest is not None or then.lowest is not None:
        told.append(f"mean {then.mean:.3g} → {now.mean:.3g}")
    else:
        other_now = now.counts[-1] / max(now.rows, 1)
        other_then = then.counts[-1] / max(then.rows, 1)
        if abs(other_now - other_then) >= NOTICED:
            told.append(f"other values {other_then:.1%} → {other_now:.1%}")
    return ", ".join(told) or "shares of the values changed"
