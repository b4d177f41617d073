"""An MLflow server to kill: it is started again on what it has left."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

STARTS_WITHIN_S = 120
ENDS_WITHIN_S = 20
LIGHT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Else nine more processes of 260 MB each, for jobs that no test uses.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


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
