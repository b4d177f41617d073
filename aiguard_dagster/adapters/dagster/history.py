"""What Dagster's public API does not tell: check history, news and storage ids.

Pinned to dagster 1.13; ``tests/adapters/dagster`` fails first when Dagster moves these.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import dagster as dg
import sqlalchemy as db
from dagster._core.definitions.asset_checks import asset_check_evaluation
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.events import DagsterEventType
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from aiguard_dagster.adapters.dagster.metadata import (
    Plain,
    decision_from_metadata,
    decision_metadata,
    plain,
    plain_from_json,
    point_from_metadata,
)
from aiguard_dagster.core.decisions import Decision, distinct
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.lifecycle import Point

Target = asset_check_evaluation.AssetCheckEvaluationTargetMaterializationData
EVENTS, EVALUATIONS = SqlEventLogStorageTable, AssetCheckExecutionsTable
MOST_EVALUATIONS = 2_000
"""Newest evaluations of one check that are read; a daily rule reaches back five years."""
NEW_PAGE, FIRST_PAGE, PAGE = 5, 50, 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_NEWS = 20_000
"""Events that one tick reads; the rest is read by the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvaluation:
    """One check evaluation of ours from the event log.

    Attributes:
        point: The verdict.
        fingerprint: What it was judged on.
        metadata: All that was recorded with it, such as parts and coverage, as plain values.
    """

    point: Point
    fingerprint: str
    metadata: Plain = field(default_factory=dict, hash=False)


def read_evaluations(
    instance: dg.DagsterInstance,
    check: dg.AssetCheckKey,
    *,
    most: int = MOST_EVALUATIONS,
    enough: Callable[[Sequence[Point], datetime], bool] = lambda _points, _written: False,
    after: int = 0,
) -> tuple[StoredEvaluation, ...]:
    """The evaluations of one check, oldest write first; rows that are not ours are left out.

    Args:
        instance: The Dagster instance.
        check: The check.
        most: How many to read, the newest.
        enough: Asked after each page, newest write first, with all points so far and when the
            last of them was written, whether none that was written earlier is needed.
        after: What was written up to this storage id of the event log is not needed; pages may
            bring some of it.
    """
    found: list[StoredEvaluation] = []
    cursor = None
    while len(found) < most:
        size = PAGE if cursor else NEW_PAGE if after else FIRST_PAGE
        page = _page(instance, check, size=size, before=cursor)
        found += [stored for row in page if (stored := _stored(row.event))]
        if len(page) < size or page[-1].storage_id <= after:
            break
        if enough([each.point for each in found], page[-1].written):
            break
        cursor = page[-1].id
    return tuple(reversed(found[:most]))


class _Row(NamedTuple):
    """One evaluation as the table has it.

    Attributes:
        id: Its number in the table.
        storage_id: Its number in the event log; 0 without one.
        written: When it was written.
        event: As JSON.
    """

    id: int
    storage_id: int
    written: datetime
    event: str | None


def _page(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, *, size: int, before: int | None
) -> list[_Row]:
    """The newest evaluations, and none that are only planned."""
    query = (
        db.select(
            EVALUATIONS.c.id,
            EVALUATIONS.c.evaluation_event_storage_id,
            EVALUATIONS.c.evaluation_event_timestamp,
            EVALUATIONS.c.evaluation_event,
        )
        .where(
            EVALUATIONS.c.asset_key == check.asset_key.to_string(),
            EVALUATIONS.c.check_name == check.name,
            EVALUATIONS.c.execution_status != "PLANNED",
        )
        .order_by(EVALUATIONS.c.id.desc())
        .limit(size)
    )
    if before is not None:
        query = query.where(EVALUATIONS.c.id < before)
    with sql_event_log(instance).index_connection() as connection:
        return [
            _Row(number, storage_id or 0, (written or EPOCH).replace(tzinfo=UTC), event)
            for number, storage_id, written, event in connection.execute(query)
        ]


