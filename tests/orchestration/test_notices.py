"""One message an event, to real services, whatever is down, slow, killed or told twice."""

import time
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest

from aiguard_dagster import NotifierResource, SpecError, build_guard_definitions
from aiguard_dagster.core.decisions import DecisionKind
from aiguard_dagster.core.outbox import GAPS, OLD, STALE, State
from aiguard_dagster.orchestration import agenda as agendas
from aiguard_dagster.orchestration import notices, sending
from aiguard_dagster.orchestration.agenda import ANYWAY
from aiguard_dagster.orchestration.keys import notices_key
from aiguard_dagster.orchestration.notices import is_under_way
from tests.orchestration.project import DRIFT, ERROR_NOW, TURNED
from tests.orchestration.telling import Telling, decision, guard
from tests.webhook_server import service

SECRET = "hunter2secret"  # noqa: S105 - what must never be told
SENDING, SENT, FAILED = State.SENDING, State.SENT, State.FAILED


@pytest.fixture
def server(monkeypatch):
    with service().up() as up:
        monkeypatch.setenv("DEMAND_ALERTS", up.url(SECRET))
        yield up


@pytest.fixture
def telling(new_instance, server):
    return Telling(new_instance())


@pytest.fixture
def short(monkeypatch):
    """Services have two seconds, beyond what a process takes to begin."""
    real = sending.deliver
    monkeypatch.setattr(
        sending, "deliver", lambda *given, **named: real(*given, **named, within_s=8)
    )


def test_an_event_is_one_message_and_not_one_a_tick(telling, server):
    telling.decide(decision(1))
    (run,) = telling.tick()
    assert run.success
    assert server.titles == ["Opened: demand, fresh"]
    for _ in range(3):
        assert telling.tick(after=timedelta(hours=1)) == []
    assert len(server.said) == 1
    telling.decide(decision(2, "resolve"))
    telling.tick()
    assert server.titles == ["Opened: demand, fresh", "Resolved: demand, fresh"]
    assert telling.states() == [SENDING, SENT, SENDING, SENT]


def test_nothing_is_asked_for_where_nobody_needs_to_hear(telling, server):
    assert telling.tick() == []
    telling.decide(decision(1, "approve", actor="person:ada"))
    assert telling.tick() == []
    assert server.said == []


def test_a_decision_that_was_recorded_twice_is_one_message(telling, server):
    telling.decide(decision(1), decision(1))
    telling.tick()
    telling.decide(decision(1))
    assert telling.tick() == []
    assert len(server.said) == 1


def test_a_question_that_was_answered_before_it_could_be_asked_is_not_asked(telling, server):
    evidence = {"action": "hold", "deadline": "2026-01-07T09:00:00+00:00"}
    ask, other = (decision(number, "propose", evidence=evidence) for number in (1, 2))
    server.status = 500
    telling.decide(ask, other)
    telling.tick()
    telling.decide(replace(ask, kind=DecisionKind.REJECT, actor="person:ada", evidence={}))
    server.status = 200
    telling.tick(after=GAPS[0])
    assert [title.partition(" By ")[0] for title in server.titles[1:]] == [
        "Waiting: demand, fresh: hold predictions back?",
        "Refused: demand, fresh: person:ada said no",
    ]


def test_messages_come_in_the_order_of_the_decisions(telling, server):
    telling.decide(decision(2), decision(1, "hold"), decision(3, "resolve"))
    telling.tick()
    assert [title.partition(":")[0] for title in server.titles] == ["Opened", "Acted", "Resolved"]


def test_a_service_that_refuses_is_tried_again_after_growing_gaps_then_told_once_as_failed(
    telling, server
):
    server.status = 500
    telling.decide(decision(1))
    (run,) = telling.tick()
    assert run.success
    for number, gap in enumerate(GAPS, start=1):
        assert telling.tick(after=gap - timedelta(seconds=1)) == []
        (run,) = telling.tick(after=timedelta(seconds=1))
        assert run.success == (number < len(GAPS))
    assert telling.states() == [SENDING, FAILED] * (len(GAPS) + 1)
    assert {a.why for a in telling.attempts() if a.state is FAILED} == {"HTTP 500"}
    assert telling.tick(after=timedelta(days=3)) == []
    assert len(server.said) == len(GAPS) + 1


def test_a_service_that_goes_away_and_comes_back_has_been_told_once(new_instance, monkeypatch):
    away = service()
    monkeypatch.setenv("DEMAND_ALERTS", away.url())
    telling = Telling(new_instance())
    telling.decide(decision(1))
    telling.tick()
    telling.tick(after=GAPS[0])
    assert [a.why for a in telling.attempts() if a.state is FAILED] == [
        "not reached, or it refused"
    ] * 2
    with away.up():
        assert telling.tick(after=timedelta(seconds=1)) == []
        telling.tick(after=GAPS[1])
        assert telling.tick(after=timedelta(hours=9)) == []
        assert away.titles == ["Opened: demand, fresh"]


