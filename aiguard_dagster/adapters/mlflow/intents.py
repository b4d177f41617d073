"""A rollback's intent and how far it has come, as tags on the version that it leaves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import JsonValue

from aiguard_dagster.adapters.mlflow.tags import Version, from_tag, quote, tag_key, unreadable
from aiguard_dagster.core.champions import as_utc

TOLD_WITHIN = timedelta(minutes=10)
"""A rollback tells of its move within moments; clocks of two machines differ by minutes."""


class RollbackState(StrEnum):
    """How far a rollback has come; ``DONE`` and ``SUPERSEDED`` are final."""

    INTENT = "intent"
    MOVED = "moved"
    DONE = "done"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackIntent:
    """One rollback, as decided.

    Attributes:
        id: Made from the incident, so that a second attempt bears the same id.
        from_version: The bad version.
        to_version: The last known good version.
        reason: What an owner reads.
        actor: Who decided.
        run_id: The Dagster run that first tried.
        at: The event time of the decision.
        written: When it was written, by the clock on the wall; None where nobody knows.
    """

    id: str
    from_version: str
    to_version: str
    reason: str
    actor: str
    run_id: str
    at: datetime
    written: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIntent:
    """An intent as it stands in the registry.

    Attributes:
        intent: What was decided when the id was first used.
        state: How far it has come.
        already_there: A person had moved the pointer to the target before the intent was written.
    """

    intent: RollbackIntent
    state: RollbackState
    already_there: bool

    def has_not_moved(self, champion: str | None) -> bool:
        """Whether it was written and no more, as far as is known, with this champion."""
        return self.state is RollbackState.INTENT and champion == self.intent.from_version

    def explains(self, champion: str, *, now: datetime) -> bool:
        """Whether it is this rollback that has made a version champion.

        One that has not told of its move is at work, or it died right after it, or it never moved
        anything and was given up. Only the first is believed: the second puts its name to the move
        when it is run again, and in the third the move is another's.
        """
        if self.intent.to_version != champion or self.already_there:
            return False
        written = self.intent.written
        at_work = written is not None and now < written + TOLD_WITHIN
        return self.state is RollbackState.MOVED or (self.state is RollbackState.INTENT and at_work)


def _prefix(pointer: str) -> str:
    return tag_key("rollback", *pointer.split(":", 1)) + "."


def intent_key(pointer: str, intent_id: str) -> str:
    """The tag that holds an intent."""
    return f"{_prefix(pointer)}{quote(intent_id)}"


def state_key(pointer: str, intent_id: str, state: RollbackState) -> str:
    """The tag that says a state was reached.

    One tag a state, set once and never cleared: two processes at work on the same intent cannot
    put each other back.
    """
    return f"{intent_key(pointer, intent_id)}.{state}"


def intent_to_json(intent: RollbackIntent, *, already_there: bool) -> dict[str, JsonValue]:
    """What the intent's tag holds."""
    return {
        "id": intent.id,
        "from": intent.from_version,
        "to": intent.to_version,
        "reason": intent.reason,
        "actor": intent.actor,
        "run_id": intent.run_id,
        "at": as_utc(intent.at).isoformat(),
        "written": as_utc(intent.written).isoformat() if intent.written else None,
        "already_there": already_there,
    }


def stored_intents(versions: Iterable[Version], pointer: str) -> Iterator[StoredIntent]:
    """Every intent of this pointer, in any state.

    Raises:
        ActionError: An intent's tag was edited by hand and is no intent any more.
    """
    prefix = _prefix(pointer)
    suffixes = tuple(f".{state}" for state in RollbackState)
    for version in versions:
        for key in version.tags:
            if not key.startswith(prefix) or key.endswith(suffixes):
                continue
            document = from_tag(version, key)
            if document is None:
                continue
            try:
                yield _stored(version, pointer, document)
            except (KeyError, ValueError):
                raise unreadable(version, key) from None


def _stored(version: Version, pointer: str, document: dict[str, JsonValue]) -> StoredIntent:
    written = document.get("written")
    intent = RollbackIntent(
        id=str(document["id"]),
        from_version=str(document["from"]),
        to_version=str(document["to"]),
        reason=str(document["reason"]),
        actor=str(document["actor"]),
        run_id=str(document["run_id"]),
        at=as_utc(datetime.fromisoformat(str(document["at"]))),
        written=as_utc(datetime.fromisoformat(str(written))) if written else None,
    )
    reached = [
        state
        for state in (RollbackState.DONE, RollbackState.SUPERSEDED, RollbackState.MOVED)
        if from_tag(version, state_key(pointer, intent.id, state)) is not None
    ]
    return StoredIntent(
        intent=intent,
        state=reached[0] if reached else RollbackState.INTENT,
        already_there=bool(document["already_there"]),
    )
