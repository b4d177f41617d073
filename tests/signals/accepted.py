"""What a baseline recorded of the bike rentals, for signals that ask what was accepted."""

from datetime import datetime

import polars as pl

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.polars import PolarsEngine
from aiguard_dagster.adapters.tables.frames import as_lazy
from aiguard_dagster.signals.baseline import TableBaseline
from tests.signals.batches import RENTALS, TABLE

INPUTS = ["temp", "atemp", "hum", "windspeed", "weathersit", "workingday", "sky", "dry"]
SKIES = {1: "clear", 2: "mist", 3: "rain", 4: "storm"}
SKY = RENTALS.with_columns(
    sky=pl.col("weathersit").replace_strict(SKIES, return_dtype=pl.String),
    dry=pl.col("weathersit") < 3,
)
"""The rentals, with the weather in words too."""


def accepted_of(rows, table=TABLE):
    """The baseline of a table."""
    frame = as_lazy(rows)
    engine = PolarsEngine(frame)
    grid = choose_grid(engine, table)
    return TableBaseline(
        grid=grid, days=engine.profiles(Plan(table=table, grid=grid, by="day")), types={}
    )


YEAR = accepted_of(
    SKY.filter(pl.col("timestamp") < datetime(2012, 1, 1)).select("timestamp", *INPUTS)
)
"""All of 2011."""
