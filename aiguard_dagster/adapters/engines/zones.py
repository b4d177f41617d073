"""Local times in UTC, for engines whose own rules for the hours of a clock change differ.

The clock is read here, and an engine is told which offset holds until when: a few comparisons.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

DAY = 86_400
HOUR = 3_600
OLDEST = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp())
NEWEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
"""Beyond these, the offset is the one that holds there."""


@dataclass(frozen=True, slots=True)
class Span:
    """Local times with one offset from UTC.

    Attributes:
        until: Its end, not included, in seconds of the local clock since 1970; None for the last.
        offset: Seconds by which the local clock is ahead; None where there are no such times.
    """

    until: int | None
    offset: int | None


def spans_of(time_zone: str, lowest: int, highest: int) -> list[Span]:
    """The offsets of local times, in order; at least one span.

    Of two moments of one local time the earlier is meant; a time that a clock change leaves out is
    read an hour later.

    Args:
        time_zone: An IANA name.
        lowest: The first local time, in seconds since 1970.
        highest: The last.

    >>> spans_of("Europe/Berlin", 1_700_000_000, 1_720_000_000)
    [Span(until=1711854000, offset=3600), Span(until=None, offset=7200)]
    """
    zone = ZoneInfo(time_zone)
    first, last = (min(max(end, OLDEST), NEWEST) for end in (lowest - 2 * DAY, highest + 2 * DAY))
    spans = []
    for moment, before, after in _changes(zone, first, last):
        if after < before:
            spans.append(Span(moment + before, before))
            continue
        left_out, again = moment + before, moment + after
        spans += [Span(left_out, before), Span(max(left_out, again - HOUR), None)]
        spans.append(Span(again, after - HOUR))
    return _together([*spans, Span(None, _offset(zone, last))])


def _changes(zone: ZoneInfo, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Moments of change in UTC, with the offsets before and after."""
    for start in range(first, last, DAY):
        low, high = start, min(start + DAY, last)
        before, after = _offset(zone, low), _offset(zone, high)
        if before == after:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
        yield high, before, after


def _offset(zone: ZoneInfo, moment: int) -> int:
    offset = datetime.fromtimestamp(moment, zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _together(spans: list[Span]) -> list[Span]:
    """Without spans that are empty or go on as the one before."""
    found: list[Span] = []
    for span in spans:
        if found and span.until == found[-1].until:
            continue
        if found and span.offset == found[-1].offset:
            found.pop()
        found.append(span)
    return found
