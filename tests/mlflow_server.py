"""A real MLflow server for tests: `with mlflow_server(folder) as uri`."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN_S = 120
ENDS_WITHIN_S = 20
LIGHT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Else nine more processes of 260 MB each, for jobs that no test uses.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Serve MLflow from a folder on a free port of this machine, and end it afterwards."""
    port = free_port()
    server = serve(folder, port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        end(server)


def serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a server on what an earlier one has left there; it answers when this returns."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--artifacts-destination", str(folder / "artifacts")),
    ]
    with log.open("ab") as out:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **LIGHT},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # mlflow starts uvicorn as a child; both must end
        )
    try:
        wait_until_healthy(server, f"http://127.0.0.1:{port}", log)
    except BaseException:
        end(server)
        raise
    return server


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


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_healthy(server: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    """Return once the server answers, or fail with its log."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2) as answer:  # noqa: S310 - http
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    message = f"MLflow at {uri} did not start:\n{log.read_text(errors='replace')[-4_000:]}"
    raise RuntimeError(message)


def end(server: subprocess.Popen[bytes]) -> None:
    """End the server and the processes that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, sign)
            server.wait(timeout=ENDS_WITHIN_S)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
    server.wait()
