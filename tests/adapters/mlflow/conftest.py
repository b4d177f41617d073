"""A real MLflow, on sqlite and over HTTP with either database, and models that cost nothing."""

import itertools
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest

from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.spec import Model
from tests.mlflow_server import mlflow_at, mlflow_server

Source = Literal["runs", "models", "nowhere"]
POINTERS = {"alias": {"alias": "champion"}, "stage": {"stage": "Production"}}
numbers = itertools.count(1)


def day(number: int) -> datetime:
    """Noon of one day in January."""
    return datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=number - 1)


class Workshop:
    """Makes registered models on one MLflow."""

    def __init__(self, uri: str, folder: Path):
        self.uri = uri
        self.client = connect(uri)
        where = None if uri.startswith("http") else folder.as_uri()
        self.experiment = self.client.create_experiment("training", artifact_location=where)
        self.file = folder / "MLmodel"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text("{}")

    def model(self, *, versions=3, source: Source = "runs", name=None) -> str:
        """A new registered model with so many versions, all from one run."""
        name = f"{name or 'bike_demand'} {next(numbers)}"
        self.client.create_registered_model(name)
        run = self.client.create_run(self.experiment).info.run_id
        for _ in range(versions):
            self.add_version(name, source=source, run=run)
        return name

    def add_version(self, name: str, *, source: Source = "runs", run: str | None = None) -> str:
        if source == "nowhere":
            version = self.client.create_model_version(name, "s3://nowhere/model")
            return str(version.version)
        run = run or self.client.create_run(self.experiment).info.run_id
        if source == "runs":
            version = self.client.create_model_version(name, f"runs:/{run}/model", run)
            return str(version.version)
        logged = self.client.create_logged_model(self.experiment, name="m", source_run_id=run)
        self.client.log_model_artifact(logged.model_id, str(self.file))
        self.client.finalize_logged_model(logged.model_id, "READY")
        with mlflow_at(self.uri):
            version = self.client.create_model_version(
                name, f"models:/{logged.model_id}", run, model_id=logged.model_id
            )
        return str(version.version)

    def registry(self, name: str, **pointer: str) -> ModelRegistry:
        return ModelRegistry(self.client, Model(name=name, **(pointer or {"alias": "champion"})))


@pytest.fixture(scope="session")
def sqlite_uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture(scope="session")
def http_uri(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as uri:
        yield uri


@pytest.fixture(scope="session")
def http_postgres_uri(tmp_path_factory, postgres_server):
    postgres_server.run("CREATE DATABASE registry")
    with mlflow_server(tmp_path_factory.mktemp("server"), postgres_server.url("registry")) as uri:
        yield uri


def open_workshop(uri: str, folder: Path) -> Workshop:
    before = Path.cwd()
    os.chdir(folder)  # MLflow puts ./mlruns where it is first used
    try:
        return Workshop(uri, folder)
    finally:
        os.chdir(before)


@pytest.fixture(scope="session")
def sqlite_workshop(sqlite_uri, tmp_path_factory):
    return open_workshop(sqlite_uri, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
def http_workshop(http_uri, tmp_path_factory):
    return open_workshop(http_uri, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
def http_postgres_workshop(http_postgres_uri, tmp_path_factory):
    return open_workshop(http_postgres_uri, tmp_path_factory.mktemp("files"))


@pytest.fixture(params=["sqlite", "http", "http-postgres"])
def workshop(request) -> Workshop:
    return request.getfixturevalue(f"{request.param.replace('-', '_')}_workshop")


@pytest.fixture(params=["alias", "stage"])
def pointer(request) -> dict[str, str]:
    return POINTERS[request.param]


@pytest.fixture
def registry(workshop, pointer) -> ModelRegistry:
    """A fresh model of three versions, none of them champion."""
    return workshop.registry(workshop.model(), **pointer)
