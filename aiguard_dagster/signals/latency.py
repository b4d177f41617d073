"""How long answers take: percentiles and shares over an objective, from counts on a log grid."""

import math
from collections.abc import Mapping

import narwhals as nw

from aiguard_dagster.core.spec import Latency
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.signals.batch import Batch, require
from aiguard_dagster.signals.calls import number_of
from aiguard_dagster.signals.log_places import NEGATIVE, bin_of, place_of
from aiguard_dagster.signals.segments import worst_segments
from aiguard_dagster.signals.tallied import (
    PART,
    Counted,
    Kind,
    Reading,
    segments,
    text_of,
)
from aiguard_dagster.stats.log_bins import quantile
from aiguard_dagster.stats.tally import Tally

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def count_latency(signal: Latency, batch: Batch, part: nw.Expr) -> Counted:
    """Count answers by segment and bin of their latency.

    Raises:
        MeasurementError: A column is gone, or the latency is no number.
    """
    name = batch.table.latency or ""
    require(batch, name, *(signal.by or ()))
    picked = batch.frame.select(
        part.alias(PART),
        number_of(batch, name).alias("value"),
        **{
            key: text_of(batch, column)
            for key, column in zip(segments(signal.by), signal.by or (), strict=True)
        },
    )
    value = nw.col("value")
    keys = (*segments(signal.by), "place")
    late = value > (signal.objective or math.inf)
    counted = (
        picked.with_columns(
            place=place_of(value),
            late=nw.when(late).then(nw.lit(1)).otherwise(nw.lit(0)),
        )
        .group_by(PART, *keys)
        .agg(nw.len().alias("rows"), nw.col("late").sum().alias("late"))
    )
    return Counted(frame=counted, keys=keys, sums=("rows", "late"), apart=("place",))


def read_latency(signal: Latency, now: Tally, before: Tally | None) -> Reading:
    """The statistic over all answers; parts tell the slowest segments.

    Answers without a time, or with one that is infinite, lower the coverage, and so do times below
    zero: a clock ran backwards.
    """
    by_place = {key[0]: sums["rows"] for key, sums in now.by("place").items()}
    rows, negative = sum(by_place.values()), by_place.get(NEGATIVE, 0)
    timed = rows - by_place.get("", 0) - negative
    value = _statistic(signal, now, {})
    note = f"{negative:,} times are below zero" if negative else ""
    share = signal.statistic == "over"
    parts = worst_segments(
        signal.by or (),
        now,
        before,
        lambda tally, where: _statistic(signal, tally, where),
        show=percent if share else "{:.4g}".format,
        rests_on=lambda tally, where: sum(_timed(tally, where).values()),
        called="timed answers",
    )
    return Reading(
        value=value,
        n=int(timed),
        coverage=timed / rows if rows else 0.0,
        parts=parts,
        note=note if timed else (note or "no answer was timed"),
        unit="share" if share else "number",
        variance=value * (1 - value) / timed if share and value is not None and timed else None,
    )


def _statistic(signal: Latency, tally: Tally, where: Mapping[str, str]) -> float | None:
    counts = _timed(tally, where)
    timed = sum(counts.values())
    if not timed:
        return None
    if signal.statistic == "over":
        return tally.total("late", **where) / timed
    return quantile(counts, SHARES[signal.statistic])


def _timed(tally: Tally, where: Mapping[str, str]) -> dict[int, float]:
    """Answers by the bin of their latency."""
    counts: dict[int, float] = {}
    for key, sums in tally.by("place", *where).items():
        place = bin_of(key[0]) if key[1:] == tuple(where.values()) else None
        if place is not None:
            counts[place] = counts.get(place, 0) + sums["rows"]
    return counts


LATENCY = Kind(count_latency, read_latency)
