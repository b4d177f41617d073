"""The owner's say, joined incidents, and the limits on what a guard does by itself."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.cause import Trouble
from aiguard_dagster.core.decide import decide, decided, situation
from aiguard_dagster.core.decide.answers import forbidden
from aiguard_dagster.core.decisions import (
    Decision,
    DecisionKind,
    open_requests,
    phase,
    proposal_id,
    proposals,
)
from aiguard_dagster.core.incidents import find_incidents
from aiguard_dagster.core.lifecycle import Patience, Phase, episodes, last_conclusive
from aiguard_dagster.core.spec import Action, Decide, Layer, Mode, Rollback
from aiguard_dagster.core.verdicts import Verdict
from tests.core.test_decide import (
    BREACH,
    BROKEN,
    DAY,
    ESCALATE,
    GUARD,
    HOLD,
    NOTIFY,
    OK,
    PROPOSE,
    QUIET,
    RELEASE,
    REQUEST,
    RESOLVE,
    ROLLBACK,
    START,
    acts,
    at_once,
    days_of,
    end_of,
    histories,
    history,
    live,
    points,
)

APPROVE, REJECT, EXPIRE = DecisionKind.APPROVE, DecisionKind.REJECT, DecisionKind.EXPIRE
STRUCTURAL, REFUSE, SUPERSEDED = (
    DecisionKind.STRUCTURAL,
    DecisionKind.REFUSE,
    DecisionKind.SUPERSEDED,
)
ASKING = GUARD.model_copy(update={"mode": Mode.PROPOSE})
HOURS = timedelta(hours=1)
BAD = history(mae=BROKEN)


def asked(guard=ASKING, known=BAD, action="rollback"):
    """A request of the guard's, and the proposal that its run made of it."""
    (request,) = [d for d in decide(guard, known, (), now=end_of(known)) if d.kind is REQUEST]
    deadline = end_of(known) + guard.decide.within
    evidence = {**request.evidence, "action": action, "deadline": deadline.isoformat()}
    return [request, replace(request, kind=PROPOSE, evidence={**evidence, "candidate": "7"})]


def answer(proposal, kind, actor="ada", **evidence):
    return replace(proposal, kind=kind, actor=actor, reason="I looked", evidence=evidence)


def after(decisions, known=BAD, guard=ASKING, hours=0.0):
    return decide(guard, known, decisions, now=end_of(known) + hours * HOURS)


# The owner's say.


def test_a_guard_that_proposes_asks_before_anything_moves():
    request, _ = asked()
    assert request.evidence["ask"] == 1
    assert not [d for d in after(asked()) if d.kind in {REQUEST, ROLLBACK}]


def test_while_the_owner_is_asked_nothing_else_is_asked_for():
    longer = history(mae=[*BROKEN, *[BREACH] * 20])
    assert not [d for d in after(asked(), longer, hours=-500) if d.kind is REQUEST]


def test_an_approval_asks_for_the_rollback_once_in_the_owners_name():
    known = asked()
    known.append(answer(known[-1], APPROVE))
    (request,) = after(known)
    assert (request.kind, request.actor, request.at) == (REQUEST, "ada", known[0].at)
    assert request.reason == "approved by ada: I looked"
    assert request.evidence["candidate"] == "7"
    assert open_requests([*known, request]) == [request]
    assert after([*known, request]) == ()
    done = replace(request, kind=ROLLBACK)
    assert open_requests([*known, request, done]) == []
    assert after([*known, request, done]) == ()


def test_each_of_two_rules_is_granted_the_rollback_that_it_proposed_for_one_event_time():
    known = asked()
    known.append(answer(known[-1], APPROVE))
    (first,) = after(known)
    other = GUARD.rules[-1].model_copy(update={"name": "rmse"})
    guard = ASKING.model_copy(update={"rules": (*ASKING.rules, other)})
    both = {**BAD, "rmse": points("mae", BROKEN)}
    known += [first, replace(first, kind=REFUSE), replace(known[-2], rule="rmse")]
    known.append(answer(known[-1], APPROVE))
    assert [(d.kind, d.rule) for d in after(known, both, guard)] == [(REQUEST, "rmse")]


