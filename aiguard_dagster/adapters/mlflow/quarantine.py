"""Quarantine as a tag on the barred version.

It bars the version itself, for every alias and stage, and a copy of it as well: the copy has the
same faults. This is the one record that is read whichever version it was written for.
"""

from datetime import datetime

from pydantic import JsonValue

from aiguard_dagster.adapters.mlflow.tags import Version, parse_tag, tag_key
from aiguard_dagster.core.champions import as_utc

QUARANTINE = tag_key("quarantine")


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
