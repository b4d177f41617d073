"""Rules on traces: counted by a real MLflow server, judged by the sensor, told on the asset."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from aiguard_dagster import MLflowResource, ProfileStore, build_guard_definitions
from aiguard_dagster.adapters.dagster.history import read_evaluations
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.keys import check_key
from aiguard_dagster.testing import Daemon
from tests.adapters.mlflow.conftest import global_uri
from tests.mlflow_server import mlflow_server
from tests.traces import Said, experiment, insert_traces, logged_model

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
SLOW = {
    "name": "slow",
    "signal": {"kind": "latency", "table": "traffic", "window": "3h", "min_samples": 50},
    "limit": 1_500,
}
FAILING = {
    "name": "failing",
    "signal": {"kind": "errors", "table": "traffic", "window": "3h", "min_samples": 50},
    "limit": "10%",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="module")
def server(folder):
    with mlflow_server(folder) as uri:
        yield uri


class Assistant:
    """A model in a registry, an experiment with its traces, and a guard on both."""

    def __init__(self, uri, folder, instance, name, **changes):
        self.uri, self.instance, self.name = uri, instance, name
        self.database = f"sqlite:///{folder / 'mlflow.db'}"
        self.experiment = experiment(uri, name)
        self.model = logged_model(uri, self.experiment)
        client = connect(uri)
        client.create_registered_model(name)
        with global_uri(uri):
            client.create_model_version(name, f"models:/{self.model}", model_id=self.model)
        source = {"kind": "traces", "experiment": name, **changes.pop("source", {})}
        self.guard = Guard.model_validate(
            {
                "name": "assistant",
                "owner": "team:assistant",
                "model": {"name": name},
                "tables": {"traffic": {"asset": "assistant_traces", "source": source}},
                "rules": [SLOW, FAILING],
                **changes,
            }
        )
        self.registry = ModelRegistry(client, self.guard.model)
        self.registry.promote("1", at=START, by="team:assistant", why="accepted")
        self.now = START
        self.seed = 0
        self.folder = folder
        self.build(uri)

    def build(self, uri, definitions=None):
        self.defs = build_guard_definitions(
            guards=[self.guard],
            definitions=definitions,
            mlflow=MLflowResource(tracking_uri=uri),
            profiles=ProfileStore(path=str(self.folder / "profiles")),
            clock=lambda: self.now,
        )
        self.daemon = Daemon(self.defs, self.instance)

    def log(self, hour, count=60, **said):
        """So many traces in one hour; every second one is as told, the others are usual."""
        self.seed += 1
        at = START + hour * HOUR
        traces = [
            Said(at=at + n * HOUR / count, **{"model": self.model, **(said if n % 2 else {})})
            for n in range(count)
        ]
        insert_traces(self.database, self.experiment, traces, seed=hash((self.name, self.seed)))

    def tick(self, hour):
        self.now = START + hour * HOUR + timedelta(minutes=5)
        return self.daemon.tick("aiguard_deltas")

    def points(self, rule):
        check = check_key(self.guard, next(r for r in self.guard.rules if r.name == rule))
        return [found.point for found in read_evaluations(self.instance, check)]

    def verdicts(self, rule):
        return {
            round((p.as_of - START) / HOUR): p.verdict.value
            for p in self.points(rule)
            if p.as_of > START
        }


@pytest.fixture
def new_assistant(server, folder, request):
    numbers = iter(range(100))
    with dg.DagsterInstance.ephemeral() as instance:
        yield lambda **changes: Assistant(
            server, folder, instance, f"{request.node.name}{next(numbers)}"[:200], **changes
        )


def test_traces_are_judged_at_the_end_of_each_hour_without_a_run(new_assistant):
    assistant = new_assistant()
    for hour in range(3):
        assistant.log(hour)
    assistant.log(3, milliseconds=9_000)
    assert assistant.tick(4) == []
    assert assistant.verdicts("slow") == {
        1: "inconclusive",
        2: "inconclusive",
        3: "ok",
        4: "breach",
    }
    newest = assistant.points("slow")[-1]
    assert (newest.n, newest.subject) == (180, "1")
    assert newest.value == pytest.approx(9_000, rel=0.06)
    assert assistant.verdicts("failing")[4] == "ok"