def test_a_rejection_leaves_the_model_alone_until_the_cooldown_is_over():
    known = asked()
    known.append(answer(known[-1], REJECT))
    days = len(BROKEN) - 1
    for more, found in ((3, []), (4, [days + 4])):
        longer = history(mae=[*BROKEN, *[BREACH] * more])
        assert days_of(after(known, longer, hours=-999), REQUEST) == found


def test_of_two_answers_the_first_counts():
    known = asked()
    yes, no = answer(known[-1], APPROVE, "ada"), answer(known[-1], REJECT, "bob")
    assert [d.kind for d in after([*known, no, yes])] == []
    assert [d.kind for d in after([*known, yes, no])] == [REQUEST]
    late = answer(known[-1], EXPIRE, "guard", otherwise="rollback")
    assert [d.kind for d in after([*known, no, late])] == []


def test_a_rollback_that_follows_from_an_answer_that_came_second_is_forbidden():
    known = asked()
    yes, no = answer(known[-1], APPROVE, "ada"), answer(known[-1], REJECT, "bob")
    (request,) = after([*known, yes])
    assert forbidden(request, [*known, yes, no, request]) is None
    told = "reject by bob was written first and counts: nothing was moved"
    assert forbidden(request, [*known, no, yes, request]) == told
    over = answer(known[-1], EXPIRE, "guard", otherwise="notify")
    assert "expire by guard" in (forbidden(request, [*known, over, yes, request]) or "")


@pytest.mark.parametrize(
    ("otherwise", "follows"),
    [("notify", [EXPIRE]), ("hold", [EXPIRE, HOLD]), ("rollback", [EXPIRE, REQUEST])],
)
def test_without_an_answer_in_time_what_was_declared_happens(otherwise, follows):
    guard = ASKING.model_copy(update={"decide": Decide(within=4 * HOURS, otherwise=otherwise)})
    known = asked(guard)
    assert after(known, guard=guard, hours=3.99) == ()
    new = after(known, guard=guard, hours=4)
    assert [d.kind for d in new] == follows
    assert "team:g did not answer within 4h" in new[0].reason
    assert after([*known, *new], guard=guard, hours=99) == ()


def test_a_proposal_whose_breach_is_over_needs_no_answer():
    healed = history(mae=[*BROKEN, OK])
    new = after(asked(), healed)
    assert [d.kind for d in new] == [SUPERSEDED, RESOLVE]
    known = [*asked(), *new]
    assert after([*known, answer(known[1], APPROVE)], healed, hours=99) == ()


def test_a_guard_that_proposes_asks_before_it_holds():
    stale = history(fresh=[OK, BREACH, BREACH])
    (proposal,) = after((), stale)
    assert (proposal.kind, proposal.rule, proposal.evidence["action"]) == (PROPOSE, "fresh", "hold")
    assert after([proposal], stale) == ()
    yes = [proposal, answer(proposal, APPROVE)]
    assert acts(after(yes, stale)) == [(HOLD, 1)]
    assert after([proposal, answer(proposal, REJECT)], stale) == ()
    healed = history(fresh=[OK, BREACH, BREACH, OK])
    assert acts(after([*yes, *after(yes, stale)], healed)) == [(RELEASE, 3)]


def test_a_person_who_releases_ends_a_hold_whose_cause_lasts():
    stale = history(fresh=[OK, BREACH, BREACH, BREACH])
    held = list(at_once(stale))
    release = replace(held[0], kind=RELEASE, actor="ada", at=START + 2 * DAY)
    assert at_once(stale, decisions=[*held, release]) == ()
    again = history(fresh=[OK, BREACH, BREACH, BREACH, OK, BREACH])
    assert acts(at_once(again, decisions=[*held, release])) == [(HOLD, 5)]


