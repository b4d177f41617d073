"""A registry that reads once, and never tells what it has itself made untrue."""

from datetime import UTC, datetime, timedelta

import pytest

from aiguard_dagster.adapters.mlflow.intents import RollbackIntent
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.rollback import roll_back
from aiguard_dagster.adapters.mlflow.steady import SteadyRegistry
from aiguard_dagster.core.spec import Model

AT, DAY = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1)


@pytest.fixture
def registry(workshop):
    registry = ModelRegistry(workshop.client, Model(name=workshop.model(versions=2)))
    registry.promote("1", at=AT, by="team:demand", why="release 1")
    return registry


def test_what_others_do_meanwhile_is_seen_by_the_next_look_only(registry):
    steady = SteadyRegistry.of(registry)
    before = steady.champion(), steady.reigns(), steady.version("2")
    registry.promote("2", at=AT, by="team:demand", why="release 2")
    assert (steady.champion(), steady.reigns(), steady.version("2")) == before
    again = SteadyRegistry.of(registry)
    assert (again.champion(), again.reigns()) == ("2", registry.reigns())


def test_what_it_writes_itself_is_seen_at_once(registry):
    steady = SteadyRegistry.of(registry)
    assert (steady.champion(), len(steady.reigns())) == ("1", 1)
    steady.promote("2", at=AT, by="team:demand", why="release 2")
    assert (steady.champion(), steady.reigns()) == ("2", registry.reigns())


def test_a_move_by_a_person_is_observed_and_on_record(registry):
    registry.point_to("2")
    steady = SteadyRegistry.of(registry)
    assert steady.observe(now=AT).version == "2"
    assert steady.reigns() == registry.reigns()
    assert steady.observe(now=AT) is None


def test_a_version_without_a_name_among_those_that_exist_is_told_as_ever(registry):
    with pytest.raises(Exception, match="version 9 does not exist"):
        SteadyRegistry.of(registry).version("9")


def test_a_rollback_between_its_two_readings_is_not_taken_for_a_persons_move(registry):
    registry.promote("2", at=AT + DAY, by="team:demand", why="release 2")
    steady = SteadyRegistry.of(registry)
    steady.versions()
    intent = RollbackIntent(
        id="demand:error@1",
        from_version="2",
        to_version="1",
        reason="110.5 > 2",
        actor="guard",
        run_id="run-1",
        at=AT + 2 * DAY,
    )
    roll_back(registry, intent)
    before = registry.reigns()
    assert steady.observe(now=AT + 9 * DAY) is None
    assert registry.reigns() == before
