"""What Evidently and NannyML say by default of the rows that our rule is given too."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.contrast import ColumnContrast, Contrast, JointContrast
from aiguard_dagster.stats.effects import Numbers
from aiguard_dagster.stats.profile import Profile, merge_all
from benchmarks.alarms.draws import World
from benchmarks.alarms.joint import BEFORE
from benchmarks.alarms.judging import Judge
from benchmarks.alarms.power import BASELINE, CASES, EVERY, FLOOR, ROWS
from benchmarks.alarms.rows import START, TOGETHER, draw_rows, world_of
from benchmarks.alarms.tables import show
from benchmarks.peers.environments import PeerName
from benchmarks.peers.run import run_peer

TABLE = Table(asset="features", time="timestamp")
TURNED = "correlation 0.6 → -0.6"
PIECE, REFERENCE = 50, 10
"""Days in a file of the baseline; days of it that are the peers' reference."""
DAY = timedelta(days=1)
Flagged = Sequence[set[str]]
"""By window, the columns that were named."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """Where one table's rows lie: the baseline, the peers' reference, and windows by case."""

    baseline: Sequence[Path]
    reference: Path
    windows: Mapping[str, Sequence[Path]]


def main(windows: int) -> bool:
    """Print the table."""
    started = time.perf_counter()
    rows: list[list[str]] = []
    for n in ROWS:
        with tempfile.TemporaryDirectory() as folder:
            files = write(world_of(n, seed=7), Path(folder), windows)
            said = {
                "ours": Ours(files).judge("columns"),
                "ours, joint": Ours(files).judge("joint"),
                "Evidently": by_peer("evidently", files),
                "NannyML": by_peer("nannyml", files),
            }
        for case in files.windows:
            told = [_told(said[who][case], _moved(case)) for who in said]
            rows.append([f"{n:,}", case, *told])
            print(rows[-1], f"{time.perf_counter() - started:.0f} s", flush=True)
    show(
        f"The same rows: windows with any column named / moved columns named / others named a"
        f" window; {windows} windows a case, peers' reference {REFERENCE} n rows",
        ["n", "what changed", "ours", "ours, `of: joint`", "Evidently", "NannyML"],
        rows,
    )
    return False


def write(world: World, folder: Path, windows: int) -> Files:
    """Draw all rows into files."""
    rng = np.random.default_rng([world.seed, world.rows])
    baseline = []
    for first in range(0, BASELINE, PIECE):
        baseline.append(folder / f"baseline{first:03}.parquet")
        days = min(PIECE, BASELINE - first)
        draw_rows(world, days, rng, start=START + first * DAY).write_parquet(baseline[-1])
    reference = folder / "reference.parquet"
    newest = pl.read_parquet(baseline[-1]).tail(REFERENCE * world.rows)
    newest.drop("timestamp").write_parquet(reference)
    found: dict[str, list[Path]] = {}
    for place, (case, changes) in enumerate({**CASES, TURNED: {}}.items()):
        correlation = -BEFORE if case == TURNED else BEFORE
        for window in range(windows):
            path = folder / f"case{place}_{window:02}.parquet"
            start = START + (BASELINE + window) * DAY
            draw_rows(
                world, 1, rng, changes=changes, correlation=correlation, start=start
            ).write_parquet(path)
            found.setdefault(case, []).append(path)
    return Files(baseline=baseline, reference=reference, windows=found)


class Ours:
    """Our rule, from the rows: its grid, its profiles, its limits."""

    def __init__(self, files: Files) -> None:
        self._files = files
        every = pl.scan_parquet(list(files.baseline))
        self._grid = choose_grid(engine_of(every), TABLE, joint=())
        self._days = [day for path in files.baseline for day in self._profiles(path)]

    def judge(self, of: str) -> dict[str, Flagged]:
        """Columns, or pairs of them, that are named, by case and window."""
        total = merge_all(self._days)
        contrast: Contrast = (
            JointContrast(self._grid)
            if of == "joint"
            else ColumnContrast(self._grid, tuple(self._grid.columns), total)
        )
        judge = Judge(contrast, self._rows(contrast, self._days), span=1)
        found: dict[str, Flagged] = {}
        for case, paths in self._files.windows.items():
            days = [day for path in paths for day in self._profiles(path)]
            effects = judge.effects(self._rows(contrast, days))
            columns = judge.judge(effects, every=EVERY, least=FLOOR).columns
            found[case] = [
                {name for name, breaches in columns.items() if breaches[window]}
                for window in range(len(paths))
            ]
        return found

    def _profiles(self, path: Path) -> list[Profile]:
        plan = Plan(table=TABLE, grid=self._grid, by="day")
        return list(engine_of(pl.scan_parquet(path)).profiles(plan).values())

    @staticmethod
    def _rows(contrast: Contrast, days: Sequence[Profile]) -> Numbers:
        return np.array([contrast.row(day) for day in days])


def by_peer(peer: PeerName, files: Files) -> dict[str, Flagged]:
    """What a peer names, by case and window."""
    paths = [path for windows in files.windows.values() for path in windows]
    found = {each.file: set(each.flagged) for each in run_peer(peer, files.reference, paths)}
    return {case: [found[path] for path in windows] for case, windows in files.windows.items()}


def _moved(case: str) -> set[str]:
    if case == TURNED:
        a, b = TOGETHER
        return {f"x{a:02} & x{b:02}"}
    return set(CASES[case])


def _told(flagged: Flagged, moved: set[str]) -> str:
    seen = np.mean([bool(each) for each in flagged])
    named = np.mean([len(each & moved) / len(moved) for each in flagged]) if moved else None
    others = np.mean([len(each - moved) for each in flagged])
    return f"{seen:.2f} / {'-' if named is None else f'{named:.2f}'} / {others:.2f}"
