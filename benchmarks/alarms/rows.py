"""The same made-up days as rows, for those that read rows: our engine, and the peers."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from benchmarks.alarms.draws import NOTHING, Change, World
from benchmarks.alarms.joint import BEFORE
from benchmarks.alarms.power import LEVELS, NUMBERS

START = datetime(2025, 1, 1)  # noqa: DTZ001 - rows carry naive times, read as UTC
DAY = timedelta(days=1)
TOGETHER = (4, 5)
"""The two columns of numbers that are correlated; no case changes them by themselves."""


def world_of(rows: int, seed: int) -> World:
    """The table of 20 columns whose rows are drawn; its days are independent."""
    return World(NUMBERS, LEVELS, rows, rhythm=False, seed=seed)


def draw_rows(
    world: World,
    days: int,
    rng: np.random.Generator,
    *,
    changes: Mapping[str, Change] | None = None,
    correlation: float = BEFORE,
    start: datetime = START,
) -> pl.DataFrame:
    """Rows of some days, in order, with the column ``timestamp``."""
    n, changes = world.rows * days, changes or {}
    numbers = rng.normal(size=(world.numbers, n))
    a, b = TOGETHER
    numbers[b] = correlation * numbers[a] + np.sqrt(1 - correlation**2) * numbers[b]
    columns: dict[str, pl.Series] = {}
    for k, name in enumerate(world.names):
        change = changes.get(name, NOTHING)
        if k < world.numbers:
            values = pl.Series(numbers[k] * change.width + change.shift)
        else:
            shares = world.shares[k - world.numbers] * (1 - change.new)
            level = rng.choice(len(shares) + 1, size=n, p=[*shares, change.new])
            known = [f"v{place:02}" for place in range(len(shares))]
            values = pl.Series([*known, "new"])[level]
        columns[name] = values.zip_with(pl.Series(rng.random(n) >= change.nulls), _nulls(values))
    step = DAY / world.rows
    at = pl.Series(start + step * place for place in range(n))
    return pl.DataFrame({"timestamp": at, **columns})


def _nulls(like: pl.Series) -> pl.Series:
    return pl.Series([None], dtype=like.dtype).new_from_index(0, len(like))
