"""kill -9 of the rollback run: done once, or not done and done by the next run."""

import pytest

from tests.chaos.nursery import MOMENTS, Children
from tests.chaos.killer import Killer, assert_done_once, until_ended
from tests.chaos.place import Shelf, furnish

RANDOM_KILLS = 26
"""Requests of which one or two runs are killed at random times, for each place and pointer."""


@pytest.fixture(scope="module")
def children():
    found = Children()
    yield found
    found.end()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    furnish(folder)
    return folder


@pytest.fixture(scope="module")
def shelves(request, saved_models):
    made = {}

    def shelf(mlflow):
        if mlflow not in made:
            made[mlflow] = Shelf(request.getfixturevalue(mlflow), saved_models)
        return made[mlflow]

    return shelf


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
    while killed < RANDOM_KILLS * 2:
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
