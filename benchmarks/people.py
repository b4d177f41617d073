"""Seconds to count what very many people do with answers, in the run that profiles a batch.

    python -m benchmarks.people [200000]

Each person decides in all of eight segments, so there are eight times as many groups as people: as
one batch, and as the 28 days of a baseline. The least of three, for others use the machine too.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

import polars as pl

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import as_frame
from aiguard_dagster.adapters.engines.tallies import tallies_of
from aiguard_dagster.core.spec import Table, Trust
from aiguard_dagster.stats.grid import Grid

PEOPLE, SEGMENTS, DAYS, ROUNDS = 200_000, 8, 28, 3
START = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = Table(asset="answers", time="at", user="who", decision="said")


def answers(people: int, days: int) -> pl.DataFrame:
    """One decision of each person in each segment."""
    row = pl.int_range(people * SEGMENTS)
    return pl.select(
        (pl.lit(START) + timedelta(days=1) * (row % days)).alias("at"),
        ("person-" + (row % people).cast(pl.String)).alias("who"),
        pl.when(row % 7 > 1).then(pl.lit("accepted")).otherwise(pl.lit("rejected")).alias("said"),
        ("team-" + (row // people).cast(pl.String)).alias("team"),
    )


def seconds(people: int, by: str) -> float:
    """The least of a few."""
    frame = answers(people, 1 if by == "version" else DAYS)
    signal = Trust.model_validate({"window": "28d", "by": ["team"]})
    plan = Plan(table=TABLE, grid=Grid(), by=by, tallies={"trust": signal})  # type: ignore[arg-type]
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        tallies_of(as_frame(frame), frame, plan)
        found.append(time.perf_counter() - began)
    return min(found)


if __name__ == "__main__":
    for size in [int(number) for number in sys.argv[1:]] or [PEOPLE]:
        print(f"{size:,} people: a batch {seconds(size, 'version'):.2f} s,"
              f" a baseline by day {seconds(size, 'day'):.2f} s")  # fmt: skip
