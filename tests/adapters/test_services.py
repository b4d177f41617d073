"""Services that are told of a rollback, over real HTTP and by functions in their own process."""

import os
import time
from datetime import timedelta

import pytest

from aiguard_dagster.adapters.services import PAUSES_S, tell_service
from aiguard_dagster.core.spec import Tell
from tests.webhook_server import service

SECRET = "hunter2secret"  # noqa: S105 - what must never be told
DOCUMENT = {"model": "demand", "from": "2", "to": "1"}


@pytest.fixture
def server(monkeypatch):
    with service().up() as up:
        monkeypatch.setenv("RELOAD", f"http://127.0.0.1:{up.port}/reload?token={SECRET}")
        yield up


class Pauses(list):
    """Waits for nothing, and remembers for how long."""

    def __call__(self, seconds):
        self.append(seconds)


def told(*, pauses=None, within="5s", **how):
    tell = Tell.model_validate({"within": within, **(how or {"webhook": "RELOAD"})})
    return tell_service(
        tell, DOCUMENT, key="demand@1", sleep=pauses if pauses is not None else Pauses()
    )


def test_a_webhook_is_posted_the_document_once_with_a_key_to_know_it_again(server):
    found = told()
    assert (found.why, found.attempts) == ("", 1)
    assert server.said == [(f"/reload?token={SECRET}", DOCUMENT)]
    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "demand@1"


def test_a_webhook_that_breaks_is_told_three_times_with_growing_pauses(server):
    server.status = 500
    pauses = Pauses()
    found = told(pauses=pauses)
    assert (found.why, found.attempts) == ("HTTP 500", 3)
    assert pauses == [0.0, *PAUSES_S]
    assert len(server.said) == 3


def test_a_webhook_that_comes_back_has_been_told(server):
    server.status = 503

    def mend(_seconds):
        server.status = 503 if not server.said else 200

    found = told(pauses=mend)
    assert (found.why, found.attempts) == ("", 2)


@pytest.mark.parametrize("status", [400, 401, 404, 302])
def test_a_refusal_that_would_not_change_is_not_tried_again(server, status):
    server.status = status
    found = told()
    assert (found.why, found.attempts) == (f"HTTP {status}", 1)
    assert len(server.said) == 1  # and a redirect is not followed


def test_a_webhook_that_hangs_is_left_when_its_time_is_over(server):
    server.status = 0
    begun = time.monotonic()
    found = told(within="1s")
    assert (found.why, found.attempts) == ("not reached (TimeoutError)", 3)
    assert time.monotonic() - begun < 60


def test_a_webhook_that_is_gone_or_no_address_is_told_without_the_address(monkeypatch):
    monkeypatch.setenv("RELOAD", f"http://127.0.0.1:{service().port}/{SECRET}")
    assert told().why == "not reached (ConnectionRefusedError)"
    for text in (f"file:///{SECRET}", SECRET, f"http://[{SECRET}/", f"http://h:{SECRET}/"):
        monkeypatch.setenv("RELOAD", text)
        assert told().why
        assert SECRET not in told().why
    monkeypatch.delenv("RELOAD")
    assert told().why == "the environment variable RELOAD is not set"


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's, beside the code location."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(text):
        (tmp_path / "their_service.py").write_text(text)
        return tmp_path

    return write


def test_a_function_is_called_with_the_document_in_a_process_of_its_own(module):
    folder = module(
        "import json, os, pathlib\n"
        "def reload(what):\n"
        "    print('chatty')\n"
        "    here = pathlib.Path(__file__).parent / 'out.json'\n"
        "    here.write_text(json.dumps([what, os.getpid()]))\n"
    )
    found = told(call="their_service:reload")
    assert (found.why, found.attempts) == ("", 1)
    import json

    document, process = json.loads((folder / "out.json").read_text())
    assert document == DOCUMENT
    assert process != os.getpid()


def test_a_function_that_raises_is_tried_again_and_told_by_its_error_alone(module):
    module(f"def reload(what):\n    raise LookupError('{SECRET}')\n")
    found = told(call="their_service:reload")
    assert (found.why, found.attempts) == ("raised LookupError", 3)


def test_a_function_that_is_not_there_is_told_once(module):
    module(f"raise ValueError('{SECRET}')\n")
    found = told(call="their_service:reload")
    assert (found.why, found.attempts) == ("could not be imported (ValueError)", 1)
    assert told(call="no_such_module:reload").why == "could not be imported (ModuleNotFoundError)"


def test_a_function_that_hangs_is_ended(module, monkeypatch):
    monkeypatch.setattr("aiguard_dagster.adapters.services.START_UP_S", 0.5)
    module("import time\ndef reload(what):\n    time.sleep(600)\n")
    begun = time.monotonic()
    found = told(call="their_service:reload", within="1s")
    assert (found.why, found.attempts) == ("no answer in time", 3)
    assert time.monotonic() - begun < 60


def test_a_function_that_kills_its_process_kills_nothing_else(module):
    module("import os, signal\ndef reload(what):\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    assert told(call="their_service:reload").why == "broke off"


def test_an_attempt_has_ten_seconds_unless_said_otherwise():
    assert Tell(webhook="RELOAD").within == timedelta(seconds=10)
