"""What one window of a day sees, at a level of 1 % for the whole family of 20 columns."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np

from aiguard_dagster.stats.contrast import ColumnContrast
from benchmarks.alarms.draws import Change, Draw, World
from benchmarks.alarms.joint import COLUMNS, CORRELATIONS, pairs_seen
from benchmarks.alarms.judging import Judge, Judged
from benchmarks.alarms.tables import show

EVERY = 100.0
NUMBERS, LEVELS = 16, (8, 11, 14, 17)
ROWS = (200, 1_000, 2_000, 10_000)
BASELINE, JUDGED = 365, 100
FLOOR = 0.1
SHIFTS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
PROMISED, LEAST = 2_000, 0.95
"""From so many rows on, a shift of 0.2 sd in 2 columns must be seen in this share of windows."""


WAYS = {"independent": (False, 1), "rhythm": (True, 1), "rhythm, 7d": (True, 7)}
"""Whether days have a rhythm, and how many of them are a window."""


def both(change: Change) -> Mapping[str, Change]:
    """The same change of two columns of numbers."""
    return {"x00": change, "x01": change}


CASES: Mapping[str, Mapping[str, Change]] = {
    "nothing": {},
    "2 columns up by 0.2 sd": both(Change(shift=0.2)),
    "2 columns, variance +20 %": both(Change(width=1.2**0.5)),
    "2 columns, sd +20 %": both(Change(width=1.2)),
    "1 column, new category of 2 %": {"c00": Change(new=0.02)},
    "1 column, nulls 1 % → 4 %": {"x00": Change(nulls=0.04)},
}


@dataclass
class Seen:
    """Shares of windows, over some baselines."""

    windows: list[float] = field(default_factory=list)
    moved: list[float] = field(default_factory=list)
    false: list[float] = field(default_factory=list)

    def add(self, judged: Judged, moved: AbstractSet[str]) -> None:
        """Count what was said of the windows of one baseline."""
        by_column = judged.columns
        self.windows.append(float(judged.windows.mean()))
        self.moved += [float(by_column[name].mean()) for name in moved]
        others = [found for name, found in by_column.items() if name not in moved]
        self.false.append(float(np.sum(others, axis=0).mean()))

    @property
    def share(self) -> str:
        """Windows with any breach."""
        return f"{np.mean(self.windows):.2f}"

    def told(self) -> str:
        """Windows with any breach / moved columns that were named / others named, a window."""
        moved = f"{np.mean(self.moved):.2f}" if self.moved else "-"
        return f"{np.mean(self.windows):.3f} / {moved} / {np.mean(self.false):.3f}"


def seen(
    rows: int, cases: Sequence[Mapping[str, Change]], *, rhythm: bool, span: int, seeds: int
) -> list[Seen]:
    """What the rule sees of some changes, over some baselines."""
    found = [Seen() for _ in cases]
    for seed in range(seeds):
        draw = Draw(World(NUMBERS, LEVELS, rows, rhythm, 1_000 + seed), BASELINE, JUDGED)
        contrast = ColumnContrast(draw.grid, tuple(draw.grid.columns), draw.total)
        judge = Judge(contrast, draw.cells, span=span)
        for each, changes in zip(found, cases, strict=True):
            effects = judge.effects(draw.after(changes))
            each.add(judge.judge(effects, every=EVERY, least=FLOOR), set(changes))
    return found


def main(seeds: int) -> bool:
    """Print the tables; whether the promised shift was missed."""
    promised = 1.0
    shifts = [both(Change(shift=shift)) for shift in SHIFTS]
    by_shift: list[list[str]] = [[f"{shift:g}"] for shift in SHIFTS]
    for days, (rhythm, span) in WAYS.items():
        table = [[name] for name in CASES]
        for n in ROWS:
            found = seen(n, [*CASES.values(), *shifts], rhythm=rhythm, span=span, seeds=seeds)
            for row, each in zip([*table, *by_shift], found, strict=True):
                row.append(each.told() if row in table else each.share)
            if n == PROMISED and not rhythm:
                promised = float(np.mean(found[1].windows))
        show(
            f"Seen at 1 % a window, {days}: windows with any breach / moved columns named / others"
            f" named a window; {seeds} baselines, {seeds * JUDGED:,} days a cell",
            ["what changed", *(f"n = {n:,}" for n in ROWS)],
            table,
        )
    heads = [f"{days}, n = {n:,}" for days in WAYS for n in ROWS]
    show(
        "Share of windows in which a shift of 2 of 20 columns is seen",
        ["shift in sd", *heads],
        by_shift,
    )
    table = [
        [
            f"0.6 → {after:g}",
            *(f"{pairs_seen(n, after, every=EVERY, floor=FLOOR, seeds=seeds):.3f}" for n in ROWS),
        ]
        for after in CORRELATIONS
    ]
    show(
        f"`of: joint`, {COLUMNS} columns, {COLUMNS * (COLUMNS - 1) // 2} pairs, one of them"
        " correlated: windows with any breach",
        ["correlation", *(f"n = {n:,}" for n in ROWS)],
        table,
    )
    if promised < LEAST:
        print(f"a shift of 0.2 sd at n = {PROMISED:,} was seen in {promised:.2f} of the windows")
    return promised < LEAST
