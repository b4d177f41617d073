"""Checks that run by themselves: on assets that Dagster does not materialise, or at set times."""

from collections.abc import Iterator
from datetime import datetime

import dagster as dg

from aiguard_dagster.orchestration.assets import KnownAsset
from aiguard_dagster.orchestration.clock import Clock
from aiguard_dagster.orchestration.partitions import time_partitions

HOURLY = "0 * * * *"
MOST_RUNS = 100
"""Runs that one tick asks for."""


def build_check_schedules(
    *, name: str, checks: dg.AssetChecksDefinition, asset: KnownAsset, clock: Clock
) -> list[dg.ScheduleDefinition]:
    """Runs a table's checks at the times its guard names; hourly where nothing else would."""
    cron = asset.table.schedule or (HOURLY if asset.is_external else None)
    if cron is None:
        return []
    job = dg.define_asset_job(
        name=f"{name}_checks",
        selection=dg.AssetSelection.checks(*checks.check_keys),
        description=f"Checks {asset.key.to_user_string()} where it is, without materialising it.",
    )

    @dg.schedule(
        name=f"{name}_checks_schedule",
        job=job,
        cron_schedule=cron,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Checks {asset.key.to_user_string()}; nothing is materialised.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
        now = clock()
        if asset.partitions_def is None:
            yield dg.RunRequest()
            return
        keys = newest_partitions(asset.partitions_def, context.instance, now)
        if len(keys) > MOST_RUNS:
            context.log.warning("%s partitions: only the last %s are checked", len(keys), MOST_RUNS)
        for key in keys[-MOST_RUNS:]:
            # One run a partition and tick, however often the tick is tried.
            run_key = f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}|{key}"
            # Dagster takes a job of checks alone for one without partitions; the tags say them.
            tags = asset.partitions_def.get_tags_for_partition_key(key)
            yield dg.RunRequest(run_key=run_key, tags=tags)

    return [schedule]


def newest_partitions(
    partitions_def: dg.PartitionsDefinition[str], instance: dg.DagsterInstance, now: datetime
) -> list[str]:
    """The partitions that a check at this time is about: the newest in time, each of the others."""
    times = time_partitions(partitions_def)
    if times is not None:
        spans = times.get_partition_keys(current_time=now)
        if not spans or times is partitions_def:
            return list(spans[-1:])
    keys = partitions_def.get_partition_keys(current_time=now, dynamic_partitions_store=instance)
    if isinstance(partitions_def, dg.MultiPartitionsDefinition) and times is not None:
        dimension = partitions_def.time_window_dimension.name
        split = partitions_def.get_partition_key_from_str
        return [key for key in keys if split(key).keys_by_dimension[dimension] == spans[-1]]
    return list(keys)
