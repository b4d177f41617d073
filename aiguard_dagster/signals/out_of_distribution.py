"""Which rows lie outside what the baseline supports, and which columns put them there."""

from functools import reduce
from operator import or_

import narwhals as nw

from aiguard_dagster.core.spec import OutOfDistribution
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.far_out import MOST_TOLD, count_far, distances, far_out, pulls
from aiguard_dagster.signals.grid_values import (
    by_column,
    columns_of,
    counted_by_column,
    flag,
    sums_of,
    value_of,
)
from aiguard_dagster.signals.tallied import PART, Counted, Kind, Reading
from aiguard_dagster.stats.grid import CategoryGrid, ColumnGrid, NumericGrid
from aiguard_dagster.stats.support import edge_of
from aiguard_dagster.stats.tally import Tally

OF_COLUMNS = ("outside", "known")
SECOND = 1.0
"""Ages are counted to the second here; so far beyond the ends they may lie."""


def count_outside(signal: OutOfDistribution, batch: Batch, part: nw.Expr) -> Counted:
    """Count rows by whether they lie outside, or how far out they lie, and by column why.

    Columns that are gone, and values of another type, support nothing and are outside of nothing.

    Raises:
        MeasurementError: More columns are to be taken together than can be.
    """
    if signal.of == "joint":
        return count_far(signal, batch, part)
    names = columns_of(signal, batch)
    picked = batch.frame.select(
        part.alias(PART),
        **{
            f"state{place}": _state(batch, name, batch.grid.columns[name])
            for place, name in enumerate(names)
        },
    )
    out = [nw.col(f"state{place}") == 1 for place in range(len(names))]
    there = [~nw.col(f"state{place}").is_null() for place in range(len(names))]
    nowhere = nw.lit(value=False)
    counted = (
        picked.with_columns(
            grid=nw.lit(batch.grid.id if names else ""),
            at=flag(reduce(or_, [_sure(each) for each in out], nowhere)).cast(nw.String),
            judged=flag(reduce(or_, there, nowhere)),
            **{f"outside{place}": flag(each) for place, each in enumerate(out)},
            **{f"known{place}": flag(each) for place, each in enumerate(there)},
        )
        .group_by(PART, "grid", "at")
        .agg(nw.len().alias("rows"), *sums_of("judged", OF_COLUMNS, names))
    )
    return counted_by_column(counted, OF_COLUMNS, names)


def read_outside(signal: OutOfDistribution, now: Tally, before: Tally | None) -> Reading:
    """The share of the rows that could be judged; parts tell the columns.

    Rows that were counted on another grid than the baseline's lower the coverage.
    """
    current = _on_grid(now, before)
    rows, judged = now.total("rows"), current.total("judged") if current else 0.0
    if current is None or not judged:
        note = "no row was counted on the baseline's grid" if rows else ""
        return Reading(value=None, n=0, coverage=0.0, note=note, unit="share")
    edge = edge_of(distances(before), signal.support) if before and signal.of == "joint" else None
    if signal.of == "joint" and edge is None:
        note = "the baseline holds no distances"
        return Reading(value=None, n=int(judged), coverage=0.0, note=note, unit="share")
    value = _share(current, edge)
    parts = pulls(current, before, edge) if edge is not None else _outside(current, before)
    usual = _share(before, edge) if before else None
    return Reading(
        value=value,
        n=int(judged),
        coverage=judged / rows,
        parts=parts,
        note=f"in the baseline {percent(round(usual, 5))}" if usual is not None else "",
        unit="share",
        variance=value * (1 - value) / judged,
    )


def _state(batch: Batch, name: str, grid: ColumnGrid) -> nw.Expr:
    """1 where a value lies outside, 0 where it lies inside, null where there is none."""
    value = value_of(batch, name, grid)
    if value is None:
        return nw.lit(None, dtype=nw.Int64)
    match grid:
        case CategoryGrid():
            outside = ~value.is_in(list(grid.known)) if grid.known else ~value.is_null()
        case NumericGrid():
            slack = SECOND if grid.reading == "age" else 0.0
            edges = grid.edges
            outside = (
                (value <= edges[0] - slack) | (value > edges[-1] + slack)
                if edges
                else ~value.is_null()
            )
    return nw.when(~value.is_null()).then(flag(outside))


def _outside(now: Tally, before: Tally | None) -> tuple[Part, ...]:
    """The columns that put most rows outside, beyond what they did in the baseline."""
    current, usual = (by_column(tally, OF_COLUMNS) for tally in (now, before))
    shares = {name: out / max(there, 1.0) for name, (out, there) in current.items() if out}
    were = {name: out / max(there, 1.0) for name, (out, there) in usual.items()}
    ranked = sorted(shares, key=lambda name: (were.get(name, 0.0) - shares[name], name))
    return tuple(
        Part(
            name=name,
            value=shares[name],
            text=f"{percent(round(shares[name], 4))} outside"
            + (f", was {percent(round(were.get(name, 0.0), 4))}" if before else ""),
        )
        for name in ranked[:MOST_TOLD]
    )


def _share(tally: Tally, edge: int | None) -> float:
    """The share of judged rows outside: beyond the edge, or in any column."""
    judged = tally.total("judged")
    out = far_out(tally, edge) if edge is not None else None
    rows = out.total("judged") if out is not None else tally.total("judged", at="1")
    return rows / judged if judged else 0.0


def _on_grid(now: Tally, before: Tally | None) -> Tally | None:
    grids = {key[0] for key in (before or now).groups if key[0]}
    groups = {key: sums for key, sums in now.groups.items() if key[0] in grids}
    return Tally(keys=now.keys, sums=now.sums, groups=groups) if groups else None


def _sure(condition: nw.Expr) -> nw.Expr:
    return condition.fill_null(value=False)


OUT_OF_DISTRIBUTION = Kind(count_outside, read_outside, learns=True)
