"""Checks on the assets that airlift makes of an existing Airflow's DAGs."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from aiguard_dagster import Guard, build_guard_definitions
from tests.instances import empty_instance
from tests.orchestration.airflow_server import Airflow, serving

pytestmark = pytest.mark.filterwarnings("ignore")
NOW = datetime.now(UTC)
CHECK = dg.AssetCheckKey(dg.AssetKey(["shop", "dag", "load_orders"]), "orders__full")
FRESH = dg.AssetCheckKey(CHECK.asset_key, "orders__ran")


@pytest.fixture
def airflow():
    airflow = Airflow()
    with serving(airflow) as url:
        airflow.url = url
        yield airflow


@pytest.fixture
def definitions(airflow, tmp_path):
    """An Airflow user's project: airlift's definitions, and a guard on the files a DAG writes."""
    from dagster_airlift.core import (
        AirflowBasicAuthBackend,
        AirflowInstance,
        build_defs_from_airflow_instance,
    )

    guard = Guard.model_validate(
        {
            "name": "orders",
            "owner": "team:shop",
            "tables": {
                "orders": {
                    "asset": "shop/dag/load_orders",
                    "time": "at",
                    "source": {"kind": "parquet", "path": f"{tmp_path}/*.parquet"},
                }
            },
            "rules": [
                {"name": "full", "signal": {"kind": "completeness", "min_rows": 3}, "limit": 1},
                {
                    "name": "ran",
                    "signal": {"kind": "freshness", "by": "materialisation", "max_age": "26h"},
                },
            ],
        }
    )
    backend = AirflowBasicAuthBackend(airflow.url, "reader", "reader")
    return build_guard_definitions(
        guards=[guard],
        definitions=build_defs_from_airflow_instance(
            airflow_instance=AirflowInstance(auth_backend=backend, name="shop")
        ),
    )


def check(definitions, instance):
    job = definitions.resolve_job_def("orders__orders_checks")
    found = job.execute_in_process(instance=instance).get_asset_check_evaluations()
    return {e.asset_check_key: e.metadata["aiguard/verdict"].value for e in found}


def test_a_dag_carries_checks_on_what_it_writes(definitions, tmp_path):
    assert {CHECK, FRESH} <= set(definitions.resolve_asset_graph().asset_check_keys)
    assert definitions.get_repository_def().has_schedule_def("orders__orders_checks_schedule")
    with empty_instance(on_disk=True) as instance:
        rows = pl.DataFrame({"at": [NOW] * 3})
        rows.head(1).write_parquet(tmp_path / "a.parquet")
        assert check(definitions, instance)[CHECK] == "breach"
        rows.write_parquet(tmp_path / "b.parquet")
        assert check(definitions, instance)[CHECK] == "ok"


def test_a_run_of_the_dag_is_a_materialisation_that_freshness_sees(definitions, airflow, tmp_path):
    pl.DataFrame({"at": [NOW]}).write_parquet(tmp_path / "a.parquet")
    repository = definitions.get_repository_def()
    (name,) = [s.name for s in repository.sensor_defs if "airflow" in s.name]
    with empty_instance(on_disk=True) as instance:
        assert check(definitions, instance)[FRESH] == "breach"
        airflow.finish("nightly-1", end=datetime.now(UTC) - timedelta(seconds=10))
        context = dg.build_sensor_context(instance=instance, repository_def=repository)
        result = repository.get_sensor_def(name).evaluate_tick(context)
        for event in result.asset_events:
            instance.report_runless_asset_event(event)
        assert any(event.asset_key == CHECK.asset_key for event in result.asset_events)
        assert check(definitions, instance)[FRESH] == "ok"
