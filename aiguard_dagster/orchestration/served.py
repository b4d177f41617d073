"""Which version made the predictions: read off the profiles' records, and no row is read."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.history import materialized
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.serving import Served
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.sources import TraceSource
from aiguard_dagster.orchestration.keys import profile_key, table_key
from aiguard_dagster.orchestration.partitions import Partitions, window_of
from aiguard_dagster.orchestration.resources import VERSIONS, ProfileStore

PAGE = 500
MOST_BUCKETS = 200
"""Buckets of traces after a move that are looked at, the newest."""


def served_partitions(
    instance: dg.DagsterInstance,
    guard: Guard,
    table: str,
    partitions_def: Partitions,
    store: ProfileStore,
    *,
    since: datetime,
) -> list[Served]:
    """The materialised partitions that end at this event time or later, in time order.

    One whose profile is older than its rows, or cannot be read, has rows of no known version.
    """
    made = materialized(instance, table_key(guard, table))
    windows = {key: window_of(partitions_def, key) for key in made}
    mine = {key: window for key, window in windows.items() if window and window.end >= since}
    profiles = materialized(instance, profile_key(guard, table))
    current = [key for key in mine if profiles.get(key, -1) > made[key]]
    versions = dict(_versions(instance, guard, table, store, current))
    found = [
        Served(key=key, start=window.start, end=window.end, versions=versions.get(key, {}))
        for key, window in mine.items()
    ]
    return sorted(found, key=lambda each: each.end)


def newest_served(
    instance: dg.DagsterInstance,
    guard: Guard,
    table: str,
    partitions_def: Partitions,
    store: ProfileStore,
    *,
    after: datetime,
    but: Collection[str] = (),
) -> list[Served]:
    """The newest profiled partition but for some, where it ends after this event time."""
    profiles = materialized(instance, profile_key(guard, table)).keys() - set(but)
    windows = [(key, window) for key in profiles if (window := window_of(partitions_def, key))]
    newest = max(windows, key=lambda each: each[1].end, default=None)
    if newest is None or newest[1].end <= after:
        return []
    key, window = newest
    versions = dict(_versions(instance, guard, table, store, [key]))
    return [Served(key=key, start=window.start, end=window.end, versions=versions.get(key, {}))]


def _versions(
    instance: dg.DagsterInstance,
    guard: Guard,
    table: str,
    store: ProfileStore,
    keys: Sequence[str],
) -> Iterator[tuple[str, dict[str, int]]]:
    """Rows by version of the newest profile of each partition."""
    asset = profile_key(guard, table)
    for start in range(0, len(keys), PAGE):
        left = set(keys[start : start + PAGE])
        wanted = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=sorted(left))
        cursor = None
        while left:
            page = instance.fetch_materializations(wanted, limit=PAGE, cursor=cursor)
            for record in page.records:
                key = record.partition_key
                if key not in left or key is None:
                    continue  # The newest comes first.
                left.discard(key)
                event = record.asset_materialization
                stored = event.metadata.get(VERSIONS) if event else None
                if stored is not None and isinstance(stored.value, dict):
                    yield key, {str(v): int(n) for v, n in stored.value.items()}
                else:
                    yield key, _counted(store, asset, key)
            if not page.has_more:
                break
            cursor = page.cursor


def _counted(store: ProfileStore, asset: dg.AssetKey, key: str) -> dict[str, int]:
    """The same from the profile itself, where its record does not tell."""
    try:
        parts = store.load(asset, key).parts
    except MeasurementError:
        return {}
    return {version: part.rows for version, part in parts.items()}


def served_traces(
    registry: ModelRegistry,
    source: TraceSource,
    versions: Sequence[str],
    *,
    after: datetime,
    now: datetime,
) -> list[Served]:
    """The buckets since this moment that are over, with the traces of versions and of all others.

    Raises:
        MeasurementError: There is no such experiment, or a version is of no logged model.
        ActionError: MLflow does not answer, or not in time.
    """
    from aiguard_dagster.adapters.mlflow.traces import Asked, TraceBook, logged_model_of
    from aiguard_dagster.orchestration.traced import last_whole
    from aiguard_dagster.stats.profile import UNKNOWN_VERSION

    end = last_whole(source, now)
    start = max(last_whole(source, after), end - MOST_BUCKETS * source.every)
    if start >= end:
        return []
    book = TraceBook(registry.client.tracking_uri, source.experiment)
    rows: dict[datetime, dict[str, int]] = {}
    for version in versions:
        model = logged_model_of(registry.version(version))
        asked = Asked(start=start, end=end, every=source.every, model=model)
        for bucket, counts in book.read(asked).items():
            if counts.rows:
                rows.setdefault(bucket, {})[version] = counts.rows
    for bucket, all_of_it in book.totals(Asked(start=start, end=end, every=source.every)).items():
        others = all_of_it - sum(rows.get(bucket, {}).values())
        if others > 0:
            rows.setdefault(bucket, {})[UNKNOWN_VERSION] = others
    return [
        Served(key=bucket.isoformat(), start=bucket, end=bucket + source.every, versions=found)
        for bucket, found in sorted(rows.items())
    ]
