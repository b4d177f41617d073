"""From a breach to a decision, and from a request to the moved alias."""

import warnings
from collections.abc import Callable
from datetime import timedelta

import dagster as dg
import pytest

from aiguard_dagster.adapters.mlflow import rollback as transaction
from aiguard_dagster.orchestration import rollback as rollback_job
from tests.orchestration.project import (
    COMPLETE,
    DAY,
    DELTAS,
    DRIFT,
    ERROR,
    ERROR_NOW,
    FEATURES,
    FRESH,
    GOOD,
    HALF_EMPTY,
    PREDICTIONS,
    STOP_RULES,
    TURNED,
    WORSE,
    Weather,
    day,
    partition,
)

OUTCOMES = ("rollback", "refuse", "superseded", "failed")


def outcomes(project):
    return [kind for kind in project.kinds() if kind in OUTCOMES]


def stage_of(project, version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        client = project.registry.client
        return client.get_model_version(project.registry.name, version).current_stage


@pytest.mark.both_storages
@pytest.mark.parametrize("mlflow", ["sqlite", pytest.param("http", marks=pytest.mark.slow)])
def test_a_breach_beyond_the_grace_window_ends_in_a_whole_rollback(new_project, mlflow):
    project = new_project(mlflow=mlflow, on_disk=True, rules=(FRESH, COMPLETE, ERROR))
    project.live(1, 2, 3)
    project.live(4, 5, weather=TURNED)  # the breach lasts for a day, grace is two
    assert project.verdicts("error")[5] == "breach"
    assert project.kinds() == []
    project.live(6, weather=TURNED)

    assert project.kinds() == ["request", "rollback"]
    request, rollback = project.decisions()
    assert rollback.at == request.at == day(7)
    assert rollback.incident == request.incident == "demand:error:20260105T000000Z"
    evidence = rollback.evidence
    assert (evidence["champion"], evidence["candidate"]) == ("2", "1")
    assert evidence["champion_error"] == pytest.approx(110.5)
    assert evidence["candidate_error"] == pytest.approx(1.0)
    assert evidence["n"] == 48
    assert "v2 → v1" in rollback.reason

    registry = project.registry
    assert registry.champion() == "1"
    assert registry.is_quarantined("2")
    assert not registry.is_quarantined("1")
    assert [(r.version, r.start, r.end, r.by) for r in registry.reigns()] == [
        ("1", day(-19), day(-9), "team:demand"),
        ("2", day(-9), day(7), "team:demand"),
        ("1", day(7), None, "guard"),
    ]

    runs = project.instance.get_runs_count()
    assert project.tick() == []
    assert project.tick() == []
    assert project.kinds() == ["request", "rollback"]
    project.live(7, weather=TURNED)
    assert project.verdicts("error")[7] == "ok"
    assert project.kinds() == ["request", "rollback", "confirm"]
    assert project.instance.get_runs_count() == runs + 1


def test_a_rollback_by_stage_archives_the_bad_version(new_project):
    project = new_project(rules=(ERROR_NOW,), pointer={"stage": "Production"})
    assert (stage_of(project, "1"), stage_of(project, "2")) == ("Archived", "Production")
    project.live(1, weather=TURNED)
    assert outcomes(project) == ["rollback"]
    assert (stage_of(project, "1"), stage_of(project, "2")) == ("Production", "Archived")
    assert [reign.version for reign in project.registry.reigns()] == ["1", "2", "1"]
    assert project.registry.is_quarantined("2")


def test_a_guard_that_observes_says_what_it_would_do(new_project):
    project = new_project(rules=(ERROR_NOW,), mode="observe")
    project.live(1, 2, weather=TURNED)
    assert project.kinds() == ["notify"]
    assert "team:demand decides (observe: would rollback)" in project.last("notify").reason
    assert project.registry.champion() == "2"


def test_a_guard_that_proposes_asks_with_the_evidence_and_nothing_moves_without_an_answer(
    new_project,
):
    project = new_project(rules=(ERROR_NOW,), mode="propose")
    project.live(1, weather=TURNED)
    assert project.kinds() == ["request", "propose"]
    proposal = project.last("propose")
    assert proposal.evidence["champion_error"] == pytest.approx(110.5)
    assert proposal.evidence["candidate_error"] == pytest.approx(1.0)
    assert proposal.evidence["deadline"] == (day(2) + timedelta(hours=4)).isoformat()
    project.now += timedelta(hours=4)
    project.tick()
    assert project.kinds() == ["request", "propose", "expire"]
    assert project.registry.champion() == "2"


def test_a_candidate_that_would_be_worse_is_refused_on_evidence(new_project):
    project = new_project(rules=(ERROR_NOW,))
    project.live(1, weather=WORSE)
    assert project.kinds() == ["request", "refuse"]
    refusal = project.last("refuse")
    assert refusal.evidence["champion_error"] == pytest.approx(112.5)
    assert refusal.evidence["candidate_error"] == pytest.approx(224.0)
    assert refusal.evidence["improvement_high"] < 0
    assert "going back would be worse" in refusal.reason
    assert project.registry.champion() == "2"
    assert not project.registry.is_quarantined("2")
    project.live(2, weather=WORSE)  # the cooldown is a week
    assert outcomes(project) == ["refuse"]


def test_a_refusal_is_reconsidered_when_the_cooldown_is_over(new_project):
    project = new_project(rules=(ERROR_NOW,), cooldown="2d")
    project.live(1, 2, weather=WORSE)
    assert outcomes(project) == ["refuse"]
    project.live(3, weather=TURNED)
    assert outcomes(project) == ["refuse", "rollback"]
    assert [d.evidence["attempt"] for d in project.decisions() if d.kind == "request"] == [1, 2]


def test_two_rules_that_ask_for_one_event_time_have_a_run_each(new_project):
    squared = {**ERROR_NOW, "name": "squared", "signal": {**ERROR_NOW["signal"], "metric": "rmse"}}
    project = new_project(rules=(ERROR_NOW, squared))
    project.live(1, weather=WORSE)
    project.tick()
    refused = [d for d in project.decisions() if d.kind == "refuse"]
    assert [(d.rule, d.at) for d in refused] == [("error", day(2)), ("squared", day(2))]
    assert len({d.incident for d in refused}) == 1
    runs = project.instance.get_runs(dg.RunsFilter(job_name="demand_rollback"))
    assert len({run.tags[rollback_job.INCIDENT_TAG] for run in runs}) == len(runs) == 2


def test_without_an_earlier_champion_there_is_nowhere_to_go(new_project):
    project = new_project(rules=(ERROR_NOW,), promoted=("2",))
    project.live(1, weather=TURNED)
    assert outcomes(project) == ["refuse"]
    assert "no earlier champion" in project.last("refuse").reason
    assert project.registry.champion() == "2"


def test_a_quarantined_version_is_no_place_to_go_back_to(new_project):
    project = new_project(rules=(ERROR_NOW,))
    project.registry.quarantine("1", reason="leaks", at=day(1), by="ada")
    project.live(1, weather=TURNED)
    assert outcomes(project) == ["refuse"]
    assert project.registry.champion() == "2"


def test_the_owner_is_asked_where_features_are_missing_and_one_whose_inputs_are_gone_is_unfit(
    new_project,
):
    project = new_project(rules=(ERROR_NOW,))
    project.weather[1] = TURNED
    project.materialise(1, PREDICTIONS)
    project.tick()
    assert project.kinds() == ["request", "propose"]
    assert "v1 could not be scored: no partition of features" in project.last("propose").reason
    assert project.registry.champion() == "2"
    project.live(9, weather=Weather(slope=1.0, gone=("load",)))
    assert outcomes(project) == ["refuse"]
    refusal = project.last("refuse")
    assert "v1 cannot serve: its inputs are not what" in refusal.reason
    assert "load (float64) is in none of the tables" in refusal.reason
    assert project.registry.champion() == "2"


def test_a_candidate_that_cannot_be_loaded_is_refused(new_project):
    project = new_project(rules=(ERROR_NOW,))
    version = project.registry.version("1")
    run = project.registry.client.get_run(version.run_id)
    for file in sorted(artifacts(run).rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    project.live(1, weather=TURNED)
    assert outcomes(project) == ["refuse"]
    assert "v1 cannot serve: models:/" in project.last("refuse").reason
    assert project.registry.champion() == "2"


def artifacts(run):
    from pathlib import Path
    from urllib.parse import unquote, urlparse

    return Path(unquote(urlparse(run.info.artifact_uri).path))


def test_a_request_on_too_few_labelled_rows_is_refused(new_project):
    project = new_project(rules=(ERROR_NOW,))
    project.live(1, weather=Weather(slope=1.0, hours=20))
    assert project.verdicts("error") == {1: "inconclusive"}
    assert project.kinds() == []
    project.ask_for_rollback()
    assert outcomes(project) == ["refuse"]
    assert "only 20 of 24 labelled rows to score v1 on" in project.last("refuse").reason
    project.live(2, weather=Weather(slope=1.0, labelled=False))
    project.ask_for_rollback()
    assert "only 0 of 24 labelled rows to score v1 on" in project.last("refuse").reason
    assert project.registry.champion() == "2"


def test_a_person_who_moved_the_alias_before_the_run_wins(new_project):
    project = new_project(rules=(ERROR_NOW,), versions=3, baselines=("1", "2", "3"))
    project.weather[1] = TURNED
    project.materialise(1)
    project.daemon.tick(DELTAS)
    project.registry.point_to("3")
    project.daemon.tick(STOP_RULES)
    assert project.kinds() == ["request", "superseded"]
    assert project.registry.champion() == "3"
    assert not project.registry.is_quarantined("2")


def test_a_person_who_moves_the_alias_during_the_run_wins(new_project, monkeypatch):
    project = new_project(rules=(ERROR_NOW,), versions=3, baselines=("1", "2", "3"))

    def meanwhile(step):
        if step == "after intent":
            project.registry.point_to("3")

    at_step(monkeypatch, meanwhile)
    project.live(1, weather=TURNED)
    assert project.kinds() == ["request", "superseded"]
    assert project.registry.champion() == "3"
    project.tick()
    assert project.kinds() == ["request", "superseded"]


def at_step(monkeypatch, on_step: Callable[[str], None]):
    """Let the job's own transaction call back at each step."""
    monkeypatch.setattr(
        rollback_job,
        "roll_back",
        lambda registry, intent: transaction.roll_back(registry, intent, on_step=on_step),
    )


def die(moment):
    def on_step(name):
        if name == moment:
            message = f"killed {name}"
            raise dg.Failure(message, allow_retries=False)

    return on_step


@pytest.mark.parametrize("moment", [f"after {step}" for step in transaction.STEPS])
def test_a_rollback_run_that_dies_is_asked_for_again_and_ends_once(
    new_project, monkeypatch, moment
):
    project = new_project(rules=(ERROR_NOW,))
    with monkeypatch.context() as patched:
        at_step(patched, die(moment))
        project.live(1, weather=TURNED)
    assert project.kinds() == ["request"]
    (again,) = project.tick()
    assert again.success
    assert project.kinds() == ["request", "rollback"]
    assert project.registry.champion() == "1"
    assert project.registry.is_quarantined("2")
    assert [reign.version for reign in project.registry.reigns()] == ["1", "2", "1"]
    assert project.tick() == []


@pytest.mark.both_storages
def test_a_rollback_that_died_after_the_move_is_finished_though_new_days_have_come(
    new_project, monkeypatch
):
    project = new_project(rules=(ERROR_NOW,))
    with monkeypatch.context() as patched:
        at_step(patched, die("after move"))
        project.live(1, weather=TURNED)
    project.weather[2] = TURNED
    project.materialise(2)  # by version 1, which the alias marks already
    project.tick()  # nobody knows yet who moved it
    project.tick()
    assert project.verdicts("error") == {1: "breach", 2: "ok"}
    assert outcomes(project) == ["rollback"]
    assert project.registry.is_quarantined("2")
    reigns = project.registry.reigns()
    assert [(r.version, r.start, r.by) for r in reigns[1:]] == [
        ("2", day(-9), "team:demand"),
        ("1", day(2), "guard"),
    ]


def test_a_rollback_that_keeps_dying_is_given_up_after_three_runs(new_project, monkeypatch):
    project = new_project(rules=(ERROR_NOW,))
    at_step(monkeypatch, die("before move"))
    project.live(1, weather=TURNED)
    runs = [run for _ in range(4) for run in project.tick()]
    assert len(runs) == 2
    assert project.kinds() == ["request", "failed"]
    assert "failed 3 times. team:demand must look" in project.last("failed").reason
    assert project.registry.champion() == "2"


@pytest.mark.both_storages
def test_a_request_whose_breach_has_ended_is_not_run_again(new_project, monkeypatch):
    project = new_project(rules=(ERROR_NOW,))
    with monkeypatch.context() as patched:
        patched.setattr(rollback_job, "run_rollback", fail)
        project.live(1, weather=TURNED)
    project.weather[2] = GOOD
    project.materialise(2)
    assert project.tick() == []
    assert project.kinds() == ["request", "superseded"]
    assert "the breach has ended" in project.last("superseded").reason
    assert project.registry.champion() == "2"


def fail(*_, **__):
    message = "killed"
    raise dg.Failure(message, allow_retries=False)


def test_a_person_needs_to_give_a_reason_and_a_name_only(new_project):
    project = new_project(rules=(DRIFT, ERROR), mode="observe")
    project.live(1, 2, weather=TURNED)
    run = project.ask_for_rollback(reason="customers complain", actor="person:ada")
    assert run.success
    (rollback,) = [d for d in project.decisions() if d.kind == "rollback"]
    assert (rollback.actor, rollback.at, rollback.rule) == ("person:ada", day(3), "")
    assert "customers complain" in rollback.reason
    assert project.registry.champion() == "1"
    assert project.registry.is_quarantined("2")
    reign = project.registry.reigns()[-1]
    assert (reign.version, reign.start, reign.by) == ("1", day(3), "person:ada")


def test_a_persons_request_is_refused_too_when_going_back_would_be_worse(new_project):
    project = new_project(rules=(DRIFT, ERROR))
    project.live(1, 2, weather=GOOD)
    project.ask_for_rollback()
    assert project.kinds() == ["refuse"]
    assert project.last("refuse").actor == "person:ada"
    assert project.registry.champion() == "2"


def test_a_person_may_name_the_version_to_go_to(new_project):
    project = new_project(
        rules=(ERROR_NOW,), versions=3, promoted=("1", "3", "2"), baselines=("1", "2", "3")
    )
    project.live(1, weather=GOOD)
    project.weather[1] = TURNED
    project.live(1)
    assert project.last("propose").evidence["candidate"] == "3"  # as bad as version 2
    project.ask_for_rollback(to_version="1")
    assert project.registry.champion() == "1"


def test_drift_alone_notifies_once_and_names_who_decides(new_project):
    project = new_project(rules=(DRIFT, ERROR))
    project.live(1, 2, 3, 4, weather=Weather(shift=1000.0))
    assert project.verdicts("drift")[4] == "breach"
    assert project.verdicts("error")[4] == "ok"
    assert project.kinds() == ["notify"]
    notice = project.last("notify")
    assert notice.at == day(4)  # a day after the first breach, as its grace window says
    assert "team:demand decides" in notice.reason
    assert notice.evidence["champion"] == "2"


@pytest.mark.both_storages
def test_half_empty_features_are_held_and_released_and_the_model_is_left_alone(new_project):
    project = new_project(rules=(COMPLETE, {**ERROR, "grace": "1d"}))
    project.live(1, 2, 3)
    for number in (4, 5, 6):
        project.weather[number] = HALF_EMPTY
        project.materialise(number)  # is stopped at the features …
        project.materialise(number, PREDICTIONS)  # … and someone predicts all the same
        project.tick()
    assert project.verdicts("error") == {1: "inconclusive", 2: "ok", 3: "ok"} | dict.fromkeys(
        (4, 5, 6), "breach"
    )
    assert project.kinds() == ["hold"]
    hold = project.last("hold")
    assert (hold.at, hold.rule) == (day(5), "complete")
    project.live(7, weather=GOOD)
    assert project.kinds() == ["hold", "notify", "release"]
    assert "Suspect: complete (pipeline)" in project.last("notify").reason
    assert project.last("release").at == day(8)
    project.live(8, weather=GOOD)
    assert outcomes(project) == []
    assert project.registry.champion() == "2"


def test_a_hold_ends_when_the_days_are_mended_in_place(new_project):
    project = new_project(rules=(FRESH, COMPLETE))
    project.live(1, weather=Weather(hours=12))
    assert project.kinds() == ["hold"]
    assert "fresh" in project.last("hold").reason
    assert "complete" in project.last("hold").reason
    project.live(1, weather=GOOD)
    assert project.kinds() == ["hold", "release"]


def test_lasting_silence_is_escalated_once_and_never_rolls_back(new_project):
    project = new_project(rules=(ERROR,), silence="2d")
    project.live(1, 2)
    project.live(3, 4, weather=Weather(labelled=False))
    assert project.kinds() == ["escalate"]
    assert "nothing conclusive since 2026-01-03 00:00 UTC" in project.last("escalate").reason
    project.now += 5 * DAY
    project.tick()
    assert project.kinds() == ["escalate"]


def test_an_error_neither_clears_nor_fires_a_rule(new_project):
    project = new_project(rules=(ERROR_NOW,), baselines=("1",))
    project.live(1, 2, weather=TURNED)
    assert set(project.verdicts("error").values()) == {"error"}
    assert project.kinds() == []


def test_decisions_are_on_the_guards_own_asset_and_can_be_read_in_the_ui(new_project):
    project = new_project(rules=(ERROR_NOW,))
    project.live(1, weather=WORSE)
    records = project.instance.fetch_observations(dg.AssetKey(["demand", "guard"]), limit=9).records
    refusal = records[0].asset_observation
    assert refusal.description.startswith("refuse: mae from 2026-01-01 to 2026-01-02 (n=24)")
    assert refusal.metadata["aiguard/as_of"].value == day(2).timestamp()
    assert refusal.metadata["aiguard/actor"].value == "guard"


def test_a_tick_long_after_decides_by_event_time(new_project):
    project = new_project(rules=(ERROR_NOW,), silence="900d")
    for number in (1, 2, 3):
        project.weather[number] = TURNED
        project.materialise(number)
    project.now = day(3) + timedelta(days=400)
    project.tick()
    assert project.last("rollback").at == day(4)
    assert project.registry.reigns()[-1].start == day(4)
    assert project.instance.get_materialized_partitions(FEATURES) == {
        partition(number) for number in (1, 2, 3)
    }
