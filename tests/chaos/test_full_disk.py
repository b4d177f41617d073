"""A disk that is full: nothing is half written, and it goes on when there is room again."""

import resource
from contextlib import contextmanager

import pytest

from tests.chaos.killer import Killer, assert_done_once, until_ended
from tests.orchestration.project import ERROR_NOW, TURNED, partition

RUNS, TICKS = 16, 8
SMALLEST, LARGEST = 4_000, 1_500_000
"""Bytes that a file may have: below what any database here needs, and above."""


@contextmanager
def full(most):
    """Files of this process may not grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files_of(project):
    return {each.name for each in (project.folder / "profiles").rglob("*") if each.is_file()}


def test_a_profile_that_does_not_fit_is_not_there_and_is_made_when_there_is_room(
    new_project, table
):
    with table.trying("disk full while a profile is written"):
        project = new_project(rules=(ERROR_NOW,))
        project.weather[1] = TURNED
        with full(200):
            done = project.materialise(1)
        assert not done.success
        assert files_of(project) == set()
        project.tick()
        assert files_of(project) == {f"p-{partition(1)}.jsonl"}
        assert project.kinds() == ["request", "rollback"]


@pytest.mark.chaos
def test_a_rollback_run_on_a_full_disk_is_finished_by_one_that_has_room(
    children, folder, shelves, table, dice
):
    for _ in range(RUNS):
        place = shelves("sqlite").new(folder)
        with table.trying("disk full in a rollback run"), place.instance() as instance:
            limit = round(SMALLEST * (LARGEST / SMALLEST) ** dice.random())
            killer = Killer(
                place.definitions(),
                instance,
                place=place,
                children=children,
                kills=[{"limit": limit}],
            )
            until_ended(killer)
            assert_done_once(instance, place)


@pytest.mark.chaos
def test_a_tick_on_a_full_disk_is_made_up_for_by_the_next(children, folder, shelves, table, dice):
    for _ in range(TICKS):
        place = shelves("sqlite").new(folder)
        with table.trying("disk full in a tick"), place.instance() as instance:
            limit = round(SMALLEST * (LARGEST / SMALLEST) ** dice.random())
            children.do("tick", place, limit=limit)
            killer = Killer(place.definitions(), instance, place=place, children=children)
            killer.notice()
            until_ended(killer)
            assert_done_once(instance, place)
