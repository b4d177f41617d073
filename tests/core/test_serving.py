"""What predictions tell of the service after a rollback."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.serving import (
    Served,
    confirm,
    confirm_due,
    is_unconfirmed,
    last_rollback,
    moved_on,
)
from aiguard_dagster.core.verdicts import Verdict
from tests.core.test_decide import DAY, GUARD, OK, START, history, points

MOVED = START + 10 * DAY
ROLLBACK = Decision(
    kind=DecisionKind.ROLLBACK,
    at=MOVED,
    incident="g:mae:1",
    rule="mae",
    reason="v2 → v1",
    evidence={
        "champion": "2",
        "candidate": "1",
        "moved": (MOVED + timedelta(hours=1)).isoformat(),
    },
)
DUE = MOVED + timedelta(hours=1) + GUARD.rollback.confirm_within


def day_of(number, **versions):
    start = START + number * DAY
    rows = {name.removeprefix("v"): n for name, n in versions.items()}
    return Served(key=f"day {number}", start=start, end=start + DAY, versions=rows)


def said(*served, now=DUE, decisions=(), held=False, **more):
    tables = {"predictions": served, **more}
    return confirm(GUARD, ROLLBACK, tables, [ROLLBACK, *decisions], held=held, now=now)


def test_the_first_day_that_the_restored_version_made_confirms_the_rollback():
    decision = said(day_of(9, v2=24), day_of(10, v1=24), now=MOVED)
    assert decision.kind is DecisionKind.CONFIRM
    assert decision.reason == "what is served carries v1: predictions day 10: 24 of 24 rows by v1"
    assert decision.evidence["predictions: rows of v1"] == 24
    assert (decision.at, decision.incident) == (ROLLBACK.at, ROLLBACK.incident)


def test_days_from_before_the_move_confirm_nothing_even_if_they_were_made_again():
    assert said(day_of(8, v1=24), day_of(9, v1=24), now=MOVED) is None


@pytest.mark.parametrize("mixed", [{"v1": 20, "v2": 4}, {"unknown": 24}, {"v2": 24}, {"v7": 9}])
def test_what_the_bad_version_or_another_made_is_no_proof(mixed):
    assert said(day_of(10, **mixed), now=DUE - timedelta(seconds=1)) is None
    decision = said(day_of(10, **mixed))
    assert decision.kind is DecisionKind.ESCALATE
    assert decision.evidence["about"] == "serving"
    assert decision.reason.startswith("the alias moved, the service did not: it moved to v1 at")
    assert said(day_of(10, **mixed), decisions=[decision]) is None


def test_rows_that_name_no_version_beside_the_restored_one_do_not_hide_it():
    decision = said(day_of(10, v1=20, unknown=4))
    assert decision.kind is DecisionKind.CONFIRM
    assert "20 of 24 rows by v1, 4 of 24 rows by no known version" in decision.reason


def test_the_newest_day_counts_and_not_a_better_one_before_it():
    assert said(day_of(10, v1=24), day_of(11, v2=24), now=MOVED) is None


def test_every_table_with_new_data_must_carry_the_restored_version():
    assert said(day_of(10, v1=24), traces=[day_of(10, v2=3)], now=MOVED) is None
    assert said(day_of(10, v1=24), traces=[], now=MOVED).kind is DecisionKind.CONFIRM


def test_no_data_is_not_called_a_service_that_stayed_behind():
    decision = said(day_of(9, v2=24))
    assert decision.evidence["about"] == "serving_silent"
    assert "nobody can tell what is served" in decision.reason
    late = said(day_of(10, v2=24), decisions=[decision])
    assert late.evidence["about"] == "serving"
    assert said(day_of(11, v1=24), decisions=[decision, late]).kind is DecisionKind.CONFIRM


def test_nothing_is_expected_of_a_service_whose_predictions_are_held_back():
    assert said(held=True) is None
    assert said(day_of(10, v2=24), held=True).evidence["about"] == "serving"


def test_a_day_that_nobody_has_counted_is_as_good_as_none():
    assert said(day_of(10), now=MOVED) is None
    assert said(day_of(10)).evidence["about"] == "serving_silent"


def test_a_registry_with_stages_moves_a_stage():
    guard = GUARD.model_copy(
        update={"model": GUARD.model.model_copy(update={"alias": None, "stage": "Production"})}
    )
    tables = {"predictions": [day_of(10, v2=1)]}
    decision = confirm(guard, ROLLBACK, tables, [ROLLBACK], held=False, now=DUE)
    assert decision.reason.startswith("the stage moved, the service did not")


def test_only_the_newest_rollback_is_waited_for():
    later = replace(ROLLBACK, at=MOVED + DAY)
    seen = replace(ROLLBACK, kind=DecisionKind.CONFIRM)
    assert last_rollback([ROLLBACK, later, seen]) == later
    assert is_unconfirmed(later, [ROLLBACK, later, seen])
    assert not is_unconfirmed(ROLLBACK, [ROLLBACK, later, seen])
    assert last_rollback([seen]) is None


def test_a_rollback_from_before_the_move_was_recorded_counts_from_its_event_time():
    old = replace(ROLLBACK, evidence={"champion": "2", "candidate": "1"})
    tables = {"predictions": [day_of(10, v2=1)]}
    due = MOVED + GUARD.rollback.confirm_within
    assert confirm(GUARD, old, tables, [old], held=False, now=due - timedelta(seconds=1)) is None
    assert confirm(GUARD, old, tables, [old], held=False, now=due) is not None


def test_a_rollback_is_looked_at_again_when_its_time_is_over_and_then_no_more():
    assert confirm_due(GUARD, [], {}) is None
    assert confirm_due(GUARD, [ROLLBACK], {}) == DUE
    assert confirm_due(GUARD, [ROLLBACK, said(day_of(10, v2=1))], {}) is None
    assert confirm_due(GUARD, [ROLLBACK, said(day_of(10, v1=1))], {}) is None


def test_a_rollback_that_a_person_has_moved_on_from_is_waited_for_no_more():
    later = ROLLBACK.at + DAY
    judged = Point(as_of=later, start=ROLLBACK.at, verdict=Verdict.OK, subject="3")
    assert confirm_due(GUARD, [ROLLBACK], {"error": [judged]}) is None
    assert confirm_due(GUARD, [ROLLBACK], {"error": [replace(judged, subject="1")]}) == DUE


def judged(subject, *, day, since):
    (point,) = points("mae", [*[None] * day, OK])
    return replace(point, subject=subject, in_force_since=START + since * DAY)


def test_a_person_who_moved_on_is_seen_in_whom_the_verdicts_judge():
    def champion(*found):
        return moved_on(ROLLBACK, {**history(), "mae": found})

    assert champion() is None
    assert champion(judged("1", day=11, since=10)) is None
    assert champion(judged("3", day=11, since=11)) == "3"
    assert champion(judged("3", day=9, since=3)) is None
    # A rule that was ahead of the others judged the bad version beyond that time; a person who
    # puts it back is another thing.
    assert champion(judged("2", day=11, since=5)) is None
    assert champion(judged("2", day=12, since=11)) == "2"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 14),
            st.dictionaries(st.sampled_from(["1", "2", "3", "unknown"]), st.integers(0, 30)),
        ),
        max_size=6,
    ),
    st.integers(0, 96),
    st.booleans(),
)
def test_a_rollback_is_confirmed_only_by_the_restored_version_and_told_once(days, hours, held):
    served = [replace(day_of(number), versions=rows) for number, rows in days]
    now = MOVED + timedelta(hours=hours)
    known = [ROLLBACK]
    for _ in range(4):
        decision = confirm(GUARD, ROLLBACK, {"t": served}, known, held=held, now=now)
        if decision is None or decision.kind is DecisionKind.CONFIRM:
            break
        known.append(decision)
    else:
        pytest.fail("it never ends")
    newer = [each for each in served if each.end > MOVED and each.rows]
    newest = max(newer, key=lambda each: each.end, default=None)
    if decision is not None:
        assert newest.versions["1"] > 0
        assert not newest.versions.get("2")
    elif len(known) > 1:
        assert now >= DUE
        assert len(known) == 2
