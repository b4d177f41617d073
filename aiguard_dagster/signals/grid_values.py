"""Values held against the champion's grid, and sums kept by column."""

from collections.abc import Sequence

import narwhals as nw

from aiguard_dagster.core.spec import OutOfDistribution
from aiguard_dagster.signals.batch import Batch, Frame, column
from aiguard_dagster.signals.columns import family_of, known, plain, type_of
from aiguard_dagster.signals.moments import seconds_of
from aiguard_dagster.signals.tallied import Counted
from aiguard_dagster.stats.grid import CategoryGrid, ColumnGrid, NumericGrid
from aiguard_dagster.stats.tally import OTHER, Tally

COLUMN = "column"
"""The key that says which column's sums a group holds; empty for those of the rows."""
SUMS = ("rows", "judged")


def columns_of(signal: OutOfDistribution, batch: Batch) -> list[str]:
    """Those asked for that the grid has; without outcomes where none are asked for."""
    if signal.columns is not None:
        return [name for name in signal.columns if name in batch.grid.columns]
    table = batch.table
    outcomes = {table.label, table.latency, table.cost}
    return [
        name
        for name, grid in batch.grid.columns.items()
        if name not in outcomes and not (isinstance(grid, NumericGrid) and grid.reading == "error")
    ]


def value_of(batch: Batch, name: str, grid: ColumnGrid) -> nw.Expr | None:
    """What of a column is held against its grid; None where it holds nothing of the kind."""
    if name not in batch.schema:
        return None
    family = family_of(type_of(batch, name))
    match grid:
        case CategoryGrid() if family in {"text", "truths"}:
            return column(batch, name).cast(nw.String)
        case NumericGrid(reading="number") if family == "numbers":
            return plain(batch, name).cast(nw.Float64)
        case NumericGrid(reading="length") if family == "text":
            return column(batch, name).cast(nw.String).str.len_chars()
        case NumericGrid(reading="age") if family == "times" and batch.table.time:
            there = known(batch, name) & known(batch, batch.table.time)
            age = seconds_of(batch, batch.table.time) - seconds_of(batch, name)
            return nw.when(there).then(age)
        case _:
            return None


def sums_of(rows: str, of_each: Sequence[str], names: Sequence[str]) -> list[nw.Expr]:
    """Sums of what is counted of the rows, and of each column."""
    each = [f"{name}{place}" for place in range(len(names)) for name in of_each]
    return [nw.col(name).sum() for name in (rows, *each)]


def counted_by_column(frame: Frame, of_each: Sequence[str], names: Sequence[str]) -> Counted:
    """A count by grid and place, with further sums by column."""
    return Counted(
        frame=frame,
        keys=("grid", "at"),
        sums=SUMS,
        each={
            name: tuple(f"{part}{place}" for part in of_each) for place, name in enumerate(names)
        },
        each_key=COLUMN,
        each_sums=tuple(of_each),
    )


def by_column(tally: Tally | None, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Two of the sums that are kept by column."""
    if tally is None:
        return {}
    first, second = names
    return {
        key[0]: (sums[first], sums[second])
        for key, sums in tally.by(COLUMN).items()
        if key[0] not in {"", OTHER}
    }


def flag(condition: nw.Expr) -> nw.Expr:
    """1 where a condition holds, else 0."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))
