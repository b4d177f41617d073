"""Decisions from verdicts: what holds of every history of a guard, and the exact edges."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.decide import decide
from aiguard_dagster.core.decide.holds import is_held
from aiguard_dagster.core.decisions import (
    DecisionKind,
    incident_id,
    open_requests,
    phase,
    request_id,
    within,
)
from aiguard_dagster.core.lifecycle import Patience, Phase, Point, episodes, last_conclusive
from aiguard_dagster.core.spec import Guard, Mode
from aiguard_dagster.core.verdicts import Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OK, BREACH, QUIET, ERROR = Verdict
NOTIFY, HOLD, RELEASE = DecisionKind.NOTIFY, DecisionKind.HOLD, DecisionKind.RELEASE
REQUEST, ESCALATE = DecisionKind.REQUEST, DecisionKind.ESCALATE
REFUSE, ROLLBACK = DecisionKind.REFUSE, DecisionKind.ROLLBACK
PROPOSE, RESOLVE = DecisionKind.PROPOSE, DecisionKind.RESOLVE
FRESH = {"kind": "freshness", "table": "features", "max_age": "2h"}
WHOLE = {"kind": "completeness", "table": "features", "every": "1h"}
DRIFT = {"kind": "drift", "table": "features", "window": "3d"}
MAE = {"kind": "performance", "metric": "mae", "window": "3d"}
GUARD = Guard.model_validate(
    {
        "name": "g",
        "owner": "team:g",
        "mode": "enforce",
        "model": {"name": "m"},
        "cooldown": "4d",
        "silence": "5d",
        "tables": {
            "features": {"asset": "f", "time": "at"},
            "predictions": {"asset": "p", "time": "at", "prediction": "said", "label": "was"},
        },
        "rules": [
            {"name": "fresh", "signal": FRESH, "action": "hold"},
            {"name": "whole", "signal": WHOLE, "limit": "90%", "grace": "1d", "action": "hold"},
            {"name": "drift", "signal": DRIFT, "limit": 0.2, "grace": "2d", "owner": "team:d"},
            {
                "name": "mae",
                "signal": MAE,
                "limit": {"above_baseline": "50%"},
                "grace": "2d",
                "action": "rollback",
            },
        ],
    }
)
NAMES = [rule.name for rule in GUARD.rules]
WINDOWS = {"fresh": 1, "whole": 1, "drift": 3, "mae": 3}
BROKEN = [OK, BREACH, BREACH, BREACH, BREACH, BREACH]


def points(rule, verdicts):
    window = WINDOWS[rule] * DAY
    return [
        Point(
            as_of=START + day * DAY,
            start=START + day * DAY - window,
            verdict=verdict,
            reason=f"{rule} is {verdict.value}",
            subject="1" if rule in {"drift", "mae"} else None,
            value=float(day),
            limit=0.5,
            n=100,
        )
        for day, verdict in enumerate(verdicts)
        if verdict is not None
    ]


def history(**verdicts):
    return {name: points(name, verdicts.get(name, [])) for name in NAMES}


any_verdicts = st.lists(st.sampled_from([OK, BREACH, BREACH, QUIET, ERROR, None]), max_size=20)
histories = st.fixed_dictionaries(dict.fromkeys(NAMES, any_verdicts)).map(lambda v: history(**v))
endings = st.sampled_from([REFUSE, ROLLBACK, DecisionKind.FAILED, DecisionKind.SUPERSEDED])


def end_of(known):
    return max((p.as_of for found in known.values() for p in found), default=START)


def until(known, day):
    return {name: [p for p in found if p.as_of <= day] for name, found in known.items()}


def live(known, *, ending=REFUSE, guard=GUARD, days=0):
    """Each day with what was seen by then; every request ends at once, or never with None."""
    decisions = []
    last = (end_of(known) - START).days + days
    for day in (START + number * DAY for number in range(last + 1)):
        for decision in decide(guard, until(known, day), decisions, now=day):
            decisions.append(decision)
            if decision.kind is REQUEST and ending:
                decisions.append(replace(decision, kind=ending))
    return decisions


def told(decisions, *kinds):
    return sorted((d.at, d.kind.value) for d in decisions if d.kind in kinds)


def at_once(known, *, guard=GUARD, decisions=(), days=0):
    return decide(guard, known, decisions, now=end_of(known) + days * DAY)


def acts(decisions):
    """What was done and when; that an incident is closed is no deed."""
    return [(d.kind, (d.at - START).days) for d in decisions if d.kind is not RESOLVE]


def days_of(decisions, kind):
    return [(d.at - START).days for d in decisions if d.kind is kind]


# What holds of any history.


@given(histories, st.randoms())
def test_the_order_of_arrival_never_changes_a_decision(known, random):
    shuffled = {name: random.sample(found, len(found)) for name, found in known.items()}
    assert at_once(shuffled, days=30) == at_once(known, days=30)


@given(histories, st.integers(0, 30))
def test_what_was_decided_is_not_decided_again(known, days):
    decided = at_once(known, days=days)
    assert at_once(known, decisions=decided, days=days) == ()
    assert at_once(known, decisions=decided[::-1], days=days) == ()


@given(histories, endings)
def test_a_tick_that_is_repeated_after_living_through_it_decides_nothing(known, ending):
    lived = live(known, ending=ending)
    assert at_once(known, decisions=lived) == ()


@given(histories)
def test_a_backfill_notifies_holds_and_releases_as_living_through_it_would(known):
    lived = live(known)
    assert told(at_once(known), NOTIFY) == told(lived, NOTIFY)
    assert told(at_once(known), HOLD, RELEASE) == told(lived, HOLD, RELEASE)


@given(histories)
def test_holds_and_releases_take_turns(known):
    for decisions in (at_once(known), live(known)):
        marks = [d for d in decisions if d.kind in {HOLD, RELEASE}]
        assert [d.kind for d in marks] == [HOLD, RELEASE] * (len(marks) // 2) + [HOLD] * (
            len(marks) % 2
        )
        assert all(earlier.at <= later.at for earlier, later in pairwise(marks))


@given(histories, endings)
def test_from_any_history_two_days_of_ok_end_every_breach_and_every_hold(known, ending):
    first = (end_of(known) - START).days + 1
    calm = {
        name: [*found, *points(name, [None] * first + [OK, OK])] for name, found in known.items()
    }
    lived = live(calm, ending=ending)
    for rule in GUARD.rules:
        found = episodes(calm[rule.name], Patience(grace=rule.grace))
        newest = last_conclusive(calm[rule.name])
        assert phase(found, newest, rule.name, lived) is Phase.OK
    marks = [d.kind for d in lived if d.kind in {HOLD, RELEASE}]
    assert marks[-1:] in ([], [RELEASE])
    assert not open_requests(lived)


@given(histories, endings)
def test_a_rollback_is_asked_for_only_at_a_breach_and_never_within_the_cooldown(known, ending):
    requests = [d for d in live(known, ending=ending) if d.kind is REQUEST]
    verdicts = {p.as_of: p.verdict for p in known["mae"]}
    assert all(verdicts[d.at] is BREACH for d in requests)
    for earlier, later in pairwise(requests):
        if earlier.incident == later.incident or ending is ROLLBACK:
            assert later.at - earlier.at >= GUARD.cooldown


@given(histories)
def test_a_request_without_an_outcome_is_the_only_one(known):
    assert len(days_of(live(known, ending=None), REQUEST)) <= 1


@given(histories, endings)
def test_broken_data_in_the_window_keeps_a_rollback_from_being_asked_for(known, ending):
    broken = {p.as_of for rule in ("fresh", "whole") for p in known[rule] if p.verdict is BREACH}
    for request in live(known, ending=ending):
        if request.kind is REQUEST:
            assert not any(
                request.at - WINDOWS["mae"] * DAY < as_of <= request.at for as_of in broken
            )


@given(histories)
def test_a_guard_that_observes_tells_of_every_breach_and_does_nothing(known):
    guard = GUARD.model_copy(update={"mode": Mode.OBSERVE})
    decided = at_once(known, guard=guard, days=30)
    assert {d.kind for d in decided} <= {NOTIFY, ESCALATE, RESOLVE}
    for rule in guard.rules:
        fired = [
            e.fired.as_of for e in episodes(known[rule.name], Patience(grace=rule.grace)) if e.fired
        ]
        notes = [d for d in decided if d.kind is NOTIFY and d.rule == rule.name]
        assert [d.at for d in notes] == fired
        if rule.action != "notify":
            assert all(f"(observe: would {rule.action})" in d.reason for d in notes)
        assert all(guard.owner_of(rule) in d.reason for d in notes)


@given(histories, st.integers(0, 60))
def test_silence_escalates_each_rule_once_and_does_nothing_else(known, days):
    heard = {name: last_conclusive(found) for name, found in known.items()}
    lived = live(known, days=days)
    for name in NAMES:
        if not known[name]:
            assert not [d for d in lived if d.rule == name]
            continue
        since = heard[name] or known[name][0].as_of
        after = [d for d in lived if d.kind is ESCALATE and d.rule == name and d.at > since]
        assert len(after) <= 1
    later = [d for d in lived if d.at > end_of(known)]
    assert {d.kind for d in later} <= {ESCALATE}


@given(histories)
def test_the_wall_clock_changes_nothing_but_silence(known):
    now = [d for d in at_once(known) if d.kind is not ESCALATE]
    assert now == [d for d in at_once(known, days=400) if d.kind is not ESCALATE]


# Cases, by their days.


def test_every_phase_is_reached():
    rule = GUARD.rules[-1]

    def stands(verdicts, decisions=()):
        found = points("mae", verdicts)
        return phase(
            episodes(found, Patience(grace=rule.grace)),
            last_conclusive(found),
            rule.name,
            decisions,
        )

    (request,) = at_once(history(mae=BROKEN[:4]))
    refused = [request, replace(request, kind=REFUSE)]
    seen = [
        stands([OK]),
        stands([OK, BREACH]),
        stands(BROKEN[:4]),
        stands(BROKEN[:4], [request]),
        stands(BROKEN, refused),
        stands([*BROKEN, OK], refused),
    ]
    assert seen == [
        Phase.OK,
        Phase.PENDING,
        Phase.FIRING,
        Phase.ACTING,
        Phase.COOLING,
        Phase.RESOLVED,
    ]
    assert stands([*BROKEN, OK, OK], refused) is Phase.OK
    assert stands([*BROKEN, OK, BREACH], refused) is Phase.PENDING
    assert stands([*BROKEN, OK]) is Phase.OK  # Nothing was done, so there is nothing to resolve.
    assert stands([*BROKEN, OK, QUIET], refused) is Phase.RESOLVED
    assert stands([]) is Phase.OK


def test_a_lasting_breach_is_asked_about_once_and_again_when_the_cooldown_is_over():
    known = history(mae=[OK] + [BREACH] * 12)
    assert days_of(live(known), REQUEST) == [3, 7, 11]
    assert [d.evidence["attempt"] for d in live(known) if d.kind is REQUEST] == [1, 2, 3]
    assert days_of(live(known, ending=None), REQUEST) == [3]


def test_the_cooldown_ends_exactly_when_it_says():
    guard = GUARD.model_copy(update={"cooldown": timedelta(days=4, seconds=1)})
    assert days_of(live(history(mae=[OK] + [BREACH] * 12), guard=guard), REQUEST) == [3, 8]


def test_a_rollback_cools_down_later_breaches_too_and_a_refusal_only_its_own():
    again = history(mae=[*BROKEN[:4], OK, BREACH, BREACH, BREACH, BREACH])
    assert days_of(live(again, ending=REFUSE), REQUEST) == [3, 7]
    soon = GUARD.model_copy(update={"cooldown": 5 * DAY})
    assert days_of(live(again, ending=REFUSE, guard=soon), REQUEST) == [3, 7]
    assert days_of(live(again, ending=ROLLBACK, guard=soon), REQUEST) == [3, 8]


@pytest.mark.parametrize("newest", [OK, QUIET, ERROR])
def test_no_rollback_is_asked_for_when_the_newest_word_is_no_breach(newest):
    assert days_of(at_once(history(mae=[*BROKEN, newest])), REQUEST) == []
    assert days_of(at_once(history(mae=[*BROKEN, newest, BREACH])), REQUEST) == (
        [7] if newest is not OK else []
    )


def test_a_request_names_its_breach_and_gives_the_numbers():
    (request,) = at_once(history(mae=BROKEN))
    assert request.incident == incident_id("g", "mae", START + DAY) == "g:mae:20260102T000000Z"
    assert request_id(request) == "g:mae:20260102T000000Z@20260106T000000Z"
    assert request.reason == "mae: mae is breach, since 2026-01-02 00:00 UTC"
    assert request.evidence == {
        "value": 5.0,
        "limit": 0.5,
        "n": 100,
        "since": "2026-01-02T00:00:00+00:00",
        "champion": "1",
        "suspect_layer": "model",
        "attempt": 1,
    }


def test_stale_data_in_the_window_holds_instead_of_rolling_back():
    known = history(fresh=[OK, OK, OK, BREACH, BREACH, BREACH], mae=BROKEN)
    decided = at_once(known)
    assert days_of(decided, REQUEST) == []
    (hold,) = [d for d in decided if d.kind is HOLD]
    assert days_of([hold], HOLD) == [3]
    assert "fresh is breach" in hold.reason
    assert "mae is explained by fresh (source)" in hold.reason


def test_a_breach_in_the_data_that_has_not_fired_yet_holds_for_the_rule_it_explains():
    known = history(whole=[OK, OK, OK, OK, OK, BREACH], mae=BROKEN)
    (hold,) = at_once(known)
    assert (hold.kind, hold.rule, hold.at) == (HOLD, "mae", START + 5 * DAY)
    healed = history(whole=[OK, OK, OK, OK, OK, BREACH, OK], mae=[*BROKEN, OK])
    release, _ = at_once(healed, decisions=[hold])
    assert (release.kind, release.incident) == (RELEASE, hold.incident)


def test_a_rollback_is_asked_for_once_the_broken_data_has_left_the_window():
    known = history(fresh=[OK, OK, BREACH] + [OK] * 9, mae=[OK] + [BREACH] * 11)
    # The window reaches three days back; what is older than it explains nothing.
    assert days_of(live(known), REQUEST)[:1] == [5]


def test_a_rule_that_holds_is_released_when_its_data_is_sound():
    decided = at_once(history(fresh=[OK, BREACH, BREACH, OK, OK]))
    assert acts(decided) == [(HOLD, 1), (RELEASE, 3)]
    assert decided[1].reason == "the cause is gone after 2d"
    assert decided[0].incident == decided[1].incident == "g:fresh:20260102T000000Z"


@pytest.mark.parametrize("end", [3, 4])
def test_holds_that_meet_or_overlap_are_one(end):
    known = history(
        fresh=[OK] + [BREACH] * (end - 1) + [OK] * 6, whole=[OK, OK, BREACH, BREACH, BREACH, OK]
    )
    decided = at_once(known)
    assert acts(decided) == [(HOLD, 1), (RELEASE, 5)]
    assert "fresh is breach; whole: whole is breach" in decided[0].reason


def test_a_hold_that_late_data_puts_before_one_still_going_does_not_end_it():
    going = at_once(history(fresh=[None] * 5 + [BREACH]))
    late = history(fresh=[OK, BREACH, OK, None, OK, BREACH])
    more = at_once(late, decisions=going)
    assert acts(more) == [(HOLD, 1), (RELEASE, 2)]
    mended = history(fresh=[OK, BREACH, OK, None, OK, OK])
    assert days_of(at_once(mended, decisions=[*going, *more]), RELEASE) == [5]


@pytest.mark.parametrize("broken", ["whole", "fresh"])
def test_a_time_that_was_let_go_and_turns_out_broken_is_held_again(broken):
    """By another rule that is judged later, or by the same partition made once more."""
    known = history(fresh=[OK, BREACH, BREACH, OK], whole=[OK] * 4)
    done = list(at_once(known))
    assert acts(done) == [(HOLD, 1), (RELEASE, 3)]
    known[broken] = points(broken, [OK, OK, BREACH, BREACH] if broken == "whole" else BROKEN[:4])
    again = at_once(known, decisions=done)
    assert acts(again) == [(HOLD, 3)]
    assert is_held((*done, *again))
    assert acts(at_once(known, decisions=[*done, *again])) == []
    known[broken] = points(broken, [OK] * 6)
    known["fresh"] = points("fresh", [OK] * 6)
    ended = at_once(known, decisions=[*done, *again])
    assert acts(ended)[-1][0] is RELEASE
    assert not is_held((*done, *again, *ended))


def test_holds_that_do_not_meet_are_two():
    decided = at_once(history(fresh=[BREACH, OK, OK, BREACH, OK]))
    assert acts(decided) == [
        (HOLD, 0),
        (RELEASE, 1),
        (HOLD, 3),
        (RELEASE, 4),
    ]


def test_a_hold_that_a_rollback_rule_began_is_not_told_twice_when_its_breach_ends_first():
    known = history(
        mae=[OK, BREACH, BREACH, BREACH, BREACH, OK], fresh=[OK] * 4 + [BREACH, BREACH, OK]
    )
    assert told(live(known), HOLD, RELEASE) == told(at_once(known), HOLD, RELEASE)
    assert days_of(live(known), HOLD) == [4]


def test_data_that_was_broken_for_a_while_is_named_once_for_its_own_breach_only():
    earlier = [OK, *[BREACH] * 4, OK, OK, OK]
    known = history(mae=[*earlier, *[BREACH] * 6], fresh=[OK] * 9 + [BREACH] + [OK] * 4)
    notes = [d for d in live(known) if d.kind is NOTIFY]
    (note,) = notes
    assert note.incident == incident_id("g", "fresh", START + 9 * DAY)
    assert note.evidence["suspect"] == "fresh"
    assert "Suspect: fresh (source)" in note.reason
    assert told(at_once(known), NOTIFY) == told(notes, NOTIFY)


def test_a_notice_tells_what_since_when_and_who_decides():
    (note,) = at_once(history(drift=BROKEN))
    assert note.at == START + 3 * DAY
    assert note.reason == ("drift: drift is breach, since 2026-01-02 00:00 UTC. team:d decides")


def test_a_new_champion_begins_anew():
    old = points("mae", BROKEN)
    new = [replace(p, subject="2") for p in points("mae", [None] * 6 + [BREACH] * 3)]
    seen = {**history(), "mae": [*old, *new]}
    requests = [d for d in live(seen) if d.kind is REQUEST]
    assert [(d.at - START).days for d in requests] == [3, 8]
    assert [d.evidence["champion"] for d in requests] == ["1", "2"]
    assert requests[0].incident == requests[1].incident  # It was never ok in between.


@pytest.mark.parametrize("silent", [QUIET, ERROR, None])
def test_lasting_silence_escalates_at_its_limit_and_not_before(silent):
    known = history(mae=[OK, *[silent] * 9])
    now = START + GUARD.silence
    assert decide(GUARD, known, (), now=now - timedelta(seconds=1)) == ()
    (escalation,) = decide(GUARD, known, (), now=now)
    assert (escalation.kind, escalation.at) == (ESCALATE, now)
    assert decide(GUARD, known, [escalation], now=now + 99 * DAY) == ()
    assert "nothing conclusive since 2026-01-01 00:00 UTC" in escalation.reason
    assert escalation.reason.endswith(". team:g: find out why it is silent")


def test_a_first_window_may_fill_before_silence_counts():
    known = history(mae=[QUIET] * 9)
    filled = START + timedelta(days=WINDOWS["mae"])
    assert decide(GUARD, known, (), now=filled + GUARD.silence - timedelta(seconds=1)) == ()
    (told,) = decide(GUARD, known, (), now=filled + GUARD.silence)
    assert told.kind is ESCALATE


def test_a_new_champion_s_first_days_may_pass_before_silence_counts():
    signal = {"kind": "performance", "metric": "mae", "window": "1d", "baseline": "first 14d"}
    limit = {"above_baseline": "50%"}
    rule = {"name": "mae", "signal": signal, "limit": limit}
    tables = {"predictions": GUARD.tables["predictions"].model_dump()}
    guard = Guard.model_validate({**GUARD.model_dump(), "tables": tables, "rules": [rule]})
    told = points("mae", [OK])
    told += [replace(point, subject="2") for point in points("mae", [None, *[QUIET] * 14])]
    over = START + timedelta(days=14) + GUARD.silence
    assert decide(guard, {"mae": told}, (), now=over - timedelta(seconds=1)) == ()
    (escalation,) = decide(guard, {"mae": told}, (), now=over)
    assert escalation.kind is ESCALATE
    told += [replace(point, subject="2") for point in points("mae", [*[None] * 15, OK])]
    (later,) = decide(guard, {"mae": told}, (), now=START + timedelta(days=15) + GUARD.silence)
    assert later.kind is ESCALATE


def test_silence_after_a_new_word_escalates_anew():
    known = history(mae=[OK, *[None] * 8, OK])
    assert days_of(live(known, days=20), ESCALATE) == [5, 14]
    spoken = at_once(history(mae=[OK]), days=8)
    assert days_of(spoken, ESCALATE) == [5]
    assert days_of(at_once(known, decisions=spoken, days=40), ESCALATE) == [14]


def test_time_under_hold_is_not_silence():
    known = history(mae=[OK], fresh=[OK, BREACH, BREACH, BREACH, BREACH, OK] + [OK] * 20)
    lived = live(known)
    assert [(d.rule, (d.at - START).days) for d in lived if d.kind is ESCALATE] == [("mae", 9)]


def test_silence_during_a_breach_never_asks_for_a_rollback():
    known = history(mae=[OK, BREACH, *[QUIET] * 20])
    assert {d.kind for d in live(known, days=60)} == {ESCALATE}


def test_an_escalation_is_nothing_done_about_a_breach():
    known = history(mae=[OK, BREACH, BREACH, BREACH])
    found = episodes(known["mae"], Patience(grace=2 * DAY))
    (request,) = at_once(known)
    escalation = replace(request, kind=ESCALATE)
    assert within(found[0], "mae", [escalation]) == ()
    assert within(found[0], "mae", [request, escalation]) == (request,)
    assert within(found[0], "drift", [request]) == ()


def test_a_hold_rule_that_cannot_be_measured_is_told_once_until_it_speaks_again():
    known = history(whole=[OK, ERROR, ERROR, QUIET, ERROR, OK, ERROR])
    told = [d for d in at_once(known) if d.rule == "whole"]
    assert acts(told) == [(ESCALATE, 1), (ESCALATE, 6)]
    assert "blocks what follows" in told[0].reason
    assert decide(GUARD, known, told, now=told[-1].at) == ()
    observing = GUARD.model_copy(update={"mode": "observe"})
    assert decide(observing, known, (), now=told[-1].at) == ()


def test_a_rule_that_speaks_weekly_is_not_silent_between_two_words():
    weekly = [point for day in range(0, 35, 7) for point in points("mae", [None] * day + [OK])]
    newest = weekly[-1].as_of
    assert decide(GUARD, {"mae": weekly}, (), now=newest + 10 * DAY) == ()
    (told,) = decide(GUARD, {"mae": weekly}, (), now=newest + 11 * DAY)
    assert told.kind is ESCALATE


def test_an_escalation_says_what_the_rule_said_last():
    known = history(mae=[OK, QUIET])
    (told,) = decide(GUARD, known, (), now=START + GUARD.silence)
    assert "(inconclusive: mae is inconclusive)" in told.reason
