"""Whether retraining helps: from the registry, MLflow's runs and Dagster's, by the sensor."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from aiguard_dagster import MLflowResource, ProfileStore, build_guard_definitions
from aiguard_dagster.adapters.dagster.history import read_evaluations
from aiguard_dagster.adapters.mlflow.new_versions import new_versions
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.keys import check_key
from aiguard_dagster.testing import Daemon

DAY = timedelta(days=1)
HELPS = {
    "name": "helps",
    "signal": {
        "kind": "retraining",
        "window": "1d",
        "metric": "mae",
        "min_samples": 1,
        "min_coverage": 0,
    },
    "limit": "50%",
}
TAKES = {
    "name": "takes",
    "signal": {"kind": "retraining", "of": "compute", "window": "1d", "min_coverage": 0},
    "limit": 3600,
}


class Trainer:
    """A training asset that registers a version each time, with the metric that it is told."""

    def __init__(self, workshop, instance, folder):
        self.workshop, self.instance = workshop, instance
        self.name = workshop.model(versions=0)
        self.metric: float | None = None
        self.guard = Guard.model_validate(
            {
                "name": "trainer",
                "owner": "team:demand",
                "model": {"name": self.name},
                "tables": {"training": {"asset": "model"}},
                "rules": [HELPS, TAKES],
            }
        )

        @dg.asset(name="model")
        def training() -> None:
            run = workshop.client.create_run(workshop.experiment).info.run_id
            if self.metric is not None:
                workshop.client.log_metric(run, "mae", self.metric)
            workshop.add_version(self.name, run=run)

        self.defs = build_guard_definitions(
            guards=[self.guard],
            definitions=dg.Definitions([training], executor=dg.in_process_executor),
            mlflow=MLflowResource(tracking_uri=workshop.uri),
            profiles=ProfileStore(path=str(folder / "profiles")),
            clock=lambda: datetime.now(tz=UTC) + DAY,
        )
        self.daemon = Daemon(self.defs, instance)

    def train(self, metric):
        self.metric = metric
        self.daemon.run(asset_selection=[dg.AssetKey("model")])

    @property
    def registry(self):
        return ModelRegistry(self.workshop.client, self.guard.model)

    def accept(self, version):
        self.registry.promote(version, at=datetime.now(tz=UTC), by="team:demand", why="accepted")

    def points(self, rule):
        check = check_key(self.guard, rule)
        return [found.point for found in read_evaluations(self.instance, check)]


@pytest.fixture
def trainer(sqlite, tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Trainer(sqlite, instance, tmp_path)


def test_new_versions_are_held_against_the_one_in_production(trainer):
    trainer.train(10.0)
    trainer.accept("1")
    for metric in (12.0, 11.0, 9.0):
        trainer.train(metric)
    trainer.daemon.tick("aiguard_deltas")
    helps, takes = (trainer.points(rule)[-1] for rule in trainer.guard.rules)
    assert (helps.verdict.value, helps.value, helps.n) == ("breach", pytest.approx(2 / 3), 3)
    assert "worst: v3 (did not help: mae 11, v1 has 10)" in helps.reason
    assert (takes.verdict.value, takes.n) == ("ok", 4)
    assert takes.value > 0


def test_a_version_more_is_judged_anew_and_nothing_twice(trainer):
    trainer.train(10.0)
    trainer.accept("1")
    trainer.train(9.0)
    trainer.daemon.tick("aiguard_deltas")
    written = len(trainer.points(trainer.guard.rules[0]))
    trainer.daemon.cursors.clear()
    trainer.daemon.tick("aiguard_deltas")
    assert len(trainer.points(trainer.guard.rules[0])) == written
    trainer.train(None)
    trainer.daemon.tick("aiguard_deltas")
    newest = trainer.points(trainer.guard.rules[0])[-1]
    assert (newest.value, newest.n) == (0.0, 1)


def test_a_metric_that_a_run_tells_anew_before_it_is_over_is_the_newest(trainer):
    trainer.train(10.0)
    trainer.accept("1")
    trainer.train(12.0)
    trainer.daemon.tick("aiguard_deltas")
    helps = trainer.guard.rules[0]
    assert trainer.points(helps)[-1].value == 1.0
    client = trainer.workshop.client
    run = client.get_model_version(trainer.name, "2").run_id
    client.log_metric(run, "mae", 8.0, step=1)
    trainer.daemon.tick("aiguard_deltas")
    assert trainer.points(helps)[-1].value == 0.0
    assert [v.metric for v in new_versions(trainer.registry, "mae")] == [10.0, 8.0]
