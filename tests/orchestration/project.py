"""A small Dagster project under guard: its data, clock and models are the test's to set."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from aiguard_dagster import Guard, MLflowResource, ProfileStore, build_guard_definitions
from aiguard_dagster.adapters.dagster.history import read_decisions, read_evaluations
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.decisions import Decision
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.orchestration.baseline import record_baseline
from aiguard_dagster.orchestration.keys import check_key, delta_rules, guard_key, profile_key
from aiguard_dagster.orchestration.rollback import (
    RollbackConfig,
    rollback_config,
    rollback_job_name,
)
from aiguard_dagster.testing import Daemon
from tests.adapters.mlflow.conftest import Workshop

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = dg.DailyPartitionsDefinition(start_date="2026-01-01", end_date="2026-03-01")
SLOPES = {"1": 1.0, "2": 2.0, "3": 2.0}
"""What each version says of one unit of load."""
FEATURES, PREDICTIONS = dg.AssetKey("features"), dg.AssetKey("predictions")
DELTAS, STOP_RULES = "aiguard_deltas", "aiguard_stop_rules"
SECRET = "Ms Secret"  # noqa: S105 - a name that must not be quoted
numbers = itertools.count(1)

FRESH = {
    "name": "fresh",
    "signal": {"kind": "freshness", "table": "features", "max_age": "2h"},
    "action": "hold",
}
COMPLETE = {
    "name": "complete",
    "signal": {"kind": "completeness", "table": "features", "every": "1h", "columns": ["load"]},
    "limit": "90%",
    "action": "hold",
}
SCHEMA = {
    "name": "columns",
    "signal": {"kind": "schema", "table": "features", "columns": {"load": "float"}},
}
DRIFT = {
    "name": "drift",
    "signal": {"kind": "drift", "table": "features", "window": "2d", "min_samples": 24},
    "limit": 1.2,
    "grace": "1d",
}
ERROR = {
    "name": "error",
    "signal": {"kind": "performance", "metric": "mae", "window": "2d", "min_samples": 24},
    "limit": {"above_baseline": "100%"},
    "grace": "2d",
    "action": "rollback",
}
ERROR_NOW = {
    **ERROR,
    "signal": {"kind": "performance", "metric": "mae", "window": "1d", "min_samples": 24},
    "grace": "0s",
}
"""Fires on the first bad day."""
BILL = {
    "name": "bill",
    "signal": {"kind": "cost", "window": "2d", "min_samples": 24},
    "limit": {"above_baseline": "50%"},
}
RULES = (FRESH, COMPLETE, SCHEMA, DRIFT, ERROR, BILL)
DELTA_RULES = ("drift", "error", "bill")


def day(number: int) -> datetime:
    """The start of a day; the first is 1."""
    return FIRST + DAY * (number - 1)


def partition(number: int) -> str:
    """The partition of a day."""
    return f"{day(number):%Y-%m-%d}"


@dataclass(frozen=True)
class Weather:
    """What one day brings.

    Attributes:
        slope: How much demand there truly is for one unit of load.
        shift: Added to the load.
        hours: Hours of the day that have a row.
        nulls: Rows whose load is gone.
        gone: Columns of the features that are gone.
        price: Cost of one prediction.
        labelled: Whether the outcome is known.
    """

    slope: float = 2.0
    shift: float = 0.0
    hours: int = 24
    nulls: int = 0
    gone: tuple[str, ...] = ()
    price: float = 0.001
    labelled: bool = True


GOOD = Weather()
TURNED = Weather(slope=1.0)
"""Version 1 is right, version 2 says twice too much."""
WORSE = Weather(slope=3.0)
"""Version 2 is wrong, version 1 still more so."""
HALF_EMPTY = Weather(nulls=12)


def features_of(start: datetime, weather: Weather = GOOD) -> pl.DataFrame:
    """One day of hourly features."""
    hours = range(weather.hours)
    frame = pl.DataFrame(
        {
            "at": [(start + timedelta(hours=hour)).replace(tzinfo=None) for hour in hours],
            "load": [
                None if hour < weather.nulls else 100.0 + hour + weather.shift for hour in hours
            ],
            "who": [SECRET for _ in hours],
        },
        schema={"at": pl.Datetime("us"), "load": pl.Float64, "who": pl.String},
    )
    return frame.drop(weather.gone)


def predictions_of(start: datetime, version: str, weather: Weather = GOOD) -> pl.DataFrame:
    """One day of predictions; each is off by one where the model fits the weather."""
    load = features_of(start, replace(weather, gone=()))
    was = (100.0 + load["at"].dt.hour() + weather.shift) * weather.slope + 1
    return load.select(
        "at",
        said=pl.col("load").fill_null(0.0) * SLOPES[version],
        was=was if weather.labelled else pl.lit(None, dtype=pl.Float64),
        version=pl.lit(version),
        cost=pl.lit(weather.price),
    )


def accepted(version: str, days: int = 30) -> dict[str, pl.DataFrame]:
    """What a version was accepted on: a month in which it was off by one."""
    start = day(1) - DAY * days
    weather = Weather(slope=SLOPES[version])
    starts = [start + DAY * number for number in range(days)]
    return {
        "features": pl.concat(features_of(each) for each in starts),
        "predictions": pl.concat(predictions_of(each, version, weather) for each in starts),
    }


class Memory(dg.IOManager):
    """Keeps tables in memory and counts how often each asset is loaded."""

    def __init__(self) -> None:
        self.held: dict[tuple[dg.AssetKey, str], Any] = {}
        self.loads: dict[str, int] = {}
        self.replace: Callable[[Any], Any] | None = None
        """Makes something else of a table as it is loaded."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        self.held[context.asset_key, context.partition_key] = obj

    def load_input(self, context: dg.InputContext) -> Any:
        name = context.asset_key.to_user_string()
        self.loads[name] = self.loads.get(name, 0) + 1
        found = self.held[context.asset_key, context.partition_key]
        return self.replace(found) if self.replace else found


