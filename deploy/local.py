"""The production setup on one machine without containers: Postgres and MLflow from wheels.

For tests, demos and a first look. Everything lies in one folder and ends with the process that
started it.
"""

import os
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from deploy.postgres import DEPLOY, postgres
from deploy.tied import free_port, tied, wait_until


@contextmanager
def mlflow(folder: Path, database: sa.URL | None = None, *, proxied: bool = True) -> Iterator[str]:
    """Serve MLflow over HTTP from a folder.

    Args:
        folder: Where its files are.
        database: Its database; sqlite in the folder when left out.
        proxied: Whether artifacts go through the server; else its clients use the files themselves.

    Yields:
        Its URI.

    Raises:
        RuntimeError: It did not start; the end of its log is in the message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    uri, log = f"http://127.0.0.1:{port}", folder / "mlflow.log"
    where = sa.URL.create("sqlite", database=str(folder / "mlflow.db"))
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1"),
    ]
    if proxied:
        command += ["--artifacts-destination", str(folder / "artifacts")]
    else:
        command += ["--no-serve-artifacts"]
        command += ["--default-artifact-root", (folder / "artifacts").as_uri()]
    environment = {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": (database or where).render_as_string(hide_password=False),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Jobs would be nine more processes of 260 MB each, which nothing here uses.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with tied(command, log=log, folder=folder, environment=environment) as server:
        wait_until(lambda: _get(f"{uri}/health"), server=server, name="MLflow", log=log)
        yield uri


@contextmanager
def production(folder: Path, *, more: str = "") -> Iterator[Mapping[str, str]]:
    """Postgres, MLflow on it, and a ``DAGSTER_HOME`` with the deploy's own ``dagster.yaml``.

    Args:
        folder: Where all of it lies.
        more: Settings that are put below those of ``dagster.yaml``.

    Yields:
        The environment of processes that are to use them.
    """
    home = folder / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text() + more)
    with postgres(folder / "postgres") as server:
        if not server.has("dagster"):
            server.make_databases()
        with mlflow(folder, server.url("mlflow", user="mlflow")) as uri:
            yield {
                **server.environment(),
                "DAGSTER_HOME": str(home),
                "MLFLOW_TRACKING_URI": uri,
            }


def _get(url: str) -> None:
    with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - http
        pass
