"""What a column may hold because the champion's baseline held it."""

from collections.abc import Mapping, Sequence
from typing import assert_never

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.baseline import TableBaseline
from aiguard_dagster.signals.batch import Batch, column
from aiguard_dagster.signals.columns import family_of, is_void, type_of
from aiguard_dagster.signals.demands import Demand, inside, outside
from aiguard_dagster.stats.grid import CategoryGrid, NumericGrid
from aiguard_dagster.stats.profile import ColumnProfile
from aiguard_dagster.stats.units import FEWEST_DAYS, full_days, medians_of

RARE = 0.01
"""A column that was stuck on so few of the baseline's days is not supposed to be."""


def accepted(batch: Batch, names: Sequence[str], *, margin: float) -> list[Demand]:
    """Hold columns to what the baseline held.

    Args:
        batch: The batch, which can ask for the baseline.
        names: The columns.
        margin: How far beyond the baseline's range numbers may go, as a share of its width.

    Raises:
        MeasurementError: The baseline knows nothing of a column, or knew it as another type.
    """
    baseline = batch.accepted()
    totals = baseline.total.columns
    demands = []
    for name in names:
        _require_counted(baseline, totals, name)
        if is_void(batch, name):
            demands.append(Demand(name=name))
            continue
        days = [day.columns[name] for day in baseline.days.values() if day.rows]
        match baseline.grid.columns[name]:
            case NumericGrid() as grid:
                demands.append(_numbers(batch, name, grid, totals[name], days, margin=margin))
            case CategoryGrid() as grid:
                demands.append(_categories(batch, name, grid, totals[name], days))
            case grid:
                assert_never(grid)
    return demands


def _require_counted(
    baseline: TableBaseline, totals: Mapping[str, ColumnProfile], name: str
) -> None:
    if name not in baseline.grid.columns:
        counted = ", ".join(baseline.grid.columns) or "none"
        msg = with_hint(
            f"the baseline did not count {name}",
            f"it counted {counted}; times, keys and names are left out.",
        )
        raise MeasurementError(msg)
    total = totals.get(name)
    if total is None or total.rows == total.missing:
        msg = with_hint(f"the baseline held no value of {name}", "say what it may hold in columns.")
        raise MeasurementError(msg)


def _numbers(
    batch: Batch,
    name: str,
    grid: NumericGrid,
    total: ColumnProfile,
    days: Sequence[ColumnProfile],
    *,
    margin: float,
) -> Demand:
    _require_family(batch, name, numbers=True)
    wrong: dict[str, nw.Expr] = {}
    sound = None
    if total.lowest is not None and total.highest is not None:
        slack = (total.highest - total.lowest) * margin
        low, high = total.lowest - slack, total.highest + slack
        # What was never negative is not now: -1 and -999 are how some systems write "unknown".
        low = max(low, 0.0) if total.lowest >= 0 else low
        high = min(high, 0.0) if total.highest <= 0 else high
        below, above = "below the baseline's range", "above the baseline's range"
        wrong = outside(batch, name, (low, below), (high, above))
        sound = inside(batch, name, low, high)
    if total.infinite:
        wrong.pop("infinite", None)
    stuck = [day.lowest == day.highest and not day.infinite for day in full_days(days)[0]]
    return Demand(
        name=name,
        wrong=wrong,
        sound=sound,
        varies_from=_varies_from(days, stuck),
        medians=medians_of(days, total, grid),
    )


def _categories(
    batch: Batch,
    name: str,
    grid: CategoryGrid,
    total: ColumnProfile,
    days: Sequence[ColumnProfile],
) -> Demand:
    _require_family(batch, name, numbers=False)
    unseen = ~column(batch, name).cast(nw.String).is_in(list(grid.known))
    # The last bin holds what the grid does not know by name: where it has rows, some was seen.
    folded = total.counts[-1] > 0
    stuck = [sum(bin_ > 0 for bin_ in day.counts) == 1 for day in full_days(days)[0]]
    return Demand(
        name=name,
        wrong={} if folded else {"not in the baseline": unseen},
        unjudged=unseen if folded else None,
        varies_from=_varies_from(days, stuck),
    )


def _require_family(batch: Batch, name: str, *, numbers: bool) -> None:
    dtype = type_of(batch, name)
    if (family_of(dtype) == "numbers") != numbers:
        was = "numbers" if numbers else "categories"
        msg = with_hint(
            f"{name} is {dtype} now, and the baseline counted {was}",
            "a rule of kind schema tells of types.",
        )
        raise MeasurementError(msg)


def _varies_from(days: Sequence[ColumnProfile], stuck: Sequence[bool]) -> float | None:
    """From how many values on a batch must vary; None where the baseline's days need not have."""
    if len(stuck) < FEWEST_DAYS or sum(stuck) > RARE * len(stuck):
        return None
    return full_days(days)[1]
