"""A client of one MLflow, and its refusals as our errors."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiguard_dagster.core.errors import ActionError

if TYPE_CHECKING:
    from mlflow import MlflowClient

PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
IN_A_TICK = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "8"}
"""A sensor has 60 seconds for all its guards, and another tick is near."""


def connect(tracking_uri: str, *, registry_uri: str | None = None) -> "MlflowClient":
    """A client of the MLflow at ``tracking_uri``; MLflow's global tracking URI stays as it is.

    Raises:
        ActionError: MLflow keeps no registry there.
    """
    from mlflow import MlflowClient

    with asking(f"MLflow at {tracking_uri}", hint="give http://… or sqlite:///…"):
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=registry_uri)


@contextmanager
def short_patience(patience: Mapping[str, str] = PATIENCE) -> Iterator[None]:
    """Give up on a server that is down within seconds, and leave the user's own calls alone.

    MLflow's own patience (7 retries of 120 s) keeps one call alive for minutes, longer than a
    sensor may run. There is no such setting on the client, so it is in the environment while our
    call lasts, and only where the user has set nothing.
    """
    ours = {name: value for name, value in patience.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def asking(
    what: str,
    *,
    hint: str = "see that MLflow runs and that this user may do it",
    missing: str = "",
) -> Iterator[None]:
    """Turn MLflow's refusals into an ActionError that says what was asked for.

    Args:
        what: Where and what, such as ``bike_demand: set alias champion to version 3``.
        hint: What to do about it.
        missing: What to do instead where MLflow says that there is no such thing.
    """
    from mlflow.exceptions import MlflowException

    try:
        with short_patience():
            yield
    except (MlflowException, OSError) as error:
        advice = missing if missing and is_missing(error) else hint
        msg = f"{what}: {first_line(error)}\n\nHint: {advice}."
        raise ActionError(msg) from error


def first_line(error: Exception) -> str:
    """The first line of an error's message; MLflow likes to append whole SQL statements."""
    return (str(error).strip() or repr(error)).splitlines()[0]


def is_missing(error: Exception) -> bool:
    """Whether MLflow says that the thing asked for does not exist."""
    return getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"
