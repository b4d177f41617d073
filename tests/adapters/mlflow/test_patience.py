"""How long MLflow is waited for: by a call, by a tick, and by two of them at once."""

import os
import threading

import pytest

from aiguard_dagster.adapters.mlflow.client import (
    IN_A_TICK,
    PATIENCE,
    TIMEOUT,
    asking,
    in_a_tick,
    short_patience,
)
from aiguard_dagster.core.errors import ActionError


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch):
    for name in PATIENCE:
        monkeypatch.delenv(name, raising=False)


def test_a_call_in_a_tick_has_the_patience_of_the_tick():
    with in_a_tick(), short_patience():
        assert {name: os.environ[name] for name in IN_A_TICK} == IN_A_TICK
    assert TIMEOUT not in os.environ


def test_a_call_waits_no_longer_than_its_tick_has_left():
    with in_a_tick(3), short_patience():
        assert os.environ[TIMEOUT] == "3"


def test_a_tick_without_time_left_asks_no_more():
    with (
        in_a_tick(0),
        pytest.raises(ActionError, match="no time left"),
        asking("read the champion"),
    ):
        pass


def test_a_call_keeps_its_patience_when_another_thread_has_done():
    inside, leave = threading.Event(), threading.Event()

    def other():
        with short_patience():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(10)
    with short_patience():
        leave.set()
        thread.join()
        assert os.environ[TIMEOUT] == PATIENCE[TIMEOUT]
    assert TIMEOUT not in os.environ


def test_what_is_no_json_is_a_refusal_with_a_hint():
    def ask():
        with asking("read it"):
            message = "Expecting value: line 1 column 1"
            raise ValueError(message)

    with pytest.raises(ActionError, match=r"read it: Expecting value.*\n\nHint"):
        ask()
