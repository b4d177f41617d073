"""The stops that stand: who raised each, why, and since when."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Compliance
from aiguard_dagster.core.stops import Stop
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, column, require
from aiguard_dagster.signals.clocks import is_time, seconds_between
from aiguard_dagster.signals.columns import has_values, known
from aiguard_dagster.signals.moments import START, seconds_at, seconds_of, zone_of
from aiguard_dagster.signals.review import is_true
from aiguard_dagster.signals.tallied import text_of

MOST = 10
"""Stops that are told, the oldest first; all are counted."""


def measure_compliance(signal: Compliance, batch: Batch) -> tuple[Measurement, Threshold]:
    """Count the stops that stand; 0 is the limit.

    A row that does not say whether it is a stop is one, and a stop that was lifted before it was
    raised stands: in doubt it is a stop. A table without rows holds none.

    Raises:
        MeasurementError: A column is gone, or neither a truth nor a time; or nobody can be asked.
    """
    told: list[Stop] = []
    standing = rows = 0
    notes: list[str] = []
    if signal.reads_rows:
        standing, rows, told, notes = _in_rows(signal, batch)
    others = batch.stops() if signal.tag or signal.events else ()
    found = [*told, *others]
    measurement = Measurement(
        value=float(standing + len(others)),
        n=max(rows, 1),  # A place that was looked at is something known, whatever it holds.
        window=batch.span,
        as_of=batch.as_of,
        parts=tuple(Part(name=stop.who, value=1.0, text=stop.told) for stop in found[:MOST]),
        note="; ".join(notes),
    )
    return measurement, Threshold(value=0, direction="high")


def _in_rows(signal: Compliance, batch: Batch) -> tuple[int, int, list[Stop], list[str]]:
    """Stops that stand in the table, its rows, the oldest stops, and what was in doubt."""
    table = batch.table
    names = (signal.by, signal.why, signal.raised, signal.lifted, table.time, table.model_version)
    require(batch, *(name for name in names if name))
    if signal.raised and is_time(batch, signal.raised):
        what = f"{signal.raised} holds times, and raised is whether a row is a stop"
        hint = "leave raised out, and name it as time: of the table."
        raise MeasurementError(with_hint(what, hint))
    yes, no = nw.lit(1), nw.lit(0)
    silent = ~known(batch, signal.raised) if signal.raised else nw.lit(value=False)
    raised = silent | is_true(batch, signal.raised) if signal.raised else nw.lit(value=True)
    lifted, backwards = _lifted(signal, batch)
    stands = raised & ~lifted
    has_time = table.time is not None and has_values(batch, table.time)
    since = seconds_of(batch, table.time or "") if has_time else nw.lit(0)
    version = table.model_version
    flagged = batch.frame.select(
        nw.when(stands).then(yes).otherwise(no).alias("stands"),
        nw.when(stands & silent).then(yes).otherwise(no).alias("silent"),
        nw.when(stands & backwards).then(yes).otherwise(no).alias("backwards"),
        since.alias("since"),
        text_of(batch, signal.by or "").alias("by"),
        text_of(batch, signal.why or "").alias("why"),
        (text_of(batch, version) if version else nw.lit("")).alias("version"),
    )
    sums = ("stands", "silent", "backwards")
    counts = flagged.select(nw.len().alias("rows"), *(nw.col(name).sum() for name in sums))
    rows, standing, doubted, early = (int(n or 0) for n in counts.collect().row(0))
    notes = [f"{doubted:,} rows do not say whether they are stops, and count as such"]
    notes += [f"{early:,} were lifted before they were raised, and stand"]
    oldest = flagged.filter(nw.col("stands") == 1).sort("since", "by", "why", nulls_last=True)
    picked = oldest.select("by", "why", "since", "version").head(MOST).collect()
    stops = [
        Stop(
            by=str(by),
            why=str(why),
            since=_moment(batch, int(at)) if has_time and at is not None else None,
            version=str(about),
        )
        for by, why, at, about in picked.iter_rows()
    ]
    said = [note for note, number in zip(notes, (doubted, early), strict=True) if number]
    return standing, rows, stops, said


def _moment(batch: Batch, seconds: int) -> datetime:
    """When a row was; naive times are in the table's zone."""
    clock = START + timedelta(seconds=seconds)
    if zone_of(batch, batch.table.time or "") is not None:
        return clock
    return clock.replace(tzinfo=ZoneInfo(batch.table.time_zone)).astimezone(UTC)


def _lifted(signal: Compliance, batch: Batch) -> tuple[nw.Expr, nw.Expr]:
    """Whether a stop was lifted by now, and whether that is said to be before it was raised."""
    name, time = signal.lifted, batch.table.time
    never = nw.lit(value=False)
    if name is None:
        return never, never
    if not is_time(batch, name):
        return (is_true(batch, name), never) if has_values(batch, name) else (never, never)
    by_now = seconds_of(batch, name) <= seconds_at(batch, name, batch.now)
    there = (~column(batch, name).is_null() & by_now).fill_null(value=False)
    if time is None:
        return there, never
    backwards = there & (seconds_between(batch, time, name) < 0).fill_null(value=False)
    return there & ~backwards, backwards
