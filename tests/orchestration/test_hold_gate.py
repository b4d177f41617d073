"""A hold outlasts the run that it began in: what stops, what shows it, and what lets go."""

import dagster as dg
import pytest

from aiguard_dagster import not_held, raise_if_held
from aiguard_dagster.core.decisions import Decision, DecisionKind
from tests.orchestration.project import (
    COMPLETE,
    DAYS,
    DRIFT,
    ERROR,
    FEATURES,
    GOOD,
    HALF_EMPTY,
    PREDICTIONS,
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


def test_what_a_person_lets_go_is_made_by_the_ordinary_job_until_a_new_breach(new_project):
    project = new_project(rules=(COMPLETE, ERROR))
    project.live(1)
    project.live(2, weather=HALF_EMPTY)
    assert not predicted(project, 2)
    project.instance.report_runless_asset_event(release(project.last("hold"), day(3)))
    project.live(2, 3, weather=HALF_EMPTY)
    assert predicted(project, 2)
    assert predicted(project, 3)
    assert project.verdicts("complete") == {1: "ok", 2: "breach", 3: "breach"}
    project.live(4, weather=GOOD)
    project.live(5, weather=HALF_EMPTY)
    assert not predicted(project, 5)
    assert [k for k in project.kinds() if k != "notify"] == ["hold", "release", "hold"]


def held_by_drift(new_project, **more):
    """A project that is held though each day's rows are whole: its features have moved."""
    project = new_project(rules=(HOLD_ON_DRIFT, ERROR), **more)
    project.live(1, 2, 3, weather=SHIFTED)
    assert project.kinds() == ["hold"]
    return project


def test_later_runs_stop_while_the_hold_lasts_and_go_on_when_a_person_lets_go(new_project):
    project = held_by_drift(new_project)
    project.weather[4] = SHIFTED
    run = project.materialise(4)
    assert not run.success
    assert not predicted(project, 4)
    assert not said(project)
    hold = project.last("hold")
    project.daemon.instance.report_runless_asset_event(release(hold, day(5)))
    project.tick()
    assert said(project)
    project.weather[5] = SHIFTED
    assert project.materialise(5).success
    assert predicted(project, 5)


def release(hold, at):
    from aiguard_dagster.adapters.dagster.history import decision_event

    decision = Decision(
        kind=DecisionKind.RELEASE,
        at=at,
        incident=hold.incident,
        rule=hold.rule,
        reason="known: a holiday",
        actor="ada",
    )
    return decision_event(dg.AssetKey(["demand", "guard"]), decision)


def test_a_job_of_the_predictions_alone_is_not_stopped_but_what_follows_it_is(new_project):
    project = held_by_drift(new_project)
    project.weather[4] = SHIFTED
    project.materialise(4, FEATURES)
    run = project.materialise(4, PREDICTIONS, dg.AssetKey(["demand", "predictions_profile"]))
    assert predicted(project, 4)
    assert not run.success
    profiles = project.instance.get_materialized_partitions(
        dg.AssetKey(["demand", "predictions_profile"])
    )
    assert partition(4) not in profiles
    project.tick()  # The guard still measures what was predicted all the same.
    profiles = project.instance.get_materialized_partitions(
        dg.AssetKey(["demand", "predictions_profile"])
    )
    assert partition(4) in profiles


def ask_guard(project, guard):
    """An asset of the user's whose first line asks whether predictions are held back."""

    @dg.asset
    def answers(context: dg.AssetExecutionContext) -> None:
        raise_if_held(context, guard, clock=lambda: project.now)

    return dg.materialize([answers], instance=project.instance, raise_on_error=False)


def why(result):
    (failure,) = [e for e in result.all_events if e.is_step_failure]
    return failure.event_specific_data.user_failure_data.description


@pytest.mark.parametrize("by_name", [False, True])
def test_one_line_stops_any_job_while_the_hold_lasts(new_project, by_name):
    project = new_project(rules=(COMPLETE, ERROR))
    guard = project.guard.name if by_name else project.guard
    project.live(1)
    assert ask_guard(project, guard).success
    project.live(2, weather=HALF_EMPTY)
    asked = ask_guard(project, guard)
    assert not asked.success
    assert why(asked).startswith("predictions are held back since 2026-01-03 00:00 UTC: complete: ")
    project.weather[3] = GOOD
    project.materialise(3)
    # The sensor has not told of it yet: the guard's rules say so, its name alone does not.
    assert ask_guard(project, guard).success is not by_name
    project.tick()
    assert ask_guard(project, guard).success


def test_an_automation_condition_waits_for_the_end_of_the_hold(new_project):
    project = new_project(rules=(COMPLETE, ERROR))
    project.live(1)

    def conditions(condition):
        @dg.asset(
            deps=[FEATURES],
            partitions_def=DAYS,
            automation_condition=condition,
        )
        def answers() -> None: ...

        defs = dg.Definitions.merge(project.defs, dg.Definitions(assets=[answers]))
        found = dg.evaluate_automation_conditions(
            defs=defs,
            instance=project.instance,
            asset_selection=dg.AssetSelection.assets("answers"),
            evaluation_time=project.now,
        )
        return found.get_num_requested(dg.AssetKey("answers"))

    ours = (
        dg.AutomationCondition.missing() & ~dg.AutomationCondition.any_deps_missing() & not_held()
    )
    theirs = (
        dg.AutomationCondition.missing()
        & ~dg.AutomationCondition.any_deps_missing()
        & dg.AutomationCondition.all_deps_blocking_checks_passed()
    )
    assert (conditions(ours), conditions(theirs)) == (1, 1)
    project.live(2, weather=HALF_EMPTY)
    assert (conditions(ours), conditions(theirs)) == (0, 0)
    project.live(3, weather=GOOD)
    assert conditions(ours) == conditions(theirs) == 2  # day 2 is as half empty as it was


def test_a_materialisation_without_the_check_is_told_of_by_the_sensor(new_project):
    project = held_by_drift(new_project)
    event = dg.AssetMaterialization(FEATURES, partition=partition(4))
    project.instance.report_runless_asset_event(event)
    project.tick()
    assert not said(project)
    count = len(executions(project))
    project.tick()
    assert len(executions(project)) == count


def test_a_guard_that_only_observes_puts_no_gate_on_anything(new_project):
    project = new_project(rules=(COMPLETE, ERROR), mode="observe")
    assert ON_FEATURES not in project.defs.resolve_asset_graph().asset_check_keys
    project.live(1, weather=HALF_EMPTY)
    assert executions(project) == []


def test_a_rule_cannot_take_the_name_of_the_guards_own_check(new_project):
    from aiguard_dagster import SpecError

    with pytest.raises(SpecError, match="the guard's own check has this name"):
        new_project(rules=({**COMPLETE, "name": "hold"}, ERROR))
