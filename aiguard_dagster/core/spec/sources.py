"""Where a table's rows are, when they do not come through the asset's own IO manager."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.words import with_hint

Text = Annotated[str, Field(min_length=1)]


class FileSource(Spec):
    """Parquet or CSV files, on any file system that fsspec knows."""

    kind: Literal["parquet", "csv"]
    path: Text
    """A path, URL or glob, such as ``s3://lake/orders/{start:%Y/%m/%d}/*.parquet``. In braces:
    ``partition`` is the partition's key, ``start`` and ``end`` are its span of time, and a
    dimension's name is that dimension's key."""
    partition_by: Text | dict[str, Text] | None = None
    """The column that holds the partition's key, or a column for each dimension, where the path
    does not tell partitions apart; the table's time column when left out."""


class DuckDBSource(Spec):
    """A table or view of a DuckDB file; it is opened to read only."""

    kind: Literal["duckdb"]
    path: Text
    """The file."""
    table: Text
    """``table`` or ``schema.table``."""
    partition_by: Text | dict[str, Text] | None = None
    """The column that holds the partition's key, or a column for each dimension; the table's time
    column when left out."""


class SQLSource(Spec):
    """A table or view of Postgres, or of another database that SQLAlchemy knows."""

    kind: Literal["sql"]
    url: Text | None = None
    """A SQLAlchemy URL without a password, such as ``postgresql+psycopg2://reader@db/shop``."""
    url_env: Text | None = None
    """The environment variable that holds the URL."""
    table: Text
    """``table`` or ``schema.table``."""
    partition_by: Text | dict[str, Text] | None = None
    """The column that holds the partition's key, or a column for each dimension; the table's time
    column when left out."""

    @model_validator(mode="after")
    def _one_url(self) -> "SQLSource":
        if (self.url is None) == (self.url_env is None):
            what = "a database has one address"
            raise ValueError(with_hint(what, "give one of url and url_env."))
        return self


class SparkSource(Spec):
    """A table of the Spark session, or of its catalog."""

    kind: Literal["spark"]
    table: Text
    """``table`` or ``catalog.schema.table``."""
    remote: Text | None = None
    """A Spark Connect address, such as ``sc://spark:15002``; the active session when left out."""
    partition_by: Text | dict[str, Text] | None = None
    """The column that holds the partition's key, or a column for each dimension; the table's time
    column when left out."""


Source = Annotated[
    FileSource | DuckDBSource | SQLSource | SparkSource,
    Field(discriminator="kind"),
]
