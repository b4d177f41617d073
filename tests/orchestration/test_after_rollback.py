"""What follows a rollback: predictions made again, and the service seen to use what was restored."""

import json
from datetime import timedelta

import dagster as dg
import pytest

from aiguard_dagster.adapters.dagster.history import materialized
from aiguard_dagster.orchestration import after_rollback
from aiguard_dagster.orchestration.after_rollback import REPREDICT_TAG
from aiguard_dagster.orchestration.keys import profile_key
from tests.orchestration.project import (
    COMPLETE,
    DAY,
    DELTAS,
    ERROR,
    HALF_EMPTY,
    PREDICTIONS,
    STOP_RULES,
    TURNED,
    day,
    partition,
)

AGAIN = {"rollback": {"repredict": "since_incident"}}
PROFILE = dg.AssetKey(["demand", "predictions_profile"])


def of_version(project, number):
    """The version in a day's predictions."""
    return set(project.memory.held[PREDICTIONS, partition(number)]["version"])


def versions(project, *days):
    return [sorted(of_version(project, number)) for number in days]


def told(project, kind, about=None):
    found = [d for d in project.decisions() if d.kind == kind]
    return [d for d in found if about is None or d.evidence.get("about") == about]


def until_quiet(project, ticks=20):
    runs = []
    for _ in range(ticks):
        made = project.tick()
        runs += made
        if not made:
            return runs
    raise AssertionError(runs)


def rolled_back(new_project, days=(4, 5, 6), **more):
    """A project whose version 2 was wrong for some days and has just been replaced."""
    project = new_project(rules=(COMPLETE, ERROR), **{**AGAIN, **more})
    project.live(1, 2, 3)
    project.live(*days, weather=TURNED)
    assert project.registry.champion() == "1"
    return project


def test_the_partitions_of_the_incident_are_made_again_with_the_restored_version(new_project):
    project = rolled_back(new_project)
    assert versions(project, 4, 5, 6) == [["2"], ["2"], ["2"]]
    before = {p.as_of: p for p in project.points("error")}
    until_quiet(project)
    # The first verdict that was a breach spoke for the end of day 4.
    assert versions(project, 3, 4, 5, 6) == [["2"], ["1"], ["1"], ["1"]]
    asked, done = told(project, "repredict")
    assert json.loads(asked.evidence["partitions"]) == [partition(n) for n in (4, 5, 6)]
    assert (asked.evidence["state"], asked.evidence["n"], asked.evidence["done"]) == ("asked", 3, 0)
    assert (done.evidence["state"], done.evidence["n"], done.evidence["done"]) == ("done", 3, 3)
    assert done.reason == "3 partitions of predictions made again: by v1"
    (rollback,) = told(project, "rollback")
    assert {d.incident for d in (asked, done)} == {rollback.incident}
    after = {p.as_of: p for p in project.points("error")}
    assert {at: p for at, p in after.items() if at <= rollback.at} == before
    project.live(7, weather=TURNED)
    assert project.points("error")[-1].n == 48  # of the restored version, one day of them new
    assert project.verdicts("error")[7] == "ok"
