import pytest

from tests.demos import play

SANDY = {"2012-10-29", "2012-10-30"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """In a folder with a space in its name."""
    return play("bike_demand", tmp_path_factory.mktemp("a demo"))[0]


def actions(story, kind):
    return [action for action in story["actions"] if action["action"] == kind]


def test_the_missing_days_of_the_hurricane_are_held_and_released_without_a_rollback(story):
    broken = {
        row["day"]
        for row in story["timeline"]
        if row["rule"] in {"features_fresh", "features_complete"} and row["verdict"] == "breach"
    }
    assert broken == SANDY
    assert set(story["held_days"]) == SANDY
    (hold,), (release,) = actions(story, "hold"), actions(story, "release")
    assert (hold["day"], release["day"]) == ("2012-10-29", "2012-10-31")
    assert not [a for a in actions(story, "rollback") if a["day"] < "2012-12-01"]


def test_autumn_drift_notifies_and_a_rollback_asked_for_then_is_refused_on_evidence(story):
    notices, refusals = actions(story, "notify"), actions(story, "refuse")
    assert {notice["rule"] for notice in notices} == {"feature_drift"}
    autumn = [notice for notice in notices if "2012-09-22" <= notice["day"] < "2012-12-01"]
    assert "temp (down: mean" in autumn[0]["reason"]
    assert len(refusals) == len(notices)
    for refusal in refusals:
        evidence = refusal["evidence"]
        assert (evidence["champion"], evidence["candidate"]) == ("2", "1")
        assert evidence["candidate_error"] > evidence["champion_error"]


def test_december_rolls_back_once_past_the_grace_window_and_serves_better_after(story):
    (rollback,) = actions(story, "rollback")
    assert "2012-12-01" <= rollback["day"] <= "2012-12-31"
    evidence = rollback["evidence"]
    assert evidence["candidate_error"] < evidence["champion_error"]
    breaches = [
        row["day"]
        for row in story["timeline"]
        if row["rule"] == "forecast_error" and row["verdict"] == "breach"
    ]
    assert len([day for day in breaches if "2012-12-15" <= day <= rollback["day"]]) > 7
    after = story["after_rollback"]
    assert after["champion"] == "1"
    assert after["served"] < after["would_have_been"]


def test_a_week_of_thanksgiving_is_shorter_than_the_grace_window(story):
    november = [
        row
        for row in story["timeline"]
        if row["rule"] == "forecast_error" and row["day"].startswith("2012-11")
    ]
    assert any(row["verdict"] == "breach" for row in november)
    assert not any(row["decision"] for row in november)


def test_this_guard_serves_better_than_none_and_than_a_naive_one(story):
    errors = story["errors"]
    assert errors["guard"] < errors["no_guard"]
    assert errors["guard"] < errors["naive_guard"]


def test_the_champions_are_told_with_their_times_and_reasons(story):
    assert [c["version"] for c in story["champions"]] == ["1", "2", "1"]
    assert story["champions"][1]["to"] == story["champions"][2]["from"]
    assert all(c["why"] for c in story["champions"])
