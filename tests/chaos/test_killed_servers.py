"""kill -9 of MLflow's server in the middle of a rollback, and of everything that is Dagster."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from aiguard_dagster.adapters.dagster.history import read_decisions
from aiguard_dagster.adapters.mlflow.rollback import pending_intents
from tests.adapters.mlflow.conftest import open_workshop
from tests.chaos.killer import Killer, assert_rolled_back, until_ended
from tests.chaos.place import Shelf, kinds_of
from tests.chaos.servers import end, serve
from tests.mlflow_server import free_port, mlflow_at
from tests.test_daemon import (
    SENSORS,
    Dagster,
    dagster_yaml,
    register_versions,
    state,
    wait_until,
    with_group_gone,
)

__all__ = ["dagster_yaml", "state"]

SERVER_KILLS, DAEMON_KILLS = 10, 3
GUARD = dg.AssetKey(["demand", "guard"])

pytestmark = [pytest.mark.chaos, pytest.mark.filterwarnings("ignore::UserWarning")]


class Server:
    """An MLflow server that can be killed and started again where it was."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.process = serve(folder, self.port)

    @property
    def uri(self):
        return f"http://127.0.0.1:{self.port}"

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def start(self):
        self.process = serve(self.folder, self.port)


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path / "server")
    yield server
    end(server.process)


def test_a_server_killed_in_the_middle_of_a_rollback_loses_nothing(
    server, tmp_path, saved_models, children, folder, table, dice
):
    shelf = Shelf(open_workshop(server.uri, tmp_path), saved_models)

    def live(meanwhile):
        place = shelf.new(folder)
        with place.instance() as instance:
            killer = Killer(
                place.definitions(), instance, place=place, children=children, meanwhile=meanwhile
            )
            until_ended(killer)
            assert_done_once_or_asked(instance, place)
        return killer

    whole = live(lambda: None).seconds[0]
    for _ in range(SERVER_KILLS):
        left = [dice.uniform(0, whole)]

        def meanwhile(left=left):
            if left:
                time.sleep(left.pop())
                server.kill()
                time.sleep(1)
                server.start()

        with table.trying("MLflow's server killed during a rollback run"):
            live(meanwhile)


def assert_done_once_or_asked(instance, place):
    """A preflight that MLflow does not answer is unclear: nothing moves, and the owner is asked."""
    kinds = kinds_of(instance, place)
    if kinds != ["request", "propose"]:
        assert kinds == ["request", "rollback"], kinds
        assert_rolled_back(place)
        return
    assert place.registry.champion() == "2"
    assert not place.registry.is_quarantined("2")
    assert pending_intents(place.registry) == ()


@contextmanager
def dagster_dev(folder):
    """Webserver, daemon, code server and runs, all in one group of processes."""
    port = free_port()
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(folder / "workspace.yaml")]
    with (folder / "dagster.log").open("a") as log:
        process = subprocess.Popen(
            [*command, "-p", str(port)],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            dagster = Dagster(port)
            wait_until(lambda: dagster.ask("{version}"), "dagster dev is up")
            yield dagster
        finally:
            with_group_gone(process.pid)
            process.wait()


def made():
    with dg.DagsterInstance.get() as instance:
        return len(instance.get_materialized_partitions(dg.AssetKey("predictions")))


def decided():
    with dg.DagsterInstance.get() as instance:
        return [each.kind.value for each in read_decisions(instance, GUARD)]


def test_everything_of_dagsters_killed_at_once_ends_as_one_rollback(state, table, dice):
    uri = f"sqlite:///{state / 'mlflow.db'}"
    with mlflow_at(uri):
        registry = register_versions(uri, state)
    with dagster_dev(state) as dagster:
        for day in range(1, 9):
            dagster.materialise("predictions", f"2026-01-{day:02}")
        wait_until(lambda: made() == 8, "the user's own runs have ended")  # Nobody repeats those.
        for sensor in SENSORS:
            dagster.start_sensor(sensor)
        time.sleep(dice.uniform(5, 30))
    with table.trying("daemon, code server and runs killed at once", times=DAEMON_KILLS):
        for _ in range(DAEMON_KILLS - 1):
            with dagster_dev(state):
                time.sleep(dice.uniform(2, 30))
        later = datetime.now(UTC) + timedelta(hours=2)
        (state / "clock").write_text(later.isoformat())  # a lost run is given up
        with dagster_dev(state):
            wait_until(
                lambda: "rollback" in decided(), f"the rollback is on record after {decided()}"
            )
        kinds = decided()
        assert (kinds.count("request"), kinds.count("rollback")) == (1, 1)
        assert registry.champion() == "1"
        assert registry.is_quarantined("2")
        assert [reign.version for reign in registry.reigns()] == ["1", "2", "1"]
