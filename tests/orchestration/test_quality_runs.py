"""What happens in the run that materialises the data."""

import dagster as dg
import polars as pl
import pytest

from tests.orchestration.project import (
    COMPLETE,
    FEATURES,
    FRESH,
    HALF_EMPTY,
    PREDICTIONS,
    RULES,
    SCHEMA,
    SECRET,
    Weather,
    day,
    features_of,
    partition,
)

PANDERA = {
    "name": "shape",
    "signal": {
        "kind": "pandera",
        "table": "features",
        "schema": "examples.bike_demand.schemas:NoSuchSchema",
    },
}
EMPTY_KIND = {
    "name": "kinds",
    "signal": {"kind": "completeness", "table": "features", "columns": ["kind"]},
    "limit": "90%",
}


def evaluations(run):
    """What the rules' checks said; the check that tells of a hold is tested elsewhere."""
    found = {each.check_name: each for each in run.get_asset_check_evaluations()}
    return {name: each for name, each in found.items() if name != "demand__hold"}


def verdict(evaluation):
    return evaluation.metadata["aiguard/verdict"].value


def test_the_checks_run_with_the_asset_on_one_read_of_the_data(new_project):
    project = new_project(rules=(FRESH, COMPLETE, SCHEMA))
    run = project.materialise(1, FEATURES)
    found = evaluations(run)
    assert run.success
    assert set(found) == {"demand__fresh", "demand__complete", "demand__columns"}
    assert {each.asset_key for each in found.values()} == {FEATURES}
    assert {verdict(each) for each in found.values()} == {"ok"}
    assert project.memory.loads == {"features": 1}


def test_what_a_check_records_can_be_plotted_and_speaks_for_the_end_of_its_partition(project):
    found = evaluations(project.materialise(1, FEATURES))
    for evaluation in found.values():
        metadata = evaluation.metadata
        assert isinstance(metadata["aiguard/value"], dg.FloatMetadataValue)
        assert isinstance(metadata["aiguard/limit"], dg.FloatMetadataValue)
        assert isinstance(metadata["aiguard/n"], dg.IntMetadataValue)
        assert metadata["aiguard/n"].value == 24
        assert metadata["aiguard/as_of"].value == day(2).timestamp()
        assert metadata["aiguard/window_start"].value == day(1).timestamp()
        assert evaluation.partition == partition(1)
    fresh = found["demand__fresh"].metadata
    assert (fresh["aiguard/value"].value, fresh["aiguard/limit"].value) == (3600.0, 7200.0)
    complete = found["demand__complete"].metadata
    assert (complete["aiguard/value"].value, complete["aiguard/limit"].value) == (1.0, 0.9)


def test_no_value_of_the_users_is_in_any_event(new_project):
    pandera = {
        "name": "shape",
        "signal": {**PANDERA["signal"], "schema": "tests.orchestration.shapes:Features"},
    }
    project = new_project(rules=(*RULES, pandera))
    project.weather[1] = HALF_EMPTY
    run = project.materialise(1)
    assert evaluations(run)["demand__shape"].metadata["aiguard/value"].value > 0
    events = [str(record) for record in project.instance.all_logs(run.run_id)]
    assert events
    assert not [event for event in events if SECRET in event]


def test_a_breached_hold_rule_stops_what_comes_after_it_in_the_run(new_project):
    project = new_project(rules=(FRESH, COMPLETE, SCHEMA))
    project.weather[1] = HALF_EMPTY
    run = project.materialise(1, FEATURES, PREDICTIONS)
    found = evaluations(run)
    assert not run.success
    assert run.asset_materializations_for_node("features")
    assert not project.instance.get_materialized_partitions(PREDICTIONS)
    assert verdict(found["demand__complete"]) == "breach"
    assert found["demand__complete"].severity is dg.AssetCheckSeverity.ERROR
    assert "load" in found["demand__complete"].description
    # The siblings have reported all the same.
    assert verdict(found["demand__fresh"]) == verdict(found["demand__columns"]) == "ok"


@pytest.mark.parametrize("mode", ["observe", "propose"])
def test_only_enforce_stops_a_run(new_project, mode):
    project = new_project(rules=(FRESH, COMPLETE), mode=mode)
    project.weather[1] = HALF_EMPTY
    run = project.materialise(1, FEATURES, PREDICTIONS)
    assert run.success
    assert verdict(evaluations(run)["demand__complete"]) == "breach"
    assert project.instance.get_materialized_partitions(PREDICTIONS) == {partition(1)}


