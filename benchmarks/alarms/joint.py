"""Two columns that stop moving together, while each by itself stays as it was."""

from functools import cache

import numpy as np

from aiguard_dagster.stats.contrast import JointContrast
from aiguard_dagster.stats.effects import Numbers
from aiguard_dagster.stats.grid import Grid, JointGrid
from benchmarks.alarms.draws import NULLS
from benchmarks.alarms.judging import Judge

COLUMNS, BEFORE = 16, 0.6
CORRELATIONS = (0.6, 0.5, 0.4, 0.0, -0.6)
"""Of the first two columns, on the judged days; 0 is the ellipse turned by 45 degrees."""
BASELINE, JUDGED = 365, 50
CUT = 3.0


def pairs_seen(rows: int, after: float, *, every: float, floor: float, seeds: int) -> float:
    """The share of windows in which a rule on the joint is in breach."""
    grid = Grid(
        joint=JointGrid(
            tuple(f"x{k:02}" for k in range(COLUMNS)), (0.0,) * COLUMNS, (1.0,) * COLUMNS
        )
    )
    contrast = JointContrast(grid)
    found = []
    for seed in range(seeds):
        judge = Judge(contrast, _days(rows, BASELINE, BEFORE, seed), span=1)
        effects = judge.effects(_days(rows, JUDGED, after, 10_000 + seed))
        found.append(judge.judge(effects, every=every, least=floor).windows.mean())
    return float(np.mean(found))


@cache
def _days(rows: int, days: int, correlation: float, seed: int) -> Numbers:
    rng = np.random.default_rng([seed, rows, 3])
    return np.array([products(_rows(rows, correlation, rng)) for _ in range(days)])


def _rows(rows: int, correlation: float, rng: np.random.Generator) -> Numbers:
    values = rng.normal(size=(rows, COLUMNS))
    values[:, 1] = correlation * values[:, 0] + np.sqrt(1 - correlation**2) * values[:, 1]
    values[rng.random(values.shape) < NULLS] = np.nan
    return values


def products(values: Numbers) -> Numbers:
    """What a profile sums of standard values: rows, products by rows of the triangle, and sums."""
    z = np.nan_to_num(np.clip(values, -CUT, CUT))
    width = z.shape[1]
    return np.concatenate([[len(z)], (z.T @ z)[np.tril_indices(width)], z.sum(axis=0)])
