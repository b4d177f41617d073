"""What an owner has said or deployed since a rollback was asked for counts before it moves."""

from datetime import timedelta

import dagster as dg
import pytest

from aiguard_dagster.adapters.dagster.history import decision_event
from aiguard_dagster.adapters.mlflow import rollback as transaction
from aiguard_dagster.core.people import Answer
from aiguard_dagster.core.spec import Mode
from aiguard_dagster.orchestration import rollback as rollback_job
from aiguard_dagster.orchestration.keys import guard_key
from aiguard_dagster.orchestration.people import record_answer
from aiguard_dagster.orchestration.stop_rules import look
from tests.orchestration.project import ERROR_NOW, STOP_RULES, TURNED


def die_at(patched, moment):
    """Let rollback runs die at a moment of the transaction."""

    def on_step(name):
        if name == moment:
            message = f"killed {name}"
            raise dg.Failure(message, allow_retries=False)

    patched.setattr(
        rollback_job,
        "roll_back",
        lambda registry, intent: transaction.roll_back(registry, intent, on_step=on_step),
    )


def deploy(project, mode):
    project.guard = project.guard.model_copy(update={"mode": mode})
    project.rebuild()


def say(project, answer, by="ada"):
    why, now = "looked at it", project.now
    record_answer(
        project.instance, project.guard, Answer(answer), by=by, why=why, now=now, via="a test"
    )


@pytest.fixture
def project(new_project, monkeypatch, moment):
    """A project whose rollback has died once."""
    project = new_project(rules=(ERROR_NOW,))
    with monkeypatch.context() as patched:
        die_at(patched, moment)
        project.live(1, weather=TURNED)
    assert project.kinds() == ["request"]
    return project


@pytest.mark.parametrize("moment", ["before intent", "after intent"])
def test_a_request_that_has_moved_nothing_asks_once_the_guard_proposes(project):
    deploy(project, Mode.PROPOSE)
    project.daemon.tick(STOP_RULES)
    assert project.kinds() == ["request", "propose"]
    assert project.last("propose").evidence["candidate"] == "1"
    assert project.registry.champion() == "2"
    say(project, "approve")
    project.daemon.tick(STOP_RULES)
    assert project.kinds() == ["request", "propose", "approve", "request", "rollback"]
    assert project.registry.champion() == "1"
    assert transaction.pending_intents(project.registry) == ()


@pytest.mark.parametrize("moment", ["before intent", "after intent"])
def test_a_queued_run_moves_nothing_once_the_guard_observes(project):
    (run,) = project.instance.get_runs(dg.RunsFilter(job_name="demand_rollback"))
    deploy(project, Mode.OBSERVE)
    project.daemon.run("demand_rollback", run_config=run.run_config)
    assert project.kinds() == ["request", "superseded"]
    assert "demand only observes now" in project.last("superseded").reason
    assert project.registry.champion() == "2"


@pytest.mark.parametrize("moment", ["after move"])
@pytest.mark.parametrize("mode", [Mode.PROPOSE, Mode.OBSERVE])
def test_a_rollback_that_had_moved_is_finished_whatever_the_mode_is_by_then(project, mode):
    (run,) = project.instance.get_runs(dg.RunsFilter(job_name="demand_rollback"))
    deploy(project, mode)
    project.daemon.run("demand_rollback", run_config=run.run_config)
    assert project.kinds() == ["request", "rollback"]
    assert project.registry.is_quarantined("2")
    assert transaction.pending_intents(project.registry) == ()


@pytest.mark.parametrize("started", [False, True])
def test_a_rejection_that_was_written_before_the_time_was_over_keeps_the_champion(
    new_project, started
):
    policy = {"within": "4h", "otherwise": "rollback"}
    project = new_project(rules=(ERROR_NOW,), mode="propose", decide=policy)
    project.live(1, weather=TURNED)
    project.now += timedelta(hours=4)
    tick = look(project.instance, project.guard, now=project.now)  # has read the log …
    say(project, "reject")  # … when ada answers
    for each in tick.decided:
        project.instance.report_runless_asset_event(decision_event(guard_key(project.guard), each))
    if started:
        (run,) = tick.requests
        project.daemon.run(run.job_name, run_config=run.run_config, tags=run.tags)
    assert project.daemon.tick(STOP_RULES) == []
    told = [kind for kind in project.kinds() if kind != "escalate"]
    assert told == ["request", "propose", "reject", "expire", "request", "superseded"]
    assert "reject by ada was written first" in project.last("superseded").reason
    assert project.registry.champion() == "2"
