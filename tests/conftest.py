"""What holds for all tests: no property fails on a slow machine, none leaves MLflow pointed."""

import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ours", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ours")

# Where pyspark is installed, importing it in a main module without a file, as test workers have,
# ends the process: it takes that for its own doctests.
if not hasattr(sys.modules["__main__"], "__file__"):
    sys.modules["__main__"].__file__ = __file__

LONGEST = ("test_demo.py", "test_assistant_demo.py", "test_daemon.py")
"""Files of minutes, which begin first, so that no worker is left alone with one at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_addoption(parser):
    parser.addoption(
        "--postgres", action="store_true", help="keep Dagster's instances of tests in a Postgres"
    )


def pytest_generate_tests(metafunc):
    everything_on_postgres = metafunc.config.getoption("--postgres")
    if metafunc.definition.get_closest_marker("both_storages") and not everything_on_postgres:
        metafunc.parametrize("dagster_storage", ["sqlite", "postgres"], indirect=True)


@pytest.fixture(scope="session")
def postgres_server():
    """A real Postgres."""
    from deploy.postgres import postgres

    # Root runs it as another user, to whom every start of a pytest closes its own folders.
    with tempfile.TemporaryDirectory() as folder, postgres(Path(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def dagster_databases(postgres_server):
    """Where empty Dagster instances on that Postgres come from."""
    from tests.instances import Databases

    return Databases(postgres_server)


@pytest.fixture
def dagster_storage(request):
    """Where instances are made: `sqlite` or `postgres`."""
    told = "postgres" if request.config.getoption("--postgres") else "sqlite"
    chosen = getattr(request, "param", told)
    if chosen == "sqlite":
        yield chosen
        return
    from tests.instances import instances_on

    with instances_on(request.getfixturevalue("dagster_databases")):
        yield chosen


@pytest.fixture(autouse=True, scope="module")
def _mlflow_is_left_as_found():
    """MLflow's globals outlive a file, and another file would then use its server."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    assert os.environ.get("MLFLOW_TRACKING_URI") == before, "use mlflow_at() to point MLflow"
