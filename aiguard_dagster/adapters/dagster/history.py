"""The one module that reaches below Dagster's public API: check history and storage ids.

Pinned to dagster 1.13; ``tests/adapters/dagster`` fails first when Dagster moves these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks import asset_check_evaluation
from dagster._core.events import DagsterEventType
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from aiguard_dagster.adapters.dagster.metadata import (
    decision_from_metadata,
    decision_metadata,
    point_from_metadata,
)
from aiguard_dagster.core.decisions import Decision
from aiguard_dagster.core.lifecycle import Point

Target = asset_check_evaluation.AssetCheckEvaluationTargetMaterializationData
MOST_EVALUATIONS = 2_000
"""Newest evaluations of one check that are read; a daily rule reaches back five years."""
PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvaluation:
    """One check evaluation of ours from the event log.

    Attributes:
        point: The verdict.
        fingerprint: What it was judged on.
        metadata: All that was recorded with it, such as parts and coverage.
    """

    point: Point
    fingerprint: str
    metadata: Mapping[str, dg.MetadataValue[Any]] = field(default_factory=dict, hash=False)


def read_evaluations(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey, *, most: int = MOST_EVALUATIONS
) -> tuple[StoredEvaluation, ...]:
    """The evaluations of one check, oldest write first; rows that are not ours are left out."""
    records: list[AssetCheckExecutionRecord] = []
    cursor = None
    while len(records) < most:
        page = instance.event_log_storage.get_asset_check_execution_history(
            check, limit=PAGE, cursor=cursor
        )
        # A run of the asset plans its delta checks too, and leaves them to the sensor.
        records += [record for record in page if record.status.value != "PLANNED"]
        if len(page) < PAGE:
            break
        cursor = page[-1].id
    found = []
    for record in reversed(records[:most]):
        evaluation = record.evaluation
        point = point_from_metadata(evaluation.metadata) if evaluation else None
        if evaluation and point:
            mark = evaluation.metadata.get("aiguard/fingerprint")
            found.append(
                StoredEvaluation(
                    point=point,
                    fingerprint=str(mark.value) if mark else "",
                    metadata=evaluation.metadata,
                )
            )
    return tuple(found)


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
    """All decisions of one guard, oldest write first."""
    return tuple(stored.decision for stored in stored_decisions(instance, guard_key))


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
            decision = decision_from_metadata(event.metadata) if event else None
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
    instance: dg.DagsterInstance, key: dg.AssetKey, *, after: datetime
) -> Mapping[str, datetime]:
    """The runs that were to make an asset, and when they were made; also those that failed."""
    found: dict[str, datetime] = {}
    cursor = None
    wanted = dg.EventRecordsFilter(
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        asset_key=key,
        after_timestamp=after.timestamp(),
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
