"""What holds for all tests: no property fails on a slow machine, none leaves MLflow pointed."""

import os
import sys

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


@pytest.fixture(autouse=True, scope="module")
def _mlflow_is_left_as_found():
    """MLflow's globals outlive a file, and another file would then use its server."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    assert os.environ.get("MLFLOW_TRACKING_URI") == before, "use mlflow_at() to point MLflow"
