"""Compute of an asset and its upstreams, read from a real event log by the sensor."""

import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from aiguard_dagster import MLflowResource, ProfileStore, build_guard_definitions
from aiguard_dagster.adapters.dagster import steps as steps_module
from aiguard_dagster.adapters.dagster.history import read_evaluations
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.keys import check_key
from aiguard_dagster.testing import Daemon
from tests.instances import empty_instance

DAY = timedelta(days=1)
RULE = {
    "name": "compute",
    "signal": {"kind": "pipeline_cost", "table": "predictions", "window": "1d", "min_coverage": 0},
    "limit": 3600,
}
Pauses = dict[str, float]


def project(pauses: Pauses):
    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
    def raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        time.sleep(pauses.get("raw", 0))
        if pauses.get("fails") and not context.retry_number:
            raise ValueError
        return dg.MaterializeResult(metadata={"dagster/row_count": 10})

    @dg.asset(deps=[raw])
    def scores() -> dg.MaterializeResult:
        time.sleep(pauses.get("scores", 0))
        return dg.MaterializeResult(metadata={"dagster/row_count": 1_000})

    @dg.asset
    def apart() -> None:
        time.sleep(pauses.get("apart", 0))

    return dg.Definitions([raw, scores, apart], executor=dg.in_process_executor)


class Pipeline:
    def __init__(self, workshop, instance, folder, rule=RULE):
        name = workshop.model(versions=1)
        self.guard = Guard.model_validate(
            {
                "name": "scorer",
                "owner": "team:scores",
                "model": {"name": name},
                "tables": {"predictions": {"asset": "scores"}},
                "rules": [rule],
            }
        )
        self.instance, self.now, self.pauses = instance, datetime.now(tz=UTC), {}
        registry = ModelRegistry(workshop.client, self.guard.model)
        registry.promote("1", at=self.now - DAY, by="team:scores", why="accepted")
        self.defs = build_guard_definitions(
            guards=[self.guard],
            definitions=project(self.pauses),
            mlflow=MLflowResource(tracking_uri=workshop.uri),
            profiles=ProfileStore(path=str(folder / "profiles")),
            clock=lambda: self.now,
        )
        self.daemon = Daemon(self.defs, instance)

    def run(self, tags=None, **pauses):
        self.pauses.clear()
        self.pauses.update(pauses)
        keys = [dg.AssetKey(name) for name in ("raw", "scores", "apart")]
        return self.daemon.run(asset_selection=keys, tags=tags)

    def tick(self):
        """At the end of today."""
        self.now = datetime.now(tz=UTC) + DAY
        return self.daemon.tick("aiguard_deltas")

    def newest(self):
        check = check_key(self.guard, self.guard.rules[0])
        records = self.instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
        return records[0].evaluation

    def points(self):
        check = check_key(self.guard, self.guard.rules[0])
        return [found.point for found in read_evaluations(self.instance, check)]


@pytest.fixture
def new_pipeline(sqlite, tmp_path):
    with empty_instance() as instance:
        yield lambda rule=RULE: Pipeline(sqlite, instance, tmp_path, rule)


def test_compute_of_the_asset_and_what_it_is_made_from_is_told(new_pipeline):
    pipeline = new_pipeline()
    pipeline.run(raw=0.3, scores=0.1, apart=5.0)
    assert pipeline.tick() == []
    found = pipeline.newest()
    assert found.metadata["aiguard/verdict"].value == "ok"
    assert 0.4 <= found.metadata["aiguard/value"].value < 3
    assert found.metadata["aiguard/n"].value == 2
    told = {
        row.data["column"]: row.data["what"] for row in found.metadata["aiguard/columns"].records
    }
    assert set(told) == {"raw", "scores"}
    assert "1,000 rows" in told["scores"]


def test_retries_failures_and_backfills_are_told(new_pipeline):
    pipeline = new_pipeline()
    pipeline.run(raw=0.2, fails=True, tags={"dagster/backfill": "abc"})
    pipeline.tick()
    told = {
        row.data["column"]: row.data["what"]
        for row in pipeline.newest().metadata["aiguard/columns"].records
    }
    assert "1 retries" in told["raw"]
    assert "lost in them" in told["raw"]
    assert "100% in backfills" in told["raw"]


def test_a_second_tick_adds_nothing_and_a_later_run_is_judged_anew(new_pipeline):
    pipeline = new_pipeline()
    pipeline.run()
    pipeline.tick()
    written = len(pipeline.points())
    pipeline.daemon.cursors.clear()
    pipeline.tick()
    assert len(pipeline.points()) == written
    pipeline.run()
    pipeline.tick()
    assert len(pipeline.points()) == written + 1
    assert pipeline.points()[-1].n == 4


def test_rows_are_what_compute_is_told_for(new_pipeline):
    signal = {**RULE["signal"], "per": 1000, "upstream": False}
    pipeline = new_pipeline({**RULE, "signal": signal})
    pipeline.run(scores=0.2, raw=2.0)
    pipeline.tick()
    assert 0.2 <= pipeline.points()[-1].value < 1.5


def test_runs_that_were_not_read_yet_lower_the_coverage_until_they_are(new_pipeline, monkeypatch):
    monkeypatch.setattr(steps_module, "MOST_READ", 1)
    signal = {**RULE["signal"], "min_coverage": 0.9}
    pipeline = new_pipeline({**RULE, "signal": signal})
    for _ in range(2):
        pipeline.run()
    pipeline.tick()
    assert pipeline.points()[-1].verdict.value == "inconclusive"
    pipeline.tick()
    assert pipeline.points()[-1].verdict.value == "ok"


def test_an_asset_that_never_ran_is_inconclusive(new_pipeline):
    pipeline = new_pipeline()
    pipeline.tick()
    assert pipeline.points()[-1].verdict.value == "inconclusive"


def test_no_profile_is_asked_of_a_table_whose_runs_alone_count(new_pipeline):
    keys = {
        key.to_user_string()
        for key in new_pipeline().defs.resolve_asset_graph().get_all_asset_keys()
    }
    assert keys == {"raw", "scores", "apart", "scorer/guard"}


def test_a_limit_relative_to_what_was_never_recorded_is_refused(new_pipeline):
    with pytest.raises(SpecError, match="no baseline is recorded of runs") as told:
        new_pipeline({**RULE, "limit": {"above_baseline": "50%"}})
    assert "baseline: first 14d" in str(told.value)
