"""The newest execution of a check, whoever it was made for; below Dagster's public API."""

from dataclasses import dataclass

import dagster as dg

ENDED = frozenset(
    {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution of a check.

    Attributes:
        run_id: The run; empty where it was reported from outside one.
        passed: What it said; None where it was planned and has said nothing.
        target: Storage id of the materialisation that it speaks of; None where it names none.
        live: Whether it was planned by a run that has not ended.
    """

    run_id: str
    passed: bool | None
    target: int | None
    live: bool


def newest_execution(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> Execution | None:
    """The newest execution of a check; None where it was never planned."""
    found = instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
    if not found:
        return None
    newest = found[0]
    if newest.status.value == "PLANNED":
        run = instance.get_run_by_id(newest.run_id)
        live = run is not None and run.status not in ENDED
        return Execution(run_id=newest.run_id, passed=None, target=None, live=live)
    target = newest.evaluation.target_materialization_data if newest.evaluation else None
    return Execution(
        run_id=newest.run_id,
        passed=newest.status.value == "SUCCEEDED",
        target=target.storage_id if target else None,
        live=False,
    )
