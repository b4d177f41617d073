from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.messages import Heading, message_of, owner_of, told_late
from tests.core.specs import COMPLETE, MAE, guard_of

AT = datetime(2026, 1, 7, tzinfo=UTC)
RULES = (
    {
        "name": "error",
        "signal": MAE,
        "limit": {"above_baseline": "50%"},
        "action": "rollback",
        "owner": "team:models",
    },
    {"name": "complete", "signal": COMPLETE, "action": "hold"},
)
BREACH = {"value": 110.5, "limit": 2.0, "n": 48, "champion": "2"}
MOVE = {"champion": "2", "candidate": "1"}


def guard(**more):
    return guard_of(*RULES, mode="enforce", **more)


def decided(kind, *, rule="error", reason="error: 110.5 > 2", actor="guard", at=AT, **evidence):
    return Decision(
        kind=DecisionKind(kind),
        at=at,
        incident="scorer:error:20260105T000000Z",
        rule=rule,
        reason=reason,
        actor=actor,
        evidence=evidence,
    )


def told(kind, *, policy=None, **rest):
    return message_of(decided(kind, **rest), guard(**({"decide": policy} if policy else {})))


def test_a_breach_is_opened_with_what_how_much_and_which_version():
    found = told("notify", **BREACH, reason="error: 110.5 > 2 (n=48). team:models decides")
    assert found.title == "Opened: scorer v2, error 110.5 > 2"
    assert found.body.splitlines() == [
        "error: 110.5 > 2 (n=48). team:models decides.",
        "Incident scorer:error:20260105T000000Z",
    ]


def test_the_first_request_opens_and_later_ones_are_told_by_their_outcome():
    first = told("request", **BREACH, attempt=1)
    assert first.heading is Heading.OPENED
    assert "does better, and puts it back if so." in first.body
    assert "does better, then asks team:models." in told("request", **BREACH, attempt=1, ask=1).body
    assert told("request", **BREACH, attempt=2) is None
    assert told("request", **MOVE, answers="x", actor="person:ada") is None


def test_a_rollback_says_what_was_moved_why_and_who_asked():
    by_guard = told("rollback", **MOVE)
    assert by_guard.title == "Acted: scorer v2 → v1"
    assert "v2 is in quarantine until a person lifts it." in by_guard.body
    assert "Asked for" not in by_guard.body
    by_person = told("rollback", **MOVE, actor="person:ada", told="failed: HTTP 500")
    assert by_person.body.startswith("Asked for by person:ada.\n")
    assert "Telling the service: failed: HTTP 500." in by_person.body


def test_a_proposal_says_first_who_decides_by_when_and_what_happens_otherwise():
    ask = {**MOVE, "action": "rollback", "deadline": "2026-01-07T04:00:00+00:00"}
    found = told("propose", **ask, policy={"within": "4h", "otherwise": "rollback"})
    assert found.title == "Waiting: scorer, error: roll back v2 to v1? By 2026-01-07 04:00 UTC"
    first = "team:models decides by 2026-01-07 04:00 UTC, otherwise rollback to v1."
    assert found.body.splitlines()[0] == first
    assert "aiguard approve scorer:error:20260105T000000Z --by NAME" in found.body
    nothing = told("propose", **ask, policy={"otherwise": "notify"})
    assert "otherwise nothing is done." in nothing.body
    held = told("propose", **ask, policy={"otherwise": "hold"})
    assert "otherwise the predictions are held back." in held.body


def test_a_proposal_to_hold_never_threatens_with_a_rollback():
    ask = {"action": "hold", "deadline": "2026-01-07T04:00:00+00:00", "champion": None}
    found = told("propose", rule="complete", **ask, policy={"otherwise": "rollback"})
    assert found.title.startswith("Waiting: scorer, complete: hold predictions back?")
    assert "team:ml decides" in found.body
    assert "otherwise the predictions are held back." in found.body


def test_a_hold_and_its_release_say_from_when_on():
    hold = told("hold", rule="complete", reason="complete: 50% < 90% (n=24)")
    assert hold.title == "Acted: scorer, predictions held back"
    assert "from 2026-01-07 00:00 UTC on, until the cause is gone, or team:ml" in hold.body
    release = told("release", rule="complete", actor="person:ada", reason="we mended it")
    assert release.body.startswith("Asked for by person:ada.\nwe mended it.\n")