def test_a_cause_upstream_that_is_noticed_once_more_is_no_new_reason_after_a_release():
    """A run that failed in the night is put at the window's end, until a later window has it in."""
    failed = START + 5 * DAY + 3 * HOURS

    def on(day, decisions):
        seen = situation(
            GUARD, history(mae=[OK] + [BREACH] * day), decisions, now=START + day * DAY + 6 * HOURS
        )
        since = min(failed, START + day * DAY)
        broken = Trouble(asset="raw", layer=Layer.SOURCE, since=since, reason="failed: its run")
        return decided(replace(seen, troubles=(broken,)))

    held = [d for d in on(5, []) if d.kind is HOLD]
    assert days_of(held, HOLD) == [5]
    release = replace(held[0], kind=RELEASE, actor="ada")
    for day in (5, 6, 7):
        assert days_of(on(day, [*held, release]), HOLD) == []


@given(histories, st.lists(st.sampled_from([APPROVE, REJECT, None]), max_size=6))
def test_whatever_owners_answer_nothing_is_decided_twice_or_left_open(known, answers):
    guard = ASKING.model_copy(update={"decide": Decide(within=30 * HOURS, otherwise="hold")})
    decisions: list[Decision] = []
    say = iter(answers)
    for day in range((end_of(known) - START).days + 4):
        now = START + day * DAY
        seen = {name: [p for p in found if p.as_of <= now] for name, found in known.items()}
        for _ in range(4):
            for decision in decide(guard, seen, decisions, now=now):
                decisions.append(decision)
                if decision.kind is REQUEST:
                    ending = ROLLBACK if decision.evidence.get("answers") else PROPOSE
                    deadline = (now + guard.decide.within).isoformat()
                    asked_for = {"action": "rollback", "deadline": deadline}
                    decisions.append(replace(decision, kind=ending, evidence=asked_for))
                if decisions[-1].kind is PROPOSE and (kind := next(say, None)):
                    decisions.append(replace(decisions[-1], kind=kind, actor="ada"))
        assert decide(guard, seen, decisions, now=now) == ()
    moved = [d for d in decisions if d.kind is ROLLBACK]
    approved = [d for d in decisions if d.kind is APPROVE]
    assert all(any((d.incident, d.at) == (a.incident, a.at) for a in approved) for d in moved)
    assert len(open_requests(decisions)) == 0
    marks = [d.kind for d in decisions if d.kind in {HOLD, RELEASE}]
    assert all(one is not later for one, later in itertools.pairwise(marks))


# Incidents.


def test_rules_that_fire_together_are_one_incident_and_it_ends_with_the_last():
    known = history(
        drift=[OK, BREACH, BREACH, BREACH, BREACH, OK, OK, OK], mae=[OK, OK, *BROKEN[1:], OK]
    )
    decided = live(known)
    names = {d.incident for d in decided}
    assert names == {"g:drift:20260102T000000Z"}
    assert acts(decided)[0] == (NOTIFY, 3)
    assert days_of(decided, RESOLVE) == [7]
    assert decided[-1].reason == "drift and mae: ok again after 4d"


def test_rules_that_fire_one_after_the_other_are_two_incidents():
    known = history(drift=[*BROKEN, OK, OK], mae=[OK] * 6 + BROKEN)
    assert len({d.incident for d in live(known)}) == 2
    assert days_of(live(known), RESOLVE) == [6]


def test_a_new_champion_does_not_close_an_incident_before_the_rule_is_ok():
    old = points("mae", BROKEN)
    new = [replace(p, subject="2") for p in points("mae", [None] * 6 + [BREACH, OK])]
    seen = {**history(), "mae": [*old, *new]}
    found = {"mae": episodes(seen["mae"], Patience(grace=2 * DAY))}
    (incident,) = find_incidents("g", found, seen)
    assert incident.ended == START + 7 * DAY


@given(histories)
def test_an_incident_is_closed_once_and_only_when_all_of_it_is_ok(known):
    closed = [d for d in live(known) if d.kind is RESOLVE]
    assert len({d.incident for d in closed}) == len(closed)
    for decision in closed:
        at = [p for p in known[decision.rule] if p.as_of <= decision.at]
        assert last_conclusive(at) is not None


# Hysteresis and the first days of a champion.


