"""Errors to be expected of predictions: what those of the baseline were, bin by bin."""

import math
from collections.abc import Mapping

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.spec import EstimatedPerformance
from aiguard_dagster.signals.batch import Batch, require
from aiguard_dagster.signals.bins import bin_of
from aiguard_dagster.signals.performance import with_errors
from aiguard_dagster.signals.scored import number_of
from aiguard_dagster.signals.tallied import PART, Counted, segments, text_of
from aiguard_dagster.stats.estimate import Estimate, estimate_from_errors
from aiguard_dagster.stats.grid import NumericGrid
from aiguard_dagster.stats.tally import OTHER, Tally

ERROR_OF = {
    "mae": "absolute",
    "rmse": "squared",
    "mape": "relative",
    "bias": "signed",
    "quantile_loss": "quantile",
}
SUMS = ("rows", "error", "square")
NOWHERE = "none"
"""The bin of rows counted where there was no grid yet."""
Numbers = NDArray[np.float64]
Where = Mapping[str, str]


def count_errors_made(signal: EstimatedPerformance, batch: Batch, part: nw.Expr) -> Counted:
    """Sum errors by the bin of the prediction on the champion's grid.

    Raises:
        MeasurementError: A column is gone, or holds no numbers.
    """
    table, by = batch.table, signal.by or ()
    said, label = table.prediction or "", table.label or ""
    require(batch, said, label, *by)
    picked = batch.frame.select(
        part.alias(PART),
        number_of(batch, said, role="prediction").alias("said"),
        number_of(batch, label, role="label").alias("label"),
        **{k: text_of(batch, column) for k, column in zip(segments(by), by, strict=True)},
    )
    grid = batch.grid.columns.get(said)
    value = nw.col("said")
    place: nw.Expr = nw.lit(NOWHERE)
    if isinstance(grid, NumericGrid):
        place = bin_of(value, grid.edges).cast(nw.String)
    keys = ("grid", "bin", "known", *segments(by))
    error = nw.col(ERROR_OF[signal.metric])
    counted = (
        with_errors(picked, signal.quantile)
        .with_columns(
            grid=nw.lit(batch.grid.id),
            bin=nw.when(value.is_finite()).then(place).otherwise(nw.lit("")),
            error=error,
            square=error * error,
        )
        .group_by(PART, *keys)
        .agg(nw.len().alias("rows"), nw.col("error").sum(), nw.col("square").sum())
    )
    return Counted(frame=counted, keys=keys, sums=SUMS)


def errors_estimated(
    signal: EstimatedPerformance,
    now: Tally,
    before: Tally | None,
    where: Where,
    *,
    labelled: bool = False,
) -> tuple[Estimate | None, int]:
    """What the metric will be, and how many rows that speaks for.

    Rows speak for nothing whose prediction lies in a bin where the baseline had no labelled one, or
    that were counted on another grid.

    Args:
        signal: What is asked.
        now: The window's sums.
        before: The baseline's.
        where: The segment.
        labelled: Whether to look at rows with a label only.
    """
    learned = _by_bin(before, {}, labelled=True) if before else {}
    current = _by_bin(now, where, labelled=labelled)
    both = [key for key in current if key in learned]
    if not both:
        return None, 0
    rows = np.array([current[key][0] for key in both])
    then = np.array([learned[key] for key in both])
    estimate = estimate_from_errors(
        rows,
        then[:, 0],
        then[:, 1],
        then[:, 2],
        root=signal.metric == "rmse",
        signless=signal.metric == "bias",
    )
    return estimate, int(rows.sum())


def errors_realised(signal: EstimatedPerformance, tally: Tally) -> tuple[float | None, int]:
    """What the metric was on the labelled rows, and how many they are."""
    rows = tally.total("rows", known="1")
    if not rows:
        return None, 0
    mean = tally.total("error", known="1") / rows
    if signal.metric == "rmse":
        return math.sqrt(mean), int(rows)
    return abs(mean) if signal.metric == "bias" else mean, int(rows)


def _by_bin(tally: Tally, where: Where, *, labelled: bool) -> dict[tuple[str, str], Numbers]:
    found: dict[tuple[str, str], Numbers] = {}
    for key, sums in tally.by("grid", "bin", "known", *where).items():
        grid, place, known = key[:3]
        usable = place not in {"", NOWHERE, OTHER} and (known == "1" or not labelled)
        if usable and key[3:] == tuple(where.values()):
            new = np.array([sums[name] for name in SUMS])
            found[grid, place] = found.get((grid, place), np.zeros(len(SUMS))) + new
    return found
