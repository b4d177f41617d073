"""Where a table's rows are, when they do not come through the asset's own IO manager."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from aiguard_dagster.core.durations import PositiveDuration, format_duration
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.words import with_hint

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)

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


class TraceSource(Spec):
    """Traces of an MLflow experiment; the tracking server counts them, and no row is read."""

    kind: Literal["traces"]
    experiment: Text
    """The experiment's name."""
    every: PositiveDuration = timedelta(hours=1)
    """How much is counted together, and how often rules are judged: whole hours or days, UTC."""
    by_version: Annotated[bool, Field(strict=True)] = True
    """A trace counts for the version that its metadata ``mlflow.modelId`` names; with ``false``,
    for the version in production when it was made."""

    @field_validator("every")
    @classmethod
    def _divides_a_day(cls, every: timedelta) -> timedelta:
        if DAY % every or every % MINUTE:
            what = f"a day is no multiple of {format_duration(every)}"
            raise ValueError(with_hint(what, "write a part of a day, such as 15m, 1h, 6h or 1d."))
        return every


RowSource = FileSource | DuckDBSource | SQLSource | SparkSource
"""Sources that rows are read from."""
Source = Annotated[RowSource | TraceSource, Field(discriminator="kind")]

TRACE_COLUMNS = {
    "time": "timestamp_ms",
    "request": "request_id",
    "template": "trace_name",
    "status": "status",
    "latency": "execution_time_ms",
    "served_by": "span_model_name",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_tokens": "cache_read_input_tokens",
    "cost": "total_cost",
}
"""What stands for a table's columns where its rows are traces, by the field of the table."""
TRACE_VERSION = "mlflow.modelId"
"""The metadata of a trace that names the logged model that made it."""
