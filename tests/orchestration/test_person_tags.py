"""What owners say in tags on a version: answers, taken once, and pins, which always win."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aiguard_dagster.adapters.mlflow import registry as registry_module
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.people import Answer, answer_of_text
from aiguard_dagster.orchestration import rollback as rollback_job
from aiguard_dagster.orchestration.answer_tags import AnswerTags
from aiguard_dagster.orchestration.people import record_answer
from tests.orchestration.project import (
    COMPLETE,
    DELTAS,
    ERROR_NOW,
    HALF_EMPTY,
    STOP_RULES,
    TURNED,
    day,
)
from tests.orchestration.test_stop_rules import at_step

ANSWER, PIN = "aiguard.answer", "aiguard.pin"


def tag(project, key, text, version="2"):
    registry = project.registry
    registry.client.set_model_version_tag(registry.name, version, key, text)


@pytest.fixture
def asked(new_project):
    """A project whose guard has asked to roll back."""
    project = new_project(rules=(ERROR_NOW,), mode="propose", cooldown="1d", silence="99d")
    project.live(1, weather=TURNED)
    assert project.kinds() == ["request", "propose"]
    return project


@pytest.mark.parametrize("mlflow", ["sqlite", "http"])
def test_an_answer_by_tag_is_recorded_with_who_and_why(new_project, mlflow):
    project = new_project(rules=(ERROR_NOW,), mode="propose", mlflow=mlflow)
    project.live(1, weather=TURNED)
    tag(project, ANSWER, "approve Ann Lee: looked at it")
    project.tick()
    assert project.kinds() == ["request", "propose", "approve", "request", "rollback"]
    approval = project.last("approve")
    assert (approval.actor, approval.reason) == ("Ann Lee", "looked at it")
    assert approval.evidence["via"] == "the tag aiguard.answer of v2"
    assert project.registry.champion() == "1"


def test_a_rejection_by_tag_is_taken_once_also_by_later_proposals(asked):
    tag(asked, ANSWER, "reject ada: a holiday")
    asked.tick()
    asked.tick()
    assert asked.kinds() == ["request", "propose", "reject"]
    asked.live(2, weather=TURNED)  # the cooldown is over, and it asks again
    asked.tick()
    assert asked.kinds()[3:] == ["request", "propose"]
    tag(asked, ANSWER, "reject ada: still a holiday")
    asked.tick()
    assert asked.kinds()[3:] == ["request", "propose", "reject"]
    assert asked.last("reject").reason == "still a holiday"


def test_a_tag_that_came_too_late_does_not_answer_the_next_proposal(asked):
    asked.now += timedelta(hours=4)
    asked.tick()
    assert asked.kinds() == ["request", "propose", "expire"]
    tag(asked, ANSWER, "approve ada: sorry, I was asleep")
    asked.live(2, weather=TURNED)
    asked.tick()
    assert asked.kinds()[3:] == ["request", "propose"]
    assert asked.registry.champion() == "2"


def test_an_answer_in_time_counts_though_the_tick_is_late(asked):
    tag(asked, ANSWER, "approve ada: looked at it")
    asked.now += timedelta(hours=30)
    asked.tick()
    assert "expire" not in asked.kinds()
    assert asked.registry.champion() == "1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("yes", "it begins with neither approve nor reject"),
        ("release ada: so", "it begins with neither approve nor reject"),
        ("approve ada", "no reason is given"),
        ("approve : because", "nobody is named who decides"),
        ("approve guard: because", "'guard' is nobody's name"),
    ],
)
def test_what_is_no_answer_is_said_once_and_changes_nothing(asked, text, told):
    tag(asked, ANSWER, text)
    asked.tick()
    asked.tick()
    assert asked.kinds() == ["request", "propose", "escalate"]
    escalation = asked.last("escalate")
    assert f"the tag aiguard.answer of v2 is no answer: {told}" in escalation.reason
    assert "Write 'approve NAME: REASON'" in escalation.reason
    tag(asked, ANSWER, "approve ada: mended")
    asked.tick()
    assert asked.registry.champion() == "1"


def test_an_empty_tag_is_none(asked):
    tag(asked, ANSWER, " ")
    asked.tick()
    assert asked.kinds() == ["request", "propose"]


def test_an_answer_that_was_given_elsewhere_first_stands(asked):
    record_answer(
        asked.instance,
        asked.guard,
        Answer.REJECT,
        by="bob",
        why="no",
        now=asked.now,
        via="a test",
    )
    tag(asked, ANSWER, "approve ada: yes")
    asked.tick()
    assert asked.kinds() == ["request", "propose", "reject"]
    assert asked.registry.champion() == "2"


def test_a_proposal_to_hold_is_answered_on_the_champion(new_project):
    project = new_project(rules=(COMPLETE,), mode="propose")
    tag(project, ANSWER, "approve ada: from long ago")
    project.live(1, weather=HALF_EMPTY)
    project.tick()
    assert project.kinds() == ["propose"]
    tag(project, f"{ANSWER}.complete", "approve ada: half of it is gone")
    project.tick()
    assert project.kinds() == ["propose", "approve", "hold"]


def test_of_two_proposals_a_tag_must_name_the_rule(new_project):
    other = {**COMPLETE, "name": "other", "limit": "99%"}
    project = new_project(rules=(COMPLETE, other), mode="propose")
    project.live(1, weather=HALF_EMPTY)
    assert project.kinds() == ["propose", "propose"]
    tag(project, ANSWER, "approve ada: so")
    project.tick()
    project.tick()
    assert project.kinds() == ["propose", "propose", "escalate"]
    assert f"set {ANSWER}.complete" in project.last("escalate").reason
    tag(project, f"{ANSWER}.other", "reject ada: no")
    tag(project, f"{ANSWER}.complete", "reject ada: no")
    project.tick()
    assert project.kinds()[3:] == ["reject", "reject"]
    assert {d.rule for d in project.decisions() if d.kind == "reject"} == {"complete", "other"}


def test_mlflow_is_asked_for_tags_only_while_a_proposal_is_open(asked, monkeypatch):
    calls = []
    read = registry_module.ModelRegistry.versions

    def counted(self):
        calls.append(self.name)
        return read(self)

    monkeypatch.setattr(registry_module.ModelRegistry, "versions", counted)
    asked.daemon.tick(STOP_RULES)
    assert calls == [asked.registry.name]
    asked.now += timedelta(hours=5)
    asked.daemon.tick(STOP_RULES)  # in which it expires
    calls.clear()
    asked.daemon.tick(STOP_RULES)
    assert calls == []


def test_a_mlflow_that_is_down_does_not_keep_a_proposal_from_expiring(asked, tmp_path):
    asked.rebuild(tracking_uri=f"sqlite:////{tmp_path}/nowhere/at/all.db")
    asked.now += timedelta(hours=4)
    asked.daemon.tick(STOP_RULES)
    assert asked.kinds() == ["request", "propose", "expire"]


def test_a_text_is_an_answer_however_it_is_spaced():
    assert answer_of_text(" Reject  ann   lee :\n no: never ") == (
        Answer.REJECT,
        "ann lee",
        "no: never",
    )
    with pytest.raises(ActionError, match="neither approve nor reject"):
        answer_of_text("")


# Pins.


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ada: an audit runs", "v2 is pinned by ada (an audit runs, in the tag aiguard.pin of v2)"),
        ("", "v2 is pinned by nobody named (no reason given, in the tag aiguard.pin of v2)"),
    ],
)
def test_a_pinned_champion_is_never_left_and_who_pinned_it_is_said(new_project, text, told):
    project = new_project(rules=(ERROR_NOW,))
    tag(project, PIN, text)
    project.live(1, weather=TURNED)
    assert project.kinds() == ["request", "superseded"]
    assert told in project.last("superseded").reason
    assert project.registry.champion() == "2"
    assert not project.registry.is_quarantined("2")
    project.live(2, weather=TURNED)
    assert project.kinds() == ["request", "superseded"]  # the cooldown is a week


def test_a_pin_is_looked_for_before_anything_is_scored(new_project, monkeypatch):
    project = new_project(rules=(ERROR_NOW,))
    tag(project, PIN, "ada: an audit runs")
    monkeypatch.setattr("aiguard_dagster.orchestration.preflight.run_preflight", None)
    project.live(1, weather=TURNED)
    assert project.kinds() == ["request", "superseded"]


def test_a_pin_that_comes_during_the_preflight_still_wins(new_project, monkeypatch):
    project = new_project(rules=(ERROR_NOW,))

    def pin_it(step):
        if step == "after intent":
            tag(project, PIN, "ada: an audit runs")

    at_step(monkeypatch, pin_it)
    project.live(1, weather=TURNED)
    assert project.kinds() == ["request", "superseded"]
    assert "v2 is pinned by ada" in project.last("superseded").reason
    assert project.registry.champion() == "2"
    assert not project.registry.is_quarantined("2")


def test_a_pin_outlasts_an_owners_approval(asked):
    tag(asked, PIN, "bob: an audit runs")
    tag(asked, ANSWER, "approve ada: looked at it")
    asked.tick()
    assert asked.kinds() == ["request", "propose", "approve", "request", "superseded"]
    assert asked.registry.champion() == "2"


def test_when_the_pin_is_gone_the_guard_acts_again(new_project):
    project = new_project(rules=(ERROR_NOW,), cooldown="1d")
    tag(project, PIN, "ada: an audit runs")
    project.live(1, weather=TURNED)
    project.registry.client.delete_model_version_tag(project.registry.name, "2", PIN)
    project.live(2, weather=TURNED)
    assert project.kinds() == ["request", "superseded", "request", "rollback"]
    assert project.last("rollback").at == day(3)


def test_a_pin_on_another_version_holds_nothing_up(new_project):
    project = new_project(rules=(ERROR_NOW,))
    tag(project, PIN, "ada: keep it", version="1")
    project.live(1, weather=TURNED)
    assert project.kinds() == ["request", "rollback"]


def test_a_person_who_promotes_another_version_wins_over_an_approval(new_project):
    project = new_project(rules=(ERROR_NOW,), mode="propose", versions=3, baselines=("1", "2", "3"))
    project.live(1, weather=TURNED)
    tag(project, ANSWER, "approve ada: looked at it")
    project.registry.promote("3", at=project.now, by="bob", why="a new release")
    project.daemon.tick(DELTAS)
    project.daemon.tick(STOP_RULES)
    assert project.registry.champion() == "3"
    assert "rollback" not in project.kinds()
    assert not project.registry.is_quarantined("2")
    assert rollback_job.rollback_job_name(project.guard) == "demand_rollback"


def test_a_version_that_was_deleted_keeps_no_other_guard_from_being_answered(asked):
    gone = replace(asked.last("propose"), evidence={**asked.last("propose").evidence})
    gone = replace(gone, evidence={**gone.evidence, "champion": "9"}, rule="other")
    tag(asked, ANSWER, "reject ada: a holiday")
    warned = []
    tags = AnswerTags(registry_of=lambda _: asked.registry, warn=warned.append)
    (moot,) = tags.answers(asked.guard, [gone], now=asked.now)
    assert (moot.kind, moot.rule) == ("superseded", "other")
    (answer,) = tags.answers(asked.guard, asked.decisions(), now=asked.now)
    assert (answer.kind, answer.actor) == ("reject", "ada")
    assert warned == []


def test_a_question_about_a_version_that_a_person_has_replaced_is_closed(asked):
    asked.registry.point_to("1")
    asked.tick()
    assert asked.kinds() == ["request", "propose", "superseded"]
    assert asked.last("superseded").reason == "error: v1 is champion by now, not v2"
    asked.now += timedelta(days=2)
    asked.tick()
    assert "expire" not in asked.kinds()
