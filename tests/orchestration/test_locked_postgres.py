"""Whoever locks Dagster's tables keeps no tick waiting: it fails, and the next one goes on."""

import pytest
import sqlalchemy as sa

from aiguard_dagster.adapters.dagster import connection
from tests.instances import another_connection, locked
from tests.orchestration.project import DELTAS, ERROR_NOW, STOP_RULES
from tests.orchestration.telling import Telling, decision

pytestmark = [
    pytest.mark.usefixtures("dagster_storage"),
    pytest.mark.parametrize("dagster_storage", ["postgres"], indirect=True),
]


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(connection, "STATEMENT_S", 1)


def assert_given_up(instance, tick):
    given_up = pytest.raises(sa.exc.OperationalError, match="statement timeout")
    with another_connection(instance) as other, locked(other, "event_logs"), given_up:
        tick()
    tick()


def test_a_tick_of_the_deltas_and_of_the_stop_rules_is_given_up(new_project):
    project = new_project(rules=(ERROR_NOW,))
    project.materialise(1)
    for sensor in (DELTAS, STOP_RULES):
        assert_given_up(project.instance, lambda sensor=sensor: project.daemon.tick(sensor))
    assert project.verdicts("error") == {1: "ok"}


def test_a_tick_of_the_notices_is_given_up(new_instance):
    telling = Telling(new_instance())
    telling.decide(decision(1))
    assert_given_up(telling.instance, lambda: telling.daemon.evaluate("aiguard_notices"))