def test_a_breach_that_fired_is_over_only_after_it_has_been_ok_for_long_enough():
    patient = Patience(grace=2 * DAY, resolve_after=2 * DAY)
    found = episodes(points("mae", [*BROKEN, OK, OK, BREACH, OK, OK, OK]), patient)
    (episode,) = found
    assert episode.ended == START + 11 * DAY
    assert episode.recovered
    hasty = episodes(points("mae", [*BROKEN, OK, OK, BREACH, OK, OK, OK]), Patience(grace=2 * DAY))
    assert [e.ended for e in hasty] == [START + 6 * DAY, START + 9 * DAY]


@pytest.mark.parametrize("silent", [QUIET, Verdict.ERROR, None])
def test_silence_does_not_help_a_breach_to_be_over(silent):
    patient = Patience(grace=2 * DAY, resolve_after=2 * DAY)
    quiet = points("fresh", [*BROKEN, OK, silent, silent, silent, OK])
    (episode,) = episodes(quiet, patient)
    assert episode.ended is None
    assert episode.calm == DAY


def test_a_breach_inside_its_grace_window_is_over_with_the_first_ok():
    patient = Patience(grace=2 * DAY, resolve_after=2 * DAY)
    (episode,) = episodes(points("mae", [OK, BREACH, OK]), patient)
    assert episode.ended == START + 2 * DAY


def test_no_rollback_is_asked_for_while_the_breach_is_getting_well():
    rule = GUARD.rules[-1].model_copy(update={"resolve_after": 3 * DAY})
    guard = GUARD.model_copy(update={"rules": (*GUARD.rules[:-1], rule), "cooldown": 0 * DAY})
    assert days_of(at_once(history(mae=[*BROKEN, OK]), guard=guard), REQUEST) == []
    assert days_of(at_once(history(mae=[*BROKEN, OK, BREACH]), guard=guard), REQUEST) == [7]


def test_breaches_of_a_new_champion_do_not_count_in_its_first_days():
    young = [replace(p, in_force_since=START) for p in points("mae", [BREACH] * 6)]
    guard = GUARD.model_copy(update={"initial_delay": 3 * DAY})
    (episode,) = episodes(young, Patience(grace=0 * DAY, initial_delay=3 * DAY))
    assert episode.since == START + 3 * DAY
    seen = {**history(), "mae": young}
    assert days_of(live(seen, guard=guard), REQUEST) == [5]


# How often, and when no more.


def test_a_guard_acts_by_itself_only_so_often_and_then_tells_the_owner_once():
    policy = Rollback(at_most=2, per=30 * DAY)
    guard = GUARD.model_copy(
        update={"rollback": policy, "cooldown": DAY, "recovery_window": 99 * DAY}
    )
    lasting = history(mae=[OK] + [BREACH] * 12)
    lived = live(lasting, guard=guard, ending=ROLLBACK)
    assert days_of(lived, ROLLBACK) == [3, 4]
    (told,) = [d for d in lived if d.kind is ESCALATE and d.rule == "mae"]
    assert told.reason == (
        "mae: the guard has rolled back 2 times in 30d, as often as it may by itself."
        " team:g decides: the job g_rollback goes back all the same"
    )


def test_the_owners_own_rollbacks_do_not_count_against_the_guard():
    policy = Rollback(at_most=1, per=30 * DAY)
    guard = GUARD.model_copy(update={"rollback": policy, "cooldown": DAY})
    (first,) = [d for d in at_once(BAD) if d.kind is REQUEST]
    done = [replace(first, kind=ROLLBACK, actor="ada", at=START)]
    assert days_of(at_once(BAD, guard=guard, decisions=done), REQUEST) == [5]
    done = [replace(first, kind=ROLLBACK, at=START)]
    assert days_of(at_once(BAD, guard=guard, decisions=done), REQUEST) == []
    long_ago = [replace(first, kind=ROLLBACK, at=START - 26 * DAY)]
    assert days_of(at_once(BAD, guard=guard, decisions=long_ago), REQUEST) == [5]


def changed(verdicts, *, at):
    """A breach that goes on under another champion from a day on."""
    return {
        **history(),
        "mae": [
            replace(p, subject="2", in_force_since=START + at * DAY)
            if p.as_of > START + at * DAY
            else p
            for p in points("mae", verdicts)
        ],
    }


