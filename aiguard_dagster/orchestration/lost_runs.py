"""Runs that died with their machine: Dagster shows them as started for ever."""

from datetime import datetime, timedelta

import dagster as dg

LOST_AFTER = timedelta(hours=1)
"""A run of which nothing was heard for so long died with its machine, and nobody can tell.

Should a rollback go on all the same, the transaction bears two, and the second tells nothing.
"""


def is_lost(record: dg.RunRecord, *, now: datetime) -> bool:
    """Whether a run that seems to go on has been silent for too long; one in the queue waits."""
    run = record.dagster_run
    waits = run.is_finished or run.status is dg.DagsterRunStatus.QUEUED
    return not waits and now - record.update_timestamp >= LOST_AFTER
