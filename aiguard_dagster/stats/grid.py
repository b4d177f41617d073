"""The fixed grid that batches are counted on: bin edges for numbers, a list for categories.

It is chosen once, from the data that a version was accepted on; every later batch is counted on it,
so that profiles add up and windows are sums.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

SHARES = 30
"""Bins of equal share that a numeric column is cut into, before its tails are cut further."""
LEVELS = (0.001, 0.01, *(k / SHARES for k in range(1, SHARES)), 0.99, 0.999)
"""Quantiles at which a column of many values is cut."""
MIDDLE_TWO_THIRDS = 1.9348
"""Standard deviations that the middle two thirds of a normal distribution are wide."""
DISTINCT = 32
"""A column of at most so many distinct numbers has a bin for each."""
CATEGORIES = 64
"""Categories with a bin of their own, the most frequent ones."""
KNOWN = 1_000
"""Categories told from those never seen; the less frequent of them share one bin."""
LOG_EDGES = tuple(float(10 ** (k / 20)) for k in range(-120, 121))
"""A grid for latencies and costs that no baseline has to choose: 1e-6 to 1e6 in steps of 12 %."""
SCORE_EDGES = tuple(k / 20 for k in range(1, 20))
"""Twenty bins for scores, 0 to 1, beside what was predicted and what was true."""

Reading = Literal["number", "length", "age", "error"]
"""What of a column is counted: the number, a text's length in characters, how many seconds a time
lies before the row's own, or how far the prediction is above the label."""


@dataclass(frozen=True, slots=True)
class NumericGrid:
    """Bins ``(-inf, e0], (e0, e1], …, (ek, inf)``: one more bin than edges.

    Attributes:
        edges: Ascending, all finite.
        reading: What of the column is counted.
        levels: Where the baseline held few numbers, each with a bin between two edges: which.
    """

    edges: tuple[float, ...]
    reading: Reading = "number"
    levels: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1


@dataclass(frozen=True, slots=True)
class CategoryGrid:
    """One bin a category, in this order; then one for all others known, and one for the unseen.

    Attributes:
        categories: With a bin each.
        others: Known, and counted together.
    """

    categories: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.categories) + 2

    @property
    def known(self) -> tuple[str, ...]:
        """All that is told from the unseen."""
        return self.categories + self.others


ColumnGrid = NumericGrid | CategoryGrid


@dataclass(frozen=True, slots=True)
class JointGrid:
    """The columns whose products are summed, to see whether they still move together.

    Each value is taken as ``(x - centre) / scale``, cut off at ±3; what is missing counts as 0.

    Attributes:
        columns: Numeric columns.
        centres: Their medians.
        scales: Their spread, as a standard deviation.
        means: Of the values so taken, in the whole baseline; empty where nobody asked.
        covariances: Likewise, the lower triangle by rows, variances included.
    """

    columns: tuple[str, ...]
    centres: tuple[float, ...]
    scales: tuple[float, ...]
    means: tuple[float, ...] = ()
    covariances: tuple[float, ...] = ()


