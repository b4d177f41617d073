"""What a profile, a window, a merge and a calibration cost, beside bare polars and beside peers.

Run: ``python -m benchmarks.profiles`` (all of it), or with names of parts: ``profile``, ``window``,
``merge``, ``calibrate``, ``peers``. ``--rows`` sets the size of the file. Each ratio is of one run
on one machine: what is compared alternates, each in a process of its own where memory is told.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of
from aiguard_dagster.core.spec import Drift, FalseAlarmLimit, Table
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.signals.baseline import TableBaseline
from aiguard_dagster.signals.drift import measure_drift
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.grid import CategoryGrid, Grid, NumericGrid, grid_from_json, grid_to_json
from aiguard_dagster.stats.profile import BatchProfile, Profile, merge_all
from aiguard_dagster.stats.profile_json import (
    batch_from_bytes,
    batch_to_bytes,
    profile_from_json,
    profile_to_json,
)

NUMBERS, TEXTS, GROUP, NULLS = 40, 10, 250_000, 0.01
TABLE = Table(asset="t")
ROUNDS = 3
MOST_MERGE = {10_000: "(at most 2)"}


def write_rows(file: Path, rows: int, *, seed: int = 0) -> None:
    """Forty normal columns with 1 % nulls, ten of text with 8 to 17 levels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    writer = None
    for start in range(0, rows, GROUP):
        size = min(GROUP, rows - start)
        columns = {
            f"x{k:02}": pa.array(rng.normal(size=size), mask=rng.random(size) < NULLS)
            for k in range(NUMBERS)
        }
        for k in range(TEXTS):
            levels = pa.array([f"level {level}" for level in range(8 + k)])
            columns[f"c{k}"] = levels.take(pa.array(rng.integers(0, 8 + k, size)))
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(file, table.schema)
        writer.write_table(table)
    if writer:
        writer.close()


# What is measured, each in a process of its own.


def ours(file: Path, grid: Grid) -> Profile:
    """The profile of a file."""
    return engine_of(pl.scan_parquet(file)).profiles(Plan(table=TABLE, grid=grid))[""]


def bare(file: Path, grid: Grid) -> list[pl.DataFrame]:
    """The same aggregates, by hand."""
    frame = pl.scan_parquet(file)
    numbers: list[pl.Expr] = [pl.len()]
    texts = []
    for name, column in grid.columns.items():
        value = pl.col(name)
        match column:
            case NumericGrid():
                numbers += [
                    value.null_count().alias(f"{name} nulls"),
                    value.min().alias(f"{name} low"),
                    value.max().alias(f"{name} high"),
                    value.mean().alias(f"{name} mean"),
                    value.var(ddof=0).alias(f"{name} var"),
                    *((value <= e).sum().alias(f"{name} {k}") for k, e in enumerate(column.edges)),
                ]
            case CategoryGrid():
                texts.append(frame.group_by(name).len())
    return pl.collect_all([frame.select(numbers), *texts], engine="streaming")


def sums(file: Path) -> pl.DataFrame:
    """The floor: the sum of every column, of texts that of their lengths."""
    total = pl.selectors.numeric().sum()
    lengths = pl.selectors.string().str.len_bytes().sum()
    return pl.scan_parquet(file).select(total, lengths).collect(engine="streaming")


def report(file: Path, grid: Grid, reference: Profile) -> float | None:
    """A drift report of a file against a stored baseline."""
    days = {"2026-01-01": reference}
    table = TableBaseline(grid=grid, days=days, types={})
    batch = BatchProfile(grid_id=grid.id, parts={"": ours(file, grid)})
    return _measured(Drift(window=timedelta(days=1)), 0.1, table, [batch])


def _measured(
    signal: Drift, limit: object, table: TableBaseline, batches: Sequence[BatchProfile]
) -> float | None:
    from datetime import UTC, datetime

    from aiguard_dagster.core.spec import AbsoluteLimit

    end = datetime(2026, 6, 1, tzinfo=UTC)
    current = WindowProfiles(
        window=Window(start=end - signal.window, end=end),
        batches=batches,
        expected=len(batches),
        champion="1",
    )
    chosen = (
        AbsoluteLimit(value=limit)
        if isinstance(limit, float)
        else FalseAlarmLimit(false_alarm_every=timedelta(days=90))
    )
    return measure_drift(signal, chosen, current, DriftReference(table))[0].value


WORK: dict[str, Callable[[Path, Path], object]] = {
    "ours": lambda file, stored: ours(file, _stored(stored)[0]),
    "bare": lambda file, stored: bare(file, _stored(stored)[0]),
    "sums": lambda file, _: sums(file),
    "report": lambda file, stored: report(file, *_stored(stored)),
}


def _stored(file: Path) -> tuple[Grid, Profile]:
    document = json.loads(file.read_text())
    return grid_from_json(document["grid"]), profile_from_json(document["profile"])


def child(work: str, file: Path, stored: Path) -> None:
    """Do one piece of work and print its seconds and the process's peak memory.

    Libraries are imported before the clock starts, as they are for the peers.
    """
    import scipy.special  # noqa: F401

    started = time.perf_counter()
    WORK[work](file, stored)
    seconds = time.perf_counter() - started
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "mb": peak / 1000}))


def measured(works: Sequence[str], file: Path, stored: Path) -> dict[str, tuple[float, float]]:
    """Medians of seconds and megabytes, the works in turn."""
    found: dict[str, list[tuple[float, float]]] = {work: [] for work in works}
    for _ in range(ROUNDS):
        for work in works:
            command = [sys.executable, "-m", "benchmarks.profiles", "--child", work]
            done = subprocess.run(
                [*command, str(file), str(stored)], capture_output=True, text=True, check=True
            )
            told = json.loads(done.stdout)
            found[work].append((told["seconds"], told["mb"]))
    return {
        work: tuple(statistics.median(column) for column in zip(*runs, strict=True))  # type: ignore[misc]
        for work, runs in found.items()
    }


