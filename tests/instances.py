"""Empty Dagster instances: in memory or on sqlite, and on a real Postgres where a test asks for it.

`pytest --postgres` puts all instances that are made here into Postgres, with the deploy's own
dagster.yaml. Tests marked `both_storages` run on sqlite and on Postgres without it.
"""

import itertools
import shutil
import tempfile
from contextlib import contextmanager
from threading import Timer

import dagster as dg
import pytest
import sqlalchemy as sa

from deploy.postgres import DEPLOY

RELEASED_AFTER_S = 20
QUIET = {
    "telemetry": {"enabled": False},
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    },
}


class Databases:
    """Makes databases on one Postgres; each is a copy of one that has Dagster's tables already."""

    def __init__(self, server):
        self.server = server
        self.numbers = itertools.count(1)
        server.make_databases()
        with self.instance("dagster"):
            pass

    @contextmanager
    def empty(self):
        """The name of a database for one test."""
        name = f"dagster_{next(self.numbers)}"
        self.server.run(f"CREATE DATABASE {name} OWNER dagster TEMPLATE dagster")
        try:
            yield name
        finally:
            self.server.run(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def instance(self, database):
        """An instance as the deploy's dagster.yaml makes it."""
        with (
            tempfile.TemporaryDirectory() as home,
            environment(self.server.environment(database)),
        ):
            shutil.copy(DEPLOY / "dagster.yaml", home)
            with dg.DagsterInstance.local_temp(home, overrides=QUIET) as made:
                yield made


current: Databases | None = None
"""Where instances are made now; None for sqlite."""


@contextmanager
def instances_on(databases):
    """Make instances there for as long as the block lasts."""
    global current  # noqa: PLW0603 - helpers that make instances are no fixtures
    current = databases
    try:
        yield
    finally:
        current = None


@contextmanager
def empty_instance(*, on_disk=False):
    """An empty instance: sqlite in memory, or on disk, which is three times slower; or Postgres."""
    if current is not None:
        with current.empty() as database, current.instance(database) as instance:
            yield instance
    elif on_disk:
        with dg.DagsterInstance.local_temp(overrides=QUIET) as instance:
            yield instance
    else:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance


@contextmanager
def another_connection(instance):
    """Somebody else's connection to the Postgres of an instance."""
    url = instance.event_log_storage.postgres_url
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as other:
        yield other


@contextmanager
def locked(other, table):
    """Keep others from a table, but not for ever."""
    other.execute(sa.text(f"LOCK TABLE {table}"))
    release = Timer(RELEASED_AFTER_S, other.invalidate)
    release.start()
    try:
        yield
    finally:
        release.cancel()
        release.join()
        other.rollback()


@contextmanager
def environment(variables):
    """Set environment variables for as long as the block lasts."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        yield
