"""A hold outlasts the run that it began in: what stops, what shows it, and what lets go."""

import dagster as dg
import pytest

from aiguard_dagster import not_held, raise_if_held
from aiguard_dagster.core.decisions import Decision, DecisionKind
from tests.orchestration.project import (
    COMPLETE,
    DELTAS,
    DRIFT,
    ERROR,
    FEATURES,
    GOOD,
    HALF_EMPTY,
    PREDICTIONS,
    STOP_RULES,
    Weather,
    day,
    partition,
)

ON_FEATURES = dg.AssetCheckKey(FEATURES, "demand__hold")
ON_PREDICTIONS = dg.AssetCheckKey(PREDICTIONS, "demand__hold")
SHIFTED = Weather(shift=1000.0)
HOLD_ON_DRIFT = {**DRIFT, "grace": "0s", "action": "hold"}


def executions(project, key=ON_FEATURES):
    """What the check has said, oldest first."""
    history = project.instance.event_log_storage.get_asset_check_execution_history
    return [r.evaluation for r in reversed(history(key, limit=99)) if r.evaluation]


def said(project, key=ON_FEATURES):
    """What the check says of the newest materialisation."""
    newest = executions(project, key)[-1]
    target = project.instance.fetch_materializations(key.asset_key, limit=1).records[0]
    assert newest.target_materialization_data.storage_id == target.storage_id
    return newest.passed


def predicted(project, number):
    return partition(number) in project.instance.get_materialized_partitions(PREDICTIONS)


def test_a_hold_shows_on_the_assets_from_its_beginning_to_its_end(new_project):
    project = new_project(rules=(COMPLETE, ERROR))
    project.live(1)
    assert said(project, ON_FEATURES)
    assert said(project, ON_PREDICTIONS)
    project.live(2, weather=HALF_EMPTY)
    assert project.kinds() == ["hold"]
    assert not said(project, ON_FEATURES)
    assert not said(project, ON_PREDICTIONS)
    newest = executions(project)[-1]
    assert newest.description.startswith(
        "predictions are held back since 2026-01-03 00:00 UTC: complete: "
    )
    assert newest.blocking
    count = len(executions(project))
    project.tick()
    assert len(executions(project)) == count  # nothing new, nothing said
    project.live(3, weather=GOOD)
    assert project.kinds() == ["hold", "release"]
    assert said(project, ON_FEATURES)
    assert said(project, ON_PREDICTIONS)


def test_the_run_that_brings_sound_data_is_not_stopped_by_the_hold_it_ends(new_project):
    project = new_project(rules=(COMPLETE, ERROR))
    project.live(1)
    project.live(2, weather=HALF_EMPTY)
    assert not predicted(project, 2)
    project.live(3, weather=GOOD)
    assert predicted(project, 3)
