"""What people decide from outside: recorded once, told when too late, and acted on at the tick."""

import threading
from datetime import timedelta

import pytest

from aiguard_dagster.adapters.dagster.history import decision_event
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.people import Answer
from aiguard_dagster.orchestration.answer_job import answer_config, answer_job_name
from aiguard_dagster.orchestration.keys import guard_key
from aiguard_dagster.orchestration.people import lift_quarantine, record_answer
from tests.orchestration.project import COMPLETE, DRIFT, ERROR_NOW, HALF_EMPTY, TURNED, day

INCIDENT = "demand:error:20260102T000000Z"
APPROVED = ["request", "propose", "approve", "request", "rollback"]


@pytest.fixture
def asked(new_project):
    """A project whose guard has asked to roll back."""
    project = new_project(rules=(ERROR_NOW,), mode="propose")
    project.live(1, weather=TURNED)
    assert project.kinds() == ["request", "propose"]
    return project


@pytest.fixture
def holding(new_project):
    """A project whose guard holds the predictions back."""
    project = new_project(rules=(COMPLETE,))
    project.live(1, weather=HALF_EMPTY)
    assert project.kinds() == ["hold"]
    return project


def say(project, answer, *, by="ada", why="looked at it", **more):
    return record_answer(
        project.instance,
        project.guard,
        Answer(answer),
        by=by,
        why=why,
        now=project.now,
        via="a test",
        **more,
    )


def test_an_approval_from_outside_is_acted_on_at_the_next_tick(asked):
    asked.now += timedelta(hours=1)
    said = say(asked, "approve", incident=INCIDENT)
    assert (said.actor, said.reason, said.at) == ("ada", "looked at it", day(2))
    assert said.evidence == {"answered": asked.now.isoformat(), "via": "a test"}
    asked.tick()
    assert asked.kinds() == APPROVED
    rollback = asked.last("rollback")
    assert rollback.actor == "ada"
    assert "approved by ada: looked at it" in rollback.reason
    assert asked.registry.champion() == "1"
    assert asked.registry.reigns()[-1].by == "ada"


def test_a_rejection_leaves_the_champion_alone_and_is_not_asked_again(asked):
    say(asked, "reject", why="a holiday")
    asked.tick()
    asked.now += timedelta(hours=9)
    asked.tick()
    assert asked.kinds() == ["request", "propose", "reject"]
    assert asked.registry.champion() == "2"


