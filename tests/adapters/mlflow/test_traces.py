"""The same tallies, whether the server counts traces or they are read by the page."""

import http.server
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from aiguard_dagster.adapters.mlflow.tags import Version
from aiguard_dagster.adapters.mlflow.traces import Asked, TraceBook, counts, logged_model_of, pages
from aiguard_dagster.adapters.mlflow.traces import server as counting
from aiguard_dagster.core.errors import ActionError, MeasurementError
from aiguard_dagster.core.spec import Errors, Latency
from aiguard_dagster.signals.traced import tally_of_traces
from tests.mlflow_server import free_port, mlflow_server
from tests.traces import Said, experiment, insert_traces

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALL = frozenset({"requests", "latency", "tokens", "cost", "feedback", "calls"})
DAY = Asked(start=START, end=START + 24 * HOUR, every=HOUR, pieces=ALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="module")
def server(folder):
    with mlflow_server(folder) as uri:
        yield uri


def some(number, *, count=2_000, model=None):
    """Traces of one day, as they come: slow ones, failures, prices unknown, judges that fail."""
    for n in range(count):
        lost, called = number.random() < 0.05, number.random() < 0.9
        yield Said(
            at=START + 24 * HOUR * n / count,
            milliseconds=None if lost else int(number.lognormvariate(6, 1)),
            state="IN_PROGRESS" if lost else number.choice(["OK", "OK", "OK", "ERROR"]),
            name=number.choice(["chat", "search", None]),
            model=model,
            tokens=(number.randint(1, 500), number.randint(0, 90)) if called else None,
            calls=[("gpt", number.choice([None, 0.25, 0.5]))] if called else [],
            feedback=[("thumb", number.choice([True, False])), ("judge", None)]
            if number.random() < 0.3
            else [],
            tools=[(number.choice(["search", "book"]), number.choice(["OK", "ERROR"]))]
            * number.randint(0, 3),
        )


@pytest.fixture(scope="module")
def thousands(server, folder):
    """3,000 traces of two logged models."""
    found = experiment(server, "thousands")
    number = Random(5)  # noqa: S311 - no secret
    traces = [*some(number, model="m-1"), *some(number, count=1_000, model="m-2")]
    insert_traces(f"sqlite:///{folder / 'mlflow.db'}", found, traces, seed=5)
    return traces


