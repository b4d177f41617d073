import os
import time

import pytest

from aiguard_dagster.adapters.mlflow.client import PATIENCE, connect, short_patience
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.spec import Model
from tests.mlflow_server import free_port


def test_patience_is_short_for_our_calls_only_and_unless_the_user_wants_more(monkeypatch):
    for name in PATIENCE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "99")
    with short_patience():
        assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"


def test_connecting_leaves_the_global_tracking_uri_alone():
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    connect("http://127.0.0.1:1")
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == before


@pytest.mark.slow
def test_a_server_that_is_down_is_given_up_within_seconds():
    registry = ModelRegistry(connect(f"http://127.0.0.1:{free_port()}"), Model(name="bike_demand"))
    began = time.monotonic()
    with pytest.raises(ActionError, match=r"(?s)^bike_demand: read alias:champion: .*Hint"):
        registry.champion()
    assert time.monotonic() - began < 30
