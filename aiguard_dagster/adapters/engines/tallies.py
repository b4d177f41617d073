"""Sums by group of a table, where it is: one grouped query for each count that rules ask for."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import narwhals as nw

from aiguard_dagster.adapters.engines.assemble import Key, time_of_days
from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.people import without_names
from aiguard_dagster.adapters.engines.zones import spans_of
from aiguard_dagster.signals.batch import Batch, Frame, column, require
from aiguard_dagster.signals.columns import type_of
from aiguard_dagster.signals.kinds import kind_of
from aiguard_dagster.signals.moments import START, seconds_of, zone_of
from aiguard_dagster.signals.tallied import PART, Counted
from aiguard_dagster.stats.people import thin
from aiguard_dagster.stats.profile import UNKNOWN_VERSION
from aiguard_dagster.stats.tally import MOST_GROUPS, Tally, fold, tally_of

DAY_SECONDS = 86_400
EPOCH_SECONDS = int((datetime(1970, 1, 1, tzinfo=UTC) - START).total_seconds())


def tallies_of(frame: Frame, native: object, plan: Plan) -> dict[Key, dict[str, Tally]]:
    """What the plan's signals count, by part and name.

    Args:
        frame: The rows.
        native: The same as the user gave them.
        plan: What to count.

    Raises:
        MeasurementError: A column that a signal counts is gone.
    """
    batch = Batch(
        frame=frame, native=native, table=plan.table, window=None, now=START, grid=plan.grid
    )
    found: dict[Key, dict[str, Tally]] = {}
    for name, signal in plan.tallies.items():
        counted = kind_of(signal).count(signal, batch, _part(batch, plan))
        for part, tally in _collected(counted, plan).items():
            found.setdefault(part, {})[name] = tally
    return found


def _part(batch: Batch, plan: Plan) -> nw.Expr:
    """Which part a row belongs to: its day in UTC, from the first of year 1 on, or its version."""
    if plan.by == "day":
        name = time_of_days(plan.table)
        require(batch, name)
        return _in_utc(batch, name) // DAY_SECONDS
    version = plan.table.model_version
    if not version:
        return nw.lit("")
    value = column(batch, version)
    if not type_of(batch, version).is_float():
        return value.cast(nw.String).fill_null(UNKNOWN_VERSION)
    # In steps, so that no engine makes a whole number of NaN.
    there = value.is_finite()
    whole = nw.when(there).then(value).otherwise(nw.lit(0.0)).cast(nw.Int64).cast(nw.String)
    return nw.when(there).then(whole).otherwise(nw.lit(UNKNOWN_VERSION))


def _in_utc(batch: Batch, name: str) -> nw.Expr:
    """Times in seconds of UTC, so that days are those of the profiles."""
    seconds, zone = seconds_of(batch, name), batch.table.time_zone
    if zone == "UTC" or zone_of(batch, name) is not None:
        return seconds
    ends = batch.frame.select(low=seconds.min(), high=seconds.max()).collect().row(0)
    if None in ends:
        return seconds
    *spans, last = spans_of(zone, *(int(end) - EPOCH_SECONDS for end in ends))
    found = seconds - (last.offset or 0)
    for span in reversed(spans):
        none = nw.lit(None, dtype=nw.Int64)
        then = none if span.offset is None else seconds - span.offset
        found = nw.when(seconds < (span.until or 0) + EPOCH_SECONDS).then(then).otherwise(found)
    return found


def _collected(counted: Counted, plan: Plan) -> dict[Key, Tally]:
    rows: dict[Key, list[tuple[Any, ...]]] = {}
    for part, *row in _groups(counted, plan):
        key = _day(part) if plan.by == "day" else str(part)
        rows.setdefault(key, []).extend(_narrow(counted, row))
    keys = (*counted.keys, *([counted.each_key] if counted.each_key else []))
    sums = (*counted.sums, *counted.each_sums)
    return {part: _bounded(tally_of(keys, sums, found), counted) for part, found in rows.items()}


def _groups(counted: Counted, plan: Plan) -> Iterator[tuple[Any, ...]]:
    """The rows of a grouped query, which name nobody."""
    each = [name for names in counted.each.values() for name in names]
    query = counted.frame.select(PART, *counted.keys, *counted.sums, *each)
    if not counted.hashed:
        return query.collect().iter_rows()
    frame = query.collect(backend="polars").to_native()
    return without_names(frame, counted, guard=plan.guard).iter_rows()


def _narrow(counted: Counted, row: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """A row of the frame as groups of the tally: its own, and one of each that has sums there."""
    if not counted.each_key:
        yield tuple(row)
        return
    width, own = len(counted.keys), len(counted.keys) + len(counted.sums)
    keys, further = row[:width], len(counted.each_sums)
    yield (*keys, "", *row[width:own], *[0] * further)
    for place, name in enumerate(counted.each):
        start = own + place * further
        yield (*keys, name, *[0] * len(counted.sums), *row[start : start + further])


def _bounded(tally: Tally, counted: Counted) -> Tally:
    """At most so many groups: of people a fair sample, beside those of all other keys."""
    if not counted.hashed:
        # What each column adds stays with its group: apart from it nobody could tell whose it was.
        return fold(tally, most=MOST_GROUPS * (1 + len(counted.each)), apart=counted.apart)
    return fold(thin(tally, counted.hashed), most=2 * MOST_GROUPS, apart=counted.apart)


def _day(number: int | None) -> Key:
    """A day as its ISO date; rows without a time have none."""
    return "" if number is None else str((START + timedelta(days=int(number))).date())
