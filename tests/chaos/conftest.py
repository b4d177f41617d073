"""Faults are counted over all tests and shown at the end."""

import random

import pytest

from tests.chaos.table import Table
from tests.orchestration.conftest import http, new_instance, new_project, saved_models, sqlite

__all__ = ["http", "new_instance", "new_project", "saved_models", "sqlite"]

TABLE = pytest.StashKey[Table]()


@pytest.fixture
def table(pytestconfig):
    """What was tried in this session."""
    return pytestconfig.stash.setdefault(TABLE, Table())


@pytest.fixture
def dice(request):
    """Random numbers, the same for the same test."""
    return random.Random(request.node.name)  # noqa: S311 - no secret


def pytest_terminal_summary(terminalreporter, config):
    table = config.stash.get(TABLE, None)
    if table is not None:
        terminalreporter.section("faults")
        for line in table.lines():
            terminalreporter.write_line(line)