def _stored(event: str | None) -> StoredEvaluation | None:
    """An evaluation of ours, read as JSON: Dagster's own reader takes twenty times as long."""
    data = json.loads(event)["dagster_event"]["event_specific_data"] if event else {}
    metadata = plain_from_json(data.get("metadata") or {})
    point = point_from_metadata(metadata)
    if point is None:
        return None
    fingerprint = str(metadata.get("aiguard/fingerprint") or "")
    return StoredEvaluation(point=point, fingerprint=fingerprint, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What the event log holds beyond a place in it.

    Attributes:
        read: The place up to which it was read, a storage id.
        assets: Assets that were materialised or observed.
        passed: Checks that were evaluated and passed.
        failed: Checks that were evaluated and did not.
    """

    read: int
    assets: frozenset[dg.AssetKey] = frozenset()
    passed: frozenset[dg.AssetCheckKey] = frozenset()
    failed: frozenset[dg.AssetCheckKey] = frozenset()


def newest_event(instance: dg.DagsterInstance) -> int:
    """The storage id of the newest event that concerns assets or checks; 0 for an empty log."""
    with sql_event_log(instance).index_connection() as connection:
        found = connection.execute(db.select(db.func.max(EVENTS.c.id))).scalar()
    return int(found or 0)


def news_since(instance: dg.DagsterInstance, read: int, *, most: int = MOST_NEWS) -> News:
    """What has come since a place in the event log, in one query by its index.

    Ids that were handed out before and written after the newest one are missed here, on Postgres
    with several writers; who relies on this looks again now and then.
    """
    evaluated = DagsterEventType.ASSET_CHECK_EVALUATION.value
    kinds = [
        DagsterEventType.ASSET_MATERIALIZATION.value,
        DagsterEventType.ASSET_OBSERVATION.value,
        evaluated,
    ]
    text = db.case((EVENTS.c.dagster_event_type == evaluated, EVENTS.c.event), else_=None)
    query = (
        db.select(EVENTS.c.id, EVENTS.c.asset_key, text)
        .where(EVENTS.c.id > read, EVENTS.c.dagster_event_type.in_(kinds))
        .order_by(EVENTS.c.id)
        .limit(most)
    )
    with sql_event_log(instance).index_connection() as connection:
        rows = connection.execute(query).all()
    assets = {dg.AssetKey.from_db_string(asset) for _, asset, _ in rows if asset}
    passed: set[dg.AssetCheckKey] = set()
    failed: set[dg.AssetCheckKey] = set()
    for _, _, event in rows:
        if event:
            check, good = _evaluated(event)
            (passed if good else failed).add(check)
    return News(
        read=rows[-1][0] if rows else read,
        assets=frozenset(key for key in assets if key),
        passed=frozenset(passed),
        failed=frozenset(failed),
    )


def _evaluated(event: str) -> tuple[dg.AssetCheckKey, bool]:
    """The check that an event speaks of, and whether it passed."""
    data = json.loads(event)["dagster_event"]["event_specific_data"]
    key = dg.AssetKey(data["asset_key"]["path"])
    return dg.AssetCheckKey(key, data["check_name"]), bool(data["success"])


def sql_event_log(instance: dg.DagsterInstance) -> SqlEventLogStorage:
    """The event log of an instance.

    Raises:
        MeasurementError: It is not in a SQL database.
    """
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        msg = f"{type(storage).__name__} is no SQL event log\n\nHint: use SQLite or Postgres."
        raise MeasurementError(msg)
    return storage


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDecision:
    """One decision from the event log.

    Attributes:
        decision: The decision.
        written: When it was written, by the clock of whoever wrote it.
    """

    decision: Decision
    written: datetime


def read_decisions(instance: dg.DagsterInstance, guard_key: dg.AssetKey) -> tuple[Decision, ...]:
    """All decisions of one guard, oldest write first; one that was written twice is there once."""
    return tuple(distinct(each.decision for each in stored_decisions(instance, guard_key)))


def stored_decisions(
    instance: dg.DagsterInstance, guard_key: dg.AssetKey
) -> tuple[StoredDecision, ...]:
    """All decisions of one guard with when they were written, oldest write first."""
    found = []
    cursor = None
    while True:
        page = instance.fetch_observations(guard_key, limit=1_000, cursor=cursor, ascending=True)
        for record in page.records:
            event = record.asset_observation
            decision = decision_from_metadata(plain(event.metadata)) if event else None
            if decision:
                written = datetime.fromtimestamp(record.timestamp, tz=UTC)
                found.append(StoredDecision(decision=decision, written=written))
        if not page.has_more:
            return tuple(found)
        cursor = page.cursor


def decision_event(guard_key: dg.AssetKey, decision: Decision) -> dg.AssetObservation:
    """The Dagster event that records a decision."""
    return dg.AssetObservation(
        asset_key=guard_key,
        description=f"{decision.kind.value}: {decision.reason}",
        metadata=decision_metadata(decision),
    )


def newest_target(instance: dg.DagsterInstance, key: dg.AssetKey) -> Target | None:
    """What an evaluation from outside a run must name to count for the newest materialisation.

    Without it, Dagster's UI shows the check as not evaluated.
    """
    records = instance.fetch_materializations(key, limit=1).records
    if not records:
        return None
    newest = records[0]
    return Target(storage_id=newest.storage_id, run_id=newest.run_id, timestamp=newest.timestamp)


def materialized(
    instance: dg.DagsterInstance, key: dg.AssetKey, *, partitions: Sequence[str] | None = None
) -> Mapping[str, int]:
    """Storage id of the newest materialisation by partition key."""
    return instance.get_latest_storage_id_by_partition(
        key,
        DagsterEventType.ASSET_MATERIALIZATION,
        set(partitions) if partitions is not None else None,
    )


def last_materialised(instance: dg.DagsterInstance, key: dg.AssetKey) -> datetime | None:
    """When an asset was last materialised; None when never."""
    record = instance.get_latest_materialization_event(key)
    return datetime.fromtimestamp(record.timestamp, tz=UTC) if record else None


def planned_runs(
    instance: dg.DagsterInstance, key: dg.AssetKey, *, after: datetime, before: datetime
) -> Mapping[str, datetime]:
    """The runs that were to make an asset, and when they were made; also those that failed."""
    found: dict[str, datetime] = {}
    cursor = None
    wanted = dg.EventRecordsFilter(
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        asset_key=key,
        after_timestamp=after.timestamp(),
        before_timestamp=before.timestamp(),
    )
    while True:
        if cursor is not None:
            wanted = wanted._replace(before_cursor=cursor)
        page = instance.event_log_storage.get_event_records(wanted, limit=PAGE)
        for record in page:
            at = datetime.fromtimestamp(record.timestamp, tz=UTC)
            found[record.run_id] = min(at, found.get(record.run_id, at))
        if len(page) < PAGE:
            return found
        cursor = page[-1].storage_id


def last_run_failed(instance: dg.DagsterInstance, key: dg.AssetKey) -> datetime | None:
    """When an asset's newest run failed to make it; None where it was made, or is being made."""
    wanted = dg.EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION_PLANNED, asset_key=key)
    planned = instance.event_log_storage.get_event_records(wanted, limit=1)
    made = instance.get_latest_materialization_event(key)
    if not planned or (made is not None and made.timestamp > planned[0].timestamp):
        return None
    run = instance.get_run_by_id(planned[0].run_id)
    if run is None or run.status is not dg.DagsterRunStatus.FAILURE:
        return None
    return datetime.fromtimestamp(planned[0].timestamp, tz=UTC)


