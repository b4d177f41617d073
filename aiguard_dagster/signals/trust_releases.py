"""How people take to each release: the versions in a window side by side, over days of one length.

A release that is four days old is not compared with four weeks of the one before it, but with as
many of its days.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from aiguard_dagster.core.spec import Trust
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.tallied import Reading, Seen
from aiguard_dagster.signals.trust_people import days_of, seen_in
from aiguard_dagster.signals.trust_shares import median_time
from aiguard_dagster.stats.people import person_mean
from aiguard_dagster.stats.tally import Tally

MOST = 4
"""Newest releases that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What people did with one version in its first days.

    Attributes:
        version: The version.
        days: How many days are looked at, from its first one in the window on.
        older: Whether it may have begun before the window.
        people: How many people used it in these days; of a sample, about.
        acceptance: Mean over them of the share that they accept; None where nobody decided.
        returned: Of those of the first half of these days, the share who were there in the second
            half; None of a single day.
        value: The signal's own metric; None where it cannot be told.
    """

    version: str
    days: int
    older: bool
    people: int
    acceptance: float | None
    returned: float | None
    value: float | None

    @property
    def text(self) -> str:
        """It in words."""
        told = [f"{self.people:,} people"]
        if self.acceptance is not None:
            told.append(f"{percent(self.acceptance)} accepted")
        if self.returned is not None:
            told.append(f"{percent(self.returned)} came back")
        length = "on the first day" if self.days == 1 else f"in the first {self.days} days"
        return f"{', '.join(told)}, {length} {'of the window' if self.older else 'of the release'}"


def look_at_releases(signal: Trust, reading: Reading, seen: Seen) -> Reading:
    """The same reading, with releases side by side among its parts, the newest first.

    Where there are no other parts the worst is first, for that one is told with a breach. There are
    none where the window holds but one version, or the table names no version.
    """
    if signal.assessment is not None:
        return reading
    found = releases_of(signal, seen.versions)
    if len(found) < 2 or any(release.value is None for release in found):  # noqa: PLR2004 - a pair
        return reading
    parts = list(_parts(found))
    if not reading.parts:
        parts.sort(key=lambda part: part.value, reverse=signal.direction == "high")
    return replace(reading, parts=(*reading.parts, *parts))


def releases_of(signal: Trust, versions: Mapping[str, Tally]) -> list[Release]:
    """The newest releases in time order, each over as many days as the newest has had.

    Args:
        signal: Which metric is told beside people, acceptance and return.
        versions: Sums by person and day, by version.
    """
    days = {version: _days_of_people(tally) for version, tally in versions.items()}
    spans = {version: (min(found), max(found)) for version, found in days.items() if found}
    newest = sorted(spans, key=lambda version: (spans[version], version))[-MOST:]
    if not newest:
        return []
    first, last = min(spans.values())[0], max(end for _, end in spans.values())
    length = last + 1 - spans[newest[-1]][0]
    found = []
    for version in newest:
        began, _ = spans[version]
        mine = _in_days(versions[version], began, began + length)
        found.append(_release(signal, version, mine, began, length, older=began == first))
    return found


def _parts(releases: list[Release]) -> Iterator[Part]:
    for release in reversed(releases):
        if release.value is not None:
            yield Part(name=f"version {release.version}", value=release.value, text=release.text)


def _days_of_people(tally: Tally) -> set[int]:
    """On which days anyone was there whose name is known."""
    user, day = tally.keys.index("user"), tally.keys.index("day")
    found = {group[day] for group in tally.groups if group[user]}
    return {int(each) for each in found if each.isdigit()}


def _in_days(tally: Tally, start: int, end: int) -> Tally:
    place, wanted = tally.keys.index("day"), {str(day) for day in range(start, end)}
    groups = {group: sums for group, sums in tally.groups.items() if group[place] in wanted}
    return replace(tally, groups=groups)


def _release(
    signal: Trust, version: str, tally: Tally, began: int, length: int, *, older: bool
) -> Release:
    people, days = days_of(tally, {})
    middle = began + length // 2
    first, second = seen_in(days, began, middle), seen_in(days, middle, began + length)
    returned = len(first & second) / len(first) if first else None
    values = {
        "adoption": people.number / (signal.eligible or 1),
        "returning": returned,
        "time_to_decision": median_time(tally) if "place" in tally.keys else None,
    }
    own = person_mean(people, signal.metric, "told").value if signal.metric not in values else None
    return Release(
        version=version,
        days=length,
        older=older,
        people=people.number,
        acceptance=person_mean(people, "acceptance", "told").value,
        returned=returned,
        value=values.get(signal.metric, own),
    )
