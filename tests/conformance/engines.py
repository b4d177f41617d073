"""The same rows as each engine holds them."""

from functools import cache

import polars as pl


def as_duckdb(rows):
    import duckdb

    return duckdb.connect().from_arrow(rows.to_arrow())


@cache
def spark_session():
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )


def as_spark(rows):
    # Spark has no dictionaries, and times of its session's zone only.
    rows = rows.with_columns(pl.selectors.categorical().cast(pl.String))
    return spark_session().createDataFrame(rows.to_arrow())


LOCAL = {
    "polars": lambda rows: rows,
    "lazy polars": lambda rows: rows.lazy(),
    "pandas": lambda rows: rows.to_pandas(),
    "pyarrow": lambda rows: rows.to_arrow(),
    "duckdb": as_duckdb,
}
