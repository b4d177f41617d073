"""What moved, in words that somebody who was just woken understands, and as a small chart."""

import math
import sys
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import assert_never

import numpy as np

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.verdicts import Chart
from aiguard_dagster.stats.contrast import Aspect
from aiguard_dagster.stats.effects import Numbers
from aiguard_dagster.stats.grid import CategoryGrid, ColumnGrid, NumericGrid, Reading
from aiguard_dagster.stats.profile import ColumnProfile, Residuals

MOST_BARS = 12
UNITS: dict[Reading, str] = {"number": "", "length": " characters", "age": "", "error": ""}


def how_moved(
    now: ColumnProfile, then: ColumnProfile, grid: ColumnGrid, aspect: Aspect = "shape"
) -> str:
    """What changed in a column, in its own unit.

    >>> grid = NumericGrid((0.0, 2.0))
    >>> a = ColumnProfile(rows=2, counts=(0, 2, 0), lowest=1, highest=2, mean=1.5, spread=0.5)
    >>> b = ColumnProfile(rows=2, counts=(0, 0, 2), lowest=3, highest=4, mean=3.5, spread=0.5)
    >>> how_moved(b, a, grid)
    'up: mean 1.5 → 3.5, 4 sd'
    """
    match aspect:
        case "missing":
            return _share("nulls", now.missing, now.rows, then.missing, then.rows)
        case "unseen":
            known, were_known = now.rows - now.missing, then.rows - then.missing
            return _share("new values", now.counts[-1], known, then.counts[-1], were_known)
        case "bins":
            return _bins(now, then, grid)
        case _ if isinstance(grid, NumericGrid):
            return _numbers(now, then, grid)
        case _:
            return _bins(now, then, grid)


def _share(what: str, now: int, rows: int, then: int, were_rows: int) -> str:
    before, after = then / max(were_rows, 1), now / max(rows, 1)
    sign = "more" if after > before else "fewer"
    digits = 1 if max(before, after) >= 0.01 else 2  # noqa: PLR2004 - below 1 % one digit is none
    return f"{sign} {what}: {before * 100:.{digits}f}% → {after * 100:.{digits}f}%"


def _numbers(now: ColumnProfile, then: ColumnProfile, grid: NumericGrid) -> str:
    """Up or down, or if that explains less, wider or narrower."""
    if not now.finite or not then.finite:
        return "no numbers now" if then.finite else "numbers where there were none"
    wide, was_wide = now.deviation, then.deviation
    moved = now.mean - then.mean
    ratio = math.log(wide) - math.log(was_wide) if wide > 0 and was_wide > 0 else 0.0
    if was_wide and abs(ratio) > abs(moved) / was_wide:
        sign = "wider" if ratio > 0 else "narrower"
        return f"{sign}: sd {_shown(was_wide, grid)} → {_shown(wide, grid)}"
    sign = "up" if moved > 0 else "down"
    far = f", {abs(moved) / was_wide:.2g} sd" if was_wide else ""
    return f"{sign}: mean {_shown(then.mean, grid)} → {_shown(now.mean, grid)}{far}"


def _bins(now: ColumnProfile, then: ColumnProfile, grid: ColumnGrid) -> str:
    """The bin that changed most."""
    p, q = _shares(now), _shares(then)
    worst = int(np.argmax(np.abs(np.sqrt(p) - np.sqrt(q))))
    label = bin_labels(grid)[worst]
    text = f"{label}: {q[worst]:.1%} → {p[worst]:.1%}"
    if isinstance(grid, NumericGrid) and now.finite and then.finite and worst:
        return f"{text}, {_numbers(now, then, grid)}" if now.mean != then.mean else text
    return text


def _shares(column: ColumnProfile) -> Numbers:
    counts: Numbers = np.array(column.counts, dtype=float)
    return np.asarray(counts / max(float(counts.sum()), 1.0))


def bin_labels(grid: ColumnGrid) -> Sequence[str]:
    """What each bin of a grid holds.

    >>> bin_labels(CategoryGrid(("a",)))
    ['a', 'other known values', 'new values']
    >>> bin_labels(NumericGrid((-0.1, 0.5, 1.0), levels=(0.0, 1.0)))
    ['below 0', '0', '1', 'above 1']
    """
    match grid:
        case CategoryGrid():
            return [*grid.categories, "other known values", "new values"]
        case NumericGrid():
            if not grid.edges:
                return ["any number"]
            if grid.levels:
                inner = _told_apart(grid.levels, grid)
                return [f"below {inner[0]}", *inner, f"above {inner[-1]}"]
            ends = _told_apart(grid.edges, grid)
            inner = [f"{a} to {b}" if a != b else a for a, b in pairwise(ends)]
            return [f"below {ends[0]}", *inner, f"above {ends[-1]}"]
        case _:
            assert_never(grid)


