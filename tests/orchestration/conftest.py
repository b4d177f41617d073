"""Projects under guard, on a real Dagster and a real MLflow."""

import contextlib
import tempfile
import warnings
from pathlib import Path

import pytest

from aiguard_dagster.adapters.mlflow import models
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.orchestration.keys import delta_rules
from tests.adapters.mlflow.conftest import open_workshop
from tests.instances import empty_instance
from tests.mlflow_server import mlflow_server
from tests.orchestration.project import Project, day, guard, record, register, save_models
from tests.warm_models import Trial, WarmModels


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mlflow.pyfunc warns of its own type hints when imported
        return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    return open_workshop(f"sqlite:///{folder / 'mlflow.db'}", folder)


@pytest.fixture(scope="session")
def http(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as uri:
        yield open_workshop(uri, tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="session")
def warm_models():
    with tempfile.TemporaryDirectory() as folder:
        server = WarmModels(Path(folder))
        yield server
        server.end()


@pytest.fixture
def cold_models():
    """Candidates are tried in a fresh Python, as users have it."""


@pytest.fixture(autouse=True)
def _models_are_warm(request, monkeypatch):
    """Candidates are tried in processes that need not import MLflow first, unless asked for."""
    if "cold_models" in request.fixturenames:
        return

    def start(asked, files):
        return Trial(request.getfixturevalue("warm_models").path, asked, files)

    monkeypatch.setattr(models, "_start", start)


@pytest.fixture(autouse=True)
def _stored(dagster_storage):
    """Every test has a place for its instances."""


@pytest.fixture
def new_instance():
    """Makes empty Dagster instances."""
    with contextlib.ExitStack() as stack:
        yield lambda *, on_disk=False: stack.enter_context(empty_instance(on_disk=on_disk))


@pytest.fixture
def new_project(request, saved_models, tmp_path, new_instance):
    """Makes projects whose champion is version 2, and whose last known good is version 1."""

    def make(
        *,
        mlflow="sqlite",
        on_disk=False,
        versions=2,
        promoted=("1", "2"),
        baselines=None,
        pointer=None,
        **options,
    ):
        workshop = request.getfixturevalue(mlflow)
        name = register(workshop, saved_models, versions)
        mine = guard(model={"name": name, **(pointer or {"alias": "champion"})}, **options)
        registry = ModelRegistry(workshop.client, mine.model)
        if baselines is None:  # a guard on the data alone needs none
            baselines = ("1", "2") if delta_rules(mine) else ()
        record(mine, workshop.uri, *baselines)
        for number, version in enumerate(promoted):
            at = day(1 - 10 * (len(promoted) - number))
            registry.promote(version, at=at, by="team:demand", why=f"release {version}")
        return Project(
            guard=mine,
            registry=registry,
            instance=new_instance(on_disk=on_disk),
            folder=tmp_path / name,
        )

    return make


@pytest.fixture
def project(new_project):
    return new_project()
