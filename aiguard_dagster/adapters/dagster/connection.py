"""A tick's connections to Postgres: one to each storage for all queries, and an end for each query.

Dagster opens a connection for every query of a sensor, which for a tick over many guards makes
thousands. Its webserver keeps one instead, with a time-out for each statement; so does a tick.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

import dagster as dg

from aiguard_dagster.adapters.dagster.history import sql_event_log

STATEMENT_S = 10
"""How long one query may take, waiting for locks included."""
RECYCLE_S = 60
"""How old a connection may get; a tick is over before."""
BESIDES = 9
"""More connections for queries inside others, closed after each."""


class Storage(Protocol):
    """Dagster's events, or its runs."""

    def optimize_for_webserver(
        self, statement_timeout: int, pool_recycle: int, max_overflow: int
    ) -> None:
        """Keep a connection from now on, where that is a server's."""


@contextmanager
def one_connection(instance: dg.DagsterInstance) -> Iterator[None]:
    """Keep the connections until a tick ends; SQLite is left as it is.

    For the one tick of an instance: Dagster makes an instance for each.

    Raises:
        MeasurementError: The event log is not in a SQL database.
    """
    with ExitStack() as stack:
        for storage in (sql_event_log(instance), instance.run_storage):
            stack.enter_context(_kept(storage))
        yield


@contextmanager
def _kept(storage: Storage) -> Iterator[None]:
    before = getattr(storage, "_engine", None)
    storage.optimize_for_webserver(
        statement_timeout=STATEMENT_S * 1_000, pool_recycle=RECYCLE_S, max_overflow=BESIDES
    )
    engine = getattr(storage, "_engine", None)
    try:
        yield
    finally:
        if engine is not None and engine is not before:
            storage._engine = before  # type: ignore[attr-defined] # noqa: SLF001 - no other way back
            engine.dispose()
