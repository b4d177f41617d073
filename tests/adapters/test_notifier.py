"""Messages over real HTTP, to services that take them, refuse, hang or are gone."""

import json
import re
import socketserver
import subprocess
import sys
import threading
import time
from email import message_from_string, policy
from pathlib import Path
from typing import ClassVar

import pytest

from aiguard_dagster.adapters.apart import run_apart
from aiguard_dagster.adapters.notifier import PROGRAM, deliver
from aiguard_dagster.core.messages import Heading, Message
from tests.webhook_server import service

SAID = Message(
    heading=Heading.ESCALATED, title="Escalated: demand v2 → v1", body="one\ntwo *x* <b>"
)
SECRET = "hunter2secret"  # noqa: S105 - what must never be told


@pytest.fixture
def server():
    with service().up() as up:
        yield up


def addressed(monkeypatch, *urls):
    monkeypatch.setenv("ALERTS", " ".join(urls))
    return "ALERTS"


def test_a_message_arrives_as_it_was_written(server, monkeypatch):
    found = deliver(SAID, addressed(monkeypatch, server.url(SECRET)))
    assert (found.accepted, found.why) == ((0,), "")
    ((path, document),) = server.said
    assert path == f"/{SECRET}"
    assert document["title"] == SAID.title
    assert document["message"] == SAID.body
    assert document["type"] == "failure"


@pytest.mark.parametrize("status", [500, 401, 404])
def test_a_service_that_refuses_is_told_by_its_code_alone(server, monkeypatch, status):
    server.status = status
    found = deliver(SAID, addressed(monkeypatch, server.url(SECRET)))
    assert (found.accepted, found.why) == ((), f"HTTP {status}")


def test_a_service_that_is_gone_has_not_taken_the_message(monkeypatch):
    found = deliver(SAID, addressed(monkeypatch, service().url(SECRET)))
    assert (found.accepted, found.why) == ((), "not reached, or it refused")


def test_a_service_that_hangs_is_left_when_its_time_is_over(server, monkeypatch):
    server.status = 0
    variable = addressed(monkeypatch, server.url(f"{SECRET}?rto=50"))
    begun = time.monotonic()
    found = deliver(SAID, variable, within_s=8)
    assert (found.accepted, found.why) == ((), "no answer in time")
    assert time.monotonic() - begun < 40
    assert len(server.said) == 1


class Mailbox(socketserver.StreamRequestHandler):
    """Takes mail, as RFC 5321 has it, and keeps it."""

    mail: ClassVar[list[str]] = []

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            command = line[:4].upper().strip()
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.mail.append(b"".join(lines).decode())
            self.wfile.write(b"250 yes\r\n")
            if command == b"QUIT":
                return


def test_mail_arrives_with_the_title_as_its_subject(monkeypatch):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        url = f"mailto://127.0.0.1:{port}?from=guard@example.com&to=team@example.com"
        found = deliver(SAID, addressed(monkeypatch, url))
        server.shutdown()
    assert found.why == ""
    mail = message_from_string(Mailbox.mail[-1], policy=policy.default)
    assert mail["subject"] == SAID.title
    assert mail["to"] == "team@example.com"
    assert SAID.body in mail.get_body().get_content().replace("\r\n", "\n")


def test_what_is_no_address_is_told_and_not_quoted(monkeypatch):
    for text in (f"bogus://{SECRET}/a", SECRET, "https://", f"json://:{SECRET}"):
        found = deliver(SAID, addressed(monkeypatch, text))
        assert found.accepted == ()
        assert found.why
        assert SECRET not in found.why


def test_a_variable_that_is_not_set_is_told_by_its_name(monkeypatch):
    monkeypatch.delenv("ALERTS", raising=False)
    assert deliver(SAID, "ALERTS").why == "the environment variable ALERTS is not set"
    monkeypatch.setenv("ALERTS", "  ")
    assert deliver(SAID, "ALERTS").why == "the environment variable ALERTS is not set"


def test_of_several_addresses_only_those_that_have_not_taken_it_are_told_again(server, monkeypatch):
    with service().up() as other:
        other.status = 503
        variable = addressed(monkeypatch, server.url("a"), other.url("b"))
        found = deliver(SAID, variable)
        assert (found.accepted, found.why) == ((0,), "address 2 of 2: HTTP 503")
        other.status = 200
        found = deliver(SAID, variable, accepted=found.accepted)
    assert (found.accepted, found.why) == ((0, 1), "")
    assert [path for path, _ in server.said] == ["/a"]
    assert [path for path, _ in other.said] == ["/b", "/b"]


def test_neither_arguments_nor_output_hold_the_address(server, monkeypatch, capfd, caplog):
    """Other users of a machine see arguments; logs are kept for years."""
    seen = []
    real = subprocess.Popen.__init__

    def watched(self, command, **options):
        seen.append((command, options))
        real(self, command, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", watched)
    caplog.set_level("DEBUG")
    server.status = 500
    deliver(SAID, addressed(monkeypatch, server.url(SECRET)))
    (given,) = seen
    assert SECRET not in str(given)
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err + caplog.text


def test_the_program_that_sends_says_nothing_of_the_address(server):
    server.status = 500
    given = {"url": server.url(SECRET), "title": "t", "body": "b", "kind": "info"}
    command = [sys.executable, "-P", str(PROGRAM)]
    found = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(found.stdout) == {"sent": False, "why": "HTTP 500"}
    assert SECRET not in found.stderr


def test_what_a_program_complains_of_is_read_by_nobody(tmp_path, capfd):
    program = tmp_path / "program.py"
    program.write_text(f"import sys; print('{SECRET}', file=sys.stderr); print('{SECRET}'); 1/0")
    run_apart(program, {}, within_s=20)
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err


def test_a_program_that_breaks_off_or_says_nonsense_has_no_answer(tmp_path):
    program = tmp_path / "program.py"
    for text in ("raise SystemExit(3)", "print('[1]')", "print('nonsense')", "1/0"):
        program.write_text(text)
        assert run_apart(program, {}, within_s=20) == {"why": "broke off"}


def test_a_program_is_not_confused_by_the_names_of_its_neighbours(tmp_path):
    (tmp_path / "json.py").write_text("raise RuntimeError")
    program = tmp_path / "program.py"
    program.write_text("import json, sys; print(json.dumps({'read': json.load(sys.stdin)}))")
    assert run_apart(program, {"a": 1}, within_s=20) == {"read": {"a": 1}}


def test_apprise_is_imported_by_nothing_of_ours():
    code = (
        "import sys, aiguard_dagster, aiguard_dagster.adapters.notifier\n"
        "print('apprise' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "False"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Apprise's own imports
def test_the_addresses_in_the_docs_are_ones_that_apprise_can_read():
    from apprise import Apprise

    page = Path(__file__).parents[2] / "docs" / "rollback-notifications.md"
    text = page.read_text(encoding="utf-8")
    # Keys have lengths that a page need not show.
    text = text.replace("T0/B0/KEY", "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
    found = re.findall(r'FORECASTING_ALERTS="([^"]+)"', text)
    assert len(found) == 4
    assert [url for url in found if not Apprise().add(url)] == []
