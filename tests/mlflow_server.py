"""MLflow for tests: a real server, and MLflow's globals pointed at one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local import mlflow as mlflow_server
from deploy.tied import free_port

__all__ = ["free_port", "mlflow_at", "mlflow_server"]


@contextmanager
def mlflow_at(uri: str) -> Iterator[None]:
    """Point MLflow's globals at a server for as long as the block runs.

    Our own code never needs this; MLflow's fluent functions do, and its registry on sqlite does
    for `models:/` sources, whatever the client was told.
    """
    import mlflow

    environment = os.environ.get("MLFLOW_TRACKING_URI")
    before = mlflow.get_tracking_uri() if environment is not None else None
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
        if environment is not None:
            os.environ["MLFLOW_TRACKING_URI"] = environment
