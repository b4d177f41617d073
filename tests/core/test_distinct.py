"""What was written twice counts once."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.decisions import Decision, DecisionKind, distinct, open_requests

decisions = st.builds(
    Decision,
    kind=st.sampled_from(DecisionKind),
    at=st.sampled_from([datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]),
    incident=st.sampled_from(["a", "b"]),
    rule=st.sampled_from(["error", "drift"]),
    reason=st.sampled_from(["x", "y"]),
    actor=st.sampled_from(["guard", "person:ada"]),
    evidence=st.dictionaries(st.sampled_from(["n", "about"]), st.sampled_from([1, "m", None])),
)


@given(st.lists(decisions), st.data())
def test_a_history_in_which_some_was_written_twice_is_the_same_history(history, data):
    once = distinct(history)
    again = data.draw(st.lists(st.sampled_from(history))) if history else []
    assert distinct([*history, *again]) == once
    assert distinct(once) == once


def test_a_second_request_waits_for_nothing():
    request = Decision(
        kind=DecisionKind.REQUEST,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        incident="a",
        rule="error",
        reason="x",
    )
    outcome = replace(request, kind=DecisionKind.ROLLBACK, reason="v2 → v1")
    assert open_requests(distinct([request, request, outcome])) == []


def test_the_owners_request_is_not_the_guards():
    guards = Decision(
        kind=DecisionKind.REQUEST,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        incident="a",
        rule="error",
        reason="x",
    )
    owners = replace(guards, actor="person:ada")
    proposal = replace(guards, kind=DecisionKind.PROPOSE)
    assert open_requests(distinct([guards, proposal, proposal, owners])) == [owners]
