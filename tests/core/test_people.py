"""What a person may say, and which of several answers counts."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.decide import decide
from aiguard_dagster.core.decisions import DecisionKind
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.people import (
    Answer,
    answer_of_text,
    answer_to,
    counted_instead,
    open_proposals,
    person,
    proposed,
    release_of,
)
from tests.core.test_decide import HOLD, REQUEST, end_of
from tests.core.test_decide_policy import ASKING, BAD, asked

NOW = end_of(BAD)
words = st.text(
    st.characters(blacklist_categories=["C", "Z"], blacklist_characters=":"), min_size=1
)
names = words.filter(lambda text: text.lower() not in {"guard", "unknown"} and len(text) < 100)
reasons = words.filter(lambda text: len(text) < 900)
spaces = st.sampled_from([" ", "  ", "\n", "\t "])


@given(st.sampled_from(["approve", "Reject", "APPROVE"]), names, reasons, spaces, spaces)
def test_an_answer_is_read_as_it_was_meant_however_it_is_spaced(word, who, why, one, two):
    found = answer_of_text(f"{one}{word}{two}{who}{one}:{two}{why}{one}")
    assert found == (Answer(word.lower()), who, why)


@given(st.text(max_size=200))
def test_a_text_is_an_answer_with_a_name_and_a_reason_or_it_is_refused(text):
    try:
        answer, who, why = answer_of_text(text)
    except ActionError as error:
        assert "\n\nHint: " in str(error)  # noqa: PT017 - refusals are half of the statement
    else:
        assert answer in {Answer.APPROVE, Answer.REJECT}
        assert who.strip()
        assert why.strip()


@pytest.mark.parametrize(("by", "why"), [("a" * 101, "x"), ("a", "x" * 1_001), ("\n", "x")])
def test_a_name_or_a_reason_of_the_wrong_length_is_refused(by, why):
    with pytest.raises(ActionError, match="Hint"):
        person(by, why)


@given(st.lists(st.tuples(names, st.sampled_from(["approve", "reject"])), min_size=1, max_size=5))
def test_of_many_answers_the_first_written_counts_and_only_that(said):
    before = asked()
    answers = [
        answer_to("g", before, Answer(word), by=who, why="so", now=NOW, via=str(number))
        for number, (who, word) in enumerate(said)
    ]
    log = [*before, *answers]
    first, *others = answers
    assert counted_instead(log, first) is None
    assert all(counted_instead(log, other) == first for other in others)
    assert open_proposals(log) == []
    new = decide(ASKING, BAD, log, now=NOW)
    asked_for = [d for d in new if d.kind is REQUEST]
    assert len(asked_for) == (first.kind is DecisionKind.APPROVE)
    assert all(d.actor == first.actor for d in asked_for)


def test_a_release_ends_the_hold_at_the_newest_event_time_and_no_earlier():
    _, proposal = asked()
    held = replace(proposal, kind=HOLD)
    for newest in (None, held.at - timedelta(days=1)):
        release = release_of("g", [held], by="ada", why="so", now=NOW, via="", newest=newest)
        assert release.at == held.at
    later = held.at + timedelta(days=1)
    assert release_of("g", [held], by="a", why="so", now=NOW, via="", newest=later).at == later


def test_a_second_hold_may_be_released_again():
    _, proposal = asked()
    held = replace(proposal, kind=HOLD)
    once = release_of("g", [held], by="ada", why="so", now=NOW, via="")
    again = replace(held, at=held.at + timedelta(days=3))
    log = [held, once, again]
    twice = release_of("g", log, by="bob", why="so", now=NOW, via="")
    assert counted_instead([*log, twice], twice) is None
    late = replace(twice, actor="cyd")
    assert counted_instead([*log, twice, late], late) == twice


def test_a_proposal_says_where_from_and_where_to():
    _, proposal = asked()
    assert proposed(proposal) == "rollback from v1 to v7"
    assert proposed(replace(proposal, evidence={"action": "hold", "champion": "2"})) == "hold"


def test_without_decisions_there_is_nothing_to_answer():
    with pytest.raises(ActionError, match=r"nothing waits for an answer\n\nHint: nothing of this"):
        answer_to("g", [], Answer.APPROVE, by="ada", why="so", now=NOW, via="")
