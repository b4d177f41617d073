"""Time that counts: what lies between two moments without the days on which nothing is due."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiguard_dagster.core.errors import MeasurementError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY = timedelta(days=1)


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name in the tz database.

    Raises:
        MeasurementError: There is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"{name!r} is no time zone\n\nHint: write UTC, or one such as Europe/Berlin."
        raise MeasurementError(msg) from None


def open_time(
    start: datetime,
    end: datetime,
    *,
    closed: Collection[str] = (),
    holidays: Collection[date] = (),
    zone: ZoneInfo,
) -> timedelta:
    """The time from ``start`` to ``end`` that lies on open days; negative when ``end`` is earlier.

    Args:
        start: Aware.
        end: Aware.
        closed: Days of the week by name.
        holidays: Single days.
        zone: Where days begin and end.

    >>> friday, monday = datetime(2026, 3, 6, 12, tzinfo=UTC), datetime(2026, 3, 9, 12, tzinfo=UTC)
    >>> open_time(friday, monday, closed=["saturday", "sunday"], zone=ZoneInfo("UTC"))
    datetime.timedelta(days=1)
    """
    if end < start:
        return -open_time(end, start, closed=closed, holidays=holidays, zone=zone)
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    total = end - start
    day = start.astimezone(zone).date()
    last = end.astimezone(zone).date()
    while day <= last:
        if WEEKDAYS[day.weekday()] in closed or day in holidays:
            begins, ends = midnight(day, zone), midnight(day + DAY, zone)
            total -= max(min(end, ends) - max(start, begins), timedelta(0))
        day += DAY
    return total


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins, in UTC, so that differences are true where clocks are put forward."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
