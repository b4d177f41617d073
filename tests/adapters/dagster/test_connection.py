"""A tick keeps one connection to each storage, and no query keeps it waiting for ever."""

import time

import pytest
import sqlalchemy as db

from aiguard_dagster.adapters.dagster import connection
from aiguard_dagster.adapters.dagster.connection import one_connection
from aiguard_dagster.adapters.dagster.history import newest_event, sql_event_log
from tests.instances import another_connection, empty_instance, locked

PIDS = db.text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
GONE_WITHIN_S = 20
on_postgres = pytest.mark.parametrize("dagster_storage", ["postgres"], indirect=True)


@pytest.fixture
def instance(dagster_storage):
    with empty_instance() as instance:
        yield instance


@pytest.fixture
def other(instance):
    with another_connection(instance) as other:
        yield other


def pids(instance):
    """Of five queries to each storage."""
    found = set()
    for connect in (sql_event_log(instance).index_connection, instance.run_storage.connect):
        for _ in range(5):
            with connect() as made:
                found.add(made.execute(db.select(db.func.pg_backend_pid())).scalar())
    return found


@on_postgres
def test_all_queries_of_a_tick_go_through_one_connection_to_each_storage(instance, other):
    assert len(pids(instance)) == 10, "as Dagster has it"
    with one_connection(instance):
        kept = pids(instance)
        assert kept < set(other.execute(PIDS).scalars())
    assert len(kept) == 2
    assert len(pids(instance)) == 10, "what follows finds it as it was"
    deadline = time.monotonic() + GONE_WITHIN_S
    while open_now := kept & set(other.execute(PIDS).scalars()):
        assert time.monotonic() < deadline, open_now
        other.rollback()
        time.sleep(0.05)


@on_postgres
def test_a_query_that_waits_for_a_lock_is_given_up(instance, other, monkeypatch):
    monkeypatch.setattr(connection, "STATEMENT_S", 1)
    for table, ask in (
        ("event_logs", lambda: newest_event(instance)),
        ("runs", lambda: len(instance.get_run_records())),
    ):
        given_up = pytest.raises(db.exc.OperationalError, match="statement timeout")
        with locked(other, table), one_connection(instance), given_up:
            ask()
        with one_connection(instance):
            assert ask() == 0


@on_postgres
def test_an_error_inside_leaves_the_instance_as_it_was(instance):
    with pytest.raises(ZeroDivisionError), one_connection(instance):
        newest_event(instance) / 0
    assert len(pids(instance)) == 10


@pytest.mark.both_storages
def test_what_is_read_is_the_same(instance):
    with one_connection(instance):
        assert (newest_event(instance), instance.get_run_records()) == (0, [])
