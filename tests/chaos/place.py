"""A project that several processes share: its rows, its event log and its models are on disk."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from aiguard_dagster import Guard, MLflowResource, ProfileStore, build_guard_definitions
from aiguard_dagster.adapters.dagster.history import read_decisions
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.intents import RollbackIntent
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.verdicts import Evaluation, Measurement, Threshold, Verdict, Window
from aiguard_dagster.orchestration.delta_sensor import check_event
from aiguard_dagster.orchestration.keys import guard_key
from tests.adapters.mlflow.conftest import Workshop
from tests.orchestration.project import (
    DAYS,
    ERROR_NOW,
    TURNED,
    day,
    features_of,
    guard,
    partition,
    predictions_of,
)

POINTERS = {"alias": {"alias": "champion"}, "stage": {"stage": "Production"}}
QUIET = {
    "telemetry": {"enabled": False},
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    },
}
numbers = itertools.count(1)


@dataclass(frozen=True)
class Place:
    """Where everything is, as one process tells another.

    Attributes:
        folder: Holds Dagster's home, the rows and the profiles.
        uri: Where MLflow is.
        model: The registered model; its guard bears a like name.
        pointer: What marks its champion, ``alias`` or ``stage``.
        now: The clock, ISO 8601.
        mode: The guard's.
    """

    folder: str
    uri: str
    model: str
    pointer: str = "alias"
    now: str = day(2).isoformat()
    mode: str = "enforce"

    def told(self) -> Mapping[str, Any]:
        """As JSON."""
        return asdict(self)

    @property
    def guard(self) -> Guard:
        """The guard of the model, whose only rule has found a breach on the first day."""
        model = {"name": self.model, **POINTERS[self.pointer]}
        name = self.model.replace(" ", "_")
        return guard(rules=(ERROR_NOW,), model=model, name=name, mode=self.mode)

    @property
    def registry(self) -> ModelRegistry:
        """The model as its guard sees it."""
        return ModelRegistry(connect(self.uri), self.guard.model)

    @property
    def intent(self) -> RollbackIntent:
        """The rollback that the breach of the first day asks for."""
        return RollbackIntent(
            id=f"{self.guard.name}:error@20260102T000000Z",
            from_version="2",
            to_version="1",
            reason="110.5 > 2",
            actor="guard",
            run_id="run-1",
            at=day(2),
        )

    def definitions(self) -> dg.Definitions:
        """The code location."""
        return build_guard_definitions(
            guards=[self.guard],
            definitions=dg.Definitions(
                assets=[features, predictions],
                resources={"io_manager": dg.FilesystemIOManager(base_dir=f"{self.folder}/rows")},
                executor=dg.in_process_executor,
            ),
            mlflow=MLflowResource(tracking_uri=self.uri),
            profiles=ProfileStore(path=f"{self.folder}/profiles"),
            clock=lambda: datetime.fromisoformat(self.now),
        )

    def instance(self) -> dg.DagsterInstance:
        """The Dagster instance that all share."""
        return open_instance(self.folder)


@dg.asset(partitions_def=DAYS)
def features(context: dg.AssetExecutionContext) -> Any:
    """Good rows."""
    return features_of(context.partition_time_window.start)


@dg.asset(partitions_def=DAYS, deps=[features])
def predictions(context: dg.AssetExecutionContext) -> Any:
    """Version 2 has gone astray."""
    return predictions_of(context.partition_time_window.start, "2", TURNED)


def open_instance(folder: str) -> dg.DagsterInstance:
    """The Dagster instance whose home is in a folder."""
    home = Path(folder) / "dagster"
    if not home.exists():
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text(json.dumps(QUIET))
    return dg.DagsterInstance.from_config(str(home))


def furnish(folder: Path) -> None:
    """Write the rows of the first day, once for all models of the folder."""
    with open_instance(str(folder)) as instance:
        done = dg.materialize(
            [features, predictions],
            partition_key=partition(1),
            instance=instance,
            resources={"io_manager": dg.FilesystemIOManager(base_dir=f"{folder}/rows")},
        )
    assert done.success


class Shelf:
    """Registers one model after another, all with the same two versions."""

    def __init__(self, workshop: Workshop, saved_models: Mapping[str, Path]) -> None:
        self.workshop = workshop
        client = workshop.client
        self.runs = [client.create_run(workshop.experiment).info for _ in "12"]
        for run, version in zip(self.runs, "12", strict=True):
            client.log_artifacts(run.run_id, str(saved_models[version]), "model")

    def new(self, folder: Path, pointer: str = "alias", **more: str) -> Place:
        """A model whose champion is version 2 and was version 1; its breach is on record."""
        name = f"chaos {next(numbers)}"
        client = self.workshop.client
        client.create_registered_model(name)
        for run in self.runs:
            client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)
        place = Place(str(folder), self.workshop.uri, name, pointer, **more)
        registry = ModelRegistry(client, place.guard.model)
        for number in (1, 2):
            registry.promote(str(number), at=day(number - 20), by="team:demand", why="release")
        with place.instance() as instance:
            report_breach(instance, place.guard)
        return place


def report_breach(instance: dg.DagsterInstance, guard: Guard) -> None:
    """What the delta sensor would say of the first day."""
    window = Window(start=day(1), end=day(2))
    found = Evaluation(
        rule="error",
        verdict=Verdict.BREACH,
        measurement=Measurement(value=110.5, n=24, window=window, as_of=day(2)),
        threshold=Threshold(value=2.0, direction="high"),
        subject="2",
        in_force_since=day(-18),
        reason="110.5 > 2",
    )
    rule = guard.rules[0]
    instance.report_runless_asset_event(check_event(guard, rule, found, target=None))


def at(place: Place, now: datetime) -> Place:
    """The same with another clock."""
    return replace(place, now=now.isoformat())


def kinds_of(instance: dg.DagsterInstance, place: Place) -> list[str]:
    """What was decided so far."""
    return [d.kind.value for d in read_decisions(instance, guard_key(place.guard))]
