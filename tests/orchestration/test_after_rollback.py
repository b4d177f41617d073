"""What follows a rollback: predictions made again, and the restored version seen at work."""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from aiguard_dagster.core import repredict
from aiguard_dagster.orchestration.after_rollback import REPREDICT_TAG
from tests.orchestration.project import (
    COMPLETE,
    DAY,
    ERROR,
    ERROR_NOW,
    HALF_EMPTY,
    PREDICTIONS,
    STOP_RULES,
    TURNED,
    Project,
    day,
    partition,
)

AGAIN = {"rollback": {"repredict": "since_incident"}}


def versions(project, *days):
    """The versions that made each day's predictions."""
    held = project.memory.held
    return ["".join(sorted(set(held[PREDICTIONS, partition(n)]["version"]))) for n in days]


def told(project, kind, about=None):
    found = [d for d in project.decisions() if d.kind == kind]
    return [d for d in found if about is None or d.evidence.get("about") == about]


def runs_of(project):
    """The runs that made partitions again, oldest first."""
    found = project.instance.get_runs()
    return [run for run in reversed(found) if REPREDICT_TAG in run.tags]


def until_quiet(project, ticks=20):
    for _ in range(ticks):
        if not project.tick():
            return
    pytest.fail("it never ends")


def turned(new_project, days=(1, 2, 3), **more):
    """A project whose version 2 was wrong for some days, just before it is judged."""
    project = new_project(rules=(COMPLETE, ERROR_NOW), **{**AGAIN, **more})
    for number in days:
        project.weather[number] = TURNED
        project.materialise(number)
    return project


def rolled_back(new_project, **more):
    """The same, once version 1 was put back, and before anything else has happened."""
    project = turned(new_project, **more)
    with pytest.MonkeyPatch.context() as patched:
        # As if the daemon died between what it recorded and the runs that it asked for.
        patched.setattr(type(project.daemon), "_run", only_rollbacks)
        project.tick()
    project.daemon._run_keys.clear()
    assert project.registry.champion() == "1"
    assert told(project, "repredict") == []
    return project


def only_rollbacks(daemon, request):
    if request.job_name is None or not request.job_name.endswith("_rollback"):
        return None
    return daemon.run(request.job_name, run_config=request.run_config, tags=request.tags)


def dies(daemon, request):
    return None


# Made again.


def test_the_partitions_of_the_incident_are_made_again_with_the_restored_version(new_project):
    project = new_project(rules=(COMPLETE, ERROR), **AGAIN)
    project.live(1, 2, 3)
    project.live(4, 5, 6, weather=TURNED)
    assert project.registry.champion() == "1"
    assert versions(project, 4, 5, 6) == ["2", "2", "2"]
    before = {p.as_of: p for p in project.points("error")}
    until_quiet(project)
    # The first verdict that was a breach spoke for the end of day 4.
    assert versions(project, 3, 4, 5, 6) == ["2", "1", "1", "1"]
    asked, done = told(project, "repredict")
    assert json.loads(asked.evidence["partitions"]) == [partition(n) for n in (4, 5, 6)]
    assert (asked.evidence["state"], asked.evidence["n"], asked.evidence["done"]) == ("asked", 3, 0)
    assert asked.reason == (
        "3 partitions of predictions since 2026-01-05 00:00 UTC by v2 are being made again with v1"
    )
    assert (done.evidence["state"], done.evidence["n"], done.evidence["done"]) == ("done", 3, 3)
    assert done.reason == "3 partitions of predictions made again: by v1"
    (rollback,) = told(project, "rollback")
    assert {d.incident for d in (asked, done)} == {rollback.incident}
    # What the bad version was judged on stays as it was; what comes is judged on the new rows.
    assert {p.as_of: p for p in project.points("error")} == before
    project.live(7, weather=TURNED)
    newest = project.points("error")[-1]
    assert (newest.verdict, newest.subject, newest.n) == ("ok", "1", 48)
    assert len(runs_of(project)) == 3


