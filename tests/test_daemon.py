"""The real daemon, from a breach to the moved alias, driven through GraphQL."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.postgres import DEPLOY
from tests.mlflow_server import free_port, mlflow_at

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 300
SENSORS = ("aiguard_deltas", "aiguard_stop_rules")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]


def register_versions(uri, folder):
    """Version 1 is right but for one, version 2 was good once; both with a baseline."""
    import mlflow
    import polars as pl
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from aiguard_dagster import record_baseline
    from aiguard_dagster.adapters.mlflow.client import connect
    from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
    from tests import daemon_location as location

    class OffByOne(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input["load"] + 1.0

    training = mlflow.create_experiment("training", (folder / "artifacts").as_uri())
    signature = ModelSignature(Schema([ColSpec("double", "load")]))
    registry = ModelRegistry(connect(uri), location.GUARD.model)
    for number in (1, 2):
        with mlflow.start_run(experiment_id=training):
            mlflow.pyfunc.log_model(
                name="model",
                python_model=OffByOne(),
                signature=signature,
                registered_model_name="demand",
                pip_requirements=[],
            )
        accepted = location.rows(datetime(2025, 12, 1, tzinfo=UTC)).with_columns(
            said=pl.col("was") + 1.0, version=pl.lit(str(number))
        )
        record_baseline(
            location.GUARD,
            version=str(number),
            data={"predictions": accepted},
            tracking_uri=uri,
        )
        registry.promote(
            str(number), at=datetime(2025, 12, number, tzinfo=UTC), by="test", why="first"
        )
    return registry


class Dagster:
    """`dagster dev`, spoken to through GraphQL."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/graphql"

    def ask(self, query, **variables):
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(  # noqa: S310
            self.url, body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            found = json.load(answer)
        assert "errors" not in found, found
        return found["data"]

    def start_sensor(self, name):
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "test",
            "sensorName": name,
        }
        self.ask(
            "mutation($s: SensorSelector!)"
            "{startSensor(sensorSelector: $s){__typename ... on PythonError{message}}}",
            s=selector,
        )

    def materialise(self, asset, partition):
        params = {
            "selector": {
                "repositoryName": "__repository__",
                "repositoryLocationName": "test",
                "pipelineName": "__ASSET_JOB",
                "assetSelection": [{"path": [asset]}],
            },
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": partition}]},
        }
        found = self.ask(
            "mutation($p: ExecutionParams!){launchPipelineExecution(executionParams: $p)"
            "{__typename ... on LaunchRunSuccess{run{runId}} ... on PythonError{message}}}",
            p=params,
        )
        assert found["launchPipelineExecution"]["__typename"] == "LaunchRunSuccess", found


def wait_until(true, what):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(1)
    pytest.fail(f"{what}: not within {PATIENCE_S} s")


@pytest.fixture
def dagster_yaml(request, dagster_storage, monkeypatch):
    """On Postgres it is the deploy's own."""
    if dagster_storage == "sqlite":
        yield "telemetry:\n  enabled: false\n"
        return
    databases = request.getfixturevalue("dagster_databases")
    with databases.empty() as database:
        for name, value in databases.server.environment(database).items():
            monkeypatch.setenv(name, value)
        yield (DEPLOY / "dagster.yaml").read_text()


@pytest.fixture
def state(tmp_path, monkeypatch, dagster_yaml):
    monkeypatch.setenv("AIGUARD_TEST_STATE", str(tmp_path))
    home = tmp_path / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text(dagster_yaml)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    workspace = {
        "load_from": [
            {
                "python_module": {
                    "module_name": "tests.daemon_location",
                    "working_directory": str(ROOT),
                    "location_name": "test",
                }
            }
        ]
    }
    (tmp_path / "workspace.yaml").write_text(json.dumps(workspace))
    return tmp_path


def write_stations(folder):
    """Of the newest day one hour is there twice."""
    from tests import daemon_location as location

    (folder / "stations").mkdir()
    day = datetime(2026, 1, 10, tzinfo=UTC)
    hours = location.rows(day)
    hours.vstack(hours[:1]).write_parquet(folder / f"stations/{day:%Y-%m-%d}.parquet")


def test_the_daemon_takes_a_lasting_breach_to_the_moved_alias(state):
    """And it checks, by a schedule, an asset that Dagster does not materialise."""
    import dagster as dg

    uri = f"sqlite:///{state / 'mlflow.db'}"
    with mlflow_at(uri):
        registry = register_versions(uri, state)
    assert registry.champion() == "2"
    write_stations(state)
    port = free_port()
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(state / "workspace.yaml")]
    with (state / "dagster.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "-p", str(port)],
            env={**os.environ},
            cwd=state,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            dagster = Dagster(port)
            wait_until(lambda: dagster.ask("{version}"), "dagster dev is up")
            for day in range(1, 9):
                dagster.materialise("predictions", f"2026-01-{day:02}")
            for sensor in SENSORS:
                dagster.start_sensor(sensor)
            wait_until(lambda: registry.champion() == "1", "the alias is moved")
            from aiguard_dagster.adapters.dagster.history import read_decisions, read_evaluations

            with dg.DagsterInstance.get() as instance:
                key = dg.AssetKey(["demand", "guard"])
                wait_until(
                    lambda: "rollback" in [d.kind for d in read_decisions(instance, key)],
                    "the rollback is on record",
                )
                checks = {
                    name: dg.AssetCheckKey(dg.AssetKey("stations"), f"weather__{name}")
                    for name in ("full", "unique")
                }
                wait_until(
                    lambda: all(read_evaluations(instance, k, most=1) for k in checks.values()),
                    "the schedule has had the stations checked",
                )
                found = {n: read_evaluations(instance, k, most=1)[0] for n, k in checks.items()}
                runs = instance.get_runs(dg.RunsFilter(job_name="weather__stations_checks"))
                kinds = [decision.kind for decision in read_decisions(instance, key)]
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                pass  # It waits for runs, and the schedule starts one a minute.
            finally:
                with_group_gone(process.pid)
    assert {name: e.point.verdict.value for name, e in found.items()} == {
        "full": "ok",
        "unique": "breach",
    }
    assert {run.tags["dagster/partition"] for run in runs} == {"2026-01-10"}
    assert kinds.count("rollback") == 1
    assert registry.is_quarantined("2")
    assert [reign.version for reign in registry.reigns()] == ["1", "2", "1"]


def with_group_gone(pid):
    """End whatever `dagster dev` may have left behind."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
