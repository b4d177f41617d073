"""What is compared of a window and the baseline: one test for each way in which a column can move.

Each kind lays the counts of a profile out as one row of numbers, so that days add up to windows,
and gives the effects of such rows; :func:`~.calibration.calibrate` needs no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from aiguard_dagster.stats.effects import (
    Effects,
    Numbers,
    bins_effect,
    shape_directions,
    shape_effect,
    share_effect,
    side_by_side,
)
from aiguard_dagster.stats.grid import CategoryGrid, ColumnGrid, Grid, NumericGrid
from aiguard_dagster.stats.profile import Profile, Residuals

Aspect = Literal["bins", "shape", "missing", "unseen", "residual", "regions", "together"]
WELL_APART = 0.999
"""Correlations are cut off here, before their scale has no end."""


@dataclass(frozen=True, slots=True)
class Test:
    """One way in which something can move.

    Attributes:
        name: The column, or the two columns, joined by ``" & "``.
        aspect: What of it is looked at.
    """

    name: str
    aspect: Aspect


class Contrast(Protocol):
    """Some tests on profiles of one grid."""

    tests: tuple[Test, ...]

    def row(self, profile: Profile) -> Numbers:
        """What is counted, as one row that adds up; shape ``(cells,)``."""
        ...

    def compare(self, current: Numbers, baseline: Numbers) -> Effects:
        """Effects of rows of windows against rows of baselines, shape ``(windows, cells)``."""
        ...


class ColumnContrast:
    """Each column by itself: its bins, the shape of numbers, what is missing, what is unseen."""

    def __init__(
        self, grid: Grid, columns: Sequence[str], total: Profile, *, late: Sequence[str] = ()
    ) -> None:
        """Choose the tests.

        Args:
            grid: The grid.
            columns: Columns of it to compare.
            total: The baseline, which says what shapes are.
            late: Columns whose values come later than their rows, so that missing says nothing.
        """
        self._grids = {name: grid.columns[name] for name in columns}
        self._counts_missing = {name: name not in late for name in columns}
        self._directions = {
            name: shape_directions(np.array(total.columns[name].counts, float))
            for name, each in self._grids.items()
            if isinstance(each, NumericGrid)
        }
        self.tests = tuple(
            Test(name, aspect)
            for name, each in self._grids.items()
            for aspect in self._aspects(name, each)
        )

    def _aspects(self, name: str, grid: ColumnGrid) -> Sequence[Aspect]:
        missing: list[Aspect] = ["missing"] if self._counts_missing[name] else []
        match grid:
            case NumericGrid() if len(self._directions[name]):
                return ["bins", "shape", *missing]
            case NumericGrid():
                return ["bins", *missing]
            case CategoryGrid():
                return ["bins", "unseen", *missing]

    def row(self, profile: Profile) -> Numbers:
        """Counts and missing values of all columns."""
        found: list[int] = []
        for name in self._grids:
            column = profile.columns[name]
            found += [*column.counts, column.missing]
        return np.array(found, dtype=float)

    def compare(self, current: Numbers, baseline: Numbers) -> Effects:
        """All columns, in their order."""
        found, start = [], 0
        for name, grid in self._grids.items():
            end = start + grid.size
            now, then = current[:, start:end], baseline[:, start:end]
            found.append(bins_effect(now, then))
            n, m = now.sum(axis=1), then.sum(axis=1)
            if isinstance(grid, CategoryGrid):
                found.append(share_effect(now[:, -1], n, then[:, -1], m))
            elif len(self._directions[name]):
                found.append(shape_effect(now, then, self._directions[name]))
            if self._counts_missing[name]:
                gone, were_gone = current[:, end], baseline[:, end]
                found.append(share_effect(gone, n + gone, were_gone, m + were_gone))
            start = end + 1
        return side_by_side(found)


class ConceptContrast:
    """Outcomes given the inputs: residuals, over all and by region.

    A region is a bin of a column. Effects are in standard deviations of the baseline's residuals.
    """

    def __init__(self, columns: Sequence[str], total: Profile) -> None:
        """Choose the tests.

        Args:
            columns: Columns by whose bins the residuals were summed.
            total: The baseline.
        """
        self._columns = tuple(columns)
        self._sizes = {name: len(total.residuals[name].rows) for name in columns}
        self._variance = {name: _variance(total.residuals[name]) for name in columns}
        aspects: list[Aspect] = ["residual", "regions"]
        self.tests = tuple(Test(name, aspect) for name in columns for aspect in aspects)

    def row(self, profile: Profile) -> Numbers:
        """Rows and sums of residuals in all regions."""
        found: list[float] = []
        for name in self._columns:
            none = (0,) * self._sizes[name]
            residuals = profile.residuals.get(name)
            found += [*(residuals.rows if residuals else none)]
            found += [*(residuals.sums if residuals else none)]
        return np.array(found, dtype=float)

    def compare(self, current: Numbers, baseline: Numbers) -> Effects:
        """The mean residual over all, and region by region, of all columns."""
        found, start = [], 0
        for name in self._columns:
            size = self._sizes[name]
            sides = [
                (s[:, start : start + size], s[:, start + size :][:, :size])
                for s in (current, baseline)
            ]
            found += list(_residual_effects(*sides[0], *sides[1], self._variance[name]))
            start += 2 * size
        return side_by_side(found)


def _variance(residuals: Residuals) -> float:
    rows = max(sum(residuals.rows), 1)
    return max(sum(residuals.squares) / rows - (sum(residuals.sums) / rows) ** 2, 0.0) or 1.0


def _residual_effects(
    rows: Numbers, sums: Numbers, rows_then: Numbers, sums_then: Numbers, variance: float
) -> tuple[Effects, Effects]:
    with np.errstate(invalid="ignore", divide="ignore"):
        n, m = rows.sum(axis=1), rows_then.sum(axis=1)
        moved = sums.sum(axis=1) / n - sums_then.sum(axis=1) / m
        overall = Effects(
            squared=moved**2 / variance, noise=1 / n + 1 / m, freedom=np.ones_like(moved)
        )
        both = (rows > 0) & (rows_then > 0)
        gap = np.where(both, sums / rows - sums_then / rows_then, 0.0)
        share = np.where(both, rows, 0.0) / n[:, None]
        noise = np.where(both, share * (1 / rows + 1 / rows_then), 0.0)
        regions = Effects(
            squared=(share * gap**2).sum(axis=1) / variance + 0 * moved,
            noise=noise.sum(axis=1),
            freedom=np.maximum(both.sum(axis=1), 1).astype(float),
        )
    return overall, regions


class JointContrast:
    """Columns in pairs: whether they still move together.

    The effect is the difference of correlations on Fisher's scale (Fisher, "Frequency distribution
    of the values of the correlation coefficient", Biometrika 10, 1915). A column's own moves do not
    count, and what two columns do together in other ways than along a line is not seen.
    """

    def __init__(self, grid: Grid, columns: Sequence[str] | None = None) -> None:
        """Choose the tests.

        Args:
            grid: A grid with columns that are watched jointly.
            columns: Those of them to compare; all when left out.
        """
        joint = grid.joint
        names = joint.columns if joint else ()
        self._names, self._width = names, len(names)
        kept = [k for k, name in enumerate(names) if columns is None or name in columns]
        self._pairs = [(i, j) for i in kept for j in kept if j < i]
        self.tests = tuple(Test(f"{names[j]} & {names[i]}", "together") for i, j in self._pairs)

    def row(self, profile: Profile) -> Numbers:
        """Rows, products and sums."""
        return np.array([profile.rows, *profile.products], dtype=float)

    def compare(self, current: Numbers, baseline: Numbers) -> Effects:
        """All pairs."""
        n, m = current[:, :1], baseline[:, :1]
        moved = np.arctanh(self.correlations(current)) - np.arctanh(self.correlations(baseline))
        with np.errstate(divide="ignore"):
            noise = np.broadcast_to(1 / n + 1 / m, moved.shape)
        return Effects(squared=moved**2, noise=noise, freedom=np.ones_like(moved))

    def moved(self, test: int, now: Numbers, then: Numbers) -> dict[str, float]:
        """How far each column of a pair moved by itself, in its standard deviations then."""
        means, spreads = zip(*(self._moments(side) for side in (now, then)), strict=True)
        shift = (means[0][0] - means[1][0]) / np.where(spreads[1][0] > 0, spreads[1][0], np.inf)
        return {self._names[k]: float(shift[k]) for k in reversed(self._pairs[test])}

    def _moments(self, rows: Numbers) -> tuple[Numbers, Numbers]:
        """Means and standard deviations of all columns, each of shape ``(windows, columns)``."""
        n, width = rows[:, :1], self._width
        place = np.array([i * (i + 1) // 2 + i for i in range(width)], dtype=int)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = rows[:, -width:] / n
            spread = np.sqrt(np.maximum(rows[:, 1:-width][:, place] / n - means**2, 0.0))
        return means, spread

    def correlations(self, rows: Numbers) -> Numbers:
        """The correlation of each pair, shape ``(windows, tests)``; NaN where one is constant."""
        n, products = rows[:, 0], rows[:, 1 : -self._width]
        means, spread = self._moments(rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            i, j = np.array(self._pairs, dtype=int).reshape(-1, 2).T
            together = products[:, i * (i + 1) // 2 + j] / n[:, None] - means[:, i] * means[:, j]
            found = together / (spread[:, i] * spread[:, j])
        return np.asarray(np.clip(found, -WELL_APART, WELL_APART))


def rows_of(contrast: Contrast, profiles: Mapping[str, Profile]) -> Numbers:
    """The rows of many profiles that hold any, in their order; shape ``(profiles, cells)``."""
    return np.array([contrast.row(each) for each in profiles.values() if each.rows])