def test_the_only_open_proposal_is_meant_when_no_incident_is_named(asked):
    assert say(asked, "approve").incident == INCIDENT


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"by": " "}, "nobody is named who decides"),
        ({"why": "\n"}, "no reason is given"),
        ({"by": "Guard"}, "'Guard' is nobody's name"),
        ({"by": "unknown"}, "'unknown' is nobody's name"),
        ({"why": "x" * 1001}, r"the reason has 1,001 characters"),
        ({"incident": INCIDENT[:-2]}, rf"(?s)there is no incident .*did you mean {INCIDENT}\?"),
        ({"incident": "x"}, r"(?s)there is no incident 'x'.*what waits: .*rollback from v2 to v1"),
        ({"rule": "drift"}, "nothing of drift waits for an answer"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_nothing_is_written(asked, given, told):
    with pytest.raises(ActionError, match=told):
        say(asked, "approve", **given)
    assert asked.kinds() == ["request", "propose"]


def test_a_second_answer_is_told_who_was_first_and_when(asked):
    say(asked, "reject", why="a holiday")
    with pytest.raises(
        ActionError,
        match=r"(?s)answered already. ada rejected it at 2026-01-02 00:00 UTC: a holiday.*"
        r"run the job demand_rollback",
    ):
        say(asked, "approve", by="bob", incident=INCIDENT)
    assert asked.kinds() == ["request", "propose", "reject"]


def test_an_answer_after_the_deadline_is_told_that_it_came_too_late(asked):
    asked.now += timedelta(hours=4)
    asked.tick()
    with pytest.raises(ActionError, match=r"answered already. error: team:demand did not answer"):
        say(asked, "approve", incident=INCIDENT)
    with pytest.raises(ActionError, match="demand: nothing waits for an answer"):
        say(asked, "approve")


def test_an_incident_that_nobody_was_asked_about_has_nothing_to_answer(new_project):
    project = new_project(rules=(ERROR_NOW,), mode="observe")
    project.live(1, weather=TURNED)
    with pytest.raises(ActionError, match=rf"{INCIDENT}: nothing waits for an answer"):
        say(project, "approve", incident=INCIDENT)


def test_a_hold_and_a_rollback_of_one_incident_are_answered_each_for_itself(new_project):
    hold = {**DRIFT, "action": "hold", "grace": "0s", "limit": 0.1}
    drift = {**hold, "signal": {**hold["signal"], "window": "1d"}}
    project = new_project(rules=(drift, ERROR_NOW), mode="propose")
    weather = type(TURNED)(slope=1.0, shift=10.0)
    project.live(1, weather=weather)
    proposals = [d for d in project.decisions() if d.kind == "propose"]
    assert {(d.rule, d.evidence["action"]) for d in proposals} == {
        ("drift", "hold"),
        ("error", "rollback"),
    }
    assert len({(d.incident, d.at) for d in proposals}) == 1
    with pytest.raises(ActionError, match="2 proposals wait for an answer"):
        say(project, "approve")
    say(project, "reject", rule="error")
    say(project, "approve", incident=proposals[0].incident)
    project.tick()
    assert project.kinds()[-3:] == ["reject", "approve", "hold"]
    assert project.registry.champion() == "2"


def test_a_person_releases_what_is_held_and_it_is_not_held_again(holding):
    said = say(holding, "release", why="the gap is known")
    assert (said.at, said.rule) == (day(2), "complete")
    holding.tick()
    holding.live(2, weather=HALF_EMPTY)
    assert holding.kinds() == ["hold", "release"]
    with pytest.raises(
        ActionError, match=r"nothing is held back: ada released it at .*: the gap is known"
    ):
        say(holding, "release", by="bob")


def test_a_release_where_nothing_was_held_or_by_another_incident_is_refused(holding, new_project):
    with pytest.raises(ActionError, match=r"held back by demand:complete:.*, not by other"):
        say(holding, "release", incident="other")
    with pytest.raises(ActionError, match="nothing is held back, and nothing ever was"):
        say(new_project(rules=(COMPLETE,)), "release")


@pytest.mark.parametrize("answer", ["approve", "release"])
def test_of_two_people_at_once_the_first_counts_and_the_second_is_told(
    answer, new_project, monkeypatch
):
    if answer == "approve":
        project = new_project(rules=(ERROR_NOW,), mode="propose", on_disk=True)
        project.live(1, weather=TURNED)
    else:
        project = new_project(rules=(COMPLETE,), on_disk=True)
        project.live(1, weather=HALF_EMPTY)
    before = len(project.decisions())
    both_have_read = threading.Barrier(2, timeout=30)

    def wait_for_the_other(*given):
        both_have_read.wait()
        return decision_event(*given)

    monkeypatch.setattr("aiguard_dagster.orchestration.people.decision_event", wait_for_the_other)
    ends = {}

    def decide(who, what):
        try:
            ends[who] = say(project, what, by=who)
        except ActionError as error:
            ends[who] = str(error)

    people = [
        threading.Thread(target=decide, args=(who, what))
        for who, what in (("ada", answer), ("bob", answer if answer == "release" else "reject"))
    ]
    for each in people:
        each.start()
    for each in people:
        each.join()
    first, second = [d.actor for d in project.decisions()[before:]]
    assert {first, second} == {"ada", "bob"}
    assert ends[first].actor == first
    assert f"somebody was quicker. {first} " in ends[second]
    project.tick()
    if answer == "approve":
        approved = first == "ada"
        assert project.registry.champion() == ("1" if approved else "2")
        assert project.kinds().count("rollback") == approved


# The form in Dagster's UI.


def fill_in(project, **answer):
    form = {"by": "ada", "why": "looked at it", **answer}
    return project.daemon.run(
        answer_job_name(project.guard), run_config=answer_config(project.guard, **form)
    )


def test_the_form_needs_an_answer_a_name_and_a_reason_only(asked):
    run = fill_in(asked, answer="approve")
    assert run.success
    asked.tick()
    assert asked.kinds() == APPROVED
    assert asked.last("approve").evidence["via"] == f"Dagster run {run.run_id}"


def test_the_form_says_in_the_run_why_an_answer_is_refused(asked):
    fill_in(asked, answer="reject")
    run = fill_in(asked, answer="approve", by="bob", incident=INCIDENT)
    assert not run.success
    (failure,) = run.get_step_failure_events()
    said = failure.event_specific_data.error.to_string()
    assert "ada rejected it" in said
    assert asked.kinds() == ["request", "propose", "reject"]


def test_the_form_releases_what_is_held(holding):
    assert fill_in(holding, answer="release").success
    assert holding.kinds() == ["hold", "release"]


def test_the_form_of_a_guard_on_data_alone_is_there_too(new_project):
    project = new_project(rules=(COMPLETE,))
    assert project.defs.resolve_job_def("demand_answer")


# Quarantine.


def lift(project, version="2", by="ada", why="it was the labels"):
    return lift_quarantine(
        project.instance,
        project.guard,
        project.registry,
        version=version,
        by=by,
        why=why,
        now=project.now,
        via="a test",
    )


def lifts(project):
    return [d for d in project.decisions() if d.kind == "lift"]


@pytest.fixture
def barred(new_project):
    """A project whose version 2 was rolled back."""
    project = new_project(rules=(ERROR_NOW,))
    project.live(1, weather=TURNED)
    assert project.registry.is_quarantined("2")
    return project


def test_a_quarantine_that_is_lifted_is_on_record_in_both_places(barred):
    said = lift(barred)
    assert not barred.registry.is_quarantined("2")
    assert lifts(barred) == [said]
    assert (said.actor, said.reason, said.at) == ("ada", "it was the labels", day(2))
    assert said.evidence["version"] == "2"
    assert "mae" in said.evidence["because"]


def test_a_lift_that_died_before_it_was_recorded_is_recorded_by_the_next(barred):
    barred.registry.lift_quarantine("2", by="ada", why="it was the labels", at=barred.now)
    assert lifts(barred) == []
    lift(barred)
    lift(barred)
    assert len(lifts(barred)) == 1


def test_a_lift_is_refused_where_there_is_none_or_somebody_was_quicker(barred):
    with pytest.raises(ActionError, match=r"(?s)version 1 is not in quarantine.*in quarantine: 2"):
        lift(barred, "1")
    with pytest.raises(ActionError, match=r"(?s)version 9 does not exist.*1, 2"):
        lift(barred, "9")
    with pytest.raises(ActionError, match="nobody is named"):
        lift(barred, by="")
    lift(barred)
    with pytest.raises(ActionError, match=r"ada lifted the quarantine of version 2 at 2026-01-02"):
        lift(barred, by="bob", why="me too")
    assert [d.actor for d in lifts(barred)] == ["ada"]


def test_a_stranger_observation_on_the_guards_asset_is_no_answer(asked):
    import dagster as dg

    asked.instance.report_runless_asset_event(
        dg.AssetObservation(asset_key=guard_key(asked.guard), description="approve")
    )
    asked.tick()
    assert asked.kinds() == ["request", "propose"]
