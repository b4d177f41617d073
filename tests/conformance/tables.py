"""What every engine must count alike."""

from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl

START = datetime(2026, 3, 1)
HOURS = 24


def plain(rows=HOURS):
    return pl.DataFrame(
        {
            "id": pl.Series(range(rows), dtype=pl.Int64),
            "at": pl.Series(
                [START + timedelta(hours=hour) for hour in range(rows)], dtype=pl.Datetime("us")
            ),
            "x": pl.Series([0.5 * (hour % 7) for hour in range(rows)], dtype=pl.Float64),
            "name": pl.Series([("a", "b", "ß")[hour % 3] for hour in range(rows)], dtype=pl.String),
            "ok": pl.Series([hour % 2 == 0 for hour in range(rows)], dtype=pl.Boolean),
        }
    )


def with_x(*values):
    """The table, with these values of ``x`` over and over."""
    return plain().with_columns(
        x=pl.Series([values[row % len(values)] for row in range(HOURS)], dtype=pl.Float64)
    )


def wide():
    """Three hundred columns; each has its own number of nulls."""
    more = [
        pl.when(pl.col("id") < number % 5).then(None).otherwise(pl.col("x")).alias(f"c{number}")
        for number in range(295)
    ]
    return plain().with_columns(more)


NAN, INF = float("nan"), float("inf")
TABLES = {
    "plain": plain,
    "one row": lambda: plain(1),
    "no rows": lambda: plain(0),
    "nulls": lambda: with_x(1.0, None, None, 2.0),
    "NaN": lambda: with_x(1.0, NAN, 2.0),
    "NaN and nulls": lambda: with_x(1.0, NAN, None, 2.0),
    "infinities": lambda: with_x(1.0, INF, -INF, 2.0),
    "all null": lambda: plain().with_columns(
        x=pl.lit(None, dtype=pl.Float64), name=pl.lit(None, dtype=pl.String)
    ),
    "repeated rows": lambda: pl.concat([plain(), plain().head(5)]),
    "strange names": lambda: plain().with_columns(
        pl.col("x").alias('a "quoted" name'),
        pl.col("x").alias("with 'single' quotes; DROP TABLE x; --"),
        pl.col("x").alias("Größe 数量 "),
        pl.col("x").alias("*"),
        pl.col("x").alias("order.price"),
        pl.col("x").alias("a `price`"),
    ),
    "300 columns": wide,
    "categories": lambda: plain().with_columns(pl.col("name").cast(pl.Categorical)),
    "decimals": lambda: plain().with_columns(
        price=pl.Series([Decimal(row) / 4 for row in range(HOURS)], dtype=pl.Decimal(10, 2))
    ),
    "UTC": lambda: plain().with_columns(pl.col("at").dt.replace_time_zone("UTC")),
    "Berlin": lambda: plain().with_columns(
        pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin")
    ),
    "old": lambda: plain().with_columns(pl.col("at") - timedelta(hours=5)),
    "gaps": lambda: plain().filter(~pl.col("id").is_in([3, 4, 5, 11])),
}
