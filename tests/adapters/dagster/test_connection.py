"""A tick keeps one connection to the event log, and no query keeps it waiting for ever."""

from threading import Timer

import pytest
import sqlalchemy as db

from aiguard_dagster.adapters.dagster import connection
from aiguard_dagster.adapters.dagster.connection import one_connection
from aiguard_dagster.adapters.dagster.history import newest_event, sql_event_log
from tests.instances import empty_instance

PIDS = db.text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
on_postgres = pytest.mark.parametrize("dagster_storage", ["postgres"], indirect=True)


@pytest.fixture
def instance(dagster_storage):
    with empty_instance() as instance:
        yield instance


@pytest.fixture
def other(instance):
    """A connection of somebody else."""
    engine = db.create_engine(sql_event_log(instance).postgres_url, poolclass=db.NullPool)
    with engine.connect() as other:
        yield other


def pid(instance):
    with sql_event_log(instance).index_connection() as found:
        return found.execute(db.select(db.func.pg_backend_pid())).scalar()


@on_postgres
def test_all_queries_of_a_tick_go_through_one_connection_that_ends_with_it(instance, other):
    assert len({pid(instance) for _ in range(5)}) == 5, "as Dagster has it"
    with one_connection(instance):
        kept = {pid(instance) for _ in range(5)}
        assert kept < set(other.execute(PIDS).scalars())
    assert len(kept) == 1
    other.rollback()
    assert not kept & set(other.execute(PIDS).scalars())
    assert len({pid(instance) for _ in range(5)}) == 5, "what follows finds it as it was"


@on_postgres
def test_a_query_that_waits_for_a_lock_is_given_up(instance, other, monkeypatch):
    monkeypatch.setattr(connection, "STATEMENT_S", 1)
    other.execute(db.text("LOCK TABLE event_logs"))
    release = Timer(20, other.rollback)
    release.start()
    with one_connection(instance), pytest.raises(db.exc.OperationalError, match="timeout"):
        newest_event(instance)
    release.cancel()
    other.rollback()
    with one_connection(instance):
        assert newest_event(instance) == 0


@pytest.mark.both_storages
def test_it_ends_with_an_error_inside_too(instance):
    with pytest.raises(ZeroDivisionError), one_connection(instance):
        newest_event(instance) / 0
    assert newest_event(instance) == 0
