"""How far the columns have moved from the baseline."""

import math
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

import numpy as np

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import AbsoluteLimit, Drift, FalseAlarmLimit, Limit
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.signals.baseline import DriftReference
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.distance import (
    bins_with_nulls,
    js_distance,
    kolmogorov_smirnov,
    population_stability_index,
    sampling_limit,
    total_variation,
)
from aiguard_dagster.stats.grid import NumericGrid
from aiguard_dagster.stats.profile import ColumnProfile, Profile

MOST_PARTS = 5
NOTICED = 0.005
"""A share of rows that must change before the words mention it."""


def measure_drift(
    signal: Drift, limit: Limit | None, current: WindowProfiles, reference: DriftReference
) -> tuple[Measurement, Threshold]:
    """Measure the worst column's distance from the baseline.

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
    if signal.statistic == "ks":
        _require_numbers(signal, reference, columns)
    parts = []
    for name in columns:
        if name not in rows.columns:
            continue
        now, then = rows.columns[name], reference.total.columns[name]
        distance = _distance(signal, now, then)
        if math.isfinite(distance):
            text = f"{how_moved(now, then)}; distance {distance:.3f}, limit {scale[name]:.3f}"
            value = distance / scale[name] if isinstance(limit, FalseAlarmLimit) else distance
            parts.append(Part(name=name, value=value, text=text))
    judged = {part.name for part in parts}
    unjudged = [name for name in columns if name in rows.columns and name not in judged]
    parts.sort(key=lambda part: -part.value)
    measurement = Measurement(
        value=parts[0].value if parts else None,
        n=rows.rows,
        window=current.window,
        as_of=current.window.end,
        coverage=current.partition_coverage * (1 - len(unjudged) / len(columns)),
        parts=tuple(parts[:MOST_PARTS]),
        note=_note(rows, unjudged),
    )
    return measurement, threshold


def _note(rows: Profile, unjudged: list[str]) -> str:
    if not rows.columns:
        return "no profile with rows on the baseline's grid in the window"
    return f"no distance, as a side has no numbers: {', '.join(unjudged)}" if unjudged else ""


def _require_numbers(signal: Drift, reference: DriftReference, columns: tuple[str, ...]) -> None:
    kinds = reference.grid.columns
    others = [name for name in columns if not isinstance(kinds[name], NumericGrid)]
    if others:
        msg = (
            f"{signal.statistic} compares numbers, and the baseline counted categories of"
            f" {', '.join(others)}\n\nHint: name the columns of numbers in columns, or use"
            " total_variation."
        )
        raise MeasurementError(msg)


def _distance(signal: Drift, now: ColumnProfile, then: ColumnProfile) -> float:
    """How far one column has moved; NaN where that cannot be said."""
    match signal.statistic:
        case "jensen_shannon":
            return js_distance(bins_with_nulls(now), bins_with_nulls(then))
        case "psi":
            return population_stability_index(bins_with_nulls(now), bins_with_nulls(then))
        case "total_variation":
            return total_variation(bins_with_nulls(now), bins_with_nulls(then))
        case "ks":
            return kolmogorov_smirnov(np.array(now.counts, float), np.array(then.counts, float))
        case _:
            assert_never(signal.statistic)


def _scale(
    signal: Drift,
    limit: Limit | None,
    columns: tuple[str, ...],
    reference: DriftReference,
    days: int,
) -> tuple[dict[str, float], Threshold]:
    match limit:
        case FalseAlarmLimit() if signal.statistic != "jensen_shannon":
            msg = f"{signal.statistic} is not calibrated\n\nHint: give a distance as the limit."
            raise MeasurementError(msg)
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
