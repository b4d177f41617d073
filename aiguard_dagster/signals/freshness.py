"""How old the newest data is."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from math import inf

import narwhals as nw

from aiguard_dagster.core.calendars import open_time, zone_of
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Freshness
from aiguard_dagster.core.spec.signals.freshness import Calendar
from aiguard_dagster.core.verdicts import Measurement, Threshold, Window
from aiguard_dagster.signals.batch import Batch, column, require, to_utc
from aiguard_dagster.signals.columns import count

LOOK_BACK = timedelta(days=30)
"""How far back, at least, the newest partition is looked for."""


def measure_freshness(signal: Freshness, batch: Batch) -> tuple[Measurement, Threshold]:
    """Measure an age, in seconds: of the newest row, the last materialisation or newest partition.

    The newest row is judged at the batch's ``as_of``, the others now. A partition of no rows says
    that the newest row is at least as old as the partition's start: a breach where that is too old,
    inconclusive else. A row further ahead than ``max_ahead`` is a breach: its clock is wrong. What
    was never materialised is infinitely old. Days that the calendar closes do not count.

    Raises:
        MeasurementError: There is no time column, or it holds no times.
    """
    match signal.by:
        case "time":
            return _by_time(signal, batch)
        case "materialisation":
            ask = batch.asset.last_materialised if batch.asset else None
            return _since(signal, batch, ask() if ask else None, "never materialised")
        case "partition":
            ask_ends = batch.asset.partition_ends if batch.asset else None
            if ask_ends is None:
                msg = "the asset has no partitions in time\n\nHint: use by: materialisation."
                raise MeasurementError(msg)
            reach = max(LOOK_BACK, 3 * signal.max_age)
            done, _ = ask_ends(Window(start=batch.now - reach, end=batch.now))
            newest = max(done, default=None)
            return _since(signal, batch, newest, f"no partition in the last {reach.days} days")


def _by_time(signal: Freshness, batch: Batch) -> tuple[Measurement, Threshold]:
    name = batch.table.time
    if not name:
        msg = "freshness needs the table's time column\n\nHint: declare time: in the guard."
        raise MeasurementError(msg)
    require(batch, name)
    time = column(batch, name)
    found = batch.frame.select(newest=time.max(), n=nw.len(), known=count(batch, ~time.is_null()))
    last, n, known = found.collect().row(0)
    if not known:
        return _no_row(signal, batch, int(n))
    newest = to_utc(last, batch.table)
    ahead = newest - batch.as_of
    if ahead > signal.max_ahead and (batch.window is None or newest >= batch.window.end):
        note = f"the newest row, {newest:%Y-%m-%d %H:%M}, is from the future"
        limit = Threshold(
            value=signal.max_ahead.total_seconds(),
            direction="high",
            unit="seconds",
            source="ahead of its time",
        )
        return _measured(batch, ahead.total_seconds(), int(n), note), limit
    age = _age(signal.calendar, newest, batch.as_of)
    return _measured(batch, max(age, 0.0), int(n)), _limit(signal)


def _no_row(signal: Freshness, batch: Batch, n: int) -> tuple[Measurement, Threshold]:
    note = "no row has a time" if n else "no rows"
    if batch.window is None or n:
        return _measured(batch, None, 0, note), _limit(signal)
    least = _age(signal.calendar, batch.window.start, batch.as_of)
    if least <= signal.max_age.total_seconds():
        return _measured(batch, None, 0, note), _limit(signal)
    note = f"no rows since {batch.window.start:%Y-%m-%d %H:%M}, so at least this old"
    return _measured(batch, least, 1, note), _limit(signal)


def _since(
    signal: Freshness, batch: Batch, newest: datetime | None, never: str
) -> tuple[Measurement, Threshold]:
    """An age that Dagster tells, at this moment."""
    instant = Window(start=batch.now, end=batch.now)
    age = inf if newest is None else max(_age(signal.calendar, newest, batch.now), 0.0)
    note = never if newest is None else ""
    measurement = Measurement(value=age, n=1, window=instant, as_of=batch.now, note=note)
    return measurement, _limit(signal)


def _measured(batch: Batch, value: float | None, n: int, note: str = "") -> Measurement:
    return Measurement(value=value, n=n, window=batch.span, as_of=batch.as_of, note=note)


def _limit(signal: Freshness) -> Threshold:
    return Threshold(value=signal.max_age.total_seconds(), direction="high", unit="seconds")


def _age(calendar: Calendar | None, since: datetime, until: datetime) -> float:
    if calendar is None:
        return (until - since).total_seconds()
    zone = zone_of(calendar.time_zone)
    holidays = {*calendar.holidays, *_public(calendar, since.year, until.year)}
    return open_time(
        since, until, closed=calendar.closed, holidays=holidays, zone=zone
    ).total_seconds()


def _public(calendar: Calendar, first: int, last: int) -> Collection[date]:
    """The public holidays of the calendar's country, in these years and the two around them.

    Raises:
        MeasurementError: The library is not installed, or knows no such country.
    """
    if calendar.country is None:
        return ()
    try:
        from holidays import country_holidays
    except ImportError:
        msg = 'calendar.country needs holidays\n\nHint: pip install "aiguard-dagster[calendar]".'
        raise MeasurementError(msg) from None
    country, _, part = calendar.country.partition("-")
    try:
        years = range(first - 1, last + 2)
        return set(country_holidays(country, subdiv=part or None, years=years))
    except NotImplementedError:
        msg = f"no holidays are known of {calendar.country!r}\n\nHint: write US, or DE-BY."
        raise MeasurementError(msg) from None
