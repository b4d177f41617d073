"""A person's rollback stays one request, however often it is tried."""

import time

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from aiguard_dagster.adapters.mlflow import rollback as transaction
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.orchestration.rollback import rollback_job_name
from tests.orchestration.project import DAY, ERROR_NOW


@pytest.fixture
def project(new_project):
    """A project whose guard has no verdict yet: what a person asks for speaks for now."""
    return new_project(rules=(ERROR_NOW,), versions=3, promoted=("1", "2", "3"))


def assert_rolled_back(project):
    registry = project.registry
    assert registry.champion() == "2"
    assert [v for v in ("1", "2", "3") if registry.is_quarantined(v)] == ["3"]
    assert [reign.version for reign in registry.reigns()] == ["1", "2", "3", "2"]
    assert transaction.pending_intents(registry) == ()
    assert project.kinds() == ["rollback"]


def fail_once(project, monkeypatch, name, error):
    """Let the first call of a step of the registry fail, and the day go by."""
    real = getattr(ModelRegistry, name)

    def failing(*args, **more):
        monkeypatch.setattr(ModelRegistry, name, real)
        project.now += DAY
        raise error

    monkeypatch.setattr(ModelRegistry, name, failing)


def try_again(project, run):
    """What "re-execute" does in Dagster's UI."""
    job = project.defs.resolve_job_def(rollback_job_name(project.guard))
    before = project.instance.get_run_by_id(run.run_id)
    again = project.instance.create_run_for_job(
        job,
        run_config=before.run_config,
        parent_run_id=before.run_id,
        root_run_id=before.root_run_id or before.run_id,
    )
    return execute_run(InMemoryJob(job), again, project.instance)


@pytest.mark.parametrize("step", ["quarantine", "record_reign"])
def test_an_attempt_after_a_fault_goes_on_with_what_was_begun(project, monkeypatch, step):
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    fail_once(project, monkeypatch, step, ActionError("MLflow: 503"))
    assert project.ask_for_rollback(approved=True).success
    assert_rolled_back(project)


def test_a_run_that_is_executed_again_and_again_goes_on_with_what_was_begun(project, monkeypatch):
    fault = dg.Failure("killed", allow_retries=False)
    fail_once(project, monkeypatch, "versions", fault)  # before anything is written
    run = project.ask_for_rollback(approved=True)
    for step in ("quarantine", "record_reign"):
        fail_once(project, monkeypatch, step, fault)
        run = try_again(project, run)
        assert not run.success
    assert try_again(project, run).success
    assert_rolled_back(project)


def test_a_run_that_is_executed_again_after_it_ended_moves_nothing(project):
    run = project.ask_for_rollback(approved=True)
    project.now += DAY
    assert try_again(project, run).success
    assert_rolled_back(project)