@contextmanager
def between(uri, *, refused=None, delay=0.0):
    """A server that passes all on to another, but says of one path that it does not exist."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(delay)
            if refused and refused in self.path:
                self._answer(404, b'{"error_code": "ENDPOINT_NOT_FOUND", "message": "no"}')
                return
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            headers = {"Content-Type": self.headers.get("Content-Type") or "application/json"}
            request = urllib.request.Request(  # noqa: S310 - http
                uri + self.path, data=body, headers=headers, method=self.command
            )
            try:
                with urllib.request.urlopen(request) as answer:  # noqa: S310 - http
                    self._answer(answer.status, answer.read())
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.read())

        do_POST = do_GET  # noqa: N815 - the library's name

        def _answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
        proxy.shutdown()
        thread.join()


def calls_together(tally):
    """Costs without their models, which traces alone do not name."""
    return {name: tally.total(name) for name in tally.sums}


@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("model", [None, "m-1"])
def test_an_older_server_and_a_newer_one_give_the_same_tallies(server, thousands, names, model):
    asked = replace(DAY, names=names, model=model)
    newer = TraceBook(server, "thousands").read(asked)
    with between(server, refused="/traces/metrics") as older_server:
        older = TraceBook(older_server, "thousands").read(asked)
    assert newer.keys() == older.keys()
    assert len(newer) == 24
    for bucket, counted in newer.items():
        read = older[bucket]
        assert counted.requests == read.requests
        assert counted.tokens == read.tokens
        assert counted.feedback == read.feedback
        assert counted.calls is not None
        assert read.calls is None
        assert calls_together(counted.cost) == pytest.approx(calls_together(read.cost))
        for signal in (
            Latency(table="t", window=HOUR, statistic="p95", by=("trace_name",) if names else None),
            Latency(table="t", window=HOUR, statistic="over", objective=700),
            Errors(table="t", window=HOUR, by=("trace_name",) if names else None),
        ):
            if bool(signal.by) == names:
                assert tally_of_traces(signal, counted, bucket) == tally_of_traces(
                    signal, read, bucket
                )


def test_what_the_server_counts_is_what_was_logged(server, thousands):
    found = TraceBook(server, "thousands").read(replace(DAY, names=True, model="m-1"))
    mine = [said for said in thousands if said.model == "m-1"]
    assert sum(each.rows for each in found.values()) == len(mine)
    failed = sum(each.requests.total("rows", status="ERROR") for each in found.values())
    assert failed == sum(said.state == "ERROR" for said in mine)
    unfinished = sum(each.requests.total("rows", status="") for each in found.values())
    assert unfinished == sum(said.state == "IN_PROGRESS" for said in mine)
    told = [said.tokens for said in mine if said.tokens]
    assert sum(each.tokens.total("input_tokens") for each in found.values()) == sum(
        given for given, _ in told
    )
    assert sum(each.tokens.total("with_tokens") for each in found.values()) == len(told)
    priced = [cost for said in mine for _, cost in said.calls if cost is not None]
    assert sum(each.cost.total("priced") for each in found.values()) == len(priced)
    assert sum(each.cost.total("calls") for each in found.values()) == len(told)
    assert sum(each.cost.total("spend") for each in found.values()) == pytest.approx(sum(priced))
    thumbs = [value for said in mine for name, value in said.feedback if name == "thumb"]
    up = sum(
        each.feedback.total("rows", assessment="thumb", value="true") for each in found.values()
    )
    assert up == sum(thumbs)
    tools = Counter(tool for said in mine for tool in said.tools)
    for (name, status), calls in tools.items():
        where = {"type": "TOOL", "span": name, "status": status}
        assert sum(each.calls.total("calls", **where) for each in found.values()) == calls
    chats = sum(each.calls.total("calls", type="CHAT_MODEL") for each in found.values())
    assert chats == sum(len(said.calls) for said in mine)


def test_unnamed_traces_are_counted_where_names_are_told_apart(server, thousands):
    found = TraceBook(server, "thousands").read(replace(DAY, names=True))
    unnamed = sum(each.requests.total("rows", template="") for each in found.values())
    assert unnamed == sum(said.name is None for said in thousands)


def test_calls_with_more_names_than_an_answer_holds_are_all_counted(server, folder, monkeypatch):
    found = experiment(server, "names")
    tools = [(f"tool-{n}", "OK") for n in range(60)]
    traces = [Said(at=START, tools=tools)]
    insert_traces(f"sqlite:///{folder / 'mlflow.db'}", found, traces, seed=11)
    monkeypatch.setattr(counting, "MOST_POINTS", 20)
    (calls,) = (each.calls for each in TraceBook(server, "names").read(DAY).values())
    assert calls.total("calls", type="TOOL") == 60
    assert calls.total("calls", type="TOOL", span="") >= 40


def test_a_question_with_more_points_than_one_answer_holds_is_asked_by_halves(
    server, thousands, monkeypatch
):
    whole = TraceBook(server, "thousands").read(replace(DAY, names=True))
    monkeypatch.setattr(counts, "_kept", {})
    monkeypatch.setattr(counting, "MOST_POINTS", 20)
    assert TraceBook(server, "thousands").read(replace(DAY, names=True)) == whole


LOG = """
import sys
import mlflow
from mlflow import MlflowClient
from mlflow.entities import AssessmentSource

found, began = sys.argv[1], int(sys.argv[2])
client = MlflowClient()
for n in range(4):
    root = client.start_trace("chat", experiment_id=found, start_time_ns=began + n)
    price = {"input_cost": 0.1, "output_cost": 0.2, "total_cost": 0.3}
    span = client.start_span(
        "call", root.trace_id, parent_id=root.span_id, span_type="CHAT_MODEL",
        attributes={
            "mlflow.chat.tokenUsage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
            "mlflow.llm.model": "house-model",
            **({"mlflow.llm.cost": price} if n else {}),
        },
    )
    client.end_span(root.trace_id, span.span_id)
    for kind, status in (("TOOL", "OK"), ("TOOL", "ERROR"), ("CHAIN", "OK"), ("AGENT", "OK")):
        span = client.start_span("search", root.trace_id, parent_id=root.span_id, span_type=kind)
        client.end_span(root.trace_id, span.span_id, status=status)
    client.end_trace(root.trace_id, status="ERROR" if n == 3 else "OK")
