"""Two tables that should agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import isfinite

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Reconcile
from aiguard_dagster.core.spoken import joined, percent
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.signals.batch import Batch, column, require, row_count, threshold
from aiguard_dagster.signals.columns import plain

Group = tuple[object, ...]
Number = int | float | Decimal
ROUNDING = 2.0**-52
"""What adding one more float may change; whole numbers and decimals add up exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Totals:
    """What one table adds up to, by group."""

    rows: Mapping[Group, int]
    sums: Mapping[str, Mapping[Group, Number]]


def measure_reconcile(signal: Reconcile, batch: Batch) -> tuple[Measurement, Threshold]:
    """Measure the largest relative difference, 0 to 1, between this table and another.

    A difference is ``|a - b| / max(|a|, |b|)``: none between two zeros, 1 between something and
    nothing. Each table is added up where it is; keys are compared exactly, and come here for it.
    Two tables of no rows are inconclusive.

    Raises:
        MeasurementError: A column is gone, or a sum is infinite.
    """
    other = batch.other(signal.other)
    ours, theirs = _totals(signal, batch), _totals(signal, other)
    rows, others = sum(ours.rows.values()), sum(theirs.rows.values())
    parts = []
    if signal.rows:
        parts.append(_compared("rows", ours.rows, theirs.rows))
    parts += [
        _compared(f"sum of {name}", ours.sums[name], theirs.sums[name], added=rows + others)
        for name in signal.sums or ()
    ]
    if signal.keys:
        parts.append(_keys(signal.keys, batch, other))
    parts.sort(key=lambda part: -part.value)
    nothing = rows + others == 0
    measurement = Measurement(
        value=None if nothing else parts[0].value,
        n=rows + others,
        window=batch.span,
        as_of=batch.as_of,
        parts=() if nothing else tuple(part for part in parts if part.value),
        note="no rows in either table" if nothing else "",
    )
    return measurement, threshold(signal, batch, "share")


def _totals(signal: Reconcile, batch: Batch) -> _Totals:
    by, sums = signal.by or (), signal.sums or ()
    require(batch, *by, *sums)
    groups = [plain(batch, name).alias(f"g{at}") for at, name in enumerate(by)]
    added = [_addable(batch, name).alias(f"s{at}") for at, name in enumerate(sums)]
    if not groups and not added:
        return _Totals(rows={(): row_count(batch)}, sums={})
    rows = batch.frame.select(*groups, *added)
    totals = [nw.len().alias("rows"), *(nw.col(f"s{at}").sum() for at in range(len(sums)))]
    keys = [f"g{at}" for at in range(len(by))]
    found = rows.group_by(keys).agg(*totals) if keys else rows.select(*totals)
    counted: dict[Group, int] = {}
    summed: dict[str, dict[Group, Number]] = {name: {} for name in sums}
    wanted = [*keys, "rows", *(f"s{at}" for at in range(len(sums)))]
    for row in found.select(wanted).collect().iter_rows():
        group = tuple(row[: len(keys)])
        counted[group] = int(row[len(keys)])
        for name, total in zip(sums, row[len(keys) + 1 :], strict=True):
            summed[name][group] = _finite(name, total or 0)
    return _Totals(rows=counted, sums=summed)


def _addable(batch: Batch, name: str) -> nw.Expr:
    if not batch.schema[name].is_numeric():
        msg = f"{name} holds no numbers to add up\n\nHint: name other columns in sums."
        raise MeasurementError(msg)
    if batch.schema[name].is_float():
        return plain(batch, name)
    return column(batch, name)


def _finite(name: str, total: Number) -> Number:
    if not isfinite(total):
        msg = f"the sum of {name} is not finite\n\nHint: add a values rule, which tells infinities."
        raise MeasurementError(msg)
    return total


def _compared(
    name: str, ours: Mapping[Group, Number], theirs: Mapping[Group, Number], *, added: int = 0
) -> Part:
    """The worst group of one total; groups are counted, never named: their values are rows."""
    groups = ours.keys() | theirs.keys()
    found = {
        group: _difference(ours.get(group, 0), theirs.get(group, 0), added) for group in groups
    }
    worst = max(found.values(), default=0.0)
    if len(groups) <= 1 and () in groups | {()}:
        left, right = sum(ours.values()), sum(theirs.values())
        return Part(name=name, value=worst, text=f"{left:,.6g} here, {right:,.6g} there")
    off = sum(value > 0 for value in found.values())
    text = f"{off:,} of {len(groups):,} groups differ, most by {percent(worst)}"
    return Part(name=name, value=worst, text=text)


def _difference(left: Number, right: Number, added: int) -> float:
    """The relative difference; what the order of adding floats explains is none."""
    exact = not isinstance(left, float) and not isinstance(right, float)
    one, two = Fraction(left), Fraction(right)
    largest = max(abs(one), abs(two))
    found = min(float(abs(one - two) / largest), 1.0) if largest else 0.0
    return found if exact or found > added * ROUNDING else 0.0


def _keys(keys: Sequence[str], batch: Batch, other: Batch) -> Part:
    """The share of the distinct keys that only one of the tables has."""
    ours, theirs = _distinct(keys, batch), _distinct(keys, other)
    alone, missing = len(ours - theirs), len(theirs - ours)
    whole = len(ours | theirs)
    text = f"{alone:,} only here, {missing:,} only there, of {whole:,}"
    share = (alone + missing) / whole if whole else 0.0
    return Part(name=f"keys by {joined(keys)}", value=share, text=text)


def _distinct(keys: Sequence[str], batch: Batch) -> set[Group]:
    require(batch, *keys)
    parts = [plain(batch, name).alias(f"k{at}") for at, name in enumerate(keys)]
    found = batch.frame.select(*parts).unique().collect()
    return set(found.iter_rows())
