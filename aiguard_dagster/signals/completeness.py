"""How much of the data is there: rows, time slots, values."""

from collections.abc import Sequence
from datetime import timedelta
from math import ceil

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Completeness
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold, Window
from aiguard_dagster.signals.batch import Batch, as_utc, column, column_names, require, threshold

MOST_PARTS = 5


def measure_completeness(signal: Completeness, batch: Batch) -> tuple[Measurement, Threshold]:
    """Measure the smallest of the shares that are there, 0 to 1.

    The shares are: rows against ``min_rows``, time slots of length ``every`` with at least one row,
    and per column the values that are neither null nor NaN. A partition of no rows whose slots or
    rows are declared has share 0; a batch of no rows with nothing declared is inconclusive.

    Raises:
        MeasurementError: A column is gone, or the limit is not an absolute share.
    """
    columns = signal.columns or tuple(column_names(batch))
    require(batch, *columns)
    rows, nulls = _count(batch, columns)
    parts = [_share_of(name, rows - gone, rows) for name, gone in nulls.items() if rows]
    if signal.min_rows is not None:
        parts.append(_share_of("rows", min(rows, signal.min_rows), signal.min_rows))
    if signal.every is not None and (slots := _slots(batch, signal.every)):
        parts.append(slots)
    parts.sort(key=lambda part: part.value)
    measurement = Measurement(
        value=parts[0].value if parts else None,
        n=max(rows, 1) if parts else 0,
        window=batch.span,
        as_of=batch.as_of,
        parts=tuple(part for part in parts if part.value < 1)[:MOST_PARTS],
        note="" if parts else "no rows, and none was due",
    )
    return measurement, threshold(signal, batch, "share")


def _count(batch: Batch, columns: Sequence[str]) -> tuple[int, dict[str, int]]:
    schema = batch.frame.collect_schema()
    missing = []
    for position, name in enumerate(columns):
        value = column(batch, name)
        gone = value.is_null()
        if schema[name].is_float():
            gone = gone | value.is_nan().fill_null(value=True)
        missing.append(gone.cast(nw.Int64).sum().alias(f"c{position}"))
    rows, *nulls = batch.frame.select(nw.len().alias("rows"), *missing).collect().row(0)
    return int(rows), {name: int(gone or 0) for name, gone in zip(columns, nulls, strict=True)}


def _slots(batch: Batch, every: timedelta) -> Part | None:
    """The share of the window's time slots that hold a row; None before the first has begun."""
    name = batch.table.time
    if not name:
        msg = "every needs the table's time column\n\nHint: declare time: in the guard."
        raise MeasurementError(msg)
    require(batch, name)
    values = batch.frame.select(nw.col(name)).unique().collect()[name].drop_nulls()
    times = sorted(as_utc(value) for value in values.to_list())
    window = batch.window or (Window(start=times[0], end=times[-1] + every) if times else None)
    if window is None:
        return Part(name="time slots", value=0.0, text="no row has a time")
    end = min(window.end, batch.now)
    expected = ceil((end - window.start) / every)
    filled = {(time - window.start) // every for time in times if window.start <= time < end}
    if expected <= 0:
        return None
    gaps = [slot for slot in range(expected) if slot not in filled]
    text = f"{expected - len(gaps)} of {expected} slots"
    if gaps:
        first = window.start + gaps[0] * every
        last = window.start + (gaps[-1] + 1) * every
        text += f", gaps between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M}"
    return Part(name="time slots", value=(expected - len(gaps)) / expected, text=text)


def _share_of(name: str, there: int, expected: int) -> Part:
    return Part(name=name, value=there / expected, text=f"{there:,} of {expected:,}")
