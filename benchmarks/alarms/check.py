"""Whether counts that are drawn, and judged many at once, are what rows and the rule would give."""

from itertools import pairwise

import numpy as np
import polars as pl
from scipy.stats import ks_2samp

from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.stats.contrast import ColumnContrast, rows_of
from aiguard_dagster.stats.effects import Numbers
from aiguard_dagster.stats.grid import CategoryGrid, Grid
from benchmarks.alarms.draws import Change, count, draw_days
from benchmarks.alarms.guarded import Guarded, guard_of
from benchmarks.alarms.judging import Judge
from benchmarks.alarms.rows import draw_rows, world_of

ROWS, BASELINE, JUDGED = 500, 120, 100
EVERY, FLOOR = 100.0, 0.1
SAME = 1e-9
LEAST_P = 0.001
CHANGES = {"x00": Change(shift=0.25), "c00": Change(new=0.01), "x01": Change(nulls=0.02)}


def main() -> bool:
    """Print what was compared; whether anything differed."""
    world, rng = world_of(ROWS, seed=0), np.random.default_rng(0)
    before = draw_rows(world, BASELINE, rng, correlation=0.0)
    start = before["timestamp"].max()
    after = draw_rows(world, JUDGED, rng, correlation=0.0, changes=CHANGES)
    step = before["timestamp"][1] - before["timestamp"][0]
    rows = pl.concat(
        [before, after.with_columns(pl.col("timestamp") + (start + step - after["timestamp"][0]))]
    )
    guarded = _guarded(rows)
    table = guarded.baseline.tables["features"]
    contrast = ColumnContrast(table.grid, tuple(table.grid.columns), table.total)
    cells = rows_of(contrast, table.days)
    judge = Judge(contrast, cells, span=1)

    ours = _counted(rows[: len(before)], table.grid)
    print(f"counts of {len(before):,} rows by numpy and by PolarsEngine are one: ", end="")
    same = bool((ours == cells).all())
    print(same)

    counted = _counted(rows[len(before) :], table.grid)
    effects = judge.effects(counted)
    at_once = judge.judge(effects, every=EVERY, least=FLOOR)
    limits = judge.limits(effects, every=EVERY, least=FLOOR)
    worst = (effects.corrected / limits).max(axis=1)
    said = list(guarded.watch("columns").said.values())
    values = np.array([each.measurement.value for each in said])
    agree = [(each.verdict is Verdict.BREACH) == b for each, b in zip(said, at_once.windows)]  # noqa: B905 - as many
    gap = float(np.abs(values - worst).max())
    print(
        f"{sum(agree)} of {len(said)} windows judged the same, {at_once.windows.sum()} in breach;"
    )
    print(f"values differ by at most {gap:.1e}")

    still = [np.zeros(JUDGED)] * world.numbers + [np.zeros((JUDGED, k)) for k in world.levels]
    drawn = judge.effects(draw_days(world, table.grid, still, CHANGES, rng))
    shares = (drawn.corrected / judge.limits(drawn, every=EVERY, least=FLOOR)).max(axis=1)
    p = float(ks_2samp(worst, shares).pvalue)
    print(f"worst share of its limit, rows: {worst.mean():.3f} ± {worst.std():.3f},", end=" ")
    print(f"drawn counts: {shares.mean():.3f} ± {shares.std():.3f}; Kolmogorov-Smirnov p = {p:.2g}")
    return not (same and all(agree) and gap < SAME and p > LEAST_P)


def _guarded(rows: pl.DataFrame) -> Guarded:
    signal = {"kind": "drift", "window": "1d", "min_effect": FLOOR}
    guard = guard_of(
        {"features": {"asset": "features", "time": "timestamp"}},
        {"columns": (signal, {"false_alarm_every": f"{EVERY:g}d"})},
    )
    return Guarded(guard, {"features": rows}, accepted=BASELINE)


def _counted(rows: pl.DataFrame, grid: Grid) -> Numbers:
    """Counts by day with numpy alone."""
    ends = range(0, len(rows) + 1, ROWS)
    found = []
    for name, each in grid.columns.items():
        column = rows.get_column(name)
        if isinstance(each, CategoryGrid):
            days = [column[a:b] for a, b in pairwise(ends)]
            known = [[(day == level).sum() for level in each.categories] for day in days]
            nulls = [day.null_count() for day in days]
            told = [[*k, 0, ROWS - sum(k) - n, n] for k, n in zip(known, nulls, strict=True)]
            found.append(np.array(told, dtype=float))
        else:
            values = column.cast(pl.Float64).fill_null(np.nan).to_numpy().reshape(-1, ROWS)
            found.append(count(values, each))
    return np.hstack(found)
