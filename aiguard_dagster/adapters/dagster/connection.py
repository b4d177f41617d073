"""A tick's connection to Postgres: one for all its queries, and an end for each of them.

Dagster opens a connection for every query of a sensor, which for a tick over many guards makes
thousands. Its webserver keeps one instead, with a time-out for each statement; so does a tick.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from aiguard_dagster.adapters.dagster.history import sql_event_log

STATEMENT_S = 10
"""How long one query may take; a lock that is held would keep a tick waiting for ever."""
RECYCLE_S = 60
"""How old a connection may get; a tick is over before."""
MOST_CONNECTIONS = 10
"""Connections at once, where a tick has threads."""


@contextmanager
def one_connection(instance: dg.DagsterInstance) -> Iterator[None]:
    """Keep the connection to the event log until a tick ends; SQLite is left as it is.

    Raises:
        MeasurementError: The event log is not in a SQL database.
    """
    storage = sql_event_log(instance)
    before = vars(storage).get("_engine")
    storage.optimize_for_webserver(
        statement_timeout=STATEMENT_S * 1_000,
        pool_recycle=RECYCLE_S,
        max_overflow=MOST_CONNECTIONS - 1,
    )
    try:
        yield
    finally:
        kept = vars(storage).get("_engine")
        if kept is not None and kept is not before:
            vars(storage)["_engine"] = before  # Dagster has no other way back.
            kept.dispose()
