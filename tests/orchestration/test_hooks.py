"""A service that is told once the model has moved: it may fail, and the move stands."""

import pytest

from aiguard_dagster.orchestration import rollback as rollback_job
from tests.orchestration.project import ERROR_NOW, TURNED, WORSE, day
from tests.orchestration.test_stop_rules import at_step, die
from tests.webhook_server import service

SECRET = "hunter2secret"  # noqa: S105 - what must never be told
TELL = {"tell": {"webhook": "RELOAD", "within": "2s"}}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("aiguard_dagster.adapters.services.PAUSES_S", (0.0, 0.0))
    with service().up() as up:
        monkeypatch.setenv("RELOAD", f"http://127.0.0.1:{up.port}/{SECRET}")
        yield up


def everything(project):
    """All that is on record of the project: events, logs, run config, tags."""
    return str([str(d) for d in project.decisions()]) + "".join(
        f"{project.instance.all_logs(run.run_id)} {run.run_config} {run.tags}"
        for run in project.instance.get_runs()
    )


def test_a_service_is_told_what_moved_from_where_to_where(new_project, server):
    project = new_project(rules=(ERROR_NOW,), rollback=TELL)
    project.live(1, weather=TURNED)
    ((path, document),) = server.said
    assert path == f"/{SECRET}"
    assert document.pop("reason").startswith(f"{project.registry.name}: v2 → v1.")
    assert document == {
        "model": project.registry.name,
        "alias": "champion",
        "from": "2",
        "to": "1",
        "guard": "demand",
        "incident": "demand:error:20260102T000000Z",
        "at": day(2).isoformat(),
        "actor": "guard",
    }
    assert project.kinds() == ["request", "rollback"]
    assert project.last("rollback").evidence["told"] == "ok"
    project.tick()
    assert len(server.said) == 1


def test_a_service_that_fails_undoes_nothing_and_its_owner_is_told(new_project, server):
    server.status = 500
    project = new_project(rules=(ERROR_NOW,), rollback=TELL)
    project.live(1, weather=TURNED)
    assert project.registry.champion() == "1"
    assert project.registry.is_quarantined("2")
    assert project.kinds() == ["request", "rollback", "escalate"]
    assert project.last("rollback").evidence["told"] == "failed: HTTP 500"
    assert project.last("escalate").reason == (
        "v1 is back, and the service at RELOAD could not be told (tried 3 times: HTTP 500)."
        " It may still serve v2; team:demand must see to it"
    )
    assert len(server.said) == 3
    project.tick()
    assert project.kinds() == ["request", "rollback", "escalate"]
    assert SECRET not in everything(project)


def test_a_refusal_tells_no_service(new_project, server):
    project = new_project(rules=(ERROR_NOW,), rollback=TELL)
    project.live(1, weather=WORSE)
    assert project.kinds() == ["request", "refuse"]
    assert server.said == []


def test_a_person_who_moved_the_alias_after_the_rollback_is_not_contradicted(
    new_project, server, monkeypatch
):
    project = new_project(rules=(ERROR_NOW,), versions=3, rollback=TELL)
    real = rollback_job.roll_back

    def meanwhile(registry, intent):
        found = real(registry, intent)
        registry.point_to("3")
        return found

    monkeypatch.setattr(rollback_job, "roll_back", meanwhile)
    project.live(1, weather=TURNED)
    assert project.kinds() == ["request", "superseded"]
    assert server.said == []


def test_a_run_that_dies_after_the_move_tells_the_service_when_it_is_run_again(
    new_project, server, monkeypatch
):
    project = new_project(rules=(ERROR_NOW,), rollback=TELL)
    with monkeypatch.context() as patched:
        at_step(patched, die("after move"))
        project.live(1, weather=TURNED)
    assert server.said == []
    project.tick()
    assert project.kinds() == ["request", "rollback"]
    assert len(server.said) == 1


def test_a_model_by_stage_is_told_by_its_stage(new_project, server):
    project = new_project(rules=(ERROR_NOW,), rollback=TELL, pointer={"stage": "Production"})
    project.live(1, weather=TURNED)
    ((_, document),) = server.said
    assert document["stage"] == "Production"
    assert "alias" not in document


def test_a_function_is_called_instead(new_project, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "their_router.py").write_text(
        "import pathlib\n"
        "def reload(what):\n"
        "    pathlib.Path(__file__).with_suffix('.txt').write_text(what['to'])\n"
    )
    project = new_project(rules=(ERROR_NOW,), rollback={"tell": {"call": "their_router:reload"}})
    project.live(1, weather=TURNED)
    assert (tmp_path / "their_router.txt").read_text() == "1"
    assert project.last("rollback").evidence["told"] == "ok"
