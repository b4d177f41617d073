"""The hourly bike rentals by day and engine, and rules judged on them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from aiguard_dagster.adapters.tables.rows import open_rows
from aiguard_dagster.core.spec import Rule, Table
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.measure import evaluate_batch

DAY = timedelta(days=1)
DATA = Path(__file__).parents[2] / "examples/bike_demand/data/bike_sharing_hourly.parquet"
RENTALS = pl.read_parquet(DATA)
TABLE = Table(asset="hourly_features", time="timestamp")
ENGINES = {
    "polars": lambda rows: rows,
    "lazy polars": lambda rows: rows.lazy(),
    "pandas": lambda rows: rows.to_pandas(),
    "pyarrow": lambda rows: rows.to_arrow(),
}
FRESH = {"kind": "freshness", "table": "features", "max_age": "2h"}
HOURS = {"kind": "completeness", "table": "features", "every": "1h", "columns": ["cnt"]}
SCHEMA = "examples.bike_demand.schemas:HourlyFeatures"
PANDERA = {"kind": "pandera", "table": "features", "schema": SCHEMA}


def day_of(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rows_of(day):
    start = day_of(day).replace(tzinfo=None)
    return RENTALS.filter(pl.col("timestamp").is_between(start, start + DAY, closed="left"))


def rule_of(signal, limit=None):
    return Rule.model_validate({"name": "rule", "signal": signal, "limit": limit})


def judged(
    signal, rows, *, limit=None, engine="polars", table=TABLE, day="2012-05-01", now=None, **asked
):
    """One rule on one day's rows; ``day=None`` is a table without partitions."""
    opened = open_rows(ENGINES[engine](rows))
    window = Window(start=day_of(day), end=day_of(day) + DAY) if day else None
    batch = Batch(
        frame=opened.frame,
        native=opened.native,
        table=table,
        window=window,
        now=now or (window.end + DAY if window else day_of("2012-05-02")),
        **asked,
    )
    return evaluate_batch(rule_of(signal, limit), batch)


def said(evaluation):
    """What must be the same whatever engine holds the rows."""
    return evaluation.verdict, evaluation.measurement.value, evaluation.reason
