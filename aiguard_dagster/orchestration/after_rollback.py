"""What follows a rollback: predictions are made again, and what is served is watched.

Dagster has no public way for a sensor to ask for a backfill, so each partition gets a run of its
own, by the job ``<guard>__<table>_repredict``. Its run key names the rollback, the partition and
the attempt; with the decision that names the partitions, that makes it resumable after any crash.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import dagster as dg

from aiguard_dagster.adapters.mlflow.client import IN_A_TICK, short_patience
from aiguard_dagster.core.decide import Situation
from aiguard_dagster.core.decide.holds import is_held
from aiguard_dagster.core.decisions import Decision, request_id
from aiguard_dagster.core.errors import AIGuardError
from aiguard_dagster.core.repredict import (
    Tries,
    ask,
    asked_for,
    due,
    ending,
    is_over,
    since,
    stop,
    tables_of,
)
from aiguard_dagster.core.serving import (
    Served,
    confirm,
    is_unconfirmed,
    last_rollback,
    moved_at,
    moved_on,
    versions_of,
)
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.keys import (
    profile_key,
    repredict_job_name,
    table_key,
)
from aiguard_dagster.orchestration.lost_runs import is_lost
from aiguard_dagster.orchestration.partitions import Partitions
from aiguard_dagster.orchestration.resources import MLflowResource, ProfileStore, ResourceKeys
from aiguard_dagster.orchestration.served import newest_served, served_partitions, served_traces

REPREDICT_TAG = "aiguard/repredict"


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Where the sensor finds what it must know after a rollback.

    Attributes:
        partitions: Of each table.
        gated: The tables whose assets tell of a hold.
        keys: Under which keys the resources are.
        resources: The sensor's resources.
        warn: Told of what cannot be read.
    """

    partitions: Mapping[str, Partitions]
    gated: Sequence[str]
    keys: ResourceKeys
    resources: Any
    warn: Callable[[str], None]

    @property
    def store(self) -> ProfileStore:
        """Where profiles are."""
        found: ProfileStore = getattr(self.resources, self.keys.profiles)
        return found

    @property
    def mlflow(self) -> MLflowResource:
        """Where traces are."""
        found: MLflowResource = getattr(self.resources, self.keys.mlflow)
        return found


def repredict_jobs(guard: Guard) -> list[Any]:
    """A job for each table of predictions that makes some partitions again, also by hand."""
    if guard.rollback.repredict is None:
        return []
    return [
        dg.define_asset_job(
            name=repredict_job_name(guard, table),
            # Assets that are made in one op with the predictions come along.
            selection=dg.AssetSelection.assets(
                table_key(guard, table), profile_key(guard, table)
            ).required_multi_asset_neighbors(),
            description=(
                f"Makes partitions of {guard.tables[table].asset} again, by the champion of today."
                f" Asked for by the stop-rule sensor after a rollback, or by a person."
            ),
        )
        for table in guard.tables_by_version
    ]


def follow_up(
    instance: dg.DagsterInstance, seen: Situation, *, reach: Reach
) -> tuple[list[Decision], list[dg.RunRequest]]:
    """What is new about the newest rollback; nothing is read where there is nothing to do."""
    guard, decisions, now = seen.guard, seen.decisions, seen.now
    rollback = last_rollback(decisions)
    if rollback is None:
        return [], []
    decided: list[Decision] = []
    requests: list[dg.RunRequest] = []
    champion = moved_on(rollback, seen.points)
    held = is_held(decisions)
    for table in tables_of(guard, rollback):
        if is_over(decisions, rollback, table):
            continue
        asked = asked_for(decisions, rollback, table)
        if champion is not None:
            decided += [stop(rollback, asked, champion)] if asked else []
            continue
        if held:
            continue  # What would be made of broken data would have to be made once more.
        begun = since(seen, rollback)
        partitions = reach.partitions[table]
        served = served_partitions(instance, guard, table, partitions, reach.store, since=begun)
        if asked is None:
            asked = ask(rollback, table, served, begun=begun)
            decided.append(asked)
            if is_over([*decisions, asked], rollback, table):
                continue
        tag = tag_of(rollback, table)
        tries = tries_of(instance, tag, now=now)
        wanted = due(rollback, asked, served, tries)
        requests += [
            _run(guard, table, tag, key, tries.get(key, Tries()).made + 1) for key in wanted
        ]
        end = ending(guard, rollback, asked, served, tries)
        decided += [end] if end else []
    if champion is None and is_unconfirmed(rollback, decisions):
        try:
            found = _served(instance, guard, rollback, reach, now=now)
        except AIGuardError as error:
            reach.warn(str(error))  # Nobody can say what is served.
            return decided, requests
        told = confirm(guard, rollback, found, decisions, held=held, now=now)
        decided += [told] if told else []
    return decided, requests


def tag_of(rollback: Decision, table: str) -> str:
    """What marks the runs that make partitions of a table again."""
    return f"{request_id(rollback)}/{table}"


def tries_of(instance: dg.DagsterInstance, tag: str, *, now: datetime) -> dict[str, Tries]:
    """The runs for each partition so far, by its key."""
    by_key: dict[str, list[dg.RunRecord]] = {}
    for record in instance.get_run_records(dg.RunsFilter(tags={REPREDICT_TAG: tag})):
        key = record.dagster_run.tags.get("dagster/partition", "")
        by_key.setdefault(key, []).append(record)
    return {key: _tries(records, now=now) for key, records in by_key.items()}


def _tries(records: Sequence[dg.RunRecord], *, now: datetime) -> Tries:
    """What came of the runs for one partition, the newest first."""
    runs = [record.dagster_run for record in records]
    # A run that was deleted has spent its key all the same, so the highest number counts.
    numbers = [run.tags.get("dagster/run_key", "").rpartition("#")[2] for run in runs]
    return Tries(
        live=any(
            not record.dagster_run.is_finished and not is_lost(record, now=now)
            for record in records
        ),
        made=max([len(runs), *(int(number) for number in numbers if number.isdigit())]),
        succeeded=any(run.status is dg.DagsterRunStatus.SUCCESS for run in runs),
    )


def _run(guard: Guard, table: str, tag: str, key: str, attempt: int) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{tag}/{key}#{attempt}",
        job_name=repredict_job_name(guard, table),
        partition_key=key,
        # What is late already must not wait for what is older still.
        tags={REPREDICT_TAG: tag, "dagster/priority": "-1"},
    )


def _served(
    instance: dg.DagsterInstance, guard: Guard, rollback: Decision, reach: Reach, *, now: datetime
) -> dict[str, list[Served]]:
    """What was predicted since, by table; what was made again is no word on the service."""
    found = {
        table: newest_served(
            instance,
            guard,
            table,
            reach.partitions[table],
            reach.store,
            after=rollback.at,
            but=tries_of(instance, tag_of(rollback, table), now=now),
        )
        for table in guard.tables_by_version
    }
    for name, table in guard.tables.items():
        if table.traces and table.traces.by_version:
            with short_patience(IN_A_TICK):
                found[name] = served_traces(
                    reach.mlflow.registry(guard),
                    table.traces,
                    versions_of(rollback),
                    after=moved_at(rollback),
                    now=now,
                )
    return found
