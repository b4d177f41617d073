"""Faults are counted over all tests and shown at the end."""

import random

import pytest

from tests.chaos.nursery import Children
from tests.chaos.place import Shelf, furnish
from tests.chaos.table import Table
from tests.orchestration.conftest import (
    http,
    new_instance,
    new_project,
    saved_models,
    sqlite,
    warm_models,
)

__all__ = ["http", "new_instance", "new_project", "saved_models", "sqlite", "warm_models"]

TABLE = pytest.StashKey[Table]()


@pytest.fixture
def table(pytestconfig):
    """What was tried in this session."""
    return pytestconfig.stash.setdefault(TABLE, Table())


@pytest.fixture
def dice(request):
    """Random numbers, the same for the same test."""
    return random.Random(request.node.name)  # noqa: S311 - no secret


@pytest.fixture(scope="session")
def children(warm_models):
    found = Children(warm_models.path)
    yield found
    found.end()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    furnish(folder)
    return folder


@pytest.fixture(scope="session")
def shelves(request, saved_models):
    made = {}

    def shelf(mlflow):
        if mlflow not in made:
            made[mlflow] = Shelf(request.getfixturevalue(mlflow), saved_models)
        return made[mlflow]

    return shelf


def pytest_terminal_summary(terminalreporter, config):
    table = config.stash.get(TABLE, None)
    if table is not None:
        terminalreporter.section("faults")
        for line in table.lines():
            terminalreporter.write_line(line)