def test_a_breached_notify_rule_fails_its_check_and_lets_the_run_go_on(new_project):
    project = new_project(rules=({**COMPLETE, "action": "notify"},))
    project.weather[1] = HALF_EMPTY
    run = project.materialise(1, FEATURES, PREDICTIONS)
    found = evaluations(run)["demand__complete"]
    assert run.success
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN


@pytest.mark.parametrize("broken", [PANDERA, EMPTY_KIND], ids=["no schema", "no column"])
def test_a_check_that_crashes_is_an_error_and_leaves_the_run_and_its_siblings_alone(
    new_project, broken
):
    project = new_project(rules=(FRESH, broken, SCHEMA))
    run = project.materialise(1, FEATURES, PREDICTIONS)
    found = evaluations(run)
    crashed = found[f"demand__{broken['name']}"]
    assert run.success
    assert (verdict(crashed), crashed.passed) == ("error", False)
    assert crashed.severity is dg.AssetCheckSeverity.ERROR
    assert "aiguard/value" not in crashed.metadata
    assert verdict(found["demand__fresh"]) == verdict(found["demand__columns"]) == "ok"


def test_a_hold_rule_that_cannot_be_measured_stops_the_run(new_project):
    project = new_project(rules=(FRESH, COMPLETE))
    project.weather[1] = Weather(gone=("load",))
    run = project.materialise(1, FEATURES, PREDICTIONS)
    found = evaluations(run)
    assert verdict(found["demand__complete"]) == "error"
    assert "load" in found["demand__complete"].description
    assert verdict(found["demand__fresh"]) == "ok"
    assert not run.success
    assert not project.instance.get_materialized_partitions(PREDICTIONS)


def test_a_day_without_rows_is_never_ok(new_project):
    project = new_project(rules=(FRESH, COMPLETE, SCHEMA))
    project.weather[1] = Weather(hours=0)
    found = evaluations(project.materialise(1, FEATURES))
    assert verdict(found["demand__fresh"]) == "breach"  # the partition's end has passed
    assert verdict(found["demand__complete"]) == "breach"  # 24 slots were due
    assert verdict(found["demand__columns"]) == "inconclusive"
    assert not any(each.passed for each in found.values())


@pytest.mark.parametrize("value", [None, {"load": 1}, "a path"], ids=["nothing", "dict", "text"])
def test_a_value_that_is_no_table_is_an_error_with_a_hint(new_project, value):
    project = new_project(rules=({**FRESH, "action": "notify"}, SCHEMA))
    project.memory.replace = lambda _: value
    run = project.materialise(1, FEATURES)
    found = evaluations(run)
    assert run.success
    for evaluation in found.values():
        assert verdict(evaluation) == "error"
        assert "Hint:" in evaluation.description


def test_an_io_manager_that_fails_is_an_error_which_does_not_quote_it(new_project):
    project = new_project(rules=({**FRESH, "action": "notify"},))

    def fail(_):
        raise RuntimeError(SECRET)

    project.memory.replace = fail
    run = project.materialise(1, FEATURES)
    (found,) = evaluations(run).values()
    assert run.success
    assert verdict(found) == "error"
    assert "features cannot be loaded: RuntimeError" in found.description
    assert SECRET not in found.description


@pytest.mark.parametrize(
    "convert", [pl.DataFrame.to_pandas, pl.DataFrame.to_arrow, pl.DataFrame.lazy]
)
def test_pandas_arrow_and_lazy_polars_are_judged_like_polars(new_project, convert):
    project = new_project(rules=(FRESH, COMPLETE))
    project.memory.replace = lambda _: convert(features_of(day(1), HALF_EMPTY))
    found = evaluations(project.materialise(1, FEATURES))
    assert verdict(found["demand__fresh"]) == "ok"
    assert verdict(found["demand__complete"]) == "breach"
    assert found["demand__complete"].metadata["aiguard/value"].value == 0.5


def test_one_check_of_many_can_be_run_alone(new_project):
    project = new_project(rules=(FRESH, COMPLETE))
    project.materialise(1, FEATURES)
    project.memory.loads.clear()
    wanted = dg.AssetCheckKey(FEATURES, "demand__complete")
    job = project.defs.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection={wanted}
    )
    run = job.execute_in_process(instance=project.instance, partition_key=partition(1))
    assert set(evaluations(run)) == {"demand__complete"}
    assert project.memory.loads == {"features": 1}
