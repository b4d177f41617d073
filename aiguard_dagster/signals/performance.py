"""How well the champion's predictions meet the labels that have arrived."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import narwhals as nw
import numpy as np

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec import Performance
from aiguard_dagster.core.spec.signals.performance import (
    CLASS_METRICS,
    LOWER_IS_BETTER,
    SCORE_METRICS,
)
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.signals.batch import Batch, Frame, require
from aiguard_dagster.signals.scored import (
    count_scores,
    labelled_rows,
    number_of,
    outside_note,
    realised,
    scored_rows,
)
from aiguard_dagster.signals.segments import worst_segments
from aiguard_dagster.signals.tallied import (
    PART,
    Counted,
    Kind,
    Reading,
    Seen,
    class_of,
    segments,
    text_of,
)
from aiguard_dagster.stats.outcomes import metric_value
from aiguard_dagster.stats.profile import Outcomes
from aiguard_dagster.stats.scores import SMALLEST, Scored, area, metric_of_scores
from aiguard_dagster.stats.tally import OTHER, Tally

IN_HAND = 0.5
"""A batch whose labels are in hand has at least so large a share of them."""
ERRORS = ("rows", "absolute", "squared", "signed", "relative", "quantile")
Where = Mapping[str, str]


def count_performance(signal: Performance, batch: Batch, part: nw.Expr) -> Counted:
    """Count rows by label and prediction, by score, or sum their errors: what the metric needs.

    Raises:
        MeasurementError: A column is gone, or what must be numbers is none.
    """
    if signal.metric in SCORE_METRICS:
        return count_scores(signal, batch, part)
    table, by = batch.table, signal.by or ()
    said, label = table.prediction or "", table.label or ""
    require(batch, said, label, *by)
    more = {k: text_of(batch, column) for k, column in zip(segments(by), by, strict=True)}
    if signal.metric in CLASS_METRICS:
        keys = ("label", "said", *segments(by))
        picked = batch.frame.select(
            part.alias(PART),
            class_of(batch, label).fill_null("").alias("label"),
            class_of(batch, said).fill_null("").alias("said"),
            **more,
        )
        counted = picked.group_by(PART, *keys).agg(nw.len().alias("rows"))
        return Counted(frame=counted, keys=keys, sums=("rows",))
    picked = batch.frame.select(
        part.alias(PART),
        number_of(batch, said, role="prediction").alias("said"),
        number_of(batch, label, role="label").alias("label"),
        **more,
    )
    keys = ("known", *segments(by))
    counted = (
        with_errors(picked, signal.quantile)
        .group_by(PART, *keys)
        .agg(nw.len().alias("rows"), *(nw.col(name).sum() for name in ERRORS[1:]))
    )
    return Counted(frame=counted, keys=keys, sums=ERRORS)


def with_errors(frame: Frame, quantile: float | None) -> Frame:
    """Adds what is ``known`` of each row, and its errors in every sense; 0 where none is known.

    The error is ``said - label``. It is relative to the label, or to the smallest number that
    counts where that is 0, as scikit-learn has it. A missing label is ``""``; a prediction that is
    missing, and either that is infinite, ``unusable``.
    """
    error, label = nw.col("said") - nw.col("label"), nw.col("label")
    state = nw.when(label.is_null()).then(nw.lit("")).otherwise(nw.lit("unusable"))
    known = frame.with_columns(
        known=nw.when(error.is_finite()).then(nw.lit("1")).otherwise(state),
        error=nw.when(error.is_finite()).then(error).otherwise(nw.lit(0.0)),
        size=nw.when(error.is_finite()).then(label.abs()).otherwise(nw.lit(1.0)),
    )
    error, size = nw.col("error"), nw.col("size")
    share = 0.5 if quantile is None else quantile
    least = nw.when(size < SMALLEST).then(nw.lit(SMALLEST)).otherwise(size)
    return known.with_columns(
        absolute=error.abs(),
        squared=error * error,
        signed=error,
        relative=error.abs() / least,
        quantile=nw.when(error < 0).then(-error * share).otherwise(error * (1 - share)),
    )


def read_performance(signal: Performance, now: Tally, before: Tally | None) -> Reading:
    """The metric over all labelled rows; parts tell the worst segments.

    Rows without a label, and those whose prediction or score is of no use, lower the coverage.
    """
    rows, n = int(now.total("rows")), _labelled(signal, now)
    value = _value(signal, now, {})
    sign = 1.0 if signal.metric in LOWER_IS_BETTER else -1.0
    parts = worst_segments(
        signal.by or (),
        now,
        before,
        lambda tally, where: _value(signal, tally, where),
        show="{:.4g}".format,
        worst=lambda value: sign * value,
        rests_on=lambda tally, where: _labelled(signal, tally, where),
        called="labelled rows",
    )
    return Reading(
        value=value,
        n=n,
        coverage=n / rows if rows else 0.0,
        parts=parts,
        note="; ".join(filter(None, _notes(signal, now, value, n))),
    )


def look_at_labels(signal: Performance, found: Reading, seen: Seen) -> Reading:
    """Adds how many labels are in hand, and how far behind they are.

    They are in hand up to the newest batch of which at least half have arrived.
    """
    if not found.n:
        return found
    told = f"{percent(round(found.coverage, 3))} of the labels in hand"
    reached = [
        last
        for last, tally in seen.batches
        if last is not None and _labelled(signal, tally) >= IN_HAND * tally.total("rows")
    ]
    if reached and seen.as_of > max(reached):
        told += f", the newest {_rough(seen.as_of - max(reached))} old"
    return replace(found, note="; ".join(filter(None, (told, found.note))))


def _rough(delay: timedelta) -> str:
    """A delay in whole days, hours or minutes, whichever it has two of."""
    steps = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1))
    step = next((each for each in steps if delay >= 2 * each), timedelta(seconds=1))
    return format_duration(delay // step * step)


def _notes(signal: Performance, now: Tally, value: float | None, n: int) -> list[str]:
    """What a reader must know of this value."""
    notes = [] if n else ["no label yet"]
    if signal.metric == "bias" and value:
        signed = now.total("signed", known="1")
        notes.append(f"predictions are too {'high' if signed > 0 else 'low'}")
    if signal.metric in SCORE_METRICS:
        notes.append(outside_note(now))
        true = scored_rows(now, outcome="1")
        if n and not true:
            notes.append(f"no label is {signal.positive_label}, the positive class")
        elif n and true == n and signal.metric == "auc":
            notes.append(f"every label is {signal.positive_label}")
        if signal.metric == "auc" and value is not None:
            bound = area(_scored(signal, now, {}))[1]
            notes.append(f"known to ±{float(bound):.2g}")
    elif unusable := _unusable(signal, now):
        notes.append(f"{unusable:,} labelled rows have no usable prediction")
    if signal.metric in CLASS_METRICS and (lost := int(now.total("rows", label=OTHER))):
        notes.append(f"{lost:,} rows are of too many classes and segments to be told apart")
    return notes


def _unusable(signal: Performance, tally: Tally) -> int:
    if signal.metric in CLASS_METRICS:
        return int(tally.total("rows", said="") - tally.total("rows", said="", label=""))
    return int(tally.total("rows", known="unusable"))


def _labelled(signal: Performance, tally: Tally, where: Where | None = None) -> int:
    """Rows that the metric can be measured on."""
    if signal.metric in SCORE_METRICS:
        return labelled_rows(tally, where)
    if signal.metric in CLASS_METRICS:
        return sum(_confusion(tally, where or {}).values())
    return int(tally.total("rows", known="1", **(where or {})))


def _value(signal: Performance, tally: Tally, where: Where) -> float | None:
    if signal.metric in SCORE_METRICS:
        scored = _scored(signal, tally, where)
        if not scored.positive.sum() and signal.metric != "auc":
            return None  # Which class is positive is then not known to be named rightly.
        value = float(metric_of_scores(signal.metric, scored)) if len(scored.place) else math.nan
        return value if np.isfinite(value) else None
    if signal.metric in CLASS_METRICS:
        confusion = _confusion(tally, where)
        found = Outcomes(labelled=sum(confusion.values()), confusion=confusion)
        return metric_value(signal.metric, found)
    n = tally.total("rows", known="1", **where)
    if not n:
        return None
    names = {"mae": "absolute", "mape": "relative", "quantile_loss": "quantile", "bias": "signed"}
    mean = tally.total(names.get(signal.metric, "squared"), known="1", **where) / n
    match signal.metric:
        case "rmse":
            return math.sqrt(mean)
        case "bias":
            return abs(mean)
        case _:
            return mean


def _scored(signal: Performance, tally: Tally, where: Where) -> Scored:
    return realised(tally, metric=signal.metric, positive=signal.positive_label, where=where)


def _confusion(tally: Tally, where: Where) -> dict[tuple[str, str], int]:
    return {
        (key[0], key[1]): int(sums["rows"])
        for key, sums in tally.by("label", "said", *where).items()
        if key[2:] == tuple(where.values()) and key[0] and key[1] and OTHER not in key[:2]
    }


PERFORMANCE = Kind(count_performance, read_performance, look=look_at_labels)