def guard(
    *,
    rules: tuple[Mapping[str, Any], ...] = RULES,
    mode: str = "enforce",
    model: Mapping[str, str] | None = None,
    name: str = "demand",
    **more: Any,
) -> Guard:
    """The guard of the project, or one like it."""
    predictions = {
        "asset": "predictions",
        "time": "at",
        "prediction": "said",
        "label": "was",
        "model_version": "version",
        "cost": "cost",
    }
    return Guard.model_validate(
        {
            "name": name,
            "owner": "team:demand",
            "mode": mode,
            "model": model or {"name": "demand"},
            "tables": {
                "features": {"asset": "features", "time": "at"},
                "predictions": predictions,
            },
            "rules": rules,
            **more,
        }
    )


@dataclass
class Project:
    """The project, and hands to live through its days."""

    guard: Guard
    registry: ModelRegistry
    instance: dg.DagsterInstance
    folder: Path
    weather: dict[int, Weather] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    now: datetime = FIRST

    def __post_init__(self) -> None:
        self.rebuild()

    def rebuild(self, **more: Any) -> None:
        """Load the code location, as after a restart or a deployment."""
        self.defs = build_guard_definitions(
            guards=[self.guard, *more.pop("others", ())],
            definitions=self.own(),
            mlflow=MLflowResource(
                tracking_uri=more.pop("tracking_uri", self.registry.client.tracking_uri)
            ),
            profiles=ProfileStore(path=str(self.folder / "profiles")),
            clock=lambda: self.now,
            **more,
        )
        self.daemon = Daemon(self.defs, self.instance, log_level="CRITICAL")

    def own(self) -> dg.Definitions:
        """The user's own definitions."""

        @dg.asset(partitions_def=DAYS)
        def features(context: dg.AssetExecutionContext) -> Any:
            return features_of(context.partition_time_window.start, self._of(context))

        @dg.asset(partitions_def=DAYS, deps=[features])
        def predictions(context: dg.AssetExecutionContext) -> Any:
            champion = self.registry.champion()
            start = context.partition_time_window.start
            return predictions_of(start, champion or "1", self._of(context))

        return dg.Definitions(
            assets=[features, predictions],
            resources={"io_manager": self.memory},
            executor=dg.in_process_executor,
        )

    def _of(self, context: dg.AssetExecutionContext) -> Weather:
        number = (context.partition_time_window.start - FIRST).days + 1
        return self.weather.get(number, GOOD)

    def materialise(self, number: int, *assets: dg.AssetKey) -> dg.ExecuteInProcessResult:
        """Run the user's job for one day, as soon as the day is over."""
        self.now = max(self.now, day(number + 1))
        chosen = list(assets or (FEATURES, PREDICTIONS, *self.profiles()))
        return self.daemon.run(partition_key=partition(number), asset_selection=chosen)

    def profiles(self) -> list[dg.AssetKey]:
        """The guard's profile assets."""
        tables = {signal.table for _, signal in delta_rules(self.guard)}
        return [profile_key(self.guard, table) for table in sorted(tables)]

    def profile_file(self, table: str, number: int) -> Path:
        """The file that holds one profile."""
        folder = self.folder / "profiles" / self.guard.name / f"{table}_profile"
        return folder / f"p-{partition(number)}.jsonl"

    def tick(self) -> list[dg.ExecuteInProcessResult]:
        """Let both sensors tick once, the second after the runs of the first."""
        ran = []
        if self.profiles():
            ran = self.daemon.tick(DELTAS)
            if ran:
                ran += self.daemon.tick(DELTAS)
        return ran + self.daemon.tick(STOP_RULES)

    def live(self, *days: int, weather: Weather | None = None) -> None:
        """Live through days: the job, then the sensors."""
        for number in days:
            if weather:
                self.weather[number] = weather
            self.materialise(number)
            self.tick()

    def points(self, rule: str) -> list[Point]:
        """All evaluations of a rule, in the order in which they were written."""
        found = next(each for each in self.guard.rules if each.name == rule)
        stored = read_evaluations(self.instance, check_key(self.guard, found))
        return [each.point for each in stored]

    def verdicts(self, rule: str) -> dict[int, str]:
        """The verdict of a rule by day; of two the later counts."""
        return {(p.as_of - FIRST).days: p.verdict.value for p in self.points(rule)}

    def decisions(self) -> list[Decision]:
        """All decisions so far."""
        return list(read_decisions(self.instance, guard_key(self.guard)))

    def kinds(self) -> list[str]:
        """What was decided, in order; that an incident was closed is told apart."""
        kinds = [each.kind.value for each in self.decisions()]
        return [kind for kind in kinds if kind != "resolve"]

    def last(self, kind: str) -> Decision:
        """The last decision of a kind."""
        return [each for each in self.decisions() if each.kind.value == kind][-1]

    def ask_for_rollback(self, **config: str) -> dg.ExecuteInProcessResult:
        """What a person starts by hand."""
        asked = RollbackConfig(**{"reason": "it looks wrong", "actor": "person:ada", **config})
        return self.daemon.run(
            rollback_job_name(self.guard), run_config=rollback_config(self.guard, asked)
        )


def register(workshop: Workshop, model_folder: Mapping[str, Path], versions: int = 2) -> str:
    """A registered model whose versions really load and predict; returns its name."""
    name = f"demand {next(numbers)}"
    workshop.client.create_registered_model(name)
    for number in range(1, versions + 1):
        run = workshop.client.create_run(workshop.experiment).info
        workshop.client.log_artifacts(run.run_id, str(model_folder[str(number)]), "model")
        workshop.client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)
    return name


def save_models(folder: Path) -> dict[str, Path]:
    """The versions as MLflow saves them, made once and registered often."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    found = {}
    for version, slope in SLOPES.items():
        data = folder / f"slope_{version}"
        data.write_text(str(slope))
        found[version] = folder / f"v{version}"
        mlflow.pyfunc.save_model(
            str(found[version]),
            loader_module="tests.orchestration.linear_model",
            data_path=str(data),
            signature=ModelSignature(Schema([ColSpec("double", "load")])),
            pip_requirements=[],
        )
    return found


def record(project_guard: Guard, uri: str, *versions: str) -> None:
    """Record the baselines of versions."""
    for version in versions:
        record_baseline(project_guard, version=version, data=accepted(version), tracking_uri=uri)
