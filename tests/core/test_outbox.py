from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.messages import Heading, Message
from aiguard_dagster.core.outbox import (
    GAPS,
    MOST_AT_ONCE,
    OLD,
    STALE,
    Attempt,
    Notice,
    State,
    claimed,
    due,
    given_up,
    in_messages,
    is_final,
    notice_id,
    settled_through,
    still_open,
    targets_of,
)

NOW = datetime(2026, 1, 7, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
NAMES = ("team:a", "*")


def notice(place=1, *, owner="team:a", guard="g", written=NOW, heading=Heading.OPENED):
    message = Message(heading=heading, title=f"{heading.capitalize()}: {guard}", body="so")
    return Notice(
        id=f"n{place}", place=place, guard=guard, owner=owner, written=written, message=message
    )


def tried(name="n1", *, state=State.SENT, number=1, at=NOW, target="team:a", run="r", **rest):
    return Attempt(notice=name, target=target, number=number, state=state, at=at, run=run, **rest)


def failures(count, *, at=NOW, target="team:a"):
    return [tried(number=n, state=State.FAILED, at=at, target=target) for n in range(1, count + 1)]


def test_a_notice_that_was_never_tried_is_due_and_one_that_was_sent_never_again():
    (parcel,) = due([notice()], [], NAMES, now=NOW)
    assert (parcel.target, parcel.number) == ("team:a", 1)
    assert due([notice()], [tried()], NAMES, now=NOW + timedelta(days=99)) == []


def test_a_notice_goes_to_everybody_when_its_owner_has_no_target():
    (parcel,) = due([notice(owner="team:b")], [], NAMES, now=NOW)
    assert (parcel.target, parcel.instead_of) == ("*", "")
    assert due([notice(owner="team:b")], [], ("team:a",), now=NOW) == []


@pytest.mark.parametrize("number", range(1, len(GAPS) + 1))
def test_the_gap_grows_with_each_failure(number):
    found = failures(number)
    gap = GAPS[number - 1]
    assert due([notice()], found, NAMES, now=NOW + gap - SECOND) == []
    (parcel,) = due([notice()], found, NAMES, now=NOW + gap)
    assert parcel.number == number + 1
    assert gap > sum(GAPS[: number - 1], timedelta(0))


def test_after_the_last_attempt_everybody_is_told_instead():
    found = failures(len(GAPS) + 1)
    (parcel,) = due([notice()], found, NAMES, now=NOW)
    assert (parcel.target, parcel.instead_of, parcel.number) == ("*", "team:a", 1)
    ((message, _),) = in_messages([parcel], now=NOW)
    assert message.body.endswith("You read this because team:a could not be reached.")
    assert not is_final(notice(), found, NAMES, now=NOW)
    assert is_final(notice(), found, ("team:a",), now=NOW)
    found += failures(len(GAPS) + 1, target="*")
    assert is_final(notice(), found, NAMES, now=NOW)
    assert due([notice()], found, NAMES, now=NOW + timedelta(days=9)) == []


def test_the_last_attempt_that_fails_is_the_one_that_gives_up():
    last = due([notice()], failures(len(GAPS)), NAMES, now=NOW + GAPS[-1])[0]
    assert given_up(last, State.FAILED)
    assert not given_up(last, State.SENT)
    assert not given_up(due([notice()], [], NAMES, now=NOW)[0], State.FAILED)


def test_an_attempt_under_way_is_left_alone_until_it_was_surely_cut_short():
    begun = [tried(state=State.SENDING)]
    assert due([notice()], begun, NAMES, now=NOW + STALE - SECOND) == []
    (parcel,) = due([notice()], begun, NAMES, now=NOW + STALE)
    assert parcel.number == 2


def test_a_last_attempt_under_way_is_not_given_up():
    begun = [*failures(len(GAPS)), tried(number=len(GAPS) + 1, state=State.SENDING)]
    assert targets_of(notice(), begun, NAMES, now=NOW) == ["team:a"]
    assert targets_of(notice(), begun, NAMES, now=NOW + STALE) == ["team:a", "*"]


def test_addresses_that_took_it_are_not_told_again():
    found = [tried(state=State.FAILED, accepted=(0, 2))]
    (parcel,) = due([notice()], found, NAMES, now=NOW + GAPS[0])
    assert parcel.accepted == (0, 2)


def test_of_two_runs_that_begin_one_attempt_the_first_goes_on():
    (parcel,) = due([notice()], [], NAMES, now=NOW)
    begun = [tried(state=State.SENDING, run="one"), tried(state=State.SENDING, run="two")]
    assert claimed(parcel, "one", begun)
    assert not claimed(parcel, "two", begun)
    assert not claimed(parcel, "one", [])


def test_the_log_is_settled_up_to_the_first_notice_that_is_not():
    notices = [notice(3), notice(5)]
    places = [1, 3, 4, 5, 9]
    assert settled_through(places, notices, [], NAMES, now=NOW) == 1
    assert settled_through(places, notices, [tried("n5")], NAMES, now=NOW) == 1
    assert settled_through(places, notices, [tried("n3")], NAMES, now=NOW) == 4
    assert settled_through(places, notices, [tried("n3"), tried("n5")], NAMES, now=NOW) == 9


def test_events_of_today_are_one_message_each_and_old_ones_are_one_together():
    old = [notice(place, written=NOW - OLD - MINUTE) for place in (1, 2, 3)]
    fresh = [notice(place) for place in (4, 5)]
    sent = in_messages(due([*old, *fresh], [], NAMES, now=NOW), now=NOW)
    assert [len(parcels) for _, parcels in sent] == [3, 1, 1]
    assert sent[0][0].title == "3 events of 1 guard, in one message"


def test_one_old_event_is_told_as_itself_and_says_when_it_was_decided():
    old = notice(written=NOW - OLD - MINUTE)
    ((message, _),) = in_messages(due([old], [], NAMES, now=NOW), now=NOW)
    assert message.title == "Opened: g"
    assert message.body.endswith("Told late: decided 2026-01-05 23:59 UTC.")


def test_very_many_at_once_are_one_message():
    few = [notice(place) for place in range(MOST_AT_ONCE)]
    assert len(in_messages(due(few, [], NAMES, now=NOW), now=NOW)) == MOST_AT_ONCE
    many = [*few, notice(99)]
    ((_, parcels),) = in_messages(due(many, [], NAMES, now=NOW), now=NOW)
    assert len(parcels) == MOST_AT_ONCE + 1


def test_a_summary_counts_and_names_first_the_guards_that_need_a_person():
    many = [notice(n, guard=f"g{n}", heading=Heading.RESOLVED) for n in range(1, 20)]
    many += [notice(30, guard="g1", heading=Heading.WAITING)]
    ((message, _),) = in_messages(due(many, [], NAMES, now=NOW), now=NOW)
    assert message.title == "20 events of 19 guards, in one message"
    assert message.heading is Heading.WAITING
    first, _, *lines = message.body.splitlines()
    assert first.endswith(": 1 waiting, 19 resolved.")
    assert lines[0] == "Waiting: g1 (2026-01-07 00:00 UTC)"
    assert lines[10] == "… and 9 more guards"


def decided(kind, at=NOW, *, incident="i", actor="guard", reason="so"):
    return Decision(
        kind=DecisionKind(kind), at=at, incident=incident, rule="r", reason=reason, actor=actor
    )


def test_a_decision_that_was_recorded_twice_has_one_name():
    assert notice_id(decided("hold")) == notice_id(decided("hold"))
    others = [
        decided("release"),
        decided("hold", NOW + MINUTE),
        decided("hold", incident="j"),
        decided("hold", actor="person:ada"),
        decided("hold", reason="other"),
    ]
    assert len({notice_id(d) for d in [decided("hold"), *others]}) == len(others) + 1


def test_history_asks_for_a_person_in_open_proposals_holds_and_what_was_given_up():
    later = NOW + MINUTE
    history = [
        decided("propose", incident="answered"),
        decided("reject", incident="answered", actor="person:ada"),
        decided("propose", incident="open"),
        decided("hold", incident="past"),
        decided("release", later, incident="past"),
        decided("failed", incident="mended"),
        decided("resolve", later, incident="mended"),
        decided("structural", incident="lasting"),
        decided("notify"),
    ]
    found = still_open(history)
    assert [(d.kind, d.incident) for d in found] == [("propose", "open"), ("structural", "lasting")]
    held = [*history, decided("hold", later + MINUTE, incident="now")]
    assert ("hold", "now") in [(d.kind, d.incident) for d in still_open(held)]


@given(
    outcomes=st.lists(
        st.sampled_from(["ok", "fail", "killed before", "killed after"]), max_size=40
    ),
    steps=st.lists(st.integers(1, 600), min_size=40, max_size=40),
    names=st.sampled_from([("team:a",), NAMES, ("*",)]),
)
def test_whatever_fails_or_is_killed_a_notice_arrives_at_least_once_or_is_given_up(
    outcomes, steps, names
):
    """A run may be killed after the claim, before or after the service took the message."""
    now, attempts, taken, fails = NOW, [], [], iter(outcomes)
    for step in [*steps, *[600] * 60]:
        for parcel in due([notice()], attempts, names, now=now):
            mine = tried(state=State.SENDING, number=parcel.number, at=now, target=parcel.target)
            attempts.append(mine)
            outcome = next(fails, "ok")
            if outcome in {"ok", "killed after"}:
                taken.append(parcel.target)
            if outcome in {"ok", "fail"}:
                ended = State.SENT if outcome == "ok" else State.FAILED
                attempts.append(replace(mine, state=ended))
        now += timedelta(minutes=step)
    assert is_final(notice(), attempts, names, now=now)
    sent = [a.target for a in attempts if a.state is State.SENT]
    assert len(sent) <= 1
    begun = [a for a in attempts if a.state is State.SENDING]
    assert len(begun) <= (len(GAPS) + 1) * len(names)
    assert len(begun) == len({(a.target, a.number) for a in begun})
    cut_short = sum(outcome == "killed after" for outcome in outcomes)
    assert len(taken) <= 1 + cut_short
    if not outcomes:
        assert len(taken) == 1
