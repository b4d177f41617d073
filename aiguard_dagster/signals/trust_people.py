"""Who is there, and who comes back: from the days on which each person was seen."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from aiguard_dagster.core.spec import Trust
from aiguard_dagster.core.spoken import joined, percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.segments import worst_segments
from aiguard_dagster.signals.tallied import Reading, segments
from aiguard_dagster.signals.trust_shares import FEWEST_PEOPLE, note_of
from aiguard_dagster.stats.people import People, people_of
from aiguard_dagster.stats.tally import OTHER, Tally

DAY = timedelta(days=1)
STEPS = (1, 7, 14, 28)
"""Days after the first that adoption is told for."""
MOST = 5
"""Segments that are named."""
Days = Mapping[int, set[str]]
"""Who was seen on each day."""


def read_returning(signal: Trust, now: Tally, before: Tally | None) -> Reading:
    """Of the people seen in the first half of the window, the share seen in its second half."""
    people = people_of(now, "user")
    came, began = _returned(signal, now, {})
    value = came / began if began else None
    was = _returning(signal, before, {}) if before else None
    told = f"{came:,} of {began:,} people" + (f", was {percent(was)}" if was is not None else "")
    parts = worst_segments(
        signal.by or (),
        now,
        before,
        lambda tally, where: _returning(signal, tally, where, fewest=FEWEST_PEOPLE),
        show=percent,
        worst=lambda share: -share,
    )
    whole = () if value is None else (Part(name="came back", value=value, text=told),)
    return Reading(
        value=value,
        n=began,
        coverage=_coverage(now),
        parts=(*parts, *whole),
        note=note_of(now, people) or ("" if began else "nobody was there in the first half"),
        unit="share",
        variance=value * (1 - value) / began if value is not None else None,
    )


def read_adoption(signal: Trust, now: Tally, before: Tally | None) -> Reading:
    """Active people as a share of those who could be; parts tell how fast they came."""
    people, eligible = people_of(now, "user"), signal.eligible or 1
    active = _active(signal, now, {})
    note = note_of(now, people)
    if active > eligible:
        more = f"{active:,.0f} people are active and {eligible:,} are said to be eligible"
        note = "; ".join(filter(None, (more, note)))
    return Reading(
        value=active / eligible if people.sums else None,
        n=len(people.sums),
        coverage=_coverage(now),
        parts=(*_segments(signal, now, before), *_steps(now, before, eligible)),
        note=note or ("" if people.sums else "nobody was there"),
        unit="share",
    )


def _coverage(now: Tally) -> float:
    rows = now.total("rows")
    return 1 - now.total("rows", user="") / rows if rows else 0.0


def days_of(tally: Tally, where: Mapping[str, str]) -> tuple[People, Days]:
    """The people of a tally by person and day, and who was seen on each day.

    Args:
        tally: Sums by ``user``, ``day`` and perhaps more.
        where: Keys that must be so, such as those of a segment.
    """
    people = people_of(tally, "user", **where)
    found: dict[int, set[str]] = {}
    for user, day, *rest in tally.by("user", "day", *where):
        if user in people.sums and day.isdigit() and tuple(rest) == tuple(where.values()):
            found.setdefault(int(day), set()).add(user)
    return people, found


def _windows(signal: Trust, days: Days) -> Iterator[tuple[int, int]]:
    """Windows side by side, as first day and the day after the last; the newest may be short."""
    if not days:
        return
    length = max(1, round(signal.window / DAY))
    end = max(days) + 1
    yield end - length, end
    while end - 2 * length >= min(days):
        end -= length
        yield end - length, end


def _returned(signal: Trust, tally: Tally, where: Mapping[str, str]) -> tuple[int, int]:
    """How many came back and how many were there at first, over all windows."""
    _, days = days_of(tally, where)
    came = began = 0
    for start, end in _windows(signal, days):
        middle = start + (end - start) // 2
        first, second = seen_in(days, start, middle), seen_in(days, middle, end)
        came += len(first & second)
        began += len(first)
    return came, began


def _returning(
    signal: Trust, tally: Tally, where: Mapping[str, str], *, fewest: int = 1
) -> float | None:
    came, began = _returned(signal, tally, where)
    return came / began if began >= fewest else None


def _active(signal: Trust, tally: Tally, where: Mapping[str, str]) -> float:
    """People in a window; the mean where there are several."""
    people, days = days_of(tally, where)
    active = [len(seen_in(days, start, end)) for start, end in _windows(signal, days)]
    return people.each * sum(active) / len(active) if active else 0.0


def seen_in(days: Days, start: int, end: int) -> set[str]:
    """Who was seen from a day on until another, which is not one of them."""
    return {user for day, users in days.items() if start <= day < end for user in users}


def _segments(signal: Trust, now: Tally, before: Tally | None) -> Iterator[Part]:
    """Where people are, or were: those first that lost most."""
    names = segments(signal.by)
    groups = {*now.by(*names), *(before.by(*names) if before else ())} if names else set()
    found = []
    for group in groups:
        if OTHER in group:
            continue
        where = dict(zip(names, group, strict=True))
        active = _active(signal, now, where)
        was = _active(signal, before, where) if before else None
        text = f"{active:,.0f} people" + (f", was {was:,.0f}" if was is not None else "")
        said = _said(signal.by or (), group)
        found.append((active - (was or 0.0), said, Part(name=said, value=active, text=text)))
    yield from (part for *_, part in sorted(found, key=lambda each: each[:2])[:MOST])


def _said(columns: Sequence[str], group: Sequence[str]) -> str:
    return joined(
        [f"{column} {key or 'missing'}" for column, key in zip(columns, group, strict=True)]
    )


def _steps(now: Tally, before: Tally | None, eligible: int) -> Iterator[Part]:
    """How many had come after so many days, from the first day that anyone came."""
    steps, usual = _reached(now), _reached(before) if before else {}
    for days, people in steps.items():
        was = f", was {percent(usual[days] / eligible)}" if days in usual else ""
        text = f"{percent(people / eligible)}, {people:,} people{was}"
        name = f"after {days} day{'s' if days > 1 else ''}"
        yield Part(name=name, value=people / eligible, text=text)


def _reached(tally: Tally) -> dict[int, int]:
    people, days = days_of(tally, {})
    if not days:
        return {}
    first, last = min(days), max(days)
    return {
        step: len(seen_in(days, first, first + step)) * people.each
        for step in STEPS
        if first + step <= last + 1
    }