def test_a_service_that_hangs_delays_nobody_else(new_instance, server, short, monkeypatch):
    """It has its time once a run, however many messages wait for it."""
    server.status = 0
    with service().up() as other:
        monkeypatch.setenv("DEMAND_ALERTS", server.url("?rto=50"))
        monkeypatch.setenv("OTHER_ALERTS", other.url())
        pricing = guard("pricing", "team:pricing")
        telling = Telling(
            new_instance(),
            env={"team:demand": "DEMAND_ALERTS", "team:pricing": "OTHER_ALERTS"},
            guards=[guard(), pricing],
        )
        telling.decide(*(decision(number) for number in range(5)))
        telling.decide(decision(9), who=pricing)
        begun = time.monotonic()
        (run,) = telling.tick()
        assert run.success
        assert time.monotonic() - begun < 40
        assert other.titles == ["Opened: pricing, fresh"]
    assert len(server.said) == 1
    assert telling.states() == [SENDING, *[FAILED] * 5]
    assert {a.why for a in telling.attempts()} == {"", "no answer in time"}


def test_a_dead_target_is_stood_in_for_by_everybodys(new_instance, server, monkeypatch):
    server.status = 500
    with service().up() as other:
        monkeypatch.setenv("ML_ALERTS", other.url())
        telling = Telling(new_instance(), env={"team:demand": "DEMAND_ALERTS", "*": "ML_ALERTS"})
        telling.decide(decision(1))
        for gap in (timedelta(0), *GAPS):
            telling.tick(after=gap)
        assert other.said == []
        telling.tick()
        assert telling.tick(after=timedelta(days=1)) == []
        ((_, document),) = other.said
    assert "You read this because team:demand could not be reached." in document["message"]
    assert "Told late: decided" in document["message"]


def test_the_first_start_on_an_old_log_does_not_send_its_history(telling, server):
    telling.decide(*(decision(number) for number in range(30)))
    telling.decide(decision(31, "failed"), decision(32, "resolve", incident="demand:fresh:31"))
    assert telling.tick(after=OLD + timedelta(hours=1)) == []
    assert server.said == []
    telling.decide(decision(40))
    telling.now -= OLD  # as if it were written now
    telling.tick()
    assert len(server.said) == 1
    assert telling.tick(after=timedelta(hours=2)) == []


def test_the_first_start_tells_of_history_what_still_needs_a_person(telling, server):
    telling.decide(decision(1), decision(2, "hold"), decision(3, "failed", reason="it failed"))
    telling.tick(after=OLD + timedelta(hours=1))
    (title,) = server.titles
    assert title == "2 events of 1 guard, in one message"
    assert telling.tick(after=timedelta(days=1)) == []


def test_a_backlog_after_an_outage_is_one_message(new_instance, server, monkeypatch):
    pricing = guard("pricing", "team:demand")
    telling = Telling(new_instance(), guards=[guard(), pricing])
    telling.decide(decision(1))
    telling.tick()
    telling.decide(*(decision(number) for number in range(2, 9)))
    telling.decide(decision(9, "hold"), who=pricing)
    telling.decide(decision(10, "escalate"), who=pricing)
    # The telling of pricing has never begun, so of it only what is open comes along.
    (run,) = telling.tick(after=timedelta(days=2))
    assert run.success
    assert server.titles[1:] == ["8 events of 2 guards, in one message"]
    body = server.said[-1][1]["message"]
    assert "7 opened" in body
    assert telling.tick(after=timedelta(days=2)) == []


def test_very_many_events_at_once_do_not_flood(telling, server):
    telling.decide(*(decision(number) for number in range(50)))
    telling.tick()
    assert server.titles == ["50 events of 1 guard, in one message"]
    assert telling.tick(after=timedelta(hours=2)) == []


def test_a_run_that_dies_after_the_service_took_the_message_sends_it_once_more(
    telling, server, monkeypatch
):
    """At least once: whether the service took it before the kill, nobody can know."""
    real = sending.deliver

    def die(*given, **named):
        real(*given, **named)
        message = "killed"
        raise dg.Failure(message, allow_retries=False)

    telling.decide(decision(1))
    with monkeypatch.context() as patched:
        patched.setattr(sending, "deliver", die)
        (run,) = telling.tick()
    assert not run.success
    assert telling.states() == [SENDING]
    assert telling.tick(after=STALE - timedelta(seconds=1)) == []
    telling.tick(after=timedelta(seconds=1))
    assert len(server.said) == 2
    assert telling.tick(after=timedelta(days=1)) == []
    assert telling.states() == [SENDING, SENDING, SENT]


