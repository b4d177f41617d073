"""Days of a made-up table as counts on a grid, without its rows where those are too many.

A row of counts is what :class:`~aiguard_dagster.stats.contrast.ColumnContrast` makes of a profile:
of each column the rows in its bins, then the rows without a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import norm

from aiguard_dagster.adapters.engines.engine import SAMPLE
from aiguard_dagster.stats.effects import Numbers
from aiguard_dagster.stats.grid import (
    LEVELS,
    CategoryGrid,
    ColumnGrid,
    Grid,
    NumericGrid,
    Spread,
    category_grid,
    numeric_grid,
    spread_of,
)
from aiguard_dagster.stats.profile import ColumnProfile, Profile

AUTOREGRESSION, WANDER, WAVE = 0.7, 0.05, 0.05
"""Of the rhythm: what a day keeps of the day before, and standard deviations of both its parts."""
NULLS = 0.01
WEEK = 7
Generator = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to a column on the days that are judged.

    Attributes:
        shift: By how many standard deviations numbers go up.
        width: The standard deviation, with 1 before.
        nulls: The share of nulls.
        new: The share of a category that was never seen.
    """

    shift: float = 0.0
    width: float = 1.0
    nulls: float = NULLS
    new: float = 0.0


NOTHING = Change()


@dataclass(frozen=True)
class World:
    """A table of numeric columns, normal with mean 0 and variance 1, and of categories.

    Attributes:
        numbers: How many columns of numbers.
        levels: Levels of each column of categories.
        rows: Rows a day.
        rhythm: Whether the days wander and have a weekly wave, or are independent.
        seed: Of all that is drawn.
    """

    numbers: int
    levels: Sequence[int]
    rows: int
    rhythm: bool
    seed: int

    @property
    def names(self) -> list[str]:
        """Of the columns: ``x00`` and on are numbers, ``c00`` and on are categories."""
        kinds = [f"x{k:02}" for k in range(self.numbers)]
        return kinds + [f"c{k:02}" for k in range(len(self.levels))]

    @cached_property
    def shares(self) -> list[Numbers]:
        """The categories' shares, the largest first; none is below 1 %."""
        rng = np.random.default_rng([self.seed, 1])
        drawn = (np.maximum(rng.dirichlet(np.full(k, 2.0)), 0.01) for k in self.levels)
        return [np.sort(each / each.sum())[::-1] for each in drawn]

    def paths(self, days: int, rng: Generator) -> tuple[Numbers, list[Numbers]]:
        """Means of the numbers, and log-odds of the categories beyond their usual ones, by day."""
        width = self.numbers + sum(self.levels)
        if not self.rhythm:
            found = np.zeros((days, width))
        else:
            found = np.empty((days, width))
            found[0] = rng.normal(size=width)
            fresh = np.sqrt(1 - AUTOREGRESSION**2)
            for day in range(1, days):
                found[day] = AUTOREGRESSION * found[day - 1] + fresh * rng.normal(size=width)
            phases = rng.uniform(0, 2 * np.pi, size=width)
            angles = 2 * np.pi * np.arange(days)[:, None] / WEEK + phases
            found = WANDER * found + WAVE * np.sqrt(2) * np.sin(angles)
        ends = np.cumsum([self.numbers, *self.levels])
        numbers, *others, _ = np.split(found, ends, axis=1)
        return numbers, others


@dataclass(frozen=True)
class Draw:
    """A baseline of a world, and the days after it.

    Attributes:
        world: What they are days of.
        baseline: Days of the baseline.
        judged: Days after it.
    """

    world: World
    baseline: int
    judged: int

    @cached_property
    def _paths(self) -> tuple[Numbers, list[Numbers]]:
        return self.world.paths(self.baseline + self.judged, self._rng(2))

    @cached_property
    def _counted(self) -> tuple[Grid, Numbers]:
        world, rng = self.world, self._rng(3)
        numbers, odds = self._paths
        columns: dict[str, ColumnGrid] = {}
        found = []
        for k, name in enumerate(world.names[: world.numbers]):
            columns[name], cells = self._counted_numbers(numbers[: self.baseline, k], rng)
            found.append(cells)
        for name, shares, each in zip(
            world.names[world.numbers :], world.shares, odds, strict=True
        ):
            columns[name] = category_grid({f"v{place:02}": 1 for place in range(len(shares))})
            found.append(_categories(world.rows, shares, each[: self.baseline], NOTHING, rng))
        return Grid(columns), np.hstack(found)

    @property
    def grid(self) -> Grid:
        """Chosen from the baseline."""
        return self._counted[0]

    @property
    def cells(self) -> Numbers:
        """The baseline's counts, shape ``(days, cells)``."""
        return self._counted[1]

    @property
    def total(self) -> Profile:
        """The baseline's sum."""
        return profile_of(self.grid, self.cells.sum(axis=0))

    def after(self, changes: Mapping[str, Change]) -> Numbers:
        """Counts of the days that are judged, shape ``(days, cells)``.

        Args:
            changes: What has changed on them, by column.
        """
        numbers, odds = self._paths
        paths = [each[self.baseline :] for each in (*numbers.T, *odds)]
        return draw_days(self.world, self.grid, paths, changes, self._rng(4))

    def _rng(self, part: int) -> Generator:
        return np.random.default_rng([self.world.seed, self.world.rows, self.baseline, part])

    def _counted_numbers(self, means: Numbers, rng: Generator) -> tuple[NumericGrid, Numbers]:
        """Row by row where rows are few, so that the grid ends where they do; else by chances."""
        rows, days = self.world.rows, len(means)
        if rows * days < 2 * SAMPLE:
            values = rng.normal(size=(days, rows)) + means[:, None]
            values[rng.random(size=values.shape) < NULLS] = np.nan
            grid = numeric_grid(spread_of(values.ravel()))
            return grid, count(values, grid)
        grid = numeric_grid(_spread_of_sample(float(np.sqrt(1 + means.var())), rng))
        return grid, _numbers(rows, grid, means, NOTHING, rng)


