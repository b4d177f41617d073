"""Compute of an asset and its upstreams, read from a real event log by the sensor."""

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg
import dagster._time
import pytest

from aiguard_dagster import MLflowResource, ProfileStore, build_guard_definitions
from aiguard_dagster.adapters.dagster import steps as steps_module
from aiguard_dagster.adapters.dagster.history import read_evaluations
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.keys import check_key
from aiguard_dagster.orchestration.runs import day_of
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


@contextmanager
def so_long_ago(days):
    """Dagster's clocks, the one of its log too, so many days back; they go on."""
    real, back = time.time, days * DAY.total_seconds()

    def now():
        return real() - back

    moment = "_mockable_get_current_datetime", lambda: datetime.fromtimestamp(now(), tz=UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", now)
        patch.setattr(dagster._time, *moment)
        patch.setattr(dagster._time, "_mockable_get_current_timestamp", now)
        yield


class Pipeline:
    def __init__(self, workshop, instance, folder, rule=RULE, *, since=(1, 0)):
        self.workshop = workshop
        name = workshop.model(versions=2)
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
        self.promote("1", *since)
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

    def promote(self, version, days_ago, hour=0):
        registry = ModelRegistry(self.workshop.client, self.guard.model)
        at = day_of(datetime.now(tz=UTC)) - days_ago * DAY + hour * timedelta(hours=1)
        registry.promote(version, at=at, by="team:scores", why=f"{days_ago} days ago")

    def verdicts(self):
        """By how many days ago the day was; of two the later counts."""
        today = day_of(datetime.now(tz=UTC)) + DAY
        return {(today - p.as_of).days: p.verdict.value for p in self.points()}

    @property
    def looked(self):
        """The champion and the inputs that the sensor has judged last."""
        return json.loads(self.daemon.cursors["aiguard_deltas"])["guards"]["scorer"]["n"]

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
        yield lambda rule=RULE, **more: Pipeline(sqlite, instance, tmp_path, rule, **more)


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


AGAINST_FIRST = {
    **RULE,
    "signal": {**RULE["signal"], "baseline": "first 3d", "min_coverage": 0.8},
    "limit": {"above_baseline": "400%"},
}


def ran(pipeline, days, **pauses):
    with so_long_ago(days):
        pipeline.run(**pauses)


def test_compute_is_held_to_the_first_days_of_the_version_in_production(new_pipeline):
    pipeline = new_pipeline(AGAINST_FIRST, since=(6, 0))
    for days in range(6, 1, -1):
        ran(pipeline, days, raw=0.1)
    ran(pipeline, 1, raw=1.5)
    pipeline.tick()
    told = pipeline.verdicts()
    assert {told[days] for days in (6, 5, 4)} == {"inconclusive"}
    assert [told[days] for days in (3, 2, 1)] == ["ok", "ok", "breach"]
    early, newest = (
        next(p for p in pipeline.points() if p.verdict.value == v)
        for v in ("inconclusive", "breach")
    )
    assert early.reason == "the first 3d of v1 are not over yet"
    assert "(first 3d 0." in newest.reason
    assert "worst: raw" in newest.reason
    written = len(pipeline.points())
    pipeline.tick()
    looked = pipeline.looked
    pipeline.tick()
    # Nothing is judged again until something changes.
    assert (len(pipeline.points()), pipeline.looked) == (written, looked)


@pytest.mark.parametrize("hour", [10, 15])
def test_a_version_that_takes_over_in_the_middle_of_a_day_has_first_days_too(new_pipeline, hour):
    signal = {**AGAINST_FIRST["signal"], "baseline": "first 1d"}
    pipeline = new_pipeline({**AGAINST_FIRST, "signal": signal}, since=(4, hour))
    for days in (4, 3, 2):
        ran(pipeline, days, raw=0.1)
    ran(pipeline, 1, raw=1.5)
    pipeline.tick()
    reasons = [point.reason for point in pipeline.points()]
    assert [pipeline.verdicts()[days] for days in (2, 1)] == ["ok", "breach"], reasons


def test_a_version_that_comes_back_is_held_to_its_own_first_days_still(new_pipeline):
    pipeline = new_pipeline(AGAINST_FIRST, since=(40, 0))
    pipeline.promote("2", 20)
    pipeline.promote("1", 2)
    for days in (40, 39, 38):
        ran(pipeline, days, raw=0.1)
    for days in (20, 19, 18, 17):
        ran(pipeline, days, raw=1.5)
    ran(pipeline, 2, raw=0.1)
    ran(pipeline, 1, raw=1.5)
    pipeline.tick()
    reasons = [point.reason for point in pipeline.points()]
    assert [pipeline.verdicts()[days] for days in (2, 1)] == ["ok", "breach"], reasons


def test_an_absolute_limit_does_not_wait_for_the_first_days(new_pipeline):
    pipeline = new_pipeline({**AGAINST_FIRST, "limit": 3600})
    pipeline.run()
    pipeline.tick()
    assert pipeline.points()[-1].verdict.value == "ok"


def test_days_between_two_runs_are_known_to_have_had_none(new_pipeline):
    signal = {**RULE["signal"], "window": "20d", "min_coverage": 0.9}
    pipeline = new_pipeline({**RULE, "signal": signal})
    ran(pipeline, 60)
    pipeline.run()
    pipeline.tick()
    assert pipeline.points()[-1].verdict.value == "ok"
