"""Which rows lie outside what the baseline supports, and which columns put them there."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add, or_

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import OutOfDistribution
from aiguard_dagster.core.spec.signals.out_of_distribution import MOST_FAR
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, Frame, column
from aiguard_dagster.signals.columns import family_of, known, plain, type_of
from aiguard_dagster.signals.moments import seconds_of
from aiguard_dagster.signals.tallied import PART, Counted, Kind, Reading
from aiguard_dagster.stats.grid import CategoryGrid, ColumnGrid, JointGrid, NumericGrid
from aiguard_dagster.stats.support import PER_DECADE, edge_of, weights_of
from aiguard_dagster.stats.tally import OTHER, Tally

COLUMN = "column"
"""The key that says which column's sums a group holds; empty for those of the rows."""
SUMS = ("rows", "judged")
OF_COLUMNS = ("outside", "known")
OF_JOINT = ("pull", "known")
MOST_TOLD = 5
SECOND = 1.0
"""Ages are counted to the second here; so far beyond the ends they may lie."""
Numbers = NDArray[np.float64]


def count_outside(signal: OutOfDistribution, batch: Batch, part: nw.Expr) -> Counted:
    """Count rows by whether they lie outside, or how far out they lie, and by column why.

    Columns that are gone, and values of another type, support nothing and are outside of nothing.

    Raises:
        MeasurementError: More columns are to be taken together than can be.
    """
    if signal.of == "joint":
        return _count_far(signal, batch, part)
    names = _columns(signal, batch)
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
            at=_flag(reduce(or_, [_sure(each) for each in out], nowhere)).cast(nw.String),
            judged=_flag(reduce(or_, there, nowhere)),
            **{f"outside{place}": _flag(each) for place, each in enumerate(out)},
            **{f"known{place}": _flag(each) for place, each in enumerate(there)},
        )
        .group_by(PART, "grid", "at")
        .agg(nw.len().alias("rows"), *_sums("judged", OF_COLUMNS, names))
    )
    return _counted(counted, OF_COLUMNS, names)


def read_outside(signal: OutOfDistribution, now: Tally, before: Tally | None) -> Reading:
    """The share of the rows that could be judged; parts tell the columns.

    Rows that were counted on another grid than the baseline's lower the coverage.
    """
    current = _on_grid(now, before)
    rows, judged = now.total("rows"), current.total("judged") if current else 0.0
    if current is None or not judged:
        note = "no row was counted on the baseline's grid" if rows else ""
        return Reading(value=None, n=0, coverage=0.0, note=note, unit="share")
    edge = edge_of(_distances(before), signal.support) if before and signal.of == "joint" else None
    if signal.of == "joint" and edge is None:
        note = "the baseline holds no distances"
        return Reading(value=None, n=int(judged), coverage=0.0, note=note, unit="share")
    value = _share(current, edge)
    parts = _pulls(current, before, edge) if edge is not None else _outside(current, before)
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


# By column.


def _columns(signal: OutOfDistribution, batch: Batch) -> list[str]:
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


def _state(batch: Batch, name: str, grid: ColumnGrid) -> nw.Expr:
    """1 where a value lies outside, 0 where it lies inside, null where there is none."""
    value = _value(batch, name, grid)
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
    return nw.when(~value.is_null()).then(_flag(outside))


def _value(batch: Batch, name: str, grid: ColumnGrid) -> nw.Expr | None:
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


def _outside(now: Tally, before: Tally | None) -> tuple[Part, ...]:
    """The columns that put most rows outside, beyond what they did in the baseline."""
    current, usual = (_by_column(tally, OF_COLUMNS) for tally in (now, before))
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


# Together.


