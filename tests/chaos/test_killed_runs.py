"""kill -9 of the rollback run: done once, or not done and done by the next run."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.killer import (
    Killer,
    assert_done_once,
    assert_rolled_back,
    assert_sound,
    until_ended,
)
from tests.chaos.nursery import MOMENTS
from tests.chaos.place import at, kinds_of
from tests.orchestration.project import STOP_RULES

KILLS_IN_A_ROW = 4
RUNS_KILLED, TRANSACTIONS_KILLED = 30, 52
"""Kills at random times, for each place and pointer."""


@pytest.fixture
def trial(children, folder, shelves):
    """Makes a request whose runs are killed, lives to the end of it, and says how many died."""

    def go(mlflow, pointer, *kills):
        place = shelves(mlflow).new(folder, pointer)
        with place.instance() as instance:
            killer = Killer(
                place.definitions(), instance, place=place, children=children, kills=list(kills)
            )
            until_ended(killer)
            assert_done_once(instance, place)
        return killer

    return go


def test_a_run_killed_between_the_move_and_its_record_is_finished_by_the_next(trial):
    assert trial("sqlite", "alias", {"kill_at": "after move"}).killed == 1


@pytest.mark.chaos
@pytest.mark.parametrize("mlflow", ["sqlite", "http"])
@pytest.mark.parametrize("pointer", ["alias", "stage"])
def test_a_run_killed_at_any_moment_is_finished_by_the_next(trial, table, mlflow, pointer):
    for moment in MOMENTS:
        with table.trying(f"rollback run killed at each step, {mlflow}, {pointer}"):
            assert trial(mlflow, pointer, {"kill_at": moment}).killed == 1


@pytest.mark.chaos
@pytest.mark.parametrize("mlflow", ["sqlite", "http"])
@pytest.mark.parametrize("pointer", ["alias", "stage"])
def test_runs_killed_at_random_times_end_as_one_rollback(trial, table, dice, mlflow, pointer):
    whole = trial(mlflow, pointer).seconds[0]
    after_intent = trial(mlflow, pointer, {"from": "intent"}).seconds[0]
    killed = 0
    while killed < RUNS_KILLED:
        kills = []
        for _ in range(2):
            if dice.random() < 0.5:
                kills.append({"kill_after_s": dice.uniform(0, whole)})
            else:
                longest = max(after_intent / 6, 0.2)
                kills.append({"from": "intent", "kill_after_s": dice.uniform(0, longest)})
        with table.trying(f"rollback run killed at random times, {mlflow}, {pointer}", times=0):
            killer = trial(mlflow, pointer, *kills)
        killed += killer.killed
        row = table.rows[f"rollback run killed at random times, {mlflow}, {pointer}"]
        row.tried, row.survived = killed, killed


@pytest.mark.chaos
@pytest.mark.parametrize("mlflow", ["sqlite", "http"])
@pytest.mark.parametrize("pointer", ["alias", "stage"])
def test_a_transaction_killed_again_and_again_ends_as_one_rollback(
    children, folder, shelves, table, dice, mlflow, pointer
):
    def place():
        return shelves(mlflow).new(folder, pointer)

    longest = children.do("transaction", place(), **{"from": "intent"})["s_after"]
    fault = f"transaction killed at random times, {mlflow}, {pointer}"
    killed = 0
    while killed < TRANSACTIONS_KILLED:
        mine, before = place(), killed
        with table.trying(fault, times=0):
            for _ in range(KILLS_IN_A_ROW):
                kill = {"from": "intent", "kill_after_s": dice.uniform(0, longest)}
                killed += children.do("transaction", mine, **kill)["killed"]
                assert_sound(mine)
            assert children.do("transaction", mine)["code"] == 0
            assert_rolled_back(mine)
        row = table.rows[fault]
        row.tried += killed - before
        row.survived += killed - before


@pytest.mark.chaos
def test_a_run_that_died_with_its_machine_is_given_up_after_an_hour(
    children, folder, shelves, table
):
    """Nobody is left to tell Dagster, which goes on to show it as started."""
    for moment in ("before intent", "after move", "before decision"):
        place = shelves("sqlite").new(folder)
        with (
            table.trying("rollback run and its code server killed at once"),
            place.instance() as instance,
        ):
            killer = Killer(
                place.definitions(),
                instance,
                place=place,
                children=children,
                kills=[{"kill_at": moment}],
                noticed=False,
            )
            killer.tick(STOP_RULES)
            assert len(killer.unended()) == 1
            assert killer.tick(STOP_RULES) == []
            for hours, ran in ((0.9, 0), (1.1, 1), (1.2, 0)):
                place = at(place, datetime.now(UTC) + timedelta(hours=hours))
                killer.definitions = place.definitions()
                assert len(killer.tick(STOP_RULES)) == ran
            kinds = [kind for kind in kinds_of(instance, place) if kind != "escalate"]
            assert kinds == ["request", "rollback"]  # The clock that jumped made it silent, too.
            assert_rolled_back(place)