def test_a_refusal_says_that_nothing_moved_and_who_decides():
    found = told("refuse", **MOVE, reason="going back would be worse")
    assert found.title == "Escalated: scorer stays on v2, error"
    assert "Nothing was moved. team:models decides." in found.body
    by_hand = told("refuse", **MOVE, actor="person:ada", reason="going back would be worse")
    assert by_hand.title == "Refused: scorer stays on v2, error"
    held = told("refuse", **MOVE, then="hold")
    assert held.title == "Refused: scorer stays on v2, error"
    assert "Nothing was moved. The predictions are held back instead." in held.body


def test_a_person_who_says_no_is_named():
    found = told("reject", actor="person:ada", reason="a known sale")
    assert found.title == "Refused: scorer, error: person:ada said no"


def test_an_unanswered_proposal_is_escalated_only_where_nothing_follows():
    nothing = told("expire", otherwise="notify", reason="error: team:models did not answer")
    assert nothing.title == "Escalated: scorer, error, nobody answered"
    assert "The breach lasts; team:models decides." in nothing.body
    assert told("expire", otherwise="hold") is None


def test_an_escalation_says_in_its_title_what_is_wrong():
    reason = "complete: nothing conclusive since 2026-01-04. team:ml: find out why it is silent"
    found = told("escalate", rule="complete", reason=reason)
    assert found.title == "Escalated: scorer, complete: nothing conclusive since 2026-01-04"
    assert told("failed").title == "Escalated: scorer, error, the rollback failed"
    assert told("structural").title == "Escalated: scorer, error, no version has helped"


def test_an_approval_is_told_by_what_it_leads_to():
    assert told("approve", actor="person:ada") is None


def test_a_persons_request_without_a_rule_goes_to_the_owner_of_the_guard():
    asked = decided("refuse", rule="", actor="person:ada")
    assert owner_of(asked, guard()) == "team:ml"
    assert owner_of(decided("refuse"), guard()) == "team:models"
    assert message_of(asked, guard()).title == "Refused: scorer"


def test_a_hint_is_left_out_and_a_long_reason_is_cut():
    found = told("escalate", reason=f"it broke {'very ' * 300}badly\n\nHint: mend it.")
    assert "Hint" not in found.body
    assert found.body.endswith("\nIncident scorer:error:20260105T000000Z")
    assert len(found.body) < 800
    assert len(found.title) <= 120


def test_a_late_message_says_when_it_was_decided():
    found = told_late(told("resolve"), AT + timedelta(minutes=5))
    assert found.body.endswith("\nTold late: decided 2026-01-07 00:05 UTC.")


@given(
    kind=st.sampled_from(sorted(DecisionKind)),
    rule=st.sampled_from(["", "error", "complete", "gone"]),
    actor=st.sampled_from(["guard", "person:ada"]) | st.text(min_size=1, max_size=200),
    reason=st.text(max_size=2_000),
    evidence=st.fixed_dictionaries(
        {},
        optional={
            "champion": st.sampled_from(["2", None]),
            "candidate": st.just("1"),
            "value": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
            "limit": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
            "attempt": st.integers(1, 3),
            "action": st.sampled_from(["hold", "rollback"]),
            "deadline": st.just("2026-01-07T04:00:00+00:00"),
            "otherwise": st.sampled_from(["notify", "hold", "rollback"]),
            "told": st.just("ok"),
        },
    ),
)
def test_whatever_is_decided_the_message_is_short_and_its_title_one_line(
    kind, rule, actor, reason, evidence
):
    found = message_of(decided(kind, rule=rule, actor=actor, reason=reason, **evidence), guard())
    if found is None:
        return
    assert found.title.startswith(f"{found.heading.capitalize()}: scorer")
    assert len(found.title) <= 120
    assert len(found.title.splitlines()) == 1
    assert len(found.body) <= 1_200


@pytest.mark.parametrize("kind", sorted(DecisionKind))
def test_the_table_of_headings_knows_every_kind(kind):
    from aiguard_dagster.core import messages

    assert f"``{kind}``" in messages.__doc__