mlflow.flush_trace_async_logging()
ids = [trace.info.trace_id for trace in client.search_traces(locations=[found])]
human = AssessmentSource(source_type="HUMAN", source_id="ada")
first = mlflow.log_feedback(trace_id=ids[0], name="thumb", value=False, source=human)
mlflow.override_feedback(trace_id=ids[0], assessment_id=first.assessment_id, value=True)
mlflow.log_feedback(trace_id=ids[1], name="judge", error=ValueError("no answer"), source=human)
"""
"""In a process of its own: MLflow keeps where it logs to for as long as a process lives."""


def test_traces_that_were_logged_by_mlflow_itself_are_read_alike(server):
    found, began = experiment(server, "logged"), datetime.now(tz=UTC)
    subprocess.run(
        [sys.executable, "-c", LOG, found, str(int(began.timestamp() * 1e9))],
        check=True,
        env={**os.environ, "MLFLOW_TRACKING_URI": server},
    )
    hour = began - (began - datetime(1970, 1, 1, tzinfo=UTC)) % HOUR
    asked = replace(DAY, start=hour, end=hour + 2 * HOUR, names=True)
    read = min(pages.read_pages(*TraceBook(server, "logged")._open(), asked).items())[1]
    counted = min(TraceBook(server, "logged").read(asked).items())[1]
    assert counted.requests.groups == {("chat", "OK"): (3,), ("chat", "ERROR"): (1,)}
    assert counted.tokens.groups == {("chat",): (4, 40, 20, 0, 4)}
    assert counted.cost.groups == {("house-model",): (4, 3, pytest.approx(0.9))}
    assert counted.calls.groups == {
        ("CHAT_MODEL", "call", "OK"): (4,),
        ("TOOL", "search", "OK"): (4,),
        ("TOOL", "search", "ERROR"): (4,),
    }
    assert counted.feedback.groups == {("thumb", "true"): (1,), ("judge", "null"): (1,)}
    assert (read.requests, read.tokens, read.feedback) == (
        counted.requests,
        counted.tokens,
        counted.feedback,
    )


@pytest.mark.filterwarnings("ignore")
def test_a_store_of_files_is_read_by_the_page(tmp_path, monkeypatch):
    from mlflow.entities import TraceInfo, TraceLocation, TraceState
    from mlflow.tracing.client import TracingClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = (tmp_path / "mlruns").as_uri()
    place = TraceLocation.from_experiment_id(experiment(uri, "files"))
    for n in range(3):
        TracingClient(uri).start_trace(
            TraceInfo(
                trace_id=f"tr-{n:032x}",
                trace_location=place,
                request_time=int((START + n * HOUR).timestamp() * 1_000),
                state=TraceState.OK,
                execution_duration=100 * n,
                trace_metadata={"mlflow.modelId": "m-1"},
            )
        )
    book = TraceBook(uri, "files")
    found = book.read(replace(DAY, start=START + HOUR, model="m-1"))
    assert {bucket: each.rows for bucket, each in found.items()} == {
        START + HOUR: 1,
        START + 2 * HOUR: 1,
    }
    assert found[START + HOUR].latency[""].values[-1] == 100
    assert book.mark(DAY) == ""


def test_too_many_traces_for_a_server_that_cannot_count_are_an_error_with_a_way_out(
    server, thousands, monkeypatch
):
    monkeypatch.setattr(pages, "MOST_PAGES", 2)
    much = "more than 1,000 are in the window"
    with (
        between(server, refused="/traces/metrics") as older,
        pytest.raises(MeasurementError, match=much) as told,
    ):
        TraceBook(older, "thousands").read(DAY)
    assert "Hint: use an MLflow server that counts them" in str(told.value)


def test_an_experiment_that_does_not_exist_is_named(server):
    with pytest.raises(MeasurementError, match="has no experiment 'ghost'"):
        TraceBook(server, "ghost").read(DAY)


def test_a_server_that_is_down_is_told_within_seconds():
    down = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ActionError, match="count the traces of thousands") as told:
        TraceBook(down, "thousands").read(DAY)
    assert "Hint: see that MLflow runs" in str(told.value)


def test_a_server_that_hangs_is_given_up(server, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with between(server, delay=3) as slow, pytest.raises(ActionError, match=r"(?i)time"):
        TraceBook(slow, "thousands").read(DAY)


def test_only_what_has_changed_is_counted_again(server, folder, monkeypatch):
    found = experiment(server, "grows")
    database = f"sqlite:///{folder / 'mlflow.db'}"
    insert_traces(database, found, [Said(at=START), Said(at=START + 5 * HOUR)], seed=1)
    before = TraceBook(server, "grows").read(DAY)
    insert_traces(database, found, [Said(at=START + HOUR, state="ERROR")], seed=2)
    insert_traces(database, found, [Said(at=START + 2 * HOUR)], seed=3)
    asked = []
    whole = counting.ServerCounts.read
    monkeypatch.setattr(
        counting.ServerCounts, "read", lambda self: asked.append(self._asked) or whole(self)
    )
    after = TraceBook(server, "grows").read(DAY)
    assert [(each.start, each.end) for each in asked] == [(START + HOUR, START + 3 * HOUR)]
    assert set(after) == {START, START + HOUR, START + 2 * HOUR, START + 5 * HOUR}
    assert (after[START], after[START + 5 * HOUR]) == (before[START], before[START + 5 * HOUR])
    monkeypatch.setattr(counts, "_kept", {})
    assert TraceBook(server, "grows").read(DAY) == after


@pytest.mark.parametrize("source", ["runs:/abc/model", "s3://bucket/model", "models:/name/3"])
def test_a_version_that_traces_cannot_name_is_an_error_with_a_way_out(source):
    version = Version(model="a", version="1", source=source, run_id=None, tags={})
    with pytest.raises(MeasurementError, match="no logged model") as told:
        logged_model_of(version)
    assert "by_version: false" in str(told.value)
