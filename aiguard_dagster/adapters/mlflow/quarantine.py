"""Quarantine as a tag on the barred version.

It bars the version itself, for every alias and stage, and a copy of it as well: the copy has the
same faults. This is the one record that is read whichever version it was written for.
"""

from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from aiguard_dagster.adapters.mlflow.tags import Version, parse_tag, tag_key, unreadable
from aiguard_dagster.core.champions import as_utc

QUARANTINE = tag_key("quarantine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """Who freed a version, why and when."""

    by: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRecord:
    """A version's quarantine, as its tag has it.

    Attributes:
        reason: Why it was barred.
        by: Who barred it.
        at: Since when, ISO 8601.
        lifted: How it ended; None while it lasts.
    """

    reason: str
    by: str
    at: str
    lifted: Lifted | None


def quarantine_record(version: Version) -> QuarantineRecord | None:
    """The newest quarantine of a version; None where it never was in one.

    Raises:
        ActionError: Somebody edited the tag and it is no record any more.
    """
    record = parse_tag(version, QUARANTINE)
    if record is None:
        return None
    ended = record.get("lifted")
    try:
        lifted = None if ended is None else _lifted(ended)
    except (KeyError, TypeError, ValueError):
        raise unreadable(version, QUARANTINE) from None
    return QuarantineRecord(
        reason=str(record.get("reason")),
        by=str(record.get("by")),
        at=str(record.get("at")),
        lifted=lifted,
    )


def _lifted(record: JsonValue) -> Lifted:
    if not isinstance(record, dict):
        raise TypeError
    at = as_utc(datetime.fromisoformat(str(record["at"])))
    return Lifted(by=str(record["by"]), why=str(record["why"]), at=at)


def is_barred(version: Version) -> bool:
    """Whether the version is in quarantine."""
    record = parse_tag(version, QUARANTINE)
    return record is not None and record.get("lifted") is None


def describe(version: Version) -> str:
    """Since when, by whom and why, as far as the record says."""
    record = parse_tag(version, QUARANTINE) or {}
    return f"since {record.get('at')}, by {record.get('by')}: {record.get('reason')}"


def impose(version: Version, *, reason: str, at: datetime, by: str) -> dict[str, JsonValue] | None:
    """The record that bars the version; None where it stands, or was lifted by a person since.

    The first reason stays. The same quarantine, once lifted, is not imposed again: a rollback that
    resumes does not overrule the person who lifted it.
    """
    record: dict[str, JsonValue] = {"reason": reason, "at": as_utc(at).isoformat(), "by": by}
    stored = parse_tag(version, QUARANTINE)
    if stored is not None:
        same = all(stored.get(key) == value for key, value in record.items())
        if same or stored.get("lifted") is None:
            return None
    return {**record, "lifted": None}


def lift(version: Version, *, by: str, why: str, at: datetime) -> dict[str, JsonValue] | None:
    """The record that frees the version; None where it is not barred."""
    stored = parse_tag(version, QUARANTINE)
    if stored is None or stored.get("lifted") is not None:
        return None
    return {**stored, "lifted": {"by": by, "why": why, "at": as_utc(at).isoformat()}}
