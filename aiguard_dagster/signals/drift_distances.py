"""Distances of columns by the statistics that people know, for limits of their own."""

import math
from collections.abc import Sequence
from typing import assert_never

import numpy as np

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec.signals.drift import Statistic
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.drift_case import DriftCase
from aiguard_dagster.signals.moves import chart_of, how_moved
from aiguard_dagster.stats.distance import (
    bins_with_missing,
    chi_square,
    js_distance,
    kolmogorov_smirnov,
    population_stability_index,
    total_variation,
    wasserstein,
)
from aiguard_dagster.stats.grid import ColumnGrid, NumericGrid
from aiguard_dagster.stats.profile import ColumnProfile


def distances(case: DriftCase, limit: float) -> Sequence[Part]:
    """The distance of each column; those without one are left out.

    Raises:
        MeasurementError: The statistic is one of numbers, and a column holds none.
    """
    statistic, grids = case.signal.statistic, case.reference.grid.columns
    if statistic in {"ks", "wasserstein"}:
        _require_numbers(case)
    found = []
    for name in case.columns:
        if name not in case.rows.columns:
            continue
        now, then = case.rows.columns[name], case.reference.total.columns[name]
        distance = _distance(statistic, now, then, grids[name])
        if math.isfinite(distance):
            text = f"{_largest_move(now, then, grids[name])}; {distance:.3f}, limit {limit:.3f}"
            chart = chart_of(now, then, grids[name])
            found.append(Part(name=name, value=distance, text=text, chart=chart))
    return found


def _require_numbers(case: DriftCase) -> None:
    kinds, statistic = case.reference.grid.columns, case.signal.statistic
    others = [name for name in case.columns if not isinstance(kinds[name], NumericGrid)]
    if others:
        told = ", ".join(others)
        what = f"{statistic} compares numbers, and the baseline counted categories of {told}"
        hint = "name the columns of numbers in columns, or use total_variation."
        raise MeasurementError(with_hint(what, hint))


def _largest_move(now: ColumnProfile, then: ColumnProfile, grid: ColumnGrid) -> str:
    """Missing values where they are what moved most, else the values."""
    gone = abs(now.missing / max(now.rows, 1) - then.missing / max(then.rows, 1))
    moved = total_variation(np.array(now.counts, float), np.array(then.counts, float))
    return how_moved(now, then, grid, "shape" if moved > gone else "missing")


def _distance(
    statistic: Statistic, now: ColumnProfile, then: ColumnProfile, grid: ColumnGrid
) -> float:
    """How far one column has moved; NaN where that cannot be said."""
    match statistic:
        case "jensen_shannon":
            return js_distance(bins_with_missing(now), bins_with_missing(then))
        case "psi":
            return population_stability_index(bins_with_missing(now), bins_with_missing(then))
        case "total_variation":
            return total_variation(bins_with_missing(now), bins_with_missing(then))
        case "cramers_v":
            found = chi_square(bins_with_missing(now), bins_with_missing(then))
            return found.cramers_v if found else 0.0
        case "ks":
            return kolmogorov_smirnov(np.array(now.counts, float), np.array(then.counts, float))
        case "wasserstein":
            return wasserstein(now, then, grid.edges if isinstance(grid, NumericGrid) else ())
        case "effect":
            msg = "effects are measured of all columns together"
            raise NotImplementedError(msg)
        case _:
            assert_never(statistic)
