"""What the steps of runs took, read from the event log; what is over is read once a process."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from aiguard_dagster.signals.pipeline_cost import AGAIN, BACKFILL, Step

OVER = frozenset(
    {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
)
CHUNK = 200
MOST_READ = 400
"""Runs that one tick reads; a tick later more of them are known."""
MOST_KEPT = 20_000
ROWS = "dagster/row_count"
REASONS = {
    "dagster/backfill": BACKFILL,
    "dagster/parent_run_id": AGAIN,
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "sensor",
    "dagster/from_automation_condition": "sensor",
}
"""Tags of a run that say why it was made, the first that it bears."""
_kept: dict[tuple[str, str], tuple[Step, ...]] = {}


class StepLog:
    """The steps that make some assets.

    Attributes:
        unread: Runs that are over and were not read yet, for there were too many.
    """

    def __init__(self, instance: dg.DagsterInstance, ops: Mapping[str, str]) -> None:
        """Take an instance, and the assets, as text, by the name of the op that makes them."""
        self._instance, self._ops = instance, ops
        self.unread: tuple[str, ...] = ()

    def steps(self, runs: Iterable[str]) -> list[Step]:
        """The steps of those of the runs that are over."""
        known: list[Step] = []
        new: list[str] = []
        for run in runs:
            steps = _kept.get(self._key(run))
            known += steps or ()
            new += [run] if steps is None else []
        self.unread = tuple(new[MOST_READ:])
        records = list(self._records(new[:MOST_READ]))
        while len(_kept) > MOST_KEPT:
            del _kept[next(iter(_kept))]
        for record in records:
            run = record.dagster_run
            if run.status in OVER:
                steps = tuple(self._of_run(run))
                _kept[self._key(run.run_id)] = steps
                known += steps
        return known

    def _key(self, run: str) -> tuple[str, str]:
        return (run, ",".join(sorted(self._ops)))

    def _records(self, runs: list[str]) -> Iterator[Any]:
        for start in range(0, len(runs), CHUNK):
            wanted = dg.RunsFilter(run_ids=runs[start : start + CHUNK])
            yield from self._instance.get_run_records(wanted)

    def _of_run(self, run: dg.DagsterRun) -> Iterator[Step]:
        why = next((said for tag, said in REASONS.items() if tag in run.tags), "hand")
        for stats in self._instance.get_run_step_stats(run.run_id):
            asset = self._ops.get(stats.step_key.partition(".")[0].partition("[")[0])
            if asset is None or stats.end_time is None:
                continue
            marked: Iterable[Any] = stats.attempts_list or [stats]
            yield Step(
                asset=asset,
                ended=datetime.fromtimestamp(stats.end_time, tz=UTC),
                why=why,
                attempts=tuple(_seconds(each.start_time, each.end_time) for each in marked),
                failed=stats.status is not None and stats.status.value == "FAILURE",
                rows=_rows(stats.materialization_events, asset),
            )


def _seconds(start: float | None, end: float | None) -> float | None:
    """How long an attempt took; None where nobody knows, or its clock ran backwards."""
    return end - start if start is not None and end is not None and end >= start else None


def _rows(events: Iterable[Any], asset: str) -> int | None:
    """What materialisations of an asset say of their rows; None where none does."""
    told = []
    for event in events:
        materialised = event.dagster_event.step_materialization_data.materialization
        value = materialised.metadata.get(ROWS)
        mine = materialised.asset_key.to_user_string() == asset
        told += [int(value.value)] if value is not None and mine else []
    return sum(told) if told else None