def test_a_daemon_that_dies_after_the_decision_is_taken_up_again_and_nothing_is_asked_twice(
    new_project,
):
    project = rolled_back(new_project)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(project.daemon), "_run", dies)
        project.daemon.tick(STOP_RULES)
    project.daemon._run_keys.clear()
    assert [d.evidence["state"] for d in told(project, "repredict")] == ["asked"]
    assert runs_of(project) == []
    until_quiet(project)
    assert versions(project, 1, 2, 3) == ["1", "1", "1"]
    assert [d.evidence["state"] for d in told(project, "repredict")] == ["asked", "done"]
    keys = [run.tags["dagster/partition"] for run in runs_of(project)]
    assert keys == [partition(1), partition(2), partition(3)]
    project.daemon.cursors.clear()
    project.daemon._run_keys.clear()
    assert project.tick() == []


def test_only_so_many_partitions_are_made_at_a_time(new_project, monkeypatch):
    monkeypatch.setattr(repredict, "MOST_AT_ONCE", 2)
    project = rolled_back(new_project)
    assert len(project.daemon.tick(STOP_RULES)) == 2
    assert len(project.daemon.tick(STOP_RULES)) == 1
    assert versions(project, 1, 2, 3) == ["1", "1", "1"]


def test_partitions_whose_runs_fail_are_tried_three_times_and_then_told(new_project, monkeypatch):
    project = rolled_back(new_project)
    of = Project._of

    def weather(self, context):
        if context.partition_key == partition(2):
            message = "the feature store is away"
            raise RuntimeError(message)
        return of(self, context)

    monkeypatch.setattr(Project, "_of", weather)
    until_quiet(project)
    assert versions(project, 1, 2, 3) == ["1", "2", "1"]
    (escalation,) = told(project, "escalate", "repredict")
    assert escalation.reason == (
        "1 of 3 partitions of predictions could not be made again with v1"
        " (1 still by v2): 2026-01-02. team:demand must look"
    )
    assert (escalation.evidence["n"], escalation.evidence["done"]) == (3, 2)
    assert json.loads(escalation.evidence["partitions"]) == [partition(2)]
    assert len(runs_of(project)) == 5
    assert [d.evidence["state"] for d in told(project, "repredict")] == ["asked"]


def test_predictions_that_do_not_follow_the_alias_are_not_called_made_again(
    new_project, monkeypatch
):
    project = rolled_back(new_project, days=(1,))
    # The user's asset has its version pinned.
    monkeypatch.setattr(project.registry, "champion", lambda: "2")
    until_quiet(project)
    assert len(runs_of(project)) == 3
    (escalation,) = told(project, "escalate", "repredict")
    assert "1 still by v2" in escalation.reason


def test_a_run_that_died_with_its_machine_is_tried_again_after_an_hour(new_project, monkeypatch):
    project = rolled_back(new_project, days=(1,))
    monkeypatch.setattr(type(project.daemon), "_run", dies)
    project.tick()
    project.daemon._run_keys.clear()
    job = project.defs.resolve_job_def("demand__predictions_repredict")
    ((request, *_), _) = requested(project)
    project.instance.create_run_for_job(
        job,
        status=dg.DagsterRunStatus.STARTED,
        tags={
            **request.tags,
            "dagster/partition": request.partition_key,
            "dagster/run_key": request.run_key,
        },
    )
    assert [r.run_key for r in requested(project)[0]] == []
    project.now = datetime.now(UTC) + timedelta(hours=2)
    assert [r.run_key for r in requested(project)[0]] == [request.run_key.replace("#1", "#2")]


def requested(project):
    """What the next tick asks for, without what comes of it."""
    project.daemon.cursors.pop(STOP_RULES, None)
    found = project.daemon.evaluate(STOP_RULES)
    return [r for r in found.run_requests or () if REPREDICT_TAG in r.tags], found.asset_events


