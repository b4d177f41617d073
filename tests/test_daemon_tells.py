"""The real daemon, from a decision in the event log to a message, in a run of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from aiguard_dagster.adapters.dagster.history import decision_event
from aiguard_dagster.adapters.dagster.notices import read_attempts
from aiguard_dagster.orchestration.keys import guard_key, notices_key
from tests.mlflow_server import free_port
from tests.orchestration.telling import decision, guard
from tests.test_daemon import ROOT, Dagster, wait_until, with_group_gone
from tests.webhook_server import service

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    module = {
        "module_name": "tests.telling_location",
        "working_directory": str(ROOT),
        "location_name": "test",
    }
    workspace = tmp_path / "workspace.yaml"
    workspace.write_text(json.dumps({"load_from": [{"python_module": module}]}))
    return tmp_path


def test_the_daemon_has_each_decision_told_once(home: Path, monkeypatch):
    with service().up() as server:
        monkeypatch.setenv("DEMAND_ALERTS", server.url())
        port = free_port()
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(home / "workspace.yaml")]
        with dg.DagsterInstance.get() as instance, (home / "dagster.log").open("w") as log:
            process = subprocess.Popen(
                [*command, "-p", str(port)],
                env={**os.environ},
                cwd=home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                dagster = Dagster(port)
                wait_until(lambda: dagster.ask("{version}"), "dagster dev is up")
                dagster.start_sensor("aiguard_notices")
                for number in (1, 2):
                    event = decision_event(guard_key(guard()), decision(number))
                    instance.report_runless_asset_event(event)
                    wait_until(lambda n=number: len(server.said) == n, "the owner is told")
                time.sleep(10)  # Ticks enough to tell it again, if it were not one an event.
                attempts = read_attempts(instance, notices_key(guard()), after=0)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=60)
                except subprocess.TimeoutExpired:
                    pass
                finally:
                    with_group_gone(process.pid)
                    process.wait(timeout=60)
    assert [a.state.value for a in attempts] == ["sending", "sent"] * 2
    told = [document["message"].partition(".")[0] for _, document in server.said]
    assert told == ["fresh: event 1", "fresh: event 2"]
