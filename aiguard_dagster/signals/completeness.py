"""How much of the data is there: rows, time slots, values."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from statistics import median

import narwhals as nw

from aiguard_dagster.core.calendars import zone_of
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Completeness
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold, Window
from aiguard_dagster.signals.batch import Batch, column, require, threshold, to_utc
from aiguard_dagster.signals.columns import count_missing
from aiguard_dagster.stats.grid import CategoryGrid

MOST_PARTS = 5
FEWEST_BATCHES = 3
"""Earlier batches below which their median says nothing."""
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def measure_completeness(signal: Completeness, batch: Batch) -> tuple[Measurement, Threshold]:
    """Measure the smallest of the shares that are there, 0 to 1.

    The shares are: rows against ``min_rows``, time slots of length ``every`` with at least one row,
    and per column the values that are neither null nor NaN. A partition of no rows whose slots or
    rows are declared has share 0; a batch of no rows with nothing declared is inconclusive.

    Raises:
        MeasurementError: A column is gone, or the limit is not an absolute share.
    """
    columns = signal.columns or tuple(batch.schema)
    require(batch, *columns)
    rows, nulls = count_missing(batch, columns)
    parts = [_share_of(name, rows - gone, rows) for name, gone in nulls.items() if rows]
    if signal.min_rows is not None:
        parts.append(_share_of("rows", min(rows, signal.min_rows), signal.min_rows))
    if signal.every is not None and (slots := _slots(batch, signal.every)):
        parts.append(slots)
    notes = [] if parts or signal.rows_like or signal.entities else ["no rows, and none was due"]
    for piece in (
        _like_before(signal, batch, rows),
        _entities(signal, batch),
        _partitions(signal, batch),
    ):
        if isinstance(piece, Part):
            parts.append(piece)
        elif piece:
            notes.append(piece)
    parts.sort(key=lambda part: part.value)
    measurement = Measurement(
        value=parts[0].value if parts else None,
        n=max(rows, 1) if parts else 0,
        window=batch.span,
        as_of=batch.as_of,
        parts=tuple(part for part in parts if part.value < 1)[:MOST_PARTS],
        note="; ".join(notes),
        facts={"rows": rows},
    )
    return measurement, threshold(signal, batch, "share")


def _like_before(signal: Completeness, batch: Batch, rows: int) -> Part | str:
    """Rows against the median of comparable batches; words where there are too few of them."""
    match signal.rows_like:
        case None:
            return ""
        case "baseline":
            usual = [day.rows for day in batch.accepted().days.values() if day.rows]
            days = (batch.span.end - batch.span.start) / timedelta(days=1)
            expected, among = (median(usual) if usual else 0.0) * (days or 1.0), "baseline's days"
        case like:
            zone = zone_of(batch.table.time_zone)
            slot = _slot(batch.span.start.astimezone(zone), like)
            usual = [
                point.facts["rows"]
                for point in batch.past()
                if "rows" in point.facts and _slot(point.start.astimezone(zone), like) == slot
            ]
            if len(usual) < FEWEST_BATCHES:
                return f"only {len(usual)} earlier batches to compare the rows with"
            expected, among = median(usual), f"{len(usual)} earlier batches"
    if not expected:
        return f"the {among} had no rows"
    text = f"{rows:,}, and {expected:,.0f} is the median of the {among}"
    return Part(name="rows", value=min(rows / expected, 1.0), text=text)


def _slot(start: datetime, like: str) -> tuple[int, ...]:
    """What batches must have in common to be compared."""
    match like:
        case "weekday":
            return (start.weekday(),)
        case "weekday_and_hour":
            return (start.weekday(), start.hour)
        case _:
            return ()


def _entities(signal: Completeness, batch: Batch) -> Part | str:
    """The share of expected things that have a row; those declared in the guard are named."""
    if signal.entities is None:
        return ""
    name, declared = signal.entities.column, signal.entities.expected
    require(batch, name)
    values = batch.frame.select(column(batch, name).cast(nw.String).alias("e")).unique()
    found = set(values.collect()["e"].drop_nulls().to_list())
    expected = declared if declared is not None else _categories(batch, name)
    if not expected:
        return f"the baseline holds no categories of {name}"
    missing = [entity for entity in expected if entity not in found]
    text = f"{len(expected) - len(missing):,} of {len(expected):,}"
    if missing and declared is not None:
        more = f" and {len(missing) - MOST_PARTS} more" if len(missing) > MOST_PARTS else ""
        text += f", without {', '.join(missing[:MOST_PARTS])}{more}"
    return Part(name=name, value=1 - len(missing) / len(expected), text=text)


def _categories(batch: Batch, name: str) -> Sequence[str]:
    grid = batch.accepted().grid.columns.get(name)
    return grid.known if isinstance(grid, CategoryGrid) else ()


def _partitions(signal: Completeness, batch: Batch) -> Part | str:
    """The share of the partitions that ended lately which are materialised."""
    if signal.partitions is None:
        return ""
    ask = batch.asset.partition_ends if batch.asset else None
    if ask is None:
        msg = "the asset has no partitions in time\n\nHint: take out partitions."
        raise MeasurementError(msg)
    done, due = ask(Window(start=batch.as_of - signal.partitions, end=batch.as_of))
    if not due:
        return "no partition was due"
    text = f"{len(done):,} of {len(due):,}"
    missing = sorted(set(due) - set(done))
    if missing:
        text += f", the first that is missing ends {missing[0]:%Y-%m-%d %H:%M}"
    return Part(name="partitions", value=len(done) / len(due), text=text)


def _slots(batch: Batch, every: timedelta) -> Part | None:
    """The share of the window's time slots that hold a row; None before the first has begun."""
    name = batch.table.time
    if not name:
        msg = "every needs the table's time column\n\nHint: declare time: in the guard."
        raise MeasurementError(msg)
    require(batch, name)
    values = batch.frame.select(_rounded(batch, name, every).alias("t")).unique().collect()["t"]
    times = sorted(to_utc(value, batch.table) for value in values.drop_nulls().to_list())
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


def _rounded(batch: Batch, name: str, every: timedelta) -> nw.Expr:
    """Times cut to a length that divides the slots, so that few different ones leave the engine."""
    value, dtype = column(batch, name), batch.schema[name]
    if not isinstance(dtype, nw.Datetime):
        return value
    in_utc = batch.table.time_zone == "UTC"
    if dtype.time_zone and batch.frame.implementation.is_polars():
        value, in_utc = value.dt.convert_time_zone("UTC"), True
    start = batch.window.start if batch.window else EPOCH
    # No zone's hours begin within a minute of UTC's, and in some they begin at its half hour.
    for length, cut in ((HOUR, "1h"), (MINUTE, "1m"), (SECOND, "1s")):
        if (length < HOUR or in_utc) and not every % length and not (start - EPOCH) % length:
            return value.dt.truncate(cut)
    return value


def _share_of(name: str, there: int, expected: int) -> Part:
    return Part(name=name, value=there / expected, text=f"{there:,} of {expected:,}")