def test_a_run_that_dies_before_it_records_anything_is_asked_for_again(
    telling, server, monkeypatch
):
    telling.decide(decision(1))
    with monkeypatch.context() as patched:
        patched.setattr("aiguard_dagster.orchestration.notices.send_due", None)
        (run,) = telling.tick()
    assert not run.success
    assert telling.tick() == []  # the same work has the same key …
    telling.tick(after=STALE)  # … for a quarter of an hour
    assert len(server.said) == 1


def test_a_run_that_was_killed_and_looks_alive_does_not_silence_the_guard(telling):
    job = telling.defs.resolve_job_def("aiguard_notify")
    telling.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert is_under_way(telling.instance, "aiguard_notify", now=telling.now)
    assert not is_under_way(
        telling.instance, "aiguard_notify", now=telling.now + STALE + timedelta(minutes=1)
    )
    telling.decide(decision(1))
    assert telling.tick() == []
    assert len(telling.tick(after=STALE + timedelta(minutes=1))) == 1


def test_the_same_tick_delivered_twice_is_one_run_and_two_runs_are_one_message(telling, server):
    telling.decide(decision(1))
    ask = telling.defs.resolve_sensor_def("aiguard_notices")
    keys = set()
    for _ in range(2):
        with dg.build_sensor_context(
            instance=telling.instance, definitions=telling.defs, sensor_name="aiguard_notices"
        ) as context:
            data = ask.evaluate_tick(context)
        keys |= {request.run_key for request in data.run_requests}
    assert len(keys) == 1
    assert all(run.success for run in (telling.daemon.run("aiguard_notify") for _ in range(2)))
    assert len(server.said) == 1


def test_of_two_runs_at_once_only_one_sends(telling, server, monkeypatch):
    """The other one has read the log before, and writes its claim a moment later."""
    real, others = sending._Sender._claim, ["another run"]

    def claim(self, parcels):
        if others and others.pop():
            telling.daemon.run("aiguard_notify")
        return real(self, parcels)

    monkeypatch.setattr(sending._Sender, "_claim", claim)
    telling.decide(decision(1))
    telling.tick()
    assert len(server.said) == 1
    assert telling.states() == [SENDING, SENT, SENDING]
    assert telling.tick(after=timedelta(days=1)) == []


@pytest.mark.parametrize("where", [notices, sending], ids=["in the sensor", "in the run"])
def test_a_guard_that_cannot_be_read_does_not_silence_the_others(
    new_instance, server, monkeypatch, where
):
    broken = guard("broken", "team:demand")
    telling = Telling(new_instance(), guards=[broken, guard()])
    real = where.read_box

    def read(instance, mine, *, now):
        if mine.name == "broken":
            raise RuntimeError
        return real(instance, mine, now=now)

    monkeypatch.setattr(where, "read_box", read)
    telling.decide(decision(1), who=broken)
    telling.decide(decision(2), who=telling.guards[1])
    (run,) = telling.tick()
    assert server.titles == ["Opened: demand, fresh"]
    assert run.success == (where is notices)


@pytest.fixture
def looked(monkeypatch):
    """The names of the guards that the sensor has looked at."""
    found = []
    real = notices.read_box

    def read(instance, mine, *, now):
        found.append(mine.name)
        return real(instance, mine, now=now)

    monkeypatch.setattr(notices, "read_box", read)
    return found


def many(new_instance, number):
    return Telling(
        new_instance(), guards=[guard(f"g{each}", "team:demand") for each in range(number)]
    )


def test_a_tick_looks_at_guards_with_news_and_at_those_that_wait(new_instance, server, looked):
    telling = many(new_instance, 5)
    telling.tick()
    assert looked == ["g0", "g1", "g2", "g3", "g4"]  # no cursor yet
    looked.clear()
    telling.tick()
    assert looked == []
    telling.decide(decision(1), who=telling.guards[3])
    server.status = 500
    for _ in range(3):
        telling.tick()
    assert looked == ["g3"] * 3
    assert len(server.said) == 1
    looked.clear()
    telling.tick(after=ANYWAY)
    assert sorted(looked) == ["g0", "g1", "g2", "g3", "g4"]


def test_a_tick_without_time_for_all_takes_some_and_the_next_ones_go_on(
    new_instance, server, looked, monkeypatch
):
    telling = many(new_instance, 4)
    telling.tick()
    looked.clear()
    monkeypatch.setattr(agendas, "PATIENCE_S", 0)
    for number in (1, 2, 3):
        telling.decide(decision(number), who=telling.guards[number])
    for _ in range(3):
        telling.tick(after=timedelta(seconds=30))
    assert sorted(looked) == ["g1", "g2", "g3"]
    assert sorted(server.titles) == [
        "Opened: g1, fresh",
        "Opened: g2, fresh",
        "Opened: g3, fresh",
    ]


