"""Where a rollback goes, whether that version can serve, and whether it would do better."""

import polars as pl
import pytest

from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.orchestration import preflight
from aiguard_dagster.orchestration.baseline import record_baseline
from tests.orchestration.project import (
    DAY,
    DRIFT,
    ERROR_NOW,
    SECRET,
    TURNED,
    Weather,
    day,
    features_of,
    predictions_of,
)
from tests.orchestration.test_stop_rules import artifacts, outcomes

EXPECTED = {
    "name": "expected",
    "signal": {
        "kind": "estimated_performance",
        "metric": "mae",
        "window": "1d",
        "min_samples": 24,
    },
    "limit": {"above_baseline": "100%"},
}
NO_LABELS = Weather(labelled=False)


def delete_files(project, version):
    run = project.registry.client.get_run(project.registry.version(version).run_id)
    for file in sorted(artifacts(run).rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()


def test_the_last_known_good_version_is_named_with_what_it_has_shown(new_project):
    project = new_project(rules=(ERROR_NOW,), promoted=("1",))
    project.live(1, weather=Weather(slope=1.0))
    project.registry.promote("2", at=day(2), by="team:demand", why="release 2")
    project.live(2, weather=TURNED)
    assert outcomes(project) == ["rollback"]
    rollback = project.last("rollback")
    assert rollback.evidence["proven"] == 1
    assert "v1 is the last known good version: error was ok until 2026-01-02" in rollback.reason
    assert project.registry.champion() == "1"


def test_an_unfit_candidate_makes_way_for_the_next_one_and_both_are_told(new_project):
    project = new_project(rules=(ERROR_NOW,), versions=3, promoted=("1", "3", "2"))
    delete_files(project, "3")
    project.live(1, weather=TURNED)
    assert outcomes(project) == ["rollback"]
    rollback = project.last("rollback")
    assert rollback.evidence["candidate"] == "1"
    assert rollback.evidence["proven"] == 0
    assert "v3 is unproven" in rollback.evidence["passed_over"]
    assert "v3 cannot serve: models:/" in rollback.reason
    assert "v1 is unproven" in rollback.reason
    assert project.registry.champion() == "1"


def test_only_so_many_unfit_candidates_are_tried_and_the_others_are_named(new_project, monkeypatch):
    monkeypatch.setattr(preflight, "MOST_TRIED", 1)
    project = new_project(rules=(ERROR_NOW,), versions=3, promoted=("1", "3", "2"))
    delete_files(project, "3")
    project.ask_for_rollback(at=day(2).isoformat())
    assert outcomes(project) == ["refuse"]
    assert "v1 was not tried" in project.last("refuse").reason


def test_a_worse_candidate_does_not_make_way_for_an_older_one(new_project):
    project = new_project(rules=(ERROR_NOW,), versions=3, promoted=("3", "1", "2"))
    project.live(1, weather=Weather(slope=3.0))
    assert outcomes(project) == ["refuse"]
    refusal = project.last("refuse")
    assert refusal.evidence["candidate"] == "1"
    assert "going back would be worse. v1 is unproven" in refusal.reason
    assert refusal.reason.endswith(". team:demand decides")
    assert "v3" not in refusal.reason


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ({"alias": "stable"}, "no version bears the alias of rollback.to: {alias: stable}"),
        ({"version": 9}, "v9 does not exist (rollback.to: {version: 9}); there are 1, 2"),
        ({"version": 2}, "v2 is the champion itself (rollback.to: {version: 2})"),
        ({"version": 1}, "v1 is in quarantine (rollback.to: {version: 1})"),
    ],
)
def test_a_named_place_that_is_none_is_refused(new_project, to, told):
    project = new_project(rules=(ERROR_NOW,), rollback={"to": to})
    project.registry.quarantine("1", reason="leaks", at=day(1), by="ada")
    project.ask_for_rollback(at=day(2).isoformat())
    assert outcomes(project) == ["refuse"]
    assert told in project.last("refuse").reason
    assert project.registry.champion() == "2"


def test_a_rollback_goes_where_an_alias_says(new_project):
    project = new_project(rules=(ERROR_NOW,), rollback={"to": {"alias": "stable"}})
    client = project.registry.client
    client.set_registered_model_alias(project.registry.name, "stable", "1")
    project.live(1, weather=TURNED)
    assert outcomes(project) == ["rollback"]
    assert "v1 is what rollback.to: {alias: stable} names" in project.last("rollback").reason
    assert project.registry.champion() == "1"


