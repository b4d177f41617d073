"""Days lived one by one and days filled in at once, on a real instance and a real MLflow."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from aiguard_dagster import (
    Guard,
    MLflowResource,
    ProfileStore,
    build_guard_definitions,
    record_baseline,
)
from aiguard_dagster.adapters.dagster.history import read_decisions, read_evaluations
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.orchestration.keys import check_key, guard_key
from aiguard_dagster.testing import Daemon
from tests.instances import empty_instance

pytestmark = pytest.mark.slow
START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-02-01")
DOCUMENT = {
    "name": "demand",
    "owner": "team:demand",
    "mode": "enforce",
    "model": {"name": "demand"},
    "tables": {
        "features": {"asset": "features", "time": "at"},
        "predictions": {
            "asset": "predictions",
            "time": "at",
            "prediction": "said",
            "label": "was",
            "model_version": "version",
        },
    },
    "rules": [
        {
            "name": "whole",
            "signal": {"kind": "completeness", "table": "features", "every": "1h"},
            "limit": "90%",
            "action": "hold",
        },
        {
            "name": "error",
            "signal": {"kind": "performance", "metric": "mae", "window": "2d", "min_samples": 24},
            "limit": {"above_baseline": "100%"},
            "grace": "2d",
        },
    ],
}
GUARD = Guard.model_validate(DOCUMENT)


class World:
    """What the test decides: the time, and what the data look like on each day."""

    def __init__(self):
        self.now = START + 31 * DAY
        self.hours = {}
        self.wrong = {}
        self.value = {}

    def rows(self, day):
        hours = range(self.hours.get(day.day, 24))
        at = [(day + timedelta(hours=hour)).replace(tzinfo=None) for hour in hours]
        return pl.DataFrame({"at": at, "load": [float(hour) for hour in hours]})


@pytest.fixture
def uri(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = connect(uri)
    experiment = client.create_experiment("training", artifact_location=tmp_path.as_uri())
    client.create_registered_model("demand")
    run = client.create_run(experiment).info
    client.create_model_version("demand", f"{run.artifact_uri}/model", run.run_id)
    ModelRegistry(connect(uri), GUARD.model).promote("1", at=START, by="test", why="first")
    return uri


def accept(uri):
    rows = World().rows(START - 30 * DAY)
    said = rows.select("at", was="load", said=pl.col("load") + 1, version=pl.lit("1"))
    record_baseline(GUARD, version="1", data={"predictions": said}, tracking_uri=uri)


def project(world, uri, folder, *, mode="enforce"):
    @dg.asset(partitions_def=DAYS)
    def features(context: dg.AssetExecutionContext):
        day = context.partition_time_window.start
        return world.value.get(day.day, world.rows(day))

    @dg.asset(partitions_def=DAYS, deps=[features])
    def predictions(context: dg.AssetExecutionContext):
        day = context.partition_time_window.start
        said = pl.col("load") + world.wrong.get(day.day, 1.0)
        return world.rows(day).select("at", was="load", said=said, version=pl.lit("1"))

    own = dg.Definitions(
        assets=[features, predictions],
        jobs=[dg.define_asset_job("daily", [features, predictions])],
        resources={"io_manager": dg.FilesystemIOManager(base_dir=str(folder / "assets"))},
    )
    return build_guard_definitions(
        guards=[Guard.model_validate({**DOCUMENT, "mode": mode})],
        definitions=own,
        mlflow=MLflowResource(tracking_uri=uri),
        profiles=ProfileStore(path=str(folder / "profiles")),
        clock=lambda: world.now,
    )


def watch(daemon):
    while daemon.tick("aiguard_deltas"):
        pass
    daemon.tick("aiguard_stop_rules")


def stored(instance, name):
    (rule,) = [rule for rule in GUARD.rules if rule.name == name]
    return read_evaluations(instance, check_key(GUARD, rule))


def verdicts(instance, name):
    return {s.point.as_of.day - 1: s.point.verdict for s in stored(instance, name)}


def decided(instance):
    found = read_decisions(instance, guard_key(GUARD))
    return sorted((d.kind.value, d.at.day - 1, d.rule) for d in found)


def test_days_filled_in_at_once_and_backwards_are_judged_as_days_lived(uri, tmp_path):
    accept(uri)
    world = World()
    world.wrong = dict.fromkeys(range(4, 10), 5.0)
    world.hours = {7: 3}
    found = []
    for name in ("lived", "filled in"):
        with empty_instance(on_disk=True) as instance:
            daemon = Daemon(project(world, uri, tmp_path / name), instance)
            for number in range(1, 13) if name == "lived" else range(12, 0, -1):
                if name == "lived":
                    world.now = START + number * DAY
                daemon.run("daily", partition_key=f"2026-01-{number:02}")
                if name == "lived":
                    watch(daemon)
            watch(daemon)
            rules = {rule: verdicts(instance, rule) for rule in ("whole", "error")}
            found.append((rules, decided(instance)))
    lived, filled_in = found
    assert filled_in == lived
    assert ("notify", 6, "error") in lived[1]
    assert {kind for kind, _, _ in lived[1]} == {"hold", "release", "notify", "resolve"}


@pytest.fixture
def instance():
    with empty_instance(on_disk=True) as found:
        yield found


def test_a_hold_stops_what_follows_in_the_run_and_observing_does_not(uri, tmp_path, instance):
    world = World()
    world.hours = {1: 3, 2: 3}
    holding = Daemon(project(world, uri, tmp_path), instance)
    assert not holding.run("daily", partition_key="2026-01-01").success
    assert not instance.get_materialized_partitions(dg.AssetKey("predictions"))
    observing = Daemon(project(world, uri, tmp_path, mode="observe"), instance)
    assert observing.run("daily", partition_key="2026-01-02").success
    assert verdicts(instance, "whole") == {1: Verdict.BREACH, 2: Verdict.BREACH}


@pytest.mark.parametrize("value", [None, {"no": "table"}])
def test_what_cannot_be_checked_is_an_error_and_leaves_the_run_alone(
    uri, tmp_path, instance, value
):
    world = World()
    world.value = {1: value}
    daemon = Daemon(project(world, uri, tmp_path, mode="observe"), instance)
    assert daemon.run("daily", partition_key="2026-01-01").success
    assert verdicts(instance, "whole") == {1: Verdict.ERROR}


def test_a_missing_baseline_is_an_error_told_once_and_judged_when_it_is_there(
    uri, tmp_path, instance
):
    daemon = Daemon(project(World(), uri, tmp_path), instance)
    for number in (1, 2):
        daemon.run("daily", partition_key=f"2026-01-{number:02}")
    watch(daemon)
    watch(daemon)
    found = stored(instance, "error")
    assert [s.point.verdict for s in found] == [Verdict.ERROR] * 2
    assert "aiguard baseline record" in found[0].point.reason
    accept(uri)
    watch(daemon)
    assert verdicts(instance, "error")[2] is Verdict.OK
