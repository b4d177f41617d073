"""A table of Postgres, or of another database that SQLAlchemy knows."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from aiguard_dagster.adapters.tables.rows import Rows, open_rows
from aiguard_dagster.adapters.tables.sources.predicates import keys_of, time_column
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import SQLSource

if TYPE_CHECKING:
    import sqlalchemy as sa

PATIENCE_SECONDS = 2


@dataclass(frozen=True, slots=True)
class SQLTable:
    """A table where it is, for libraries that ask the database themselves.

    Attributes:
        engine: A SQLAlchemy engine.
        schema: The table's schema; None for the connection's own.
        table_name: The table.
        where: The rows in hand; None for all.
        rows: Those rows, read.
    """

    engine: Any
    schema: str | None
    table_name: str
    where: Any
    rows: pl.DataFrame


def open_sql(source: SQLSource, table: Table, partitions: Sequence[Partition]) -> Rows:
    """The rows of the partitions in hand; the database filters them."""
    import sqlalchemy as sa

    engine = sa.create_engine(_url(source))
    schema, _, name = source.table.rpartition(".")
    columns = sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=engine)
    where = sa.or_(*(_one(columns, source, table, p) for p in partitions)) if partitions else None
    query = sa.select(columns) if where is None else sa.select(columns).where(where)
    with engine.connect() as connection:
        rows = pl.read_database(query, connection, schema_overrides=_types(columns))
    native = SQLTable(engine, schema or None, name, where, rows)
    return Rows(frame=open_rows(rows).frame, native=native, close=engine.dispose)


def unreachable_sql(source: SQLSource) -> str:
    """Whether the database takes a connection."""
    import sqlalchemy as sa

    url = _url(source)
    options = {}
    if url.get_backend_name() == "postgresql":
        options = {"connect_args": {"connect_timeout": PATIENCE_SECONDS}}
    engine = sa.create_engine(url, **options)
    try:
        with engine.connect():
            return ""
    except sa.exc.SQLAlchemyError as error:
        return f"{url.render_as_string(hide_password=True)}: {type(error).__name__}"
    finally:
        engine.dispose()


def _url(source: SQLSource) -> "sa.URL":
    """The database's address.

    Raises:
        MeasurementError: The environment does not hold it, or it is none.
    """
    import sqlalchemy as sa

    text = source.url or os.environ.get(source.url_env or "")
    if not text:
        msg = f"{source.url_env} is not set\n\nHint: it should hold the database's URL."
        raise MeasurementError(msg)
    try:
        return sa.make_url(text)
    except sa.exc.ArgumentError:
        msg = "the database's URL is none\n\nHint: write dialect+driver://user@host/database."
        raise MeasurementError(msg) from None


def _one(
    columns: "sa.Table", source: SQLSource, table: Table, partition: Partition
) -> "sa.ColumnElement[bool]":
    import sqlalchemy as sa

    keys = keys_of(source.partition_by, partition)
    if keys:
        return sa.and_(
            *(sa.cast(_column(columns, name), sa.String) == key for name, key in keys.items())
        )
    time = _column(columns, time_column(table, partition))
    assert partition.window is not None  # noqa: S101 - time_column has seen to it
    start, end = partition.window.start, partition.window.end
    if not getattr(time.type, "timezone", False):
        # Naive times are on the table's own clock.
        zone = ZoneInfo(table.time_zone)
        start, end = (each.astimezone(zone).replace(tzinfo=None) for each in (start, end))
    return sa.and_(time >= start, time < end)


def _column(columns: "sa.Table", name: str) -> "sa.Column[Any]":
    if name not in columns.c:
        known = ", ".join(column.name for column in columns.c)
        msg = f"columns are gone: {name}\n\nHint: the table has {known}."
        raise MeasurementError(msg)
    return columns.c[name]


def _types(columns: "sa.Table") -> dict[str, Any]:
    """Polars' types of the columns that an empty result, or one of nulls, would not tell."""
    import sqlalchemy as sa

    known: list[tuple[type[Any], Any]] = [
        (sa.Boolean, pl.Boolean),
        (sa.Integer, pl.Int64),
        (sa.Float, pl.Float64),
        (sa.DateTime, pl.Datetime("us")),
        (sa.Date, pl.Date),
        (sa.String, pl.String),
    ]
    found: dict[str, Any] = {}
    for column in columns.c:
        for kind, dtype in known:
            if isinstance(column.type, kind):
                aware = kind is sa.DateTime and getattr(column.type, "timezone", False)
                found[column.name] = pl.Datetime("us", "UTC") if aware else dtype
                break
    return found