def _told_apart(values: Sequence[float], grid: NumericGrid) -> list[str]:
    """Numbers in as few digits as tell them apart."""
    for digits in (4, 6, 9, 12, 15):
        shown = [_shown(value, grid, digits) for value in values]
        if len(set(shown)) == len(shown):
            return shown
    return [_shown(value, grid) for value in values]


def _shown(value: float, grid: NumericGrid, digits: int = 4) -> str:
    if abs(value) < sys.float_info.min:  # The edge just below zero is zero to a reader.
        value = 0.0
    if grid.reading == "age" and abs(value) < 1e10:  # noqa: PLR2004 - what a timedelta holds
        seconds = round(value)
        return "-" * (seconds < 0) + format_duration(timedelta(seconds=abs(seconds)))
    return f"{value:.{digits}g}{UNITS[grid.reading]}"


def chart_of(now: ColumnProfile, then: ColumnProfile, grid: ColumnGrid) -> Chart:
    """Both sides as shares of their rows, missing ones as a bar of their own, in few bars.

    Neighbouring bins of numbers are put together; of categories, the least frequent are.
    """
    labels = list(bin_labels(grid))
    p, q = _shares(now) * _known(now), _shares(then) * _known(then)
    match grid:
        case NumericGrid():
            # Equal shares of the baseline; the outermost bins stay, for they were empty.
            inner = np.arange(1, len(labels) - 1)
            groups = [
                list(each)
                for each in np.array_split(inner, min(MOST_BARS - 2, max(len(inner), 1)))
                if len(each)
            ]
            groups = [[0], *groups, [len(labels) - 1]] if len(labels) > 1 else [[0]]
            told = [_span_label([labels[k] for k in group]) for group in groups]
        case CategoryGrid():
            last = len(labels) - 1
            ranked = sorted(range(last - 1), key=lambda k: -max(p[k], q[k]))
            shown, rest = ranked[: MOST_BARS - 2], [*ranked[MOST_BARS - 2 :], last - 1]
            groups = [*([k] for k in shown), rest, [last]]
            told = [*(labels[k] for k in shown), "other known values", "new values"]
    before = [float(q[group].sum()) for group in groups]
    after = [float(p[group].sum()) for group in groups]
    if now.missing or then.missing:
        told.append("null")
        before.append(then.missing / max(then.rows, 1))
        after.append(now.missing / max(now.rows, 1))
    return Chart(labels=tuple(told), before=tuple(before), now=tuple(after))


def _known(column: ColumnProfile) -> float:
    return (column.rows - column.missing) / max(column.rows, 1)


def _span_label(labels: Sequence[str]) -> str:
    first, last = labels[0].partition(" to "), labels[-1].partition(" to ")
    return labels[0] if len(labels) == 1 else f"{first[0]} to {last[2] or last[0]}"


def how_outcomes_moved(name: str, now: Residuals, then: Residuals, grid: ColumnGrid) -> str:
    """Over all, and in the bin of a column where it matters most."""
    rows, were = np.array(now.rows, float), np.array(then.rows, float)
    overall = _mean(now), _mean(then)
    with np.errstate(invalid="ignore", divide="ignore"):
        gaps = np.array(now.sums) / rows - np.array(then.sums) / were
    weight = np.where((rows > 0) & (were > 0), np.nan_to_num(gaps) ** 2 * rows, 0.0)
    worst = int(np.argmax(weight))
    labels = [*bin_labels(grid), "null"]
    told = f"outcome less prediction, mean {overall[1]:.3g} → {overall[0]:.3g}"
    if not weight[worst]:
        return told
    before, after = then.sums[worst] / were[worst], now.sums[worst] / rows[worst]
    return f"{told}; most where {name} is {labels[worst]}: {before:.3g} → {after:.3g}"


def _mean(residuals: Residuals) -> float:
    return sum(residuals.sums) / max(sum(residuals.rows), 1)
