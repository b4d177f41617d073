"""Cases that once went wrong, each on its own."""

from datetime import timedelta

import pytest

from aiguard_dagster.core.decide import decide
from aiguard_dagster.core.decisions import Decision, DecisionKind, incident_id
from aiguard_dagster.core.lifecycle import Patience, Point, episodes
from aiguard_dagster.core.verdicts import Verdict
from tests.core.test_lifecycle_properties import DAY, GUARD, START, points

OK, BREACH = Verdict.OK, Verdict.BREACH


def kinds(history, decisions=(), *, guard=GUARD, days=30):
    full = {"fresh": [], "drift": [], "error": [], **history}
    return [d.kind.value for d in decide(guard, full, decisions, now=START + days * DAY)]


def quiet(history, decisions=(), **more):
    return [k for k in kinds(history, decisions, **more) if k != "escalate"]


def test_a_lasting_breach_asks_for_one_rollback():
    assert quiet({"error": points([OK, *[BREACH] * 5])}) == ["request"]


def test_data_in_doubt_keeps_a_rollback_from_being_asked_for():
    breach = points([OK, *[BREACH] * 5])
    for doubt in (Verdict.ERROR, Verdict.INCONCLUSIVE):
        assert quiet({"error": breach, "fresh": points([OK] * 5 + [doubt])}) == []


def test_stale_data_that_lasts_explains_although_it_was_noticed_later():
    late = [Point(as_of=START + 20 * DAY, start=START + 20 * DAY, verdict=BREACH)]
    assert quiet({"error": points([OK, *[BREACH] * 5]), "fresh": late}) == ["hold"]


def test_a_blip_in_the_data_is_named_to_the_owner_instead_of_rolling_back():
    fresh = points([OK, OK, OK, OK, BREACH, OK])
    history = {"error": points([OK, *[BREACH] * 5], window=3), "fresh": fresh}
    found = decide(GUARD, {"drift": [], **history}, (), now=START + 5 * DAY)
    (notice,) = [d for d in found if d.kind is DecisionKind.NOTIFY]
    assert notice.evidence["suspect"] == "fresh"
    assert not [d for d in found if d.kind is DecisionKind.REQUEST]


def test_a_hold_whose_cause_was_mended_in_place_is_released():
    first = decide(GUARD, {"fresh": points([OK, BREACH])}, (), now=START + DAY)
    assert [d.kind for d in first] == [DecisionKind.HOLD]
    assert quiet({"fresh": points([OK, OK])}, first, days=1) == ["release"]


def test_a_refusal_without_cooldown_does_not_ask_again_for_the_same_time():
    guard = GUARD.model_copy(update={"cooldown": timedelta(0)})
    history = {"error": points([OK, *[BREACH] * 5])}
    request = Decision(
        kind=DecisionKind.REQUEST,
        at=START + 5 * DAY,
        incident=incident_id("g", "error", START + DAY),
        rule="error",
        reason="",
    )
    refusal = Decision(
        kind=DecisionKind.REFUSE,
        at=request.at,
        incident=request.incident,
        rule="error",
        reason="",
    )
    assert quiet(history, [request, refusal], guard=guard) == []
    longer = {"error": points([OK, *[BREACH] * 6])}
    assert quiet(longer, [request, refusal], guard=guard) == ["request"]


def test_an_open_request_keeps_others_from_being_made():
    history = {"error": points([OK, *[BREACH] * 6])}
    request = Decision(
        kind=DecisionKind.REQUEST, at=START + 4 * DAY, incident="x", rule="other", reason=""
    )
    assert quiet(history, [request]) == []


def test_a_rule_that_was_never_conclusive_is_escalated():
    assert kinds({"error": points([Verdict.ERROR] * 9)}, days=9) == ["escalate"]


def test_grace_runs_for_verdicts_on_an_instant():
    instants = [
        Point(as_of=START + n * DAY, start=START + n * DAY, verdict=BREACH) for n in range(4)
    ]
    (episode,) = episodes(instants, Patience(grace=2 * DAY))
    assert episode.fired
    assert episode.fired.as_of == START + 2 * DAY


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.ERROR])
def test_a_gap_between_windows_is_no_breach(verdict):
    gap = [*points([BREACH]), *points([None] * 9 + [BREACH], window=1)]
    (episode,) = episodes(gap, Patience(grace=2 * DAY))
    assert episode.lasted == DAY
    (filled,) = episodes(points([BREACH, verdict, BREACH]), Patience(grace=2 * DAY))
    assert filled.lasted == DAY