def test_a_cursor_that_is_lost_or_spoilt_loses_nothing(new_instance, server):
    telling = many(new_instance, 3)
    telling.tick()
    telling.decide(decision(1), who=telling.guards[2])
    telling.daemon.cursors.clear()
    telling.tick()
    assert server.titles == ["Opened: g2, fresh"]
    telling.daemon.cursors["aiguard_notices"] = "spoilt"
    for _ in range(3):
        assert telling.tick(after=timedelta(hours=1)) == []


def test_no_address_is_in_events_logs_errors_or_run_config(new_instance, server, capfd, caplog):
    caplog.set_level("DEBUG")
    telling = Telling(new_instance())
    telling.daemon.log_level = "DEBUG"
    server.status = 500
    telling.decide(decision(1))
    for gap in (timedelta(0), *GAPS):
        telling.tick(after=gap)
    assert len(server.said) == len(GAPS) + 1
    instance = telling.instance
    told = [str(instance.fetch_observations(notices_key(telling.guards[0]), limit=999).records)]
    runs = instance.get_runs()
    assert len(runs) == len(GAPS) + 1
    for run in runs:
        told += [str(run.run_config), str(run.tags), str(instance.all_logs(run.run_id))]
    assert "HTTP 500" in str(told)
    seen = capfd.readouterr()
    assert SECRET not in "".join(told) + seen.out + seen.err + caplog.text
    assert str(server.port) not in "".join(told)
    snapshot = telling.defs.get_repository_def().get_top_level_resources()
    assert SECRET not in repr(snapshot)


def test_owners_that_nobody_reaches_and_addresses_in_the_open_are_refused_at_load():
    definitions = dg.Definitions(assets=[dg.AssetSpec("demand_features")])

    def build(**env):
        build_guard_definitions(
            guards=[guard()], definitions=definitions, notifier=NotifierResource(variables=env)
        )

    with pytest.raises(SpecError) as raised:
        build(**{"team:other": f"json://u:{SECRET}@h"})
    assert str(raised.value) == (
        "notifier: variables['team:other']: this is not the name of an environment variable\n\n"
        "Hint: put the Apprise URL into the environment, and give the variable's name here.\n\n"
        "notifier: variables: nothing reaches team:demand\n\n"
        "Hint: add 'team:demand', or '*' for every owner without one of their own."
    )
    build(**{"*": "ML_ALERTS"})


def test_without_a_notifier_nothing_changes():
    definitions = dg.Definitions(assets=[dg.AssetSpec("demand_features")])
    plain = build_guard_definitions(guards=[guard()], definitions=definitions)
    assert [sensor.name for sensor in plain.sensors] == ["aiguard_stop_rules"]
    assert [job.name for job in plain.jobs] == ["demand_answer"]
    assert set(plain.resources) == {"aiguard_mlflow", "aiguard_profiles", "aiguard_engine"}
    assert notices_key(guard()) not in plain.resolve_asset_graph().get_all_asset_keys()


def test_the_projects_own_resource_is_used(new_instance, server):
    defs = build_guard_definitions(
        guards=[guard()],
        definitions=dg.Definitions(
            assets=[dg.AssetSpec("demand_features")],
            resources={"aiguard_notifier": NotifierResource(variables={"*": "DEMAND_ALERTS"})},
        ),
    )
    telling = Telling(new_instance())
    telling.daemon = replace(telling.daemon, definitions=defs)
    telling.decide(decision(1))
    telling.tick()
    assert len(server.said) == 1


def test_from_a_breach_to_what_its_owner_reads(new_project, server):
    project = new_project(rules=(ERROR_NOW, DRIFT))
    project.rebuild(notifier=NotifierResource(variables={"*": "DEMAND_ALERTS"}))
    project.live(1, weather=TURNED)
    project.daemon.tick("aiguard_notices")
    project.daemon.tick("aiguard_notices")
    opened, acted = (document for _, document in server.said)
    assert opened["title"] == "Opened: demand v2, error 110.5 > 2"
    assert "since 2026-01-02 00:00 UTC." in opened["message"]
    assert acted["title"] == "Acted: demand v2 → v1"
    assert "v2 110.5, v1 1: better." in acted["message"]
    assert project.registry.champion() == "1"


def test_a_rollback_does_not_wait_for_a_notifier_that_hangs(new_project, server):
    server.status = 0
    project = new_project(rules=(ERROR_NOW,))
    project.rebuild(notifier=NotifierResource(variables={"*": "DEMAND_ALERTS"}))
    project.live(1, weather=TURNED)
    assert project.registry.champion() == "1"
    assert server.said == []
