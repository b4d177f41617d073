"""False alarms where nothing has changed, against the budget of one in 90 days."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from aiguard_dagster.stats.calibration import WINDOWS_APART
from aiguard_dagster.stats.contrast import ColumnContrast
from benchmarks.alarms.draws import Draw, World
from benchmarks.alarms.judging import Judge
from benchmarks.alarms.tables import show

EVERY = 90.0
NUMBERS, LEVELS = 40, tuple(range(8, 18))
ROWS = (200, 1_000, 10_000, 100_000)
BASELINES = (365, 90, 30)
SPANS = (1, 7)
FLOORS = (0.1, 0.0)
JUDGED = 720
"""Days after each baseline."""
MOST_RATIO = 1.5
Way = tuple[int, float]
"""Days in a window, and the floor."""


@dataclass
class Cell:
    """What was counted in one case: alarms over budget of each baseline, and what was blamed."""

    ratios: list[float] = field(default_factory=list)
    blamed: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        """The mean over baselines, its standard error, and the worst tenth of the baselines."""
        found = np.array(self.ratios)
        error = found.std(ddof=1) / np.sqrt(len(found)) if len(found) > 1 else np.nan
        return f"{found.mean():.2f} ± {error:.2f} ({np.quantile(found, 0.9):.1f})"


def one_baseline(world: World, baseline: int) -> Iterator[tuple[Way, float, Counter[str]]]:
    """Alarms as multiples of the budget, by window and floor, and the aspects in breach."""
    draw = Draw(world, baseline, JUDGED)
    contrast = ColumnContrast(draw.grid, tuple(draw.grid.columns), draw.total)
    after = draw.after({})
    for span in SPANS:
        judge = Judge(contrast, draw.cells, span=span)
        effects = judge.effects(after)
        for floor in FLOORS:
            found = judge.judge(effects, every=EVERY, least=floor)
            yield (span, floor), found.alarms / (len(found.windows) / EVERY), found.blamed


def main(seeds: int) -> bool:
    """Print the tables; whether a budget that the baseline supports was broken."""
    started = time.perf_counter()
    ways = list(product(SPANS, FLOORS))
    rows, blame, worst = [], [], []
    for rhythm, size, baseline in product((False, True), ROWS, BASELINES):
        cells = {way: Cell() for way in ways}
        for seed in range(seeds):
            world = World(NUMBERS, LEVELS, size, rhythm, seed)
            for way, ratio, blamed in one_baseline(world, baseline):
                cells[way].ratios.append(ratio)
                cells[way].blamed += blamed
        name = ["rhythm" if rhythm else "independent", f"{size:,}", f"{baseline}d"]
        rows.append([*name, *(cells[way].told() for way in ways)])
        blame.append([*name, *(_most(cells[way].blamed) for way in ways)])
        worst += [
            (float(np.mean(cells[way].ratios)), (*name, *way))
            for way in ways
            if baseline * min(1, baseline / way[0] / WINDOWS_APART) >= EVERY
        ]
        print(*rows[-1], f"{time.perf_counter() - started:.0f} s", flush=True)
    heads = [f"{span}d, floor {floor:g}" for span, floor in ways]
    show(
        f"False alarms over budget: {seeds} baselines a cell, {seeds * JUDGED:,} judged days each;"
        " mean ± standard error (a tenth of the baselines is worse than)",
        ["days", "rows a day", "baseline", *heads],
        rows,
    )
    show("What was blamed: tests in breach", ["days", "rows a day", "baseline", *heads], blame)
    broken = sorted((found for found in worst if found[0] > MOST_RATIO), reverse=True)
    for ratio, case in broken:
        print(f"beyond {MOST_RATIO} budgets: {ratio:.2f} in {case}")
    return bool(broken)


def _most(blamed: Counter[str]) -> str:
    return ", ".join(f"{aspect} {times}" for aspect, times in blamed.most_common(3)) or "-"