def test_a_person_who_moves_on_ends_it(new_project):
    project = rolled_back(new_project, versions=3, baselines=("1", "2", "3"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(project.daemon), "_run", dies)
        project.daemon.tick(STOP_RULES)
    project.daemon._run_keys.clear()
    project.registry.promote("3", at=day(4), by="ada", why="better")
    project.weather[4] = TURNED
    project.materialise(4)
    project.tick()
    stopped = told(project, "repredict")[-1]
    assert stopped.evidence["state"] == "stopped"
    assert stopped.reason == "v3 is champion now: what is left of predictions stays as it is"
    assert versions(project, 1, 2, 3) == ["2", "2", "2"]
    project.now += 9 * DAY
    until_quiet(project)
    assert told(project, "confirm") == told(project, "escalate", "serving") == []


def test_nothing_is_made_again_of_broken_data_before_the_hold_is_over(new_project):
    project = rolled_back(new_project)
    project.live(4, weather=HALF_EMPTY)
    assert told(project, "hold")
    assert told(project, "repredict") == []
    project.live(5)
    until_quiet(project)
    assert told(project, "release")
    assert versions(project, 1, 2, 3) == ["1", "1", "1"]


def test_without_repredict_the_past_stays_as_it_was(new_project):
    project = turned(new_project, rollback={})
    until_quiet(project)
    assert project.registry.champion() == "1"
    assert told(project, "repredict") == runs_of(project) == []
    jobs = {job.name for job in project.defs.resolve_all_job_defs()}
    assert "demand__predictions_repredict" not in jobs


def test_a_store_that_is_away_keeps_nothing_else_from_being_decided(new_project, monkeypatch):
    from aiguard_dagster.orchestration import after_rollback

    def away(*_, **__):
        message = "the bucket is away"
        raise OSError(message)

    project = rolled_back(new_project, days=(1,))
    with monkeypatch.context() as patched:
        patched.setattr(after_rollback, "newest_served", away)
        project.live(2, weather=HALF_EMPTY)
    assert told(project, "hold")


# Seen at work.


def test_a_rollback_is_confirmed_by_the_first_predictions_of_the_restored_version(new_project):
    project = new_project(rules=(ERROR_NOW,))
    project.live(1, weather=TURNED)
    assert told(project, "confirm") == []
    project.live(2, weather=TURNED)
    (confirmed,) = told(project, "confirm")
    assert confirmed.reason == (
        "what is served carries v1: predictions 2026-01-02: 24 of 24 rows by v1"
    )
    assert confirmed.evidence == {
        "predictions": "2026-01-02",
        "predictions: rows of v1": 24,
        "restored": "1",
        "seen": day(3).isoformat(),
    }
    assert confirmed.incident == told(project, "rollback")[0].incident
    project.live(3, weather=TURNED)
    assert len(told(project, "confirm")) == 1


def test_what_was_made_again_is_no_word_on_the_service(new_project):
    project = turned(new_project)
    project.ask_for_rollback(at=day(2).isoformat(), approved="true")
    until_quiet(project)
    assert versions(project, 2, 3) == ["1", "1"]
    assert told(project, "confirm") == []
    project.live(4)
    assert len(told(project, "confirm")) == 1


def test_a_service_that_did_not_follow_the_alias_is_told_of_once(new_project, monkeypatch):
    project = new_project(rules=(ERROR_NOW,), rollback={"confirm_within": "36h"}, silence="90d")
    project.live(1, weather=TURNED)
    with monkeypatch.context() as patched:
        patched.setattr(project.registry, "champion", lambda: "2")
        project.live(2, weather=TURNED)
        assert told(project, "escalate", "serving") == []
        project.live(3, 4, weather=TURNED)
    (escalation,) = told(project, "escalate", "serving")
    assert escalation.reason == (
        "the alias moved, the service did not: it moved to v1 at 2026-01-02 00:00 UTC, and 36h"
        " later predictions 2026-01-03: 24 of 24 rows by v2. team:demand: make the service load its"
        " model again"
    )
    assert told(project, "confirm") == []
    project.live(5, weather=TURNED)
    assert len(told(project, "confirm")) == 1
    assert len(told(project, "escalate")) == 1


def test_no_predictions_at_all_are_told_in_words_of_their_own(new_project):
    project = new_project(rules=(ERROR_NOW,), silence="90d")
    project.live(1, weather=TURNED)
    project.now += timedelta(days=1, hours=23)
    project.tick()
    assert told(project, "escalate") == []
    project.now += timedelta(hours=1)
    project.tick()
    project.tick()
    (escalation,) = told(project, "escalate")
    assert escalation.evidence["about"] == "serving_silent"
    assert escalation.reason == (
        "the alias moved, and nobody can tell what is served: it moved to v1 at 2026-01-02 00:00"
        " UTC, and 2d later there are no predictions since. team:demand: see whether the service"
        " runs"
    )


def test_profiles_from_before_versions_were_recorded_are_read_themselves(new_project, monkeypatch):
    from aiguard_dagster.orchestration import served

    monkeypatch.setattr(served, "VERSIONS", "aiguard/of_old")
    project = turned(new_project, days=(1,))
    until_quiet(project)
    assert versions(project, 1) == ["1"]
    assert [d.evidence["state"] for d in told(project, "repredict")] == ["asked", "done"]