def _count_far(signal: OutOfDistribution, batch: Batch, part: nw.Expr) -> Counted:
    joint = batch.grid.joint
    all_names = joint.columns if joint and joint.covariances else ()
    wanted = set(_columns(signal, batch))
    names = [name for name in all_names if name in wanted]
    if len(names) > MOST_FAR:
        what = f"{len(names)} columns of numbers are too many to take together"
        raise MeasurementError(with_hint(what, f"name at most {MOST_FAR} of them in columns."))
    scaled = {}
    judged: list[nw.Expr] = []
    joint = joint or JointGrid((), (), ())
    means, weights = weights_of(joint, names)
    for place, name in enumerate(names):
        at = all_names.index(name)
        value = _value(batch, name, NumericGrid(()))
        centre, scale = joint.centres[at], joint.scales[at]
        judged.append(nw.lit(value=False) if value is None else ~value.is_null())
        cut = nw.lit(0.0) if value is None else _cut((value - centre) / scale)
        scaled[f"z{place}"] = cut - float(means[place])
    picked = batch.frame.select(
        part.alias(PART),
        **scaled,
        **{f"known{place}": _flag(each) for place, each in enumerate(judged)},
    )
    pulls = {
        f"pull{row}": nw.col(f"z{row}")
        * reduce(add, [nw.col(f"z{k}") * float(weights[row, k]) for k in range(len(names))])
        for row in range(len(names))
    }
    there = [nw.col(f"known{place}") == 1 for place in range(len(names))]
    far = reduce(add, [nw.col(name) for name in pulls], nw.lit(0.0))
    far = nw.when(far > 1e-6).then(far).otherwise(nw.lit(1e-6))  # noqa: PLR2004 - as good as none
    counted = (
        picked.with_columns(
            grid=nw.lit(batch.grid.id if names else ""),
            judged=_flag(reduce(or_, there, nw.lit(value=False))),
            **pulls,
        )
        .with_columns(at=(far.log(10) * PER_DECADE).ceil().cast(nw.Int64).cast(nw.String))
        .group_by(PART, "grid", "at")
        .agg(nw.len().alias("rows"), *_sums("judged", OF_JOINT, names))
    )
    return _counted(counted, OF_JOINT, names)


def _pulls(now: Tally, before: Tally | None, edge: int) -> tuple[Part, ...]:
    """What each column adds to the squared distance of the rows that are far out."""
    beyond = _far(now, edge)
    rows = beyond.total("rows")
    if not rows or before is None:
        return ()
    current, usual = _by_column(beyond, OF_JOINT), _by_column(before, OF_JOINT)
    were = {name: pull / before.total("rows") for name, (pull, _) in usual.items()}
    adds = {name: pull / rows for name, (pull, _) in current.items()}
    total = sum(adds.values())
    ranked = sorted(adds, key=lambda name: (were.get(name, 0.0) - adds[name], name))
    return tuple(
        Part(
            name=name,
            value=adds[name],
            text=f"{adds[name]:.3g} of the squared distance of {total:.3g} in rows out there,"
            f" was {were.get(name, 0.0):.3g}",
        )
        for name in ranked[:MOST_TOLD]
    )


def _far(tally: Tally, edge: int) -> Tally:
    groups = {key: sums for key, sums in tally.groups.items() if _is_far(key[1], edge)}
    return Tally(keys=tally.keys, sums=tally.sums, groups=groups)


def _is_far(at: str, edge: int) -> bool:
    return at == OTHER or int(at) > edge


def _distances(tally: Tally) -> Mapping[int, float]:
    found: dict[int, float] = {}
    for (at,), sums in tally.by("at").items():
        if at != OTHER:
            found[int(at)] = found.get(int(at), 0.0) + sums["judged"]
    return found


# Both.


def _share(tally: Tally, edge: int | None) -> float:
    """The share of judged rows outside: beyond the edge, or in any column."""
    judged = tally.total("judged")
    out = _far(tally, edge) if edge is not None else None
    rows = out.total("judged") if out is not None else tally.total("judged", at="1")
    return rows / judged if judged else 0.0


def _on_grid(now: Tally, before: Tally | None) -> Tally | None:
    grids = {key[0] for key in (before or now).groups if key[0]}
    groups = {key: sums for key, sums in now.groups.items() if key[0] in grids}
    return Tally(keys=now.keys, sums=now.sums, groups=groups) if groups else None


def _by_column(tally: Tally | None, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    if tally is None:
        return {}
    first, second = names
    return {
        key[0]: (sums[first], sums[second])
        for key, sums in tally.by(COLUMN).items()
        if key[0] not in {"", OTHER}
    }


def _sums(rows: str, of_each: Sequence[str], names: Sequence[str]) -> list[nw.Expr]:
    each = [f"{name}{place}" for place in range(len(names)) for name in of_each]
    return [nw.col(name).sum() for name in (rows, *each)]


def _counted(frame: Frame, of_each: Sequence[str], names: Sequence[str]) -> Counted:
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


def _cut(value: nw.Expr) -> nw.Expr:
    """As :class:`JointGrid` takes values: cut off at 3, and 0 where there is none."""
    low = nw.when(value < -3).then(nw.lit(-3.0)).otherwise(value)  # noqa: PLR2004 - see above
    return nw.when(value > 3).then(nw.lit(3.0)).otherwise(low).fill_null(0.0)  # noqa: PLR2004


def _flag(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))


def _sure(condition: nw.Expr) -> nw.Expr:
    return condition.fill_null(value=False)


OUT_OF_DISTRIBUTION = Kind(count_outside, read_outside, learns=True)
