"""A real MLflow server for the demo, on a free port of this machine."""

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

STARTS_WITHIN_S = 180
ENDS_WITHIN_S = 20


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Serve the MLflow of a folder over HTTP, and end the server afterwards.

    Raises:
        RuntimeError: The server did not start; its log stands in the folder.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
        *("--default-artifact-root", (folder / "artifacts").as_uri(), "--no-serve-artifacts"),
    ]
    # Jobs would start nine more processes, which nothing here uses.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603
            command,
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # The server starts a child of its own; both must end.
        )
    try:
        _wait_until_healthy(server, uri, folder / "mlflow.log")
        yield uri
    finally:
        _end(server)


def _wait_until_healthy(server: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2):  # noqa: S310 - http
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    message = f"MLflow did not start; its log: {log}"
    raise RuntimeError(message)


def _end(server: subprocess.Popen[bytes]) -> None:
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, sign)
            server.wait(timeout=ENDS_WITHIN_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    server.wait()
