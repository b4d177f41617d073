"""The fixed grid that batches are counted on: bin edges for numbers, a list for categories."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

BINS = 32
"""Bins of a numeric column; equal counts in each, so one bin holds about 3 % of the baseline."""
CATEGORIES = 64
"""Categories kept by name; the rest, and those never seen, are counted together as other."""


@dataclass(frozen=True, slots=True)
class NumericGrid:
    """Bins ``(-inf, e0], (e0, e1], …, (ek, inf)``: one more bin than edges."""

    edges: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.edges) + 1


@dataclass(frozen=True, slots=True)
class CategoryGrid:
    """One bin a category, in this order, and a last one for every other value."""

    categories: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of bins."""
        return len(self.categories) + 1


ColumnGrid = NumericGrid | CategoryGrid


@dataclass(frozen=True)
class Grid:
    """The grids of a table's columns, by name."""

    columns: Mapping[str, ColumnGrid] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """A short name that changes when any edge or category does."""
        text = json.dumps(grid_to_json(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def numeric_grid(values: NDArray[np.float64], *, bins: int = BINS) -> NumericGrid:
    """Choose edges so that each bin holds about the same share of the values.

    Few distinct values get a bin each, with edges halfway between them.

    Args:
        values: One column of the baseline, shape ``(n,)``; NaN and infinities are left out.
        bins: The most bins to make.

    >>> numeric_grid(np.array([1.0, 2.0, 2.0, 3.0])).edges
    (1.5, 2.5)
    """
    finite = values[np.isfinite(values)]
    distinct = np.unique(finite)
    if distinct.size <= bins:
        middles = distinct[:-1] / 2 + distinct[1:] / 2
        return NumericGrid(tuple(middles.tolist()))
    quantiles = np.quantile(finite, np.linspace(0, 1, bins + 1)[1:-1], method="lower")
    return NumericGrid(tuple(np.unique(quantiles).tolist()))


def category_grid(counts: Mapping[str, int], *, most: int = CATEGORIES) -> CategoryGrid:
    """Keep the most frequent categories by name.

    >>> category_grid({"b": 1, "a": 5}).categories
    ('a', 'b')
    """
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return CategoryGrid(tuple(ranked[:most]))


def grid_to_json(grid: Grid) -> dict[str, dict[str, list[float] | list[str]]]:
    """The grid as plain JSON values."""
    document: dict[str, dict[str, list[float] | list[str]]] = {}
    for name, column in grid.columns.items():
        match column:
            case NumericGrid():
                document[name] = {"edges": list(column.edges)}
            case CategoryGrid():
                document[name] = {"categories": list(column.categories)}
    return document


def grid_from_json(document: Mapping[str, Mapping[str, Sequence[float] | Sequence[str]]]) -> Grid:
    """The inverse of :func:`grid_to_json`."""
    columns: dict[str, ColumnGrid] = {}
    for name, column in document.items():
        if "edges" in column:
            columns[name] = NumericGrid(tuple(float(edge) for edge in column["edges"]))
        else:
            columns[name] = CategoryGrid(tuple(str(value) for value in column["categories"]))
    return Grid(columns)