def _spread_of_sample(deviation: float, rng: Generator) -> Spread:
    """The spread of as many normal numbers as a grid is chosen from, without drawing them all.

    Order statistics of uniform numbers are sums of exponential ones (Rényi 1953).
    """
    sums = np.cumsum(rng.exponential(size=SAMPLE + 1))
    places = [0, *(int(level * (SAMPLE - 1)) for level in LEVELS), SAMPLE - 1]
    lowest, *cuts, highest = (deviation * norm.ppf(sums[places] / sums[-1])).tolist()
    return Spread(lowest=lowest, highest=highest, cuts=tuple(cuts))


def draw_days(
    world: World,
    grid: Grid,
    paths: Sequence[Numbers],
    changes: Mapping[str, Change],
    rng: Generator,
) -> Numbers:
    """Counts of days on a grid, shape ``(days, cells)``.

    Args:
        world: What they are days of.
        grid: Of the baseline.
        paths: By column, what moves it: means by day, or log-odds of shape ``(days, levels)``.
        changes: What has changed, by column.
        rng: Draws them.
    """
    found = []
    for k, name in enumerate(world.names):
        change = changes.get(name, NOTHING)
        match grid.columns[name]:
            case NumericGrid() as each:
                found.append(_numbers(world.rows, each, paths[k], change, rng))
            case CategoryGrid():
                shares = world.shares[k - world.numbers]
                found.append(_categories(world.rows, shares, paths[k], change, rng))
    return np.hstack(found)


def count(values: Numbers, grid: NumericGrid) -> Numbers:
    """Rows by bin, and those without a value; shape ``(days, rows)`` to ``(days, cells)``."""
    places = np.searchsorted(grid.edges, values, side="left")
    places[np.isnan(values)] = grid.size
    width = grid.size + 1
    flat = places + width * np.arange(len(values))[:, None]
    return np.bincount(flat.ravel(), minlength=width * len(values)).reshape(-1, width).astype(float)


def _numbers(
    rows: int, grid: NumericGrid, means: Numbers, change: Change, rng: Generator
) -> Numbers:
    edges = (np.array(grid.edges) - means[:, None] - change.shift) / change.width
    below = np.pad(norm.cdf(edges), ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
    return _drawn(rows, np.diff(below, axis=1), change, rng)


def _categories(
    rows: int, shares: Numbers, odds: Numbers, change: Change, rng: Generator
) -> Numbers:
    weights = shares * np.exp(odds)
    known = (1 - change.new) * weights / weights.sum(axis=1, keepdims=True)
    others, unseen = np.zeros(len(odds)), np.full(len(odds), change.new)
    return _drawn(rows, np.column_stack([known, others, unseen]), change, rng)


def _drawn(rows: int, shares: Numbers, change: Change, rng: Generator) -> Numbers:
    nulls = rng.binomial(rows, change.nulls, size=len(shares))
    # The last share is what the others leave, so that rounding cannot make them more than one.
    return np.column_stack([rng.multinomial(rows - nulls, shares), nulls]).astype(float)


def profile_of(grid: Grid, cells: Numbers) -> Profile:
    """The profile that a row of counts came from, without what counts do not tell."""
    columns, start = {}, 0
    for name, each in grid.columns.items():
        counts, nulls = cells[start : start + each.size], cells[start + each.size]
        rows = int(counts.sum() + nulls)
        columns[name] = ColumnProfile(
            rows=rows, counts=tuple(counts.astype(int).tolist()), nulls=int(nulls)
        )
        start += each.size + 1
    rows = max(column.rows for column in columns.values())
    return Profile(rows=rows, first=None, last=None, columns=columns)