@pytest.mark.parametrize("approved", ["false", "true"])
def test_a_record_that_cannot_be_read_leaves_a_decision_and_not_a_crash(new_project, approved):
    project = new_project(rules=(ERROR_NOW,))
    key = next(k for k in project.registry.version("1").tags if k.startswith("aiguard.reigns"))
    client = project.registry.client
    client.set_model_version_tag(project.registry.name, "1", key, "mine now")
    run = project.ask_for_rollback(at=day(2).isoformat(), approved=approved)
    assert run.success
    assert outcomes(project) == ["refuse"]
    refusal = project.last("refuse")
    assert "it is not known what there is to go back to" in refusal.reason
    assert project.registry.champion() == "2"


def test_a_wrong_answer_leaves_a_decision_too_and_is_not_quoted(new_project, monkeypatch):
    project = new_project(rules=(ERROR_NOW,), rollback={"to": {"alias": "stable"}})

    def answer_wrongly(*_):
        raise KeyError(SECRET)

    monkeypatch.setattr(ModelRegistry, "bearer", answer_wrongly)
    project.ask_for_rollback(at=day(2).isoformat())
    refusal = project.last("refuse")
    assert "KeyError in answer_wrongly" in refusal.reason
    assert SECRET not in refusal.reason


def accepted_on(version, shift, error):
    """A month of loads so far from today's, in which the version was off by so much."""
    slope = {"1": 1.0, "2": 2.0}[version]
    starts = [day(1) - DAY * number for number in range(30, 0, -1)]
    predictions = pl.concat(predictions_of(each, version, Weather(slope=slope)) for each in starts)
    return {
        "features": pl.concat(features_of(each, Weather(shift=shift)) for each in starts),
        "predictions": predictions.with_columns(was=pl.col("said") + error),
    }


@pytest.mark.parametrize(
    ("shifts", "errors", "outcome", "told"),
    [
        ((0, -60), (1, 5), "rollback", ": better"),
        ((-60, 0), (5, 1), "refuse", "going back would be worse"),
        ((0, -60), (5, 1), "refuse", "not clear whether it would be better"),
        ((0, 0), (1, 5), "refuse", "not clear whether it would be better"),
    ],
    ids=["nearer and expected better", "farther and worse", "they disagree", "one is unclear"],
)
def test_without_labels_only_what_both_distance_and_expectation_say_counts(
    new_project, shifts, errors, outcome, told
):
    project = new_project(rules=(ERROR_NOW, DRIFT, EXPECTED), baselines=())
    uri = project.registry.client.tracking_uri
    for version, shift, error in zip("12", shifts, errors, strict=True):
        data = accepted_on(version, shift, error)
        record_baseline(project.guard, version=version, data=data, tracking_uri=uri)
    project.weather[1] = NO_LABELS
    project.materialise(1)
    project.ask_for_rollback(at=day(2).isoformat())
    (ended,) = project.decisions()
    assert ended.kind == outcome
    assert told in ended.reason
    assert "only 0 of 24 labelled rows to score v1 on; without labels: inputs are" in ended.reason
    evidence = ended.evidence
    assert evidence["candidate_expected"] == pytest.approx(errors[0])
    assert evidence["champion_expected"] == pytest.approx(errors[1])
    nearer = evidence["candidate_distance"] < evidence["champion_distance"]
    assert nearer is (abs(shifts[0]) < abs(shifts[1]))
    assert SECRET not in ended.reason


def test_without_labels_a_distance_alone_leaves_it_unclear(new_project):
    project = new_project(rules=(ERROR_NOW,), rollback={"on_inconclusive": "hold"})
    project.weather[1] = NO_LABELS
    project.materialise(1)
    project.ask_for_rollback(at=day(2).isoformat(), actor="guard")
    refusal = project.last("refuse")
    assert refusal.evidence["then"] == "hold"
    assert refusal.evidence["candidate_distance"] == 0.0
    assert "no rule of kind estimated_performance" in refusal.reason
    assert "not clear whether it would be better" in refusal.reason


@pytest.mark.usefixtures("cold_models")
def test_a_candidate_that_is_slow_to_start_leaves_it_to_the_owner(new_project):
    project = new_project(rules=(ERROR_NOW,), rollback={"load_within": "1s"})
    project.weather[1] = TURNED
    project.materialise(1)
    project.ask_for_rollback(at=day(2).isoformat(), actor="guard")
    proposal = project.last("propose")
    assert "v1 could not be scored" in proposal.reason
    assert project.registry.champion() == "2"
