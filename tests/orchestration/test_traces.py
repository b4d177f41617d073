"""Rules on traces: counted by a real MLflow server, judged by the sensor, told on the asset."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from aiguard_dagster import MLflowResource, ProfileStore, build_guard_definitions
from aiguard_dagster.adapters.dagster.history import (
    decision_event,
    read_decisions,
    read_evaluations,
)
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.baseline import record_baseline
from aiguard_dagster.orchestration.keys import check_key, guard_key
from aiguard_dagster.testing import Daemon
from tests.instances import empty_instance
from tests.mlflow_server import free_port, mlflow_at, mlflow_server
from tests.orchestration.test_delta_sensor import run_checks
from tests.traces import Said, experiment, insert_traces, logged_model

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
SLOW = {
    "name": "slow",
    "signal": {"kind": "latency", "table": "traffic", "window": "3h", "min_samples": 50},
    "limit": 1_500,
}
FAILING = {
    "name": "failing",
    "signal": {"kind": "errors", "table": "traffic", "window": "3h", "min_samples": 50},
    "limit": "10%",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="module")
def server(folder):
    with mlflow_server(folder) as uri:
        yield uri


class Assistant:
    """A model in a registry, an experiment with its traces, and a guard on both."""

    def __init__(self, uri, folder, instance, name, **changes):
        self.uri, self.instance, self.name = uri, instance, name
        self.database = f"sqlite:///{folder / 'mlflow.db'}"
        self.experiment = experiment(uri, name)
        self.model = logged_model(uri, self.experiment)
        client = connect(uri)
        client.create_registered_model(name)
        with mlflow_at(uri):
            client.create_model_version(name, f"models:/{self.model}", model_id=self.model)
        source = {"kind": "traces", "experiment": name, **changes.pop("source", {})}
        self.guard = Guard.model_validate(
            {
                "name": "assistant",
                "owner": "team:assistant",
                "model": {"name": name},
                "tables": {"traffic": {"asset": "assistant_traces", "source": source}},
                "rules": [SLOW, FAILING],
                **changes,
            }
        )
        self.registry = ModelRegistry(client, self.guard.model)
        self.registry.promote("1", at=START, by="team:assistant", why="accepted")
        self.now = START
        self.seed = 0
        self.folder = folder
        self.build(uri)

    def build(self, uri, definitions=None):
        self.defs = build_guard_definitions(
            guards=[self.guard],
            definitions=definitions or dg.Definitions(executor=dg.in_process_executor),
            mlflow=MLflowResource(tracking_uri=uri),
            profiles=ProfileStore(path=str(self.folder / "profiles")),
            clock=lambda: self.now,
        )
        self.daemon = Daemon(self.defs, self.instance)

    def log(self, hour, count=60, **said):
        """So many traces in one hour; every second one is as told, the others are usual."""
        self.seed += 1
        at = START + hour * HOUR
        traces = [
            Said(at=at + n * HOUR / count, **{"model": self.model, **(said if n % 2 else {})})
            for n in range(count)
        ]
        insert_traces(self.database, self.experiment, traces, seed=hash((self.name, self.seed)))

    def tick(self, hour):
        self.now = START + hour * HOUR + timedelta(minutes=5)
        return self.daemon.tick("aiguard_deltas")

    def points(self, rule):
        check = check_key(self.guard, next(r for r in self.guard.rules if r.name == rule))
        return [found.point for found in read_evaluations(self.instance, check)]

    def verdicts(self, rule):
        return {
            round((p.as_of - START) / HOUR): p.verdict.value
            for p in self.points(rule)
            if p.as_of > START
        }


@pytest.fixture
def new_assistant(server, folder, request):
    numbers = iter(range(100))
    with empty_instance() as instance:
        yield lambda **changes: Assistant(
            server, folder, instance, f"{request.node.name}{next(numbers)}"[:200], **changes
        )


def test_traces_are_judged_at_the_end_of_each_hour_without_a_run(new_assistant):
    assistant = new_assistant()
    for hour in range(3):
        assistant.log(hour)
    assistant.log(3, milliseconds=9_000)
    assert assistant.tick(4) == []
    assert assistant.verdicts("slow") == {
        1: "inconclusive",
        2: "inconclusive",
        3: "ok",
        4: "breach",
    }
    newest = assistant.points("slow")[-1]
    assert (newest.n, newest.subject) == (180, "1")
    assert newest.value == pytest.approx(9_000, rel=0.06)
    assert assistant.verdicts("failing")[4] == "ok"


def test_a_second_tick_adds_nothing_and_late_traces_are_judged_in_their_place(new_assistant):
    assistant = new_assistant()
    for hour in range(4):
        assistant.log(hour)
    assistant.tick(4)
    written = len(assistant.points("slow"))
    assistant.tick(4)
    assistant.daemon.cursors.clear()
    assistant.tick(4)
    assert len(assistant.points("slow")) == written
    assistant.log(1, state="ERROR")
    assistant.tick(4)
    again = Counter(p.as_of for p in assistant.points("failing"))
    assert [again[START + HOUR * hour] for hour in (1, 2, 3, 4)] == [1, 2, 2, 2]
    assert assistant.verdicts("failing")[4] == "breach"


def test_each_evaluation_tells_of_which_hours_it_speaks_and_why_it_breaches(new_assistant):
    rule = {**FAILING, "signal": {**FAILING["signal"], "by": ["trace_name"]}}
    assistant = new_assistant(rules=[rule])
    for hour in range(3):
        assistant.log(hour, state="ERROR", name="search")
    assistant.tick(3)
    point = assistant.points("failing")[-1]
    assert (point.as_of, point.start) == (START + 3 * HOUR, START)
    assert (point.value, point.n) == (0.5, 180)
    assert "worst: ERROR (50%" in point.reason


def test_an_hour_without_requests_is_there_and_silence_is_not_ok(new_assistant):
    assistant = new_assistant()
    for hour in (0, 2):
        assistant.log(hour)
    assistant.tick(8)
    assert assistant.verdicts("slow") == {
        **dict.fromkeys((1, 2), "inconclusive"),  # the first traces: before them nothing is known
        **dict.fromkeys((3, 4, 5), "ok"),
        **dict.fromkeys((6, 7, 8), "inconclusive"),
    }
    assert "only 0 of 50 samples" in assistant.points("slow")[-1].reason


def test_an_error_budget_on_traces_is_spent_over_its_whole_period(new_assistant):
    limit = {"objective": "90%", "period": "100h", "burn_rate": 2}
    assistant = new_assistant(rules=[{**FAILING, "limit": limit}])
    assistant.log(0, state="ERROR")
    for hour in (70, 71, 72):
        assistant.log(hour)
    assistant.tick(73)
    assert assistant.points("failing")[-1].reason == (
        "0% ≤ 20% (burn rate 0 over 3h and 0 over 1h, limit 2;"
        " 91.2% of the budget of 100h spent, of which 73% is there, n=180)"
    )


def test_an_experiment_without_traces_is_inconclusive(new_assistant):
    assistant = new_assistant()
    assistant.tick(5)
    assert assistant.verdicts("slow") == {5: "inconclusive"}


def test_only_the_traces_of_the_version_in_production_count(new_assistant):
    assistant = new_assistant()
    for hour in range(3):
        assistant.log(hour)
        assistant.log(hour, model="m-another", state="ERROR")
        assistant.log(hour, model=None, state="ERROR")
    assistant.tick(3)
    newest = assistant.points("failing")[-1]
    assert (newest.n, newest.value) == (180 + 90 + 90, 0.0)


def test_traces_of_other_versions_alone_are_told(new_assistant):
    assistant = new_assistant()
    for hour in range(3):
        assistant.model = None
        assistant.log(hour)
    assistant.tick(3)
    check = check_key(assistant.guard, assistant.guard.rules[0])
    newest = assistant.instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
    told = newest[0].evaluation.metadata
    assert told["aiguard/verdict"].value == "inconclusive"
    assert told["aiguard/note"].value == "no row of v1 in the window"


def promote_what_traces_cannot_name(assistant):
    """Version 2, of a run and not of a logged model, takes over after an hour."""
    client = assistant.registry.client
    run = client.create_run(assistant.experiment).info.run_id
    client.create_model_version(assistant.name, f"runs:/{run}/model", run)
    assistant.registry.promote("2", at=START + HOUR, by="ada", why="by hand")


def test_an_earlier_champion_that_traces_cannot_name_takes_nothing_from_the_new_one(new_assistant):
    assistant = new_assistant()
    promote_what_traces_cannot_name(assistant)
    assistant.registry.promote("1", at=START + 2 * HOUR, by="ada", why="back again")
    for hour in range(6):
        assistant.log(hour)
    assistant.tick(6)
    assert assistant.verdicts("slow")[2] == "inconclusive"
    assert assistant.verdicts("slow")[6] == "ok"


def test_a_champion_that_traces_cannot_name_is_an_error_with_a_way_out(new_assistant):
    assistant = new_assistant()
    promote_what_traces_cannot_name(assistant)
    assistant.log(2)
    assistant.tick(3)
    assert assistant.verdicts("slow") == {3: "error"}
    assert "by_version: false" in assistant.points("slow")[-1].reason


def test_all_traces_count_where_the_source_says_so(new_assistant):
    assistant = new_assistant(source={"by_version": False})
    for hour in range(3):
        assistant.log(hour)
        assistant.log(hour, model=None, state="ERROR")
    assistant.tick(3)
    newest = assistant.points("failing")[-1]
    assert (newest.n, newest.value) == (360, 0.25)


def test_unfinished_traces_lower_the_coverage(new_assistant):
    assistant = new_assistant()
    for hour in range(3):
        assistant.log(hour, milliseconds=None, state="IN_PROGRESS")
    assistant.tick(3)
    for rule in ("slow", "failing"):
        assert assistant.verdicts(rule)[3] == "inconclusive"
        assert "only 50% of 80% coverage" in assistant.points(rule)[-1].reason


def test_a_limit_by_the_first_days_of_the_version_itself(new_assistant):
    signal = {**SLOW["signal"], "baseline": "first 6h", "window": "1h", "min_samples": 10}
    rule = {**SLOW, "signal": signal, "limit": {"above_baseline": "50%"}}
    assistant = new_assistant(rules=[rule])
    for hour in range(7):
        assistant.log(hour)
    assistant.log(7, milliseconds=2_000)
    assistant.tick(8)
    assert assistant.verdicts("slow")[7] == "ok"
    assert assistant.verdicts("slow")[8] == "breach"
    assert "first 6h" in assistant.points("slow")[-1].reason
    assert "are not over yet" in assistant.points("slow")[4].reason


def test_a_limit_by_what_the_version_had_done_when_its_baseline_was_recorded(new_assistant):
    rule = {
        **SLOW,
        "signal": {**SLOW["signal"], "window": "1h", "min_samples": 10},
        "limit": {"above_baseline": "50%"},
    }
    assistant = new_assistant(rules=[rule])
    assistant.log(0)
    found = record_baseline(
        assistant.guard,
        version="1",
        data={},
        tracking_uri=assistant.uri,
        recorded_at=START + HOUR,
    )
    assert {day: profile.rows for day, profile in found.tables["traffic"].days.items()} == {
        "2026-01-05": 60
    }
    assistant.log(1)
    assistant.log(2, milliseconds=2_000)
    assistant.tick(3)
    assert assistant.verdicts("slow")[2] == "ok"
    assert assistant.verdicts("slow")[3] == "breach"


def test_a_version_without_traces_has_no_baseline_to_record(new_assistant):
    assistant = new_assistant(rules=[{**SLOW, "limit": {"above_baseline": "50%"}}])
    with pytest.raises(MeasurementError, match="v1 has made no trace that slow") as told:
        record_baseline(assistant.guard, version="1", data={}, tracking_uri=assistant.uri)
    assert "baseline: first 14d" in str(told.value)


def test_an_experiment_that_is_gone_is_an_error_once_an_hour(new_assistant):
    source = {"kind": "traces", "experiment": "ghost"}
    tables = {"traffic": {"asset": "assistant_traces", "source": source}}
    assistant = new_assistant(tables=tables)
    for hour in (3, 3, 4):
        assistant.tick(hour)
    assert assistant.verdicts("slow") == {3: "error", 4: "error"}
    assert "has no experiment 'ghost'" in assistant.points("slow")[-1].reason
    assert len(assistant.points("slow")) == 2


def test_mlflow_that_is_down_is_an_error_of_rules_on_traces_and_is_made_good(new_assistant):
    assistant = new_assistant()
    for hour in range(4):
        assistant.log(hour)
    assistant.tick(3)
    assistant.build(f"http://127.0.0.1:{free_port()}")
    for _ in range(2):
        assistant.tick(4)
    assert assistant.verdicts("slow")[4] == "error"
    assert "Hint: see that MLflow runs" in assistant.points("slow")[-1].reason
    assert assistant.verdicts("slow")[3] == "ok"
    assert Counter(p.as_of for p in assistant.points("slow"))[START + 4 * HOUR] == 1
    assistant.build(assistant.uri)
    assistant.tick(4)
    assert assistant.verdicts("slow")[4] == "ok"


def test_a_project_without_the_asset_gets_one_and_one_that_has_it_keeps_it(new_assistant):
    assistant = new_assistant()
    key = dg.AssetKey("assistant_traces")
    graph = assistant.defs.resolve_asset_graph()
    assert not graph.get(key).is_executable
    own = dg.Definitions(assets=[dg.AssetSpec(key, owners=["team:assistant"])])
    assistant.build(assistant.uri, own)
    assert assistant.defs.resolve_asset_graph().get(key).owners == ["team:assistant"]


def test_a_check_on_traces_run_by_hand_judges_the_newest_hour(new_assistant):
    assistant = new_assistant(rules=[SLOW])
    for hour in range(3):
        assistant.log(hour)
    assistant.now = START + 3 * HOUR
    run_checks(assistant, check_key(assistant.guard, assistant.guard.rules[0]))
    assert assistant.verdicts("slow") == {3: "ok"}


def test_spend_tokens_and_judgements_are_measured_on_traces_too(new_assistant):
    few = {"table": "traffic", "window": "1h", "min_samples": 10, "min_coverage": "40%"}
    rules = [
        {"name": "spend", "signal": {"kind": "cost", **few}, "limit": 100},
        {"name": "size", "signal": {"kind": "tokens", **few}, "limit": 1_000},
        {
            "name": "wrong",
            "signal": {"kind": "hallucination", "verdict": "judge", **few},
            "limit": "10%",
        },
    ]
    assistant = new_assistant(rules=rules)
    assistant.log(0, tokens=(300, 40), calls=[("gpt", 0.03)], feedback=[("judge", "yes")])
    assistant.log(1, calls=[("gpt", None)], feedback=[("judge", None)])
    assistant.tick(2)
    first, second = (assistant.points("spend")[at] for at in (-2, -1))
    assert (first.value, first.n) == (pytest.approx(20.0), 60)
    assert (second.value, second.n) == (pytest.approx(10.0), 30)
    assert assistant.points("size")[-2].value == pytest.approx((340 + 120) / 2)
    assert assistant.verdicts("wrong") == {1: "breach", 2: "inconclusive"}


def test_a_bill_that_falls_because_prices_are_unknown_is_no_saving(new_assistant):
    signal = {"kind": "cost", "table": "traffic", "window": "1h", "min_samples": 10}
    assistant = new_assistant(rules=[{"name": "spend", "signal": signal, "limit": 100}])
    assistant.log(0)
    assistant.log(1, calls=[("new-model", None)])
    assistant.tick(2)
    assert assistant.verdicts("spend") == {1: "ok", 2: "inconclusive"}
    assert "only 50% of 80% coverage" in assistant.points("spend")[-1].reason


def liked(**changes):
    signal = {
        "kind": "trust",
        "table": "traffic",
        "assessment": "thumb",
        "metric": "thumbs_down",
        "window": "1h",
        "min_samples": 10,
        "min_coverage": "20%",
        **changes,
    }
    return {"name": "liked", "signal": signal, "limit": "20%"}


def test_thumbs_on_traces_are_judged_and_few_of_them_are_inconclusive(new_assistant):
    assistant = new_assistant(rules=[liked()])
    assistant.log(0, feedback=[("thumb", True)])
    assistant.log(1, feedback=[("thumb", False)])
    assistant.log(2, count=180, feedback=[])
    for n in range(12):
        assistant.log(2, count=2, feedback=[("thumb", bool(n))])
    assistant.tick(3)
    assert assistant.verdicts("liked") == {1: "ok", 2: "breach", 3: "inconclusive"}
    first, second, third = assistant.points("liked")[-3:]
    assert (first.value, first.n, second.value, second.n) == (0.0, 30, 1.0, 30)
    assert "worst: thumbs down (100%)" in second.reason
    assert "only 6% of 20% coverage" in third.reason


def test_a_flood_of_thumbs_on_one_request_decides_nothing(new_assistant):
    assistant = new_assistant(rules=[liked()])
    assistant.log(0, feedback=[("thumb", True)])
    assistant.log(0, count=2, feedback=[("thumb", False)] * 10_000)
    assistant.tick(1)
    assert assistant.verdicts("liked") == {1: "inconclusive"}


def test_thumbs_are_held_to_what_the_version_was_given_before(new_assistant):
    rule = {**liked(metric="acceptance"), "limit": {"below_baseline": "30%"}}
    assistant = new_assistant(rules=[rule])
    assistant.log(0, feedback=[("thumb", 1)])
    record_baseline(
        assistant.guard,
        version="1",
        data={},
        tracking_uri=assistant.uri,
        recorded_at=START + HOUR,
    )
    assistant.log(1, feedback=[("thumb", "yes")])
    assistant.log(2, feedback=[("thumb", "no")])
    assistant.tick(3)
    assert assistant.verdicts("liked")[2] == "ok"
    assert assistant.verdicts("liked")[3] == "breach"
    assert "worst: thumbs down (100%, was 0%)" in assistant.points("liked")[-1].reason


def test_an_agent_that_calls_its_tools_more_often_is_told_with_the_tool(new_assistant):
    signal = {"kind": "agents", "table": "traffic", "window": "1h", "min_samples": 10}
    rules = [
        {
            "name": "tools",
            "signal": {**signal, "of": "tools", "baseline": "first 1h"},
            "limit": {"above_baseline": "50%"},
        },
        {"name": "calls", "signal": signal, "limit": 3},
        {"name": "failures", "signal": {**signal, "of": "failures"}, "limit": 0.1},
    ]
    assistant = new_assistant(rules=rules)
    assistant.log(0, tools=[("search", "OK")] * 2)
    assistant.log(1, tools=[("search", "OK"), ("book", "OK")])
    assistant.log(2, tools=[("search", "OK")] * 6 + [("book", "ERROR")])
    assistant.tick(3)
    assert assistant.verdicts("tools")[2] == "ok"
    assert assistant.verdicts("tools")[3] == "breach"
    assert "worst: tool search (+2: 3 tool calls a task, was 1)" in (
        assistant.points("tools")[-1].reason
    )
    assert assistant.verdicts("calls") == {1: "ok", 2: "ok", 3: "breach"}
    assert assistant.points("calls")[-1].value == pytest.approx(4.5)
    assert assistant.verdicts("failures") == {1: "ok", 2: "ok", 3: "breach"}
    assert assistant.points("failures")[-1].value == pytest.approx(0.5)


# After a rollback.


def test_traces_of_the_restored_version_confirm_a_rollback_and_those_of_the_old_one_are_told(
    server, folder, new_instance
):
    mine = Assistant(server, folder, new_instance(), "rolled back")
    bad = logged_model(server, mine.experiment)
    with mlflow_at(server):
        source = f"models:/{bad}"
        mine.registry.client.create_model_version("rolled back", source, model_id=bad)
    moved = {"champion": "2", "candidate": "1", "moved": (START + HOUR / 2).isoformat()}
    rollback = Decision(
        kind=DecisionKind.ROLLBACK,
        at=START,
        incident="assistant:request:1",
        rule="",
        reason="v2 → v1",
        actor="ada",
        evidence=moved,
    )
    mine.instance.report_runless_asset_event(decision_event(guard_key(mine.guard), rollback))

    def heard(hour):
        mine.now = START + hour * HOUR + timedelta(minutes=5)
        mine.daemon.tick("aiguard_stop_rules")
        found = read_decisions(mine.instance, guard_key(mine.guard))
        return [d for d in found if d.kind in {DecisionKind.CONFIRM, DecisionKind.ESCALATE}]

    mine.log(0, model=bad)  # The hour of the move is of both.
    assert heard(1) == []
    for hour in (1, 2, 50):
        mine.log(hour, 40, model=bad)
        mine.log(hour, 20, model=None)
    (escalation,) = heard(51)
    assert escalation.reason.startswith("the alias moved, the service did not")
    assert "2026-01-07T02:00:00+00:00: 30 of 60 rows by v1, 20 of 60 rows by v2, 10 of" in (
        escalation.reason
    )
    mine.log(51, 30)
    _, confirmed = heard(52)
    assert confirmed.kind is DecisionKind.CONFIRM
    assert confirmed.evidence["traffic: rows of v1"] == 30
    assert len(heard(53)) == 2


def test_an_mlflow_that_does_not_answer_confirms_no_rollback_and_accuses_nobody(
    server, folder, new_instance
):
    mine = Assistant(server, folder, new_instance(), "unreachable after a rollback")
    moved = {"champion": "2", "candidate": "1", "moved": START.isoformat()}
    rollback = Decision(
        kind=DecisionKind.ROLLBACK,
        at=START,
        incident="i",
        rule="",
        reason="v2 → v1",
        evidence=moved,
    )
    mine.instance.report_runless_asset_event(decision_event(guard_key(mine.guard), rollback))
    mine.build(f"http://127.0.0.1:{free_port()}")
    mine.now = START + 90 * HOUR
    mine.daemon.tick("aiguard_stop_rules")
    kinds = [d.kind for d in read_decisions(mine.instance, guard_key(mine.guard))]
    assert kinds == [DecisionKind.ROLLBACK]
