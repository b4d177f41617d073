"""Runs that nobody will tell of any more are not waited for."""

from datetime import timedelta

import dagster as dg

from aiguard_dagster.adapters.dagster.history import decision_event
from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.orchestration.keys import guard_key
from aiguard_dagster.orchestration.rollback import is_told
from aiguard_dagster.orchestration.stop_rules import LOST_AFTER, is_awaited
from tests.orchestration.project import day, guard

SECOND = timedelta(seconds=1)


@dg.job
def nothing():
    """A run of it is made, and never started."""


def test_a_run_is_awaited_for_an_hour_and_not_once_it_has_failed():
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(nothing)

        def awaited(after):
            (record,) = instance.get_run_records()
            return is_awaited(record, now=record.update_timestamp + after)

        assert awaited(LOST_AFTER - SECOND)
        assert not awaited(LOST_AFTER)
        instance.report_run_failed(run)
        assert not awaited(SECOND)


def test_an_outcome_that_is_on_record_is_told():
    mine = guard()
    outcome = Decision(
        kind=DecisionKind.ROLLBACK, at=day(2), incident="demand:1", rule="error", reason="v2 → v1"
    )
    with dg.DagsterInstance.ephemeral() as instance:
        assert not is_told(instance, mine, outcome)
        instance.report_runless_asset_event(decision_event(guard_key(mine), outcome))
        assert is_told(instance, mine, outcome)
