"""Runs that died with their machine: Dagster shows them as started for ever."""

from datetime import datetime, timedelta

import dagster as dg

LOST_AFTER = timedelta(hours=1)
"""A run of which nothing was heard for so long died with its machine, and nobody can tell.

Should a rollback go on all the same, the transaction bears two, and the second tells nothing.
"""


LIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
"""What runs are that have not ended; one that is to be cancelled is not waited for."""


def goes_on(record: dg.RunRecord, *, now: datetime) -> bool:
    """Whether a run is at work or waits; one that died with its machine does not."""
    return record.dagster_run.status in LIVE and not is_lost(record, now=now)


def is_lost(record: dg.RunRecord, *, now: datetime) -> bool:
    """Whether a run that seems to go on has been silent for too long; one in the queue waits."""
    run = record.dagster_run
    waits = run.is_finished or run.status is dg.DagsterRunStatus.QUEUED
    return not waits and now - record.update_timestamp >= LOST_AFTER
