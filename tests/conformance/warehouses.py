"""The same rows in tables that ibis knows."""

from contextlib import contextmanager
from itertools import count

import duckdb
import ibis
import polars as pl
import psycopg
from psycopg import sql

TYPES = {
    pl.Int8: "smallint",
    pl.Int16: "smallint",
    pl.Int32: "integer",
    pl.Int64: "bigint",
    pl.UInt16: "integer",
    pl.UInt32: "bigint",
    pl.Float32: "real",
    pl.Float64: "double precision",
    pl.Boolean: "boolean",
    pl.String: "text",
    pl.Categorical: "text",
    pl.Enum: "text",
    pl.Date: "date",
}
NUMBERS = count()


def as_ibis_on_duckdb(rows):
    connection = duckdb.connect()
    connection.from_arrow(rows.to_arrow()).create("rows")
    return ibis.duckdb.from_connection(connection).table("rows")


def _type(dtype):
    if isinstance(dtype, pl.Decimal):
        return f"numeric({dtype.precision}, {dtype.scale})"
    if isinstance(dtype, pl.Datetime):
        return "timestamptz" if dtype.time_zone else "timestamp"
    return TYPES[type(dtype)]


@contextmanager
def ibis_on_postgres(url):
    """What puts rows into a table of this database."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        backend = ibis.postgres.from_connection(connection)

        def build(rows):
            name = f"rows {next(NUMBERS)}"
            table = sql.Identifier(name)
            columns = sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(_type(dtype)))
                for column, dtype in rows.schema.items()
            )
            connection.execute(sql.SQL("CREATE TABLE {} ({})").format(table, columns))
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as stream:
                for row in rows.iter_rows():
                    stream.write_row(row)
            return backend.table(name)

        yield build
