"""Servers from wheels end with whoever started them, however that one ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest
import sqlalchemy as sa

from deploy.postgres import Postgres, postgres
from deploy.tied import tied
from tests.instances import environment

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 60
STARTER = """
import json, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_DFL)  # Whoever runs these tests may ignore them.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from urllib.parse import urlsplit
from deploy import local
with getattr(local, sys.argv[1])(Path(sys.argv[2])) as found:
    print(json.dumps(found, default=repr), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder():
    """One that stays open to other users, as those of pytest do not."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@contextmanager
def started(what, folder):
    """A process that has started servers, and what it said of them."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, what, folder],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as starter:
        try:
            yield starter, json.loads(starter.stdout.readline())
        finally:
            starter.kill()


def silent(host, port):
    """Whether nothing listens there, or soon does not."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))):
                return True
        time.sleep(0.05)
    return False


def gone(pid):
    """Whether a process has ended, or ends soon."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def postmaster(folder):
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_postgres_ends_with_a_starter_that_is_killed(folder, sign):
    with started("postgres", folder) as (starter, _):
        pid = postmaster(folder)
        os.kill(pid, 0)  # It is there.
        starter.send_signal(sign)
        assert gone(pid)
    assert "database system is shut down" in (folder / "postgres.log").read_text()


def test_production_is_dagster_and_mlflow_on_postgres_and_leaves_nothing_running(folder):
    with started("production", folder) as (starter, told):
        from aiguard_dagster.adapters.mlflow.client import connect

        with environment(told), dg.DagsterInstance.get() as instance:
            instance.report_runless_asset_event(dg.AssetMaterialization("rentals"))
        client = connect(told["MLFLOW_TRACKING_URI"])
        client.create_registered_model("bike_demand")
        server = Postgres(
            port=told["DAGSTER_PG_PORT"], password=told["DAGSTER_PG_PASSWORD"], binaries=folder
        )
        for database, query in (
            ("dagster", "SELECT asset_key FROM event_logs"),
            ("mlflow", "SELECT name FROM registered_models"),
        ):
            engine = sa.create_engine(server.url(database), poolclass=sa.NullPool)
            with engine.connect() as connection:
                assert connection.scalar(sa.text(query)) in {'["rentals"]', "bike_demand"}
        starter.kill()
        assert silent("127.0.0.1", server.port)
        assert silent("127.0.0.1", urlsplit(told["MLFLOW_TRACKING_URI"]).port)


def test_what_was_written_is_there_when_postgres_comes_back(folder):
    with postgres(folder) as server:
        server.make_databases()
    with postgres(folder) as server:
        assert server.has("dagster")
        assert server.has("mlflow")
        assert not server.has("tables")


def test_each_role_owns_its_database_and_sees_no_other(postgres_server, dagster_databases):
    def connect(user, database):
        sa.create_engine(postgres_server.url(database, user=user)).connect().close()

    connect("dagster", "dagster")
    connect("mlflow", "mlflow")
    with pytest.raises(sa.exc.OperationalError, match="permission denied"):
        connect("mlflow", "dagster")


def test_nobody_comes_in_without_the_password(postgres_server):
    with pytest.raises(sa.exc.OperationalError, match="password authentication failed"):
        sa.create_engine(postgres_server.url().set(password="guess")).connect()  # noqa: S106


def test_a_server_that_does_not_start_is_told_with_its_log(folder):
    (folder / "data").mkdir()
    (folder / "data" / "PG_VERSION").write_text("9")
    (folder / "password").write_text("")
    with (
        pytest.raises(RuntimeError, match=r"(?s)^Postgres did not start:\n.*postgres"),
        postgres(folder),
    ):
        pass


def test_a_server_that_will_not_stop_is_killed_with_its_children(tmp_path):
    stubborn = (
        "trap '' TERM; sleep 600 & echo $! > child; echo $$ > self; while :; do sleep 1; done"
    )
    command = ["sh", "-c", stubborn]
    with tied(command, log=tmp_path / "log", folder=tmp_path, ends_within_s=0.5) as between:
        deadline = time.monotonic() + WITHIN_S
        while not (tmp_path / "self").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        pids = [int((tmp_path / name).read_text()) for name in ("self", "child")]
    assert between.poll() is not None
    assert all(gone(pid) for pid in pids)


def test_the_exit_of_a_server_is_known(tmp_path):
    with tied(["sh", "-c", "echo no; exit 3"], log=tmp_path / "log", folder=tmp_path) as between:
        assert between.wait(timeout=WITHIN_S) == 3
    assert (tmp_path / "log").read_text() == "no\n"
