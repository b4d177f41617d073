"""Stops from a tag in MLflow and from an observation in Dagster, on real ones of both."""

import dagster as dg
import polars as pl
import pytest

from aiguard_dagster import Guard, MLflowResource, SpecError, build_guard_definitions
from tests.instances import empty_instance
from tests.orchestration.project import DAYS

STOPS = dg.AssetKey("stops")
NONE = pl.DataFrame(schema={"who": pl.String, "reason": pl.String})


def guard(signal, model=None):
    return Guard.model_validate(
        {
            "name": "scorer",
            "owner": "team:ml",
            "tables": {"stops": {"asset": "stops"}},
            "rules": [{"name": "stopped", "signal": {"kind": "compliance", **signal}}],
            "model": model,
        }
    )


def evaluated(mine, instance, *, uri=None, partitions_def=None):
    @dg.asset(partitions_def=partitions_def)
    def stops() -> pl.DataFrame:
        return NONE

    own = dg.Definitions(assets=[stops], resources={"io_manager": dg.InMemoryIOManager()})
    mlflow = MLflowResource(tracking_uri=uri) if uri else None
    definitions = build_guard_definitions(guards=[mine], definitions=own, mlflow=mlflow)
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, asset_selection=[STOPS])
    (found,) = result.get_asset_check_evaluations()
    return found.metadata["aiguard/verdict"].value, found.description


def report(instance, **metadata):
    instance.report_runless_asset_event(dg.AssetObservation(STOPS, metadata=metadata))


def test_an_observation_raises_a_stop_and_an_empty_one_lifts_it(new_instance):
    instance, mine = new_instance(), guard({"events": True})
    assert evaluated(mine, instance)[0] == "ok"
    report(instance, stop="toxic answers reported by users", stop_by="trust-and-safety")
    report(instance, rows=3)
    verdict, reason = evaluated(mine, instance)
    assert verdict == "breach"
    assert "worst: trust-and-safety (toxic answers reported by users, since" in reason
    report(instance, stop="", stop_by="Ann Lee")
    assert evaluated(mine, instance)[0] == "ok"


@pytest.mark.parametrize("mlflow", ["sqlite", "http"])
def test_a_tag_of_the_champions_version_raises_a_stop(request, new_instance, mlflow):
    workshop = request.getfixturevalue(mlflow)
    name = workshop.model(versions=2)
    workshop.client.set_registered_model_alias(name, "champion", "2")
    mine = guard({"tag": "stop"}, model={"name": name})
    instance = new_instance()
    workshop.client.set_model_version_tag(name, "1", "stop", "Ann Lee: the old one")
    assert evaluated(mine, instance, uri=workshop.uri)[0] == "ok"
    workshop.client.set_model_version_tag(name, "2", "stop", "Ann Lee: unlicensed data")
    verdict, reason = evaluated(mine, instance, uri=workshop.uri)
    assert verdict == "breach"
    assert "worst: Ann Lee (unlicensed data, in the tag stop of v2)" in reason


def test_a_table_of_stops_must_be_whole():
    with pytest.raises(SpecError) as raised, empty_instance() as instance:
        evaluated(guard({"by": "who", "why": "reason"}), instance, partitions_def=DAYS)
    (problem,) = raised.value.problems
    assert problem.path == "rules[0].signal.table"
    assert problem.what == "a stop stands until it is lifted, and stops has partitions"
