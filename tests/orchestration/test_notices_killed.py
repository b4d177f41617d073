"""kill -9 of the run that sends, in its own process, at any moment."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from aiguard_dagster.core.outbox import GAPS, MOST_AT_ONCE, STALE, State
from tests.instances import QUIET
from tests.orchestration.telling import Telling, decision
from tests.webhook_server import service

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow]


@pytest.fixture
def folder(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=QUIET):
        yield tmp_path


def start(folder, seconds=0.0):
    command = [sys.executable, "-m", "tests.orchestration.telling_process", str(folder)]
    return subprocess.Popen(
        [*command, str(seconds)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def wait_until(true, within_s=60):
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_message_that_was_on_its_way_when_the_run_was_killed_is_sent_again(folder, monkeypatch):
    with service().up() as server:
        monkeypatch.setenv("DEMAND_ALERTS", server.url("?rto=50"))
        with dg.DagsterInstance.local_temp(str(folder), overrides=QUIET) as instance:
            telling = Telling(instance)
            telling.decide(decision(1))
            server.status = 0
            process = start(folder)
            wait_until(lambda: server.said)
            kill(process)
            assert telling.states() == [State.SENDING]
            server.status = 200
            assert telling.tick() == []
            telling.tick(after=2 * STALE)
            assert telling.tick(after=timedelta(hours=3)) == []
            assert [a.state for a in telling.attempts()][1:] == [State.SENDING, State.SENT]
    assert len(server.said) == 2


def test_at_whatever_moment_runs_are_killed_every_event_is_told_at_least_once(folder, monkeypatch):
    chance, kills = random.Random(7), 4  # noqa: S311 - no secret
    with service().up() as server:
        monkeypatch.setenv("DEMAND_ALERTS", server.url())
        with dg.DagsterInstance.local_temp(str(folder), overrides=QUIET) as instance:
            telling = Telling(instance)
            events = MOST_AT_ONCE - 6
            telling.decide(*(decision(number) for number in range(events)))
            begun = time.monotonic()
            start(folder).wait(timeout=120)
            whole = time.monotonic() - begun
            told_at_first = len(server.said)
            telling.decide(*(decision(number) for number in range(10, 10 + events)))
            passed = 0.0
            for _ in range(kills):
                passed += 2 * STALE.total_seconds()
                process = start(folder, passed)
                time.sleep(chance.uniform(whole * 0.3, whole))
                kill(process)
            telling.now += timedelta(seconds=passed)
            for _ in range(3):
                telling.tick(after=2 * STALE)
            telling.tick(after=GAPS[-1])
            assert telling.tick(after=GAPS[-1]) == []
    assert told_at_first == events
    heard = [document["message"].partition(".")[0] for _, document in server.said]
    for number in (*range(events), *range(10, 10 + events)):
        assert f"fresh: event {number}" in heard
    assert len(heard) <= 2 * events + kills