def show(name: str, seconds: float, mb: float | None = None, note: str = "") -> None:
    memory = f"{mb:8,.0f} MB" if mb is not None else " " * 11
    print(f"  {name:34} {seconds:9.3f} s {memory}  {note}")


# The parts.


def store(folder: Path) -> Path:
    """A grid and a baseline from other rows of the same kind."""
    reference = folder / "reference.parquet"
    if not reference.exists():
        write_rows(reference, 1_000_000, seed=1)
    grid = choose_grid(engine_of(pl.scan_parquet(reference)), TABLE)
    stored = folder / "stored.json"
    document = {"grid": grid_to_json(grid), "profile": profile_to_json(ours(reference, grid))}
    stored.write_text(json.dumps(document))
    return stored


def profile_part(folder: Path, rows: int) -> None:
    file = folder / f"rows-{rows}.parquet"
    if not file.exists():
        write_rows(file, rows)
    found = measured(["ours", "bare", "sums"], file, store(folder))
    print(f"profile of {rows:,} x {NUMBERS + TEXTS}, parquet, polars")
    show("profile", *found["ours"])
    ratio = found["ours"][0] / found["bare"][0]
    show("bare polars, the same aggregates", *found["bare"], f"ratio {ratio:.2f} (at most 1.5)")
    ratio = found["ours"][0] / found["sums"][0]
    show("bare polars, sum of every column", *found["sums"], f"ratio {ratio:.2f} (at most 4)")


def days_of(count: int) -> dict[str, Profile]:
    """Daily profiles of fifty columns, drawn as counts."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=20_000)
    frame = pl.DataFrame(
        {f"x{k:02}": values for k in range(NUMBERS)}
        | {f"c{k}": rng.integers(0, 8 + k, len(values)).astype(str) for k in range(TEXTS)}
    )
    grid = choose_grid(engine_of(frame), TABLE)
    start = date(2025, 1, 1)
    found = {}
    for day in range(count):
        sample = frame.sample(2_000, seed=day)
        found[str(start + timedelta(days=day))] = engine_of(sample).profiles(
            Plan(table=TABLE, grid=grid)
        )[""]
    return {"grid": grid, "days": found}  # type: ignore[dict-item]


def window_part(_folder: Path, _rows: int) -> None:
    made = days_of(90)
    grid, days = made["grid"], list(made["days"].values())  # type: ignore[union-attr]
    batches = [BatchProfile(grid_id=grid.id, parts={"": day}) for day in days]
    files = [batch_to_bytes(batch) for batch in batches]
    print("a window of 90 days, 50 columns, from daily profiles")
    show("sum the profiles", _seconds(lambda: merge_all(days)), note="(at most 0.05)")
    show(
        "read the files and sum them",
        _seconds(lambda: merge_all(batch_from_bytes(file).parts[""] for file in files)),
    )
    print(f"  a file of one day: {len(files[0]) / 1000:.1f} kB (at most 64)")


def merge_part(_folder: Path, _rows: int) -> None:
    days = list(days_of(100)["days"].values())  # type: ignore[union-attr]
    print("merge of n profiles, 50 columns")
    for n in (100, 1_000, 10_000):
        show(
            f"n = {n:,}",
            _seconds(lambda n=n: merge_all(days * (n // 100))),
            note=MOST_MERGE.get(n, ""),
        )


def calibrate_part(_folder: Path, _rows: int) -> None:
    made = days_of(365)
    table = TableBaseline(grid=made["grid"], days=made["days"], types={})  # type: ignore[arg-type]
    batches = [BatchProfile(grid_id=table.grid.id, parts={"": day}) for day in table.days.values()]
    print("calibrate 1 year of daily profiles, 50 columns, and judge a window")
    for window in (1, 14):
        signal = Drift(window=timedelta(days=window))
        show(
            f"window of {window}d",
            _seconds(lambda s=signal, w=window: _measured(s, None, table, batches[-w:])),
            note="(at most 10)",
        )


def peers_part(folder: Path, rows: int) -> None:
    from benchmarks.peers.run import run_peer

    rows = min(rows, 1_000_000)
    file = folder / f"rows-{rows}.parquet"
    if not file.exists():
        write_rows(file, rows)
    stored = store(folder)
    found = measured(["report"], file, stored)["report"]
    print(f"drift report of {rows:,} x {NUMBERS + TEXTS} against a baseline of 1,000,000")
    show("ours, baseline stored", *found)
    for peer, least, options in (("nannyml", 30, {"chunks": 10}), ("evidently", 200, {})):
        told = run_peer(peer, folder / "reference.parquet", [file], **options)[0]  # type: ignore[arg-type]
        ratio, memory = told.seconds / found[0], told.peak_rss_mb / found[1]
        note = f"{ratio:.0f} x the time (at least {least}), {memory:.1f} x the memory (at least 4)"
        show(peer, told.seconds, told.peak_rss_mb, note)


def _seconds(work: Callable[[], object]) -> float:
    def once() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return statistics.median(once() for _ in range(ROUNDS))


PARTS = {
    "profile": profile_part,
    "window": window_part,
    "merge": merge_part,
    "calibrate": calibrate_part,
    "peers": peers_part,
}


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rows", type=lambda text: int(float(text)), default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where files are kept between runs")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for part in asked.parts or PARTS:
            PARTS[part](folder, asked.rows)


if __name__ == "__main__":
    main()
