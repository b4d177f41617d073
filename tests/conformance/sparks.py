"""Rows in Spark as the suite of profiles wants them; times without a zone stay so.

Run by itself, it puts the suite through Spark Connect and prints where the profiles differ.
"""

import json
from contextlib import contextmanager

import polars as pl

ELSEWHERE = "America/New_York"
"""A session's time zone that is not that of the rows, and must change nothing."""


@contextmanager
def configured(session, **options):
    """A session with other options for a while."""
    names = {name: f"spark.sql.{name}" for name in options}
    before = {name: session.conf.get(full) for name, full in names.items()}
    for name, full in names.items():
        session.conf.set(full, options[name])
    try:
        yield
    finally:
        for name, full in names.items():
            session.conf.set(full, before[name])


def as_frame(session, rows):
    """Spark has no dictionaries, and would read local times in its session's zone."""
    rows = rows.with_columns(pl.selectors.categorical().cast(pl.String))
    some = rows.clear(1) if rows.is_empty() else rows  # No rows have no types, over Connect.
    with configured(session, timestampType="TIMESTAMP_NTZ"):
        frame = session.createDataFrame(some.to_arrow())
    return frame.limit(0) if rows.is_empty() else frame


def main():
    """Over Spark Connect."""
    from pyspark.sql import SparkSession

    from aiguard_dagster.adapters.engines.grids import choose_grid
    from aiguard_dagster.adapters.engines.open import engine_of
    from tests.conformance.test_profiles import (
        CASES,
        FEATURE_PLAN,
        FEATURES,
        ROWS_OF_FEATURES,
        assert_same,
    )

    session = SparkSession.builder.remote("local[2]").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", ELSEWHERE)
    session.conf.set("spark.sql.shuffle.partitions", "2")
    frame = as_frame(session, ROWS_OF_FEATURES)
    differ = []
    for case, (rows, plan) in CASES.items():
        try:
            assert_same(
                engine_of(as_frame(session, rows)).profiles(plan), engine_of(rows).profiles(plan)
            )
        except AssertionError:
            differ.append(case)
    grid = choose_grid(engine_of(frame), FEATURES, joint=())
    found = {
        "cases": len(CASES),
        "differ": differ,
        "same_grid": grid == FEATURE_PLAN.grid,
        "module": type(frame).__module__,
    }
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main()
