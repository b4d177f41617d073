"""What was told to whom, in Dagster's event log: observations on ``<guard>/notices``."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from aiguard_dagster.adapters.dagster.metadata import decision_from_metadata, plain
from aiguard_dagster.core.decisions import Decision
from aiguard_dagster.core.outbox import Attempt, State

ATTEMPTS, BEGUN, OPEN, SETTLED = (
    f"aiguard/{name}" for name in ("attempts", "begun", "open", "settled")
)
OVERLAP = 10_000
"""Places read once more: of two writers, the later place may become visible first."""
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """A decision, where it stands in the event log, and when it was written."""

    place: int
    written: datetime
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """How far the telling has come for one guard.

    Attributes:
        begun: What stands up to this place was decided before anybody was to be told.
        open: The ids of those among them that are told all the same.
        settled: What stands up to this place has been dealt with.
    """

    begun: int
    open: tuple[str, ...] = ()
    settled: int = 0

    @property
    def start(self) -> int:
        """The place after which the log is to be read."""
        return max(self.settled - OVERLAP, 0 if self.open else self.begun)


def read_ledger(instance: dg.DagsterInstance, key: dg.AssetKey) -> Ledger | None:
    """How far the telling has come; None when it has never begun.

    Of two beginnings, the one written first counts.
    """
    newest = _observations(instance, key, limit=1, ascending=False)
    if not newest:
        return None
    first = newest
    if SETTLED not in newest[0]:
        first = _observations(instance, key, limit=1, ascending=True)
    return Ledger(
        begun=int(first[0][BEGUN].value),
        open=tuple(_json(first[0].get(OPEN))),
        settled=int(newest[0][SETTLED].value) if SETTLED in newest[0] else 0,
    )


def read_attempts(
    instance: dg.DagsterInstance, key: dg.AssetKey, *, after: int
) -> tuple[Attempt, ...]:
    """What was tried, in the order in which it was written."""
    return tuple(
        _attempt(each)
        for metadata in _observations(instance, key, after=after)
        for each in _json(metadata.get(ATTEMPTS))
    )


def read_decisions_after(
    instance: dg.DagsterInstance, key: dg.AssetKey, *, after: int
) -> tuple[StoredDecision, ...]:
    """The decisions of one guard that stand after a place, oldest first."""
    found = []
    for record in _records(instance, key, after=after):
        event = record.asset_observation
        decision = decision_from_metadata(plain(event.metadata)) if event else None
        if decision:
            written = datetime.fromtimestamp(record.timestamp, tz=UTC)
            place = record.storage_id
            found.append(StoredDecision(place=place, written=written, decision=decision))
    return tuple(found)


def ledger_event(
    key: dg.AssetKey, ledger: Ledger, attempts: Sequence[Attempt] = ()
) -> dg.AssetObservation:
    """The Dagster event that records a beginning, or attempts and how far they have led."""
    metadata = {
        BEGUN: dg.MetadataValue.int(ledger.begun),
        OPEN: dg.MetadataValue.json(list(ledger.open)),
    }
    if attempts:
        metadata[SETTLED] = dg.MetadataValue.int(ledger.settled)
        metadata[ATTEMPTS] = dg.MetadataValue.json([_document(a) for a in attempts])
    return dg.AssetObservation(asset_key=key, description=_said(attempts), metadata=metadata)


def _said(attempts: Sequence[Attempt]) -> str:
    """What a reader of Dagster's UI sees."""
    if not attempts:
        return "notifications begin here"
    one = attempts[0]
    what = one.notice if len(attempts) == 1 else f"{len(attempts)} events in one message"
    why = f": {one.why}" if one.why else ""
    return f"{one.state} (attempt {one.number}) to {one.target}: {what}{why}"


def _document(attempt: Attempt) -> dict[str, Any]:
    return {**asdict(attempt), "state": attempt.state.value, "at": attempt.at.isoformat()}


def _attempt(document: dict[str, Any]) -> Attempt:
    return Attempt(
        **{
            **document,
            "state": State(document["state"]),
            "at": datetime.fromisoformat(document["at"]),
            "accepted": tuple(document["accepted"]),
        }
    )


def _json(value: dg.MetadataValue[Any] | None) -> list[Any]:
    return list(value.value) if value is not None else []


def _observations(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    *,
    after: int = 0,
    limit: int | None = None,
    ascending: bool = True,
) -> list[dict[str, dg.MetadataValue[Any]]]:
    """The metadata of our observations of an asset."""
    found = []
    for record in _records(instance, key, after=after, limit=limit, ascending=ascending):
        event = record.asset_observation
        if event and BEGUN in event.metadata:
            found.append(dict(event.metadata))
    return found


def _records(
    instance: dg.DagsterInstance,
    key: dg.AssetKey,
    *,
    after: int = 0,
    limit: int | None = None,
    ascending: bool = True,
) -> list[dg.EventLogRecord]:
    found: list[dg.EventLogRecord] = []
    cursor = None
    wanted = dg.AssetRecordsFilter(asset_key=key, after_storage_id=after or None)
    while True:
        page = instance.fetch_observations(
            wanted, limit=limit or PAGE, cursor=cursor, ascending=ascending
        )
        found += page.records
        if limit or not page.has_more:
            return found
        cursor = page.cursor
