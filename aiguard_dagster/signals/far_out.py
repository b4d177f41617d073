"""How far out rows lie of several columns together, and which columns put them there."""

from collections.abc import Mapping
from functools import reduce
from operator import add, or_

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import OutOfDistribution
from aiguard_dagster.core.spec.signals.out_of_distribution import MOST_FAR
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.grid_values import (
    by_column,
    columns_of,
    counted_by_column,
    flag,
    sums_of,
    value_of,
)
from aiguard_dagster.signals.tallied import PART, Counted
from aiguard_dagster.stats.grid import JointGrid, NumericGrid
from aiguard_dagster.stats.support import PER_DECADE, weights_of
from aiguard_dagster.stats.tally import OTHER, Tally

OF_JOINT = ("pull", "known")
MOST_TOLD = 5


def count_far(signal: OutOfDistribution, batch: Batch, part: nw.Expr) -> Counted:
    """Count rows by the bin of their squared distance, and sum what each column adds to it.

    Raises:
        MeasurementError: There are more columns than can be taken together.
    """
    joint = batch.grid.joint
    all_names = joint.columns if joint and joint.covariances else ()
    wanted = set(columns_of(signal, batch))
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
        value = value_of(batch, name, NumericGrid(()))
        centre, scale = joint.centres[at], joint.scales[at]
        judged.append(nw.lit(value=False) if value is None else ~value.is_null())
        cut = nw.lit(0.0) if value is None else _cut((value - centre) / scale)
        scaled[f"z{place}"] = cut - float(means[place])
    picked = batch.frame.select(
        part.alias(PART),
        **scaled,
        **{f"known{place}": flag(each) for place, each in enumerate(judged)},
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
            judged=flag(reduce(or_, there, nw.lit(value=False))),
            **pulls,
        )
        .with_columns(at=(far.log(10) * PER_DECADE).ceil().cast(nw.Int64).cast(nw.String))
        .group_by(PART, "grid", "at")
        .agg(nw.len().alias("rows"), *sums_of("judged", OF_JOINT, names))
    )
    return counted_by_column(counted, OF_JOINT, names)


def pulls(now: Tally, before: Tally | None, edge: int) -> tuple[Part, ...]:
    """What each column adds to the squared distance of the rows that are far out."""
    beyond = far_out(now, edge)
    rows = beyond.total("rows")
    if not rows or before is None:
        return ()
    current, usual = by_column(beyond, OF_JOINT), by_column(before, OF_JOINT)
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


def far_out(tally: Tally, edge: int) -> Tally:
    """The groups of rows beyond a bin of distances."""
    groups = {key: sums for key, sums in tally.groups.items() if _is_far(key[1], edge)}
    return Tally(keys=tally.keys, sums=tally.sums, groups=groups)


def _is_far(at: str, edge: int) -> bool:
    return at == OTHER or int(at) > edge


def distances(tally: Tally) -> Mapping[int, float]:
    """Judged rows by the bin of their distance."""
    found: dict[int, float] = {}
    for (at,), sums in tally.by("at").items():
        if at != OTHER:
            found[int(at)] = found.get(int(at), 0.0) + sums["judged"]
    return found


def _cut(value: nw.Expr) -> nw.Expr:
    """As :class:`JointGrid` takes values: cut off at 3, and 0 where there is none."""
    low = nw.when(value < -3).then(nw.lit(-3.0)).otherwise(value)  # noqa: PLR2004 - see above
    return nw.when(value > 3).then(nw.lit(3.0)).otherwise(low).fill_null(0.0)  # noqa: PLR2004