@dataclass(frozen=True)
class Grid:
    """The grids of a table's columns, by name.

    Attributes:
        columns: One grid a column.
        joint: The columns that are watched together; None where nobody asked for it.
    """

    columns: Mapping[str, ColumnGrid] = field(default_factory=dict)
    joint: JointGrid | None = None

    @cached_property
    def id(self) -> str:
        """A short name that changes when any edge or category does."""
        text = json.dumps(grid_to_json(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What a grid needs to know of a column's finite numbers; every engine can tell it.

    Attributes:
        lowest: The smallest.
        highest: The largest.
        cuts: The quantiles at :data:`LEVELS`, each a number that the column holds.
        distinct: All numbers that it holds, ascending, where they are at most :data:`DISTINCT`.
    """

    lowest: float
    highest: float
    cuts: tuple[float, ...]
    distinct: tuple[float, ...] = ()


def spread_of(values: NDArray[np.float64]) -> Spread | None:
    """The spread of values at hand; NaN and infinities are left out. None where nothing is left."""
    finite = np.sort(values[np.isfinite(values)])
    if not finite.size:
        return None
    distinct = np.unique(finite[:: max(1, finite.size // 10_000)])
    distinct = np.unique(finite) if distinct.size <= DISTINCT else distinct
    # As np.quantile does it with method="lower", which subtracts, and so has an end of its range.
    cuts = finite[(np.array(LEVELS) * (finite.size - 1)).astype(int)]
    return Spread(
        lowest=float(finite[0]),
        highest=float(finite[-1]),
        cuts=tuple(cuts.tolist()),
        distinct=tuple(distinct.tolist()) if distinct.size <= DISTINCT else (),
    )


def numeric_grid(spread: Spread | None, *, reading: Reading = "number") -> NumericGrid:
    """Choose edges from the spread of the baseline's numbers.

    At most 32 distinct numbers get a bin each, with edges halfway between them. More are cut at
    quantiles: thirty equal shares, and finer in the tails, so that neither outliers nor heavy tails
    move the grid. A number that fills several shares has a bin to itself. The outermost bins hold
    what lies beyond all that the baseline held, so a constant that comes alive is seen.

    With the counts of a window on these edges, a quantile is known to the bin it lies in, and a
    Kolmogorov-Smirnov distance is below the exact one by less than the largest share of one bin.

    Args:
        spread: Of one column of the baseline; None where it held no number.
        reading: What of the column it is.

    >>> numeric_grid(spread_of(np.array([1.0, 2.0, 2.0, 3.0]))).edges
    (0.9999999999999999, 1.5, 2.5, 3.0)
    """
    if spread is None:
        return NumericGrid((), reading)
    ends = [_just_below(spread.lowest), spread.highest]
    if spread.distinct:
        distinct = np.array(spread.distinct)
        middle = distinct[:-1] / 2 + distinct[1:] / 2
        # The middle of neighbours, with no number between them, may be the upper one.
        inner = np.minimum(middle, _just_below(distinct[1:]))
    else:
        held, times = np.unique(np.array(spread.cuts), return_counts=True)
        inner = np.concatenate([held, _just_below(held[times > 1])])
    edges = np.unique(np.concatenate([ends, inner]))
    kept = tuple(edges[np.isfinite(edges)].tolist())
    levels = spread.distinct if len(kept) == len(spread.distinct) + 1 else ()
    return NumericGrid(kept, reading, levels)


def _just_below(value: Any) -> Any:  # noqa: ANN401 - one number or many
    with np.errstate(over="ignore"):  # Below the lowest number of all is no number.
        return np.nextafter(value, -np.inf)


def category_grid(
    counts: Mapping[str, int], *, most: int = CATEGORIES, known: int = KNOWN
) -> CategoryGrid:
    """Keep the most frequent categories by name, and more of them as known.

    >>> category_grid({"b": 1, "a": 5, "c": 1}, most=1, known=2)
    CategoryGrid(categories=('a',), others=('b',))
    """
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return CategoryGrid(tuple(ranked[:most]), tuple(ranked[most:known]))


def joint_grid(columns: Mapping[str, Spread | None]) -> JointGrid:
    """Centre and scale of each column, by quantiles, so that outliers decide nothing.

    Args:
        columns: Spread of the baseline's numbers by column; constants are left out.
    """
    low, middle, high = (LEVELS.index(k / SHARES) for k in (5, 15, 25))
    names, centres, scales = [], [], []
    for name, spread in columns.items():
        if spread is None or spread.lowest == spread.highest:
            continue
        # Divided before it is subtracted: a difference may be beyond all numbers.
        width = spread.cuts[high] / MIDDLE_TWO_THIRDS - spread.cuts[low] / MIDDLE_TWO_THIRDS
        names.append(name)
        centres.append(spread.cuts[middle])
        scales.append(width or spread.highest / 2 - spread.lowest / 2)
    return JointGrid(tuple(names), tuple(centres), tuple(scales))


def grid_to_json(grid: Grid) -> dict[str, Any]:
    """The grid as plain JSON values."""
    columns: dict[str, Any] = {}
    for name, column in grid.columns.items():
        match column:
            case NumericGrid():
                columns[name] = {"edges": list(column.edges), "reading": column.reading}
                columns[name] |= {"levels": list(column.levels)} if column.levels else {}
            case CategoryGrid():
                columns[name] = {
                    "categories": list(column.categories),
                    "others": list(column.others),
                }
    document: dict[str, Any] = {"columns": columns}
    if grid.joint is not None:
        document["joint"] = {
            "columns": list(grid.joint.columns),
            "centres": list(grid.joint.centres),
            "scales": list(grid.joint.scales),
        }
        if grid.joint.means:
            document["joint"]["means"] = list(grid.joint.means)
            document["joint"]["covariances"] = list(grid.joint.covariances)
    return document


def grid_from_json(document: Mapping[str, Any]) -> Grid:
    """The inverse of :func:`grid_to_json`."""
    columns: dict[str, ColumnGrid] = {}
    for name, column in document["columns"].items():
        if "edges" in column:
            levels = _numbers(column.get("levels", ()))
            columns[name] = NumericGrid(_numbers(column["edges"]), column["reading"], levels)
        else:
            columns[name] = CategoryGrid(tuple(column["categories"]), tuple(column["others"]))
    joint = document.get("joint")
    return Grid(
        columns,
        joint
        and JointGrid(
            tuple(joint["columns"]),
            _numbers(joint["centres"]),
            _numbers(joint["scales"]),
            _numbers(joint.get("means", ())),
            _numbers(joint.get("covariances", ())),
        ),
    )


def _numbers(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
