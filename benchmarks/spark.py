"""What a profile costs on Spark, beside a plan written by hand.

Run: ``python -m benchmarks.spark [rows]``, with ``--file`` for rows that are there already, and
``--joint`` to sum the products of all columns of numbers too. Both run on ``local[2]``, in turns,
after one turn that is not counted; where the machine has other work, CPU seconds tell more. The
plan by hand cuts each column at forty even steps, which is less than a profile asks for.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of
from aiguard_dagster.core.spec import Table
from benchmarks.profiles import NUMBERS, TEXTS, write_rows

ROWS, ROUNDS, MOST = 10_000_000, 3, 1.3
TABLE = Table(asset="t")
BY_HAND = """
    SELECT name, bucket, count(value), min(value), max(value), avg(value), stddev(value)
    FROM (SELECT name, value, CAST(floor((value + 5) * 4) AS int) AS bucket
          FROM (SELECT stack({size}, {columns}) AS (name, value) FROM rows))
    GROUP BY name, bucket
"""
TEXTS_BY_HAND = """
    SELECT name, value, count(*) FROM (SELECT stack({size}, {columns}) AS (name, value) FROM rows)
    GROUP BY name, value
"""


def session() -> Any:  # noqa: ANN401 - pyspark has no types here
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    for name in ("spark.driver.host", "spark.driver.bindAddress"):
        builder = builder.config(name, "127.0.0.1")
    found = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    found.sparkContext.setLogLevel("ERROR")
    return found


def by_hand(spark: Any) -> None:  # noqa: ANN401
    for query, letter, size, width in (
        (BY_HAND, "x", NUMBERS, 2),
        (TEXTS_BY_HAND, "c", TEXTS, 1),
    ):
        names = [f"{letter}{place:0{width}}" for place in range(size)]
        columns = ", ".join(f"'{name}', {name}" for name in names)
        spark.sql(query.format(size=size, columns=columns)).collect()


def cpu_seconds(spark: Any) -> float:  # noqa: ANN401
    """What Spark's process has used so far; Linux tells it."""
    process = spark.sparkContext._gateway.proc.pid  # noqa: SLF001 - to measure only
    told = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def measured(spark: Any, work: Callable[[], object]) -> tuple[float, float]:  # noqa: ANN401
    """Seconds of the clock, and of the CPUs."""
    started, busy = time.perf_counter(), cpu_seconds(spark)
    work()
    return time.perf_counter() - started, cpu_seconds(spark) - busy


def compare(file: Path, *, joint: bool) -> bool:
    """Print both, and whether the ratio is at most what it should be."""
    spark = session()
    frame = spark.read.parquet(str(file))
    frame.createOrReplaceTempView("rows")
    rows, started = frame.count(), time.perf_counter()
    grid = choose_grid(engine_of(frame), TABLE, joint=() if joint else None)
    print(f"{rows:,} x {len(frame.columns)}, Spark {spark.version} on local[2]")
    print(f"  a grid chosen            {time.perf_counter() - started:6.1f} s")
    works = {
        "by hand": lambda: by_hand(spark),
        "a profile": lambda: engine_of(frame).profiles(Plan(table=TABLE, grid=grid)),
    }
    for work in works.values():
        work()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            found[name].append(measured(spark, work))
    medians = {
        name: [statistics.median(column) for column in zip(*times, strict=True)]
        for name, times in found.items()
    }
    for name, (seconds, busy) in medians.items():
        print(f"  {name:24} {seconds:6.1f} s, {busy:6.1f} s of CPU")
    ratios = [ours / theirs for theirs, ours in zip(*medians.values(), strict=True)]
    print(f"  ratio                    {ratios[0]:6.2f}, of CPU {ratios[1]:.2f} (at most {MOST})")
    driver = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  Python's memory at most  {driver:6.0f} MB")
    return ratios[0] <= MOST


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=lambda text: int(float(text)), nargs="?", default=ROWS)
    parser.add_argument("--file", type=Path, help="rows that benchmarks.profiles has written")
    parser.add_argument("--joint", action="store_true", help="sum the products of columns too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = asked.file or Path(folder) / "rows.parquet"
        if not file.exists():
            write_rows(file, asked.rows)
        sys.exit(not compare(file, joint=asked.joint) and not asked.joint)


if __name__ == "__main__":
    main()
