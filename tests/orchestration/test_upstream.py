"""What is wrong upstream, found through Dagster's lineage: it is named, and some of it excuses."""

import dagster as dg
import pytest

from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.upstream import find_troubles, upstream_of
from tests.orchestration.project import (
    DAY,
    ERROR_NOW,
    FEATURES,
    PREDICTIONS,
    TURNED,
    day,
    guard,
    partition,
)


@pytest.fixture
def project(new_project):
    project = new_project(rules=(ERROR_NOW,))
    project.live(1)
    return project


def troubles(project, number):
    assets = upstream_of(project.defs.resolve_asset_graph(), project.guard)
    window = Window(start=day(number), end=day(number) + DAY)
    return find_troubles(project.instance, assets, window)


def predict_alone(project, number):
    project.weather[number] = TURNED
    project.materialise(number, PREDICTIONS, *project.profiles()[-1:])


def test_the_tables_of_a_guard_and_all_they_are_made_from_are_upstream_of_it(project):
    found = upstream_of(project.defs.resolve_asset_graph(), project.guard)
    assert [(each.key, each.layer) for each in found] == [
        (FEATURES, "source"),
        (PREDICTIONS, "pipeline"),
    ]


def test_where_all_is_as_it_should_be_there_is_no_trouble(project):
    assert troubles(project, 1) == ()


def test_a_late_partition_upstream_is_named_and_no_rollback_is_asked_for(project):
    predict_alone(project, 2)
    project.tick()
    (found,) = troubles(project, 2)
    assert found.reason == f"late: partition {partition(2)} is not there"
    assert (found.asset, found.excuses, found.until) == ("features", True, None)
    assert project.kinds() == ["hold"]
    told = project.last("hold").reason
    assert "error is explained by features (source): late: partition 2026-01-02" in told
    project.materialise(2, FEATURES)
    assert [t.reason for t in troubles(project, 2)] == [
        "stale: partition 2026-01-02 is older than what it is made from"
    ]


def test_a_failed_partition_upstream_is_told_from_a_late_one(project):
    project.weather[2] = None  # The asset raises.
    assert not project.materialise(2, FEATURES).success
    predict_alone(project, 2)
    (found,) = troubles(project, 2)
    assert found.reason == f"failed: partition {partition(2)} was not made"


def test_data_that_was_made_again_is_named_but_excuses_nothing(project):
    project.weather[2] = TURNED
    project.materialise(2)
    project.materialise(2, FEATURES)
    project.tick()
    (found,) = troubles(project, 2)
    assert found.reason.startswith("stale: partition 2026-01-02")
    assert not found.excuses
    request = project.last("request")
    assert request.evidence["suspect"] == "predictions"
    assert "Suspect: predictions (pipeline): stale" in request.reason


@pytest.mark.parametrize(
    ("severity", "blocking", "found"),
    [("ERROR", True, ["blocked"]), ("ERROR", False, ["breaching"]), ("WARN", False, [])],
)
def test_a_check_of_others_that_failed_is_named(project, severity, blocking, found):
    @dg.asset_check(asset=FEATURES, name="theirs", blocking=blocking)
    def theirs():
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity[severity])

    own = dg.Definitions.merge(project.defs, dg.Definitions(asset_checks=[theirs]))
    project.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=FEATURES,
            check_name="theirs",
            passed=False,
            severity=dg.AssetCheckSeverity[severity],
            blocking=blocking,
        )
    )
    assets = upstream_of(own.resolve_asset_graph(), project.guard)
    window = Window(start=day(1), end=day(2))
    told = find_troubles(project.instance, assets, window)
    assert [t.reason.partition(":")[0] for t in told] == found
    assert all(t.excuses is blocking for t in told)


def test_assets_without_partitions_are_judged_as_they_stand():
    broken = {"now": False}

    @dg.asset
    def rates():
        if broken["now"]:
            raise ValueError

    defs = dg.Definitions(assets=[rates])
    written = guard(rules=(ERROR_NOW,)).model_dump(mode="json")
    written["tables"]["features"] = {"asset": "rates", "time": "at"}
    of_rates = Guard.model_validate(written)
    assets = upstream_of(defs.resolve_asset_graph(), of_rates)
    window = Window(start=day(1), end=day(2))
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=instance)
        assert find_troubles(instance, assets, window) == ()
        broken["now"] = True
        job.execute_in_process(instance=instance, raise_on_error=False)
        (found,) = find_troubles(instance, assets, window)
        assert found.reason.startswith("failed: its run of ")
        broken["now"] = False
        job.execute_in_process(instance=instance)
        assert find_troubles(instance, assets, window) == ()
