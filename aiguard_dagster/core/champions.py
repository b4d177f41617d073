"""Who was champion, and when: reigns in event time, from the records left at each accession."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

UNKNOWN = "unknown"
"""Who moved the pointer, when it was moved outside the guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reign:
    """One version's unbroken time as champion.

    Attributes:
        version: The model version.
        start: Event time from which it was in force, aware, in UTC.
        end: Event time at which the next champion took over; None while it is in force.
        why: Why it became champion.
        by: Who made it champion; ``unknown`` when a person moved the pointer outside the guard.
    """

    version: str
    start: datetime
    end: datetime | None
    why: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accession:
    """The record left on a version when it becomes champion; a reign's end is the next one's start.

    Attributes:
        version: The version that became champion.
        order: Its place in the history. Event time alone cannot say it: a rollback speaks for an
            event time that may lie before the moment its predecessor was recorded.
        at: Event time from which it is in force.
        why: Why it became champion.
        by: Who made it champion.
        after: The reign that it ended, kept here because the record of a deleted version is lost.
    """

    version: str
    order: int
    at: datetime
    why: str
    by: str
    after: Reign | None = None


def champion_at(reigns: Sequence[Reign], as_of: datetime) -> str | None:
    """The version in force just before ``as_of``, or None before the first reign.

    Just before, because ``as_of`` ends a half-open window: a version that takes over at that very
    moment has made none of its predictions.
    """
    for reign in reversed(reigns):
        if reign.start < as_of and (reign.end is None or as_of <= reign.end):
            return reign.version
    return None


def reign_that_lasted(reigns: Sequence[Reign], version: str, length: timedelta) -> Reign | None:
    """The first reign of a version that lasted so long, or lasts still; None if none did.

    A version that was replaced at once, and came back, has its first days then.
    """
    for reign in reigns:
        lasted = reign.end is None or reign.end - reign.start >= length
        if reign.version == version and lasted:
            return reign
    return None


def earlier_champions(reigns: Sequence[Reign], current: str) -> tuple[str, ...]:
    """The other versions that have been champion, the newest first, each once."""
    newest_first = dict.fromkeys(reign.version for reign in reversed(reigns))
    return tuple(version for version in newest_first if version != current)


def reigns_of(accessions: Iterable[Accession]) -> tuple[Reign, ...]:
    """The reigns that the records tell of, oldest first, without gaps or overlaps.

    A version that accedes to itself goes on reigning. An event time that lies before the
    predecessor's start is moved up to it, which leaves the predecessor a reign without length.
    """
    ordered = sorted(accessions, key=lambda record: (record.order, record.at, record.version))
    recorded = {record.version for record in ordered}
    reigns: list[Reign] = []
    for record in ordered:
        if record.after is not None and record.after.version not in recorded:
            _append(reigns, record.after)
        _append(
            reigns,
            Reign(version=record.version, start=record.at, end=None, why=record.why, by=record.by),
        )
    return tuple(reigns)


def _append(reigns: list[Reign], reign: Reign) -> None:
    if not reigns:
        reigns.append(replace(reign, end=None))
        return
    if reigns[-1].version == reign.version:
        return
    start = max(reign.start, reigns[-1].start)
    reigns[-1] = replace(reigns[-1], end=start)
    reigns.append(replace(reign, start=start, end=None))


def accede(
    accessions: Sequence[Accession], *, version: str, at: datetime, by: str, why: str
) -> tuple[Accession, ...] | None:
    """The records that ``version`` should bear once it is champion; None when they stand already.

    The same event recorded twice changes nothing, whoever has become champion since. A move that
    was only seen has no name to be told by: it is new whenever another version reigned before it.
    Whoever made such a move may still put a name to it.
    """
    at = as_utc(at)
    own = tuple(record for record in accessions if record.version == version)
    if by != UNKNOWN and any((each.at, each.by, each.why) == (at, by, why) for each in own):
        return None
    reigns = reigns_of(accessions)
    latest = max(accessions, key=lambda record: record.order, default=None)
    new = Accession(version=version, order=1, at=at, why=why, by=by)
    if latest is None:
        return (new,)
    if reigns[-1].version != version:
        return (*own, replace(new, order=latest.order + 1, after=reigns[-1]))
    if reigns[-1].by != UNKNOWN or by == UNKNOWN:
        return None
    *before, seen = sorted(own, key=lambda record: record.order)
    return (*before, replace(new, order=seen.order, after=seen.after))


def as_utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: The datetime is naive, so it names no moment.
    """
    if moment.utcoffset() is None:
        msg = f"{moment.isoformat()} has no time zone; pass an aware datetime"
        raise ValueError(msg)
    return moment.astimezone(UTC)


def reign_to_json(reign: Reign) -> dict[str, JsonValue]:
    """One reign as plain JSON values."""
    return {
        "version": reign.version,
        "start": as_utc(reign.start).isoformat(),
        "end": as_utc(reign.end).isoformat() if reign.end else None,
        "why": reign.why,
        "by": reign.by,
    }


def reign_from_json(document: dict[str, JsonValue]) -> Reign:
    """The inverse of :func:`reign_to_json`."""
    end = document["end"]
    return Reign(
        version=str(document["version"]),
        start=as_utc(datetime.fromisoformat(str(document["start"]))),
        end=as_utc(datetime.fromisoformat(str(end))) if end else None,
        why=str(document["why"]),
        by=str(document["by"]),
    )


def accession_to_json(record: Accession) -> dict[str, JsonValue]:
    """One accession as plain JSON values."""
    return {
        "version": record.version,
        "order": record.order,
        "at": as_utc(record.at).isoformat(),
        "why": record.why,
        "by": record.by,
        "after": reign_to_json(record.after) if record.after else None,
    }


def accession_from_json(document: dict[str, JsonValue]) -> Accession:
    """The inverse of :func:`accession_to_json`."""
    after = document["after"]
    return Accession(
        version=str(document["version"]),
        order=int(str(document["order"])),
        at=as_utc(datetime.fromisoformat(str(document["at"]))),
        why=str(document["why"]),
        by=str(document["by"]),
        after=reign_from_json(after) if isinstance(after, dict) else None,
    )
