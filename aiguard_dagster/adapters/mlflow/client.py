"""A client of one MLflow, and its refusals as our errors."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from math import ceil
from threading import Lock
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
TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
TICK_S = 12.0
NO_TIME_LEFT = (
    "MLflow is so slow that the tick has no time left for it"
    "\n\nHint: see what keeps MLflow busy; the next tick tries again."
)
_lock = Lock()
_held: list[Mapping[str, str]] = []
_ours: set[str] = set()
_end: ContextVar[float | None] = ContextVar("end of the tick", default=None)


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
    call lasts, and only where the user has set nothing. Of several at once, in threads of one
    process or one inside another, the shortest counts.

    Raises:
        ActionError: The time of the tick is over.
    """
    end = _end.get()
    if end is not None:
        left = end - time.monotonic()
        if left <= 0:
            raise ActionError(NO_TIME_LEFT)
        patience = {**patience, TIMEOUT: str(min(int(patience[TIMEOUT]), ceil(left)))}
    with _lock:
        _held.append(patience)
        _apply()
    try:
        yield
    finally:
        with _lock:
            _held.remove(patience)
            _apply()


def _apply() -> None:
    """Set what is held in the environment, and take away what no longer is."""
    wanted: dict[str, str] = {}
    for patience in _held:
        for name, value in patience.items():
            known = wanted.get(name, value)
            wanted[name] = min(known, value, key=lambda text: (len(text), text))  # as numbers
    for name in _ours - wanted.keys():
        os.environ.pop(name, None)
    _ours.intersection_update(wanted)
    for name, value in wanted.items():
        if name in _ours or name not in os.environ:
            _ours.add(name)
            os.environ[name] = value


@contextmanager
def in_a_tick(seconds: float = TICK_S) -> Iterator[None]:
    """All calls of a sensor's tick together may take so long; those after that are refused."""
    with short_patience(IN_A_TICK):
        token = _end.set(time.monotonic() + seconds)
        try:
            yield
        finally:
            _end.reset(token)


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
    except (MlflowException, OSError, ValueError) as error:  # no JSON is a ValueError
        advice = missing if missing and is_missing(error) else hint
        msg = f"{what}: {first_line(error)}\n\nHint: {advice}."
        raise ActionError(msg) from error


def first_line(error: Exception) -> str:
    """The first line of an error's message; MLflow likes to append whole SQL statements."""
    return (str(error).strip() or repr(error)).splitlines()[0]


def is_missing(error: Exception) -> bool:
    """Whether MLflow says that the thing asked for does not exist."""
    return getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"
