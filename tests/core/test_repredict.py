"""Which partitions are made again after a rollback, how many at a time, and how it ends."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.decide import situation
from aiguard_dagster.core.decisions import DecisionKind
from aiguard_dagster.core.repredict import (
    MOST_AT_ONCE,
    MOST_ATTEMPTS,
    Tries,
    ask,
    asked_for,
    due,
    ending,
    is_open,
    is_over,
    keys_of,
    since,
    stop,
)
from tests.core.test_decide import BREACH, DAY, GUARD, OK, REQUEST, START, history, live
from tests.core.test_serving import MOVED, ROLLBACK, day_of

BEGUN = START + 8 * DAY
BAD, GOOD = {"v2": 24}, {"v1": 24}


def asked(*served):
    return ask(ROLLBACK, "predictions", served, begun=BEGUN)


def test_the_partitions_since_the_incident_that_the_bad_version_made_are_named_once():
    served = [day_of(9, **BAD), day_of(7, **BAD), day_of(6, **BAD), day_of(8, v1=1, v2=1)]
    decision = asked(*served, day_of(10, **GOOD))
    assert keys_of(decision) == ("day 7", "day 8", "day 9")
    assert (decision.kind, decision.at) == (DecisionKind.REPREDICT, MOVED)
    assert asked_for([decision], ROLLBACK, "predictions") == decision
    assert asked_for([decision], ROLLBACK, "others") is None
    assert not is_over([decision], ROLLBACK, "predictions")
    assert decision.reason == (
        "3 partitions of predictions since 2026-01-09 00:00 UTC by v2 are being made again with v1"
    )


def test_a_partition_that_nobody_has_counted_is_made_again_too():
    decision = asked(day_of(8), day_of(9, **GOOD))
    assert keys_of(decision) == ("day 8",)
    assert decision.evidence["uncounted"] == 1


def test_where_the_bad_version_made_nothing_there_is_nothing_to_do():
    decision = asked(day_of(9, **GOOD))
    assert is_over([decision], ROLLBACK, "predictions")
    assert "nothing to make again" in decision.reason


def test_what_was_named_for_an_earlier_rollback_is_not_asked_for_this_one():
    decision = asked(day_of(8, **BAD))
    later = replace(ROLLBACK, at=MOVED + DAY)
    assert asked_for([decision], later, "predictions") is None


def test_a_run_that_was_under_way_when_the_alias_moved_leaves_one_more_to_make():
    decision = asked(day_of(8, **BAD))
    served = [day_of(8, **GOOD), day_of(10, **BAD)]
    assert due(ROLLBACK, decision, served, {}) == ["day 10"]
    assert ending(GUARD, ROLLBACK, decision, served, {}) is None
    after = [day_of(8, **GOOD), day_of(10, **GOOD)]
    end = ending(GUARD, ROLLBACK, decision, after, {"day 10": Tries(made=1, succeeded=True)})
    assert (end.evidence["n"], end.evidence["done"]) == (1, 1)


def test_what_still_carries_the_bad_version_after_three_runs_is_told():
    decision = asked(day_of(8, **BAD), day_of(9, **BAD))
    served = [day_of(8, **GOOD), day_of(9, **BAD)]
    tries = {"day 9": Tries(made=MOST_ATTEMPTS, succeeded=True)}
    assert due(ROLLBACK, decision, served, tries) == []
    end = ending(GUARD, ROLLBACK, decision, served, tries)
    assert end.kind is DecisionKind.ESCALATE
    assert end.reason == (
        "1 of 2 partitions of predictions could not be made again with v1 (1 still by v2): day 9."
        " team:g must look"
    )
    assert is_over([decision, end], ROLLBACK, "predictions")


def test_many_failures_are_counted_and_the_first_are_named():
    served = [day_of(8 + number) for number in range(12)]
    decision = asked(*served)
    tries = {each.key: Tries(made=MOST_ATTEMPTS) for each in served}
    end = ending(GUARD, ROLLBACK, decision, served, tries)
    assert "(their runs failed): day 8, day 9" in end.reason
    assert "day 17 and 2 more. team:g must look" in end.reason
    assert len(json.loads(end.evidence["partitions"])) == 12


def test_rows_that_cannot_be_counted_are_done_when_their_run_was():
    decision = asked(day_of(8))
    assert due(ROLLBACK, decision, [day_of(8)], {}) == ["day 8"]
    tries = {"day 8": Tries(made=1, succeeded=True)}
    end = ending(GUARD, ROLLBACK, decision, [day_of(8)], tries)
    assert end.kind is DecisionKind.REPREDICT
    assert end.reason.endswith("made again: by no version that could be counted")
    assert end.evidence["uncounted"] == 1


def test_a_person_who_moves_on_leaves_the_rest_as_it_is():
    decision = asked(day_of(8, **BAD))
    assert is_over([decision, stop(ROLLBACK, decision, "3")], ROLLBACK, "predictions")


def test_partitions_are_waited_for_until_somebody_is_told_how_it_ended():
    table = GUARD.tables["predictions"].model_copy(update={"model_version": "version"})
    again = GUARD.rollback.model_copy(update={"repredict": "since_incident"})
    tables = {**GUARD.tables, "predictions": table}
    guard = GUARD.model_copy(update={"tables": tables, "rollback": again})
    evidence = {**ROLLBACK.evidence, "repredict": "since_incident"}
    rollback = replace(ROLLBACK, evidence=evidence)
    plan = asked(day_of(8, **BAD))
    assert not is_open(guard, [])
    assert is_open(guard, [rollback])
    assert is_open(guard, [rollback, plan])
    end = ending(GUARD, ROLLBACK, plan, [day_of(8, **GOOD)], {})
    assert not is_open(guard, [rollback, plan, end])
    assert not is_open(GUARD, [rollback])
    # Who switches it on later means later rollbacks.
    assert not is_open(guard, [ROLLBACK])


# When the incident began.


def known(verdicts, decisions=()):
    return situation(GUARD, history(mae=verdicts), decisions, now=START)


def test_the_incident_began_with_the_first_breach_of_the_rule_that_asked():
    (request,) = [d for d in live(history(mae=[OK, *[BREACH] * 4])) if d.kind is REQUEST]
    rollback = replace(ROLLBACK, at=request.at, incident=request.incident)
    assert since(known([OK, *[BREACH] * 4], [request]), rollback) == START + DAY


def test_a_person_who_rolls_back_during_a_breach_means_that_breach():
    rollback = replace(ROLLBACK, rule="", incident="g:request:1", at=START + 3 * DAY)
    assert since(known([OK, BREACH, BREACH, BREACH]), rollback) == START + DAY
    assert since(known([OK, BREACH, BREACH, BREACH, OK]), rollback) == START + DAY


def test_a_person_who_rolls_back_without_one_means_the_newest_verdict():
    rollback = replace(ROLLBACK, rule="", incident="g:request:1", at=START + 3 * DAY)
    assert since(known([OK, BREACH, OK, OK]), rollback) == rollback.at


# Whatever happens on the way.

FAIL, STAY, UNCOUNTED, HEAL = "fails", "still bad", "uncounted", "good"


class World:
    """Partitions whose runs have a fate, and a daemon that may die between deciding and acting."""

    def __init__(self, fates, chance):
        self.content = {f"day {8 + n}": dict(BAD) for n in range(len(fates))}
        self.fate = {f"day {8 + n}": list(each) for n, each in enumerate(fates)}
        self.chance, self.tries, self.going = chance, {}, set()

    def served(self):
        return [day_of(int(key.split()[1]), **rows) for key, rows in self.content.items()]

    def launch(self, keys, *, dying):
        for key in keys:
            if dying and self.chance.random() < 0.3:
                continue
            assert key not in self.going
            self.going.add(key)
            tried = self.tries.get(key, Tries())
            self.tries[key] = replace(tried, live=True, made=tried.made + 1)
        assert len(self.going) <= MOST_AT_ONCE
        assert all(each.made <= MOST_ATTEMPTS for each in self.tries.values())

    def finish(self, *, all_of_them):
        ending = [k for k in sorted(self.going) if all_of_them or self.chance.random() < 0.5]
        for key in ending:
            self.going.discard(key)
            happens = self.fate[key].pop(0)
            well = self.tries[key].succeeded or happens != FAIL
            self.tries[key] = replace(self.tries[key], live=False, succeeded=well)
            if happens != FAIL:
                self.content[key] = {STAY: BAD, UNCOUNTED: {}, HEAL: GOOD}[happens]


@given(
    st.lists(
        st.lists(st.sampled_from([FAIL, STAY, UNCOUNTED, HEAL]), min_size=3, max_size=3),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_whatever_fails_or_dies_each_partition_is_made_at_most_thrice_and_it_ends_once(
    fates, chance
):
    world, decisions = World(fates, chance), [asked(*World(fates, chance).served())]
    for turn in range(200):
        if is_over(decisions, ROLLBACK, "predictions"):
            break
        plan = asked_for(decisions, ROLLBACK, "predictions")
        world.launch(due(ROLLBACK, plan, world.served(), world.tries), dying=turn < 60)
        end = ending(GUARD, ROLLBACK, plan, world.served(), world.tries)
        decisions += [end] if end else []
        world.finish(all_of_them=turn > 60)
    assert len(decisions) == 2
    failed = {key for key, rows in world.content.items() if rows.get("v2")}
    if failed:
        assert decisions[1].kind is DecisionKind.ESCALATE
        assert set(json.loads(decisions[1].evidence["partitions"])) == failed
    else:
        assert decisions[1].evidence["done"] == len(fates)
