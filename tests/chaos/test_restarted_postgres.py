"""Postgres restarts under Dagster in the middle of a tick, or of the run that a tick asked for."""

import os
import signal
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from aiguard_dagster.testing import Daemon
from deploy.postgres import postgres
from tests.instances import Databases
from tests.orchestration.project import DELTAS, ERROR_NOW, STOP_RULES, TURNED

RESTARTS, MOST_TICKS = 20, 8
BACK_WITHIN_S = 60

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.usefixtures("dagster_storage"),
    pytest.mark.parametrize("dagster_storage", ["postgres"], indirect=True),
    # Connections that the server has cut are found cut when they are thrown away.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Remembering(Daemon):
    """A daemon that asks the instance which runs there were, as the real one does."""

    def _is_new(self, sensor, run_key):
        keys = dg.RunsFilter(tags={"dagster/run_key": run_key})
        return not self.instance.get_runs(keys)

    def _run(self, request):
        tags = {**request.tags, "dagster/run_key": request.run_key}
        return self.run(
            request.job_name,
            partition_key=request.partition_key,
            run_config=request.run_config,
            tags=tags,
            asset_selection=request.asset_selection,
        )


@dataclass
class Restarter:
    """Kills the process of its own connection, upon which Postgres ends all and starts anew."""

    server: object
    restarts: int = 0

    def restart(self) -> None:
        engine = sa.create_engine(self.server.url(), poolclass=sa.NullPool)
        with engine.connect() as connection:
            os.kill(connection.scalar(sa.text("SELECT pg_backend_pid()")), signal.SIGKILL)
            connection.invalidate()
        self.restarts += 1

    def wait(self) -> None:
        """Until it answers again."""
        deadline = time.monotonic() + BACK_WITHIN_S
        while time.monotonic() < deadline:
            try:
                self.server.run("SELECT 1")
            except sa.exc.OperationalError:
                time.sleep(0.05)
            else:
                return
        pytest.fail("Postgres did not come back")


@pytest.fixture(scope="module")
def postgres_server():
    """A real Postgres that keeps what was committed, as those in production do."""
    with tempfile.TemporaryDirectory() as folder, postgres(Path(folder), durable=True) as server:
        yield server


@pytest.fixture(scope="module")
def dagster_databases(postgres_server):
    """Empty Dagster instances on it."""
    return Databases(postgres_server)


@pytest.fixture
def restarter(postgres_server):
    return Restarter(postgres_server)


def test_a_restart_in_a_tick_ends_as_one_rollback_or_is_asked(new_project, restarter, table, dice):
    whole = lived(new_project(rules=(ERROR_NOW,)), restarter, None)
    for _ in range(RESTARTS):
        with table.trying("Postgres restarted in a tick or its run"):
            project = new_project(rules=(ERROR_NOW,))
            lived(project, restarter, dice.uniform(0, whole))
            assert_done_once_or_asked(project)
    assert restarter.restarts == RESTARTS


def assert_done_once_or_asked(project):
    """A preflight that cannot read what it needs is unclear: nothing moves, the owner is asked."""
    reigns = [reign.version for reign in project.registry.reigns()]
    assert (project.kinds(), reigns, project.registry.champion()) in [
        (["request", "rollback"], ["1", "2", "1"], "1"),
        (["request", "propose"], ["1", "2"], "2"),
    ]


def lived(project, restarter, after):
    """Live through a breach and tick until nothing is asked for; returns the ticks' seconds."""
    project.weather[1] = TURNED
    project.materialise(1)
    project.daemon = Remembering(project.defs, project.instance, log_level="CRITICAL")
    timer = threading.Timer(after, restarter.restart) if after is not None else None
    begun = time.monotonic()
    if timer:
        timer.start()
    for _ in range(MOST_TICKS):
        ran = [ticked(project, sensor, restarter) for sensor in (DELTAS, STOP_RULES)]
        if ran == [[], []] and not (timer and timer.is_alive()):
            break
    seconds = time.monotonic() - begun
    if timer:
        timer.join()
    return seconds


def ticked(project, sensor, restarter):
    """The runs of a tick, or None where it failed; a run that the restart ended is seen to be."""
    try:
        ran = project.daemon.tick(sensor)
    except (sa.exc.DBAPIError, dg.DagsterError):
        ran = None
    try:
        report_dead_runs(project)
    except sa.exc.DBAPIError:  # Right now: it restarts once.
        restarter.wait()
        report_dead_runs(project)
    return ran


def report_dead_runs(project):
    """What Dagster's monitoring does: here all runs are over, also those that could not say so."""
    for run in project.instance.get_runs():
        if not run.is_finished:
            project.instance.report_run_failed(run)