def freshness_fails(instance: dg.DagsterInstance, key: dg.AssetKey) -> datetime | None:
    """Since when an asset's freshness policy fails; None where it does not, or there is none."""
    record = instance.get_freshness_state_records([key]).get(key)
    return record.updated_at if record and record.freshness_state == FreshnessState.FAIL else None


def failed_check(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey
) -> tuple[datetime, bool] | None:
    """When a check last failed with severity ERROR and whether it blocks; None where it passed."""
    record = instance.get_latest_asset_check_evaluation_record(check)
    found = record.evaluation if record else None
    if not isinstance(found, dg.AssetCheckEvaluation):
        return None  # There is none, or it is only planned.
    if found.passed or found.severity is not dg.AssetCheckSeverity.ERROR:
        return None
    at = record.event.timestamp if record and record.event else 0.0
    return datetime.fromtimestamp(at, tz=UTC), bool(found.blocking)


def first_planned(instance: dg.DagsterInstance, key: dg.AssetKey) -> datetime | None:
    """When the first run was made that was to make an asset; None when none ever was."""
    wanted = dg.EventRecordsFilter(DagsterEventType.ASSET_MATERIALIZATION_PLANNED, asset_key=key)
    records = instance.event_log_storage.get_event_records(wanted, limit=1, ascending=True)
    return datetime.fromtimestamp(records[0].timestamp, tz=UTC) if records else None