LASTING = GUARD.model_copy(update={"recovery_window": 5 * DAY, "cooldown": DAY})


def test_a_breach_that_a_new_champion_does_not_end_is_structural_and_nothing_more_is_done():
    known = changed([OK] + [BREACH] * 16, at=5)
    lived = live(known, guard=LASTING)
    (told,) = [d for d in lived if d.kind is STRUCTURAL]
    assert told.at == START + 10 * DAY
    assert told.incident == "g:mae:20260102T000000Z"
    assert "v2, champion since 2026-01-06 00:00 UTC, has not brought it back within 5d" in (
        told.reason
    )
    assert max(days_of(lived, REQUEST)) < 10
    found = episodes(known["mae"], Patience(grace=2 * DAY))
    assert phase(found, last_conclusive(known["mae"]), "mae", lived) is Phase.STRUCTURAL


def test_what_is_structural_is_over_once_the_rule_is_ok():
    known = changed([OK] + [BREACH] * 12 + [OK] + [BREACH] * 4, at=5)
    lived = live(known, guard=LASTING)
    assert days_of(lived, STRUCTURAL) == [10]
    assert days_of(lived, RESOLVE) == [13]
    assert max(days_of(lived, REQUEST)) >= 16


def test_a_recovery_in_time_is_not_structural():
    known = changed([OK] + [BREACH] * 8 + [OK] * 9, at=5)
    assert days_of(live(known, guard=LASTING), STRUCTURAL) == []
    never_changed = history(mae=[OK] + [BREACH] * 16)
    assert days_of(live(never_changed, guard=LASTING), STRUCTURAL) == []


def test_a_request_that_waits_for_its_run_is_acting_and_a_proposal_is_waiting():
    request, proposal = asked()
    found = episodes(BAD["mae"], Patience(grace=2 * DAY))

    def stands(*decisions):
        return phase(found, last_conclusive(BAD["mae"]), "mae", decisions)

    assert stands(request) is Phase.ACTING
    assert stands(request, proposal) is Phase.WAITING
    assert stands(request, proposal, answer(proposal, APPROVE)) is Phase.ACTING
    assert stands(request, proposal, answer(proposal, REJECT)) is Phase.COOLING
    assert stands(request, proposal, answer(proposal, EXPIRE)) is Phase.COOLING


def test_what_an_unanswered_proposal_to_hold_leads_to_is_never_a_rollback():
    guard = ASKING.model_copy(update={"decide": Decide(otherwise=Action.ROLLBACK)})
    stale = history(fresh=[OK, BREACH])
    (proposal,) = after((), stale, guard)
    new = after([proposal], stale, guard, hours=5)
    assert [d.kind for d in new] == [EXPIRE, HOLD]


def test_an_answer_that_came_second_changes_nothing_about_where_a_rule_stands():
    decisions = asked()
    first, second = (answer(decisions[-1], kind) for kind in (REJECT, APPROVE))
    found = episodes(BAD["mae"], Patience(grace=3 * DAY))
    newest = last_conclusive(BAD["mae"])
    assert phase(found, newest, "mae", [*decisions, first, second]) is Phase.COOLING
    assert phase(found, newest, "mae", [*decisions, second, first]) is Phase.ACTING


def test_a_hold_and_a_rollback_asked_for_at_once_are_two_proposals():
    request, rollback = asked()
    hold = replace(rollback, rule="drift", evidence={**rollback.evidence, "action": "hold"})
    assert open_requests([request, hold]) == [request]
    both = [request, hold, rollback]
    assert open_requests(both) == []
    assert len(proposals(both)) == 2
    assert proposals([*both, answer(hold, REJECT)])[proposal_id(rollback)][1] is None


def test_a_hold_that_a_person_approved_says_who_did():
    _, rollback = asked()
    hold = replace(rollback, evidence={**rollback.evidence, "action": "hold"})
    new = after([*asked()[:1], hold, answer(hold, APPROVE)])
    assert [d.reason for d in new if d.kind is HOLD] == ["approved by ada: I looked"]
