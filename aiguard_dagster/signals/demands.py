"""What a column's values are held to, and how many are not as they should be."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw

from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.batch import Batch, column
from aiguard_dagster.signals.columns import count, infinite, known, plain, rounded, type_of
from aiguard_dagster.stats.units import Medians, jump

FINITE = sys.float_info.max


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one column is held to.

    Attributes:
        name: The column.
        wrong: By what is said of them, the values that are not allowed; false or null elsewhere,
            and no value is in two of them.
        sound: An aggregate that, where it is true, says that no value is wrong; it spares counting
            them. None where there is no such.
        unjudged: Values of which nothing can be said; None where there are none such.
        varies_from: On so many values, one value throughout is wrong; None where it never is.
        medians: Where its medians were, to see a change of unit; None where that is not asked.
    """

    name: str
    wrong: Mapping[str, nw.Expr] = field(default_factory=dict)
    sound: nw.Expr | None = None
    unjudged: nw.Expr | None = None
    varies_from: float | None = None
    medians: Medians | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What became of one demand.

    Attributes:
        name: The column.
        known: Its values.
        judged: Those of which something can be said.
        wrong: Those that are not allowed; all of them where the column is wrong as a whole.
        text: What is wrong, in counts.
    """

    name: str
    known: int
    judged: int
    wrong: int
    text: str

    @property
    def part(self) -> Part:
        """The share that is wrong."""
        return Part(name=self.name, value=self.wrong / self.judged, text=self.text)


def outside(
    batch: Batch, name: str, low: tuple[float, str] | None, high: tuple[float, str] | None
) -> dict[str, nw.Expr]:
    """Numbers below or above; an infinite one is outside of any range.

    Args:
        batch: The batch.
        name: A column of numbers.
        low: The smallest number allowed, and what is said of smaller ones.
        high: The largest, likewise.
    """
    dtype = type_of(batch, name)
    value = column(batch, name)
    if dtype != nw.Float64:
        value = value.cast(nw.Float64)
    wrong = {}
    if low is not None:
        wrong[low[1]] = value < rounded(low[0], dtype)
    if high is not None:
        wrong[high[1]] = value > rounded(high[0], dtype)
    if dtype.is_float():
        finite = column(batch, name).is_finite()
        wrong = {said: finite & condition for said, condition in wrong.items()}
        wrong["infinite"] = ~finite & known(batch, name)
    return wrong


def inside(batch: Batch, name: str, low: float | None, high: float | None) -> nw.Expr:
    """Whether the smallest and the largest number are in a range, and finite.

    Engines differ in whether NaN is the largest number; where it is, the answer is no.
    """
    dtype = type_of(batch, name)
    value = column(batch, name)
    if dtype != nw.Float64:
        value = value.cast(nw.Float64)
    least = -FINITE if low is None else rounded(low, dtype)
    most = FINITE if high is None else rounded(high, dtype)
    return (value.min() >= least) & (value.max() <= most)


def measure_demands(batch: Batch, demands: Sequence[Demand]) -> tuple[int, list[Found]]:
    """Rows of the batch, and what became of each demand.

    One pass over the rows; one more to count what is wrong in columns that are not sound.
    """
    shorts = {f"c{position}": demand for position, demand in enumerate(demands)}
    aggregates = [nw.len().alias("rows")]
    for short, demand in shorts.items():
        aggregates += _aggregates(batch, demand, short)
    (row,) = batch.frame.select(*aggregates).collect().rows(named=True)
    doubtful = [
        each.alias(name)
        for short, demand in shorts.items()
        if demand.sound is not None and not row[f"{short}_sound"] and row[f"{short}_known"]
        for name, each in _wrong(batch, demand, short).items()
    ]
    if doubtful:
        (more,) = batch.frame.select(*doubtful).collect().rows(named=True)
        row |= more
    found = [_found(demand, row, short) for short, demand in shorts.items()]
    return int(row["rows"]), found


def _wrong(batch: Batch, demand: Demand, short: str) -> dict[str, nw.Expr]:
    return {f"{short}_{at}": count(batch, each) for at, each in enumerate(demand.wrong.values())}


def _aggregates(batch: Batch, demand: Demand, short: str) -> list[nw.Expr]:
    there = known(batch, demand.name)
    asked = {f"{short}_known": count(batch, there)}
    if demand.sound is None:
        asked |= _wrong(batch, demand, short)
    else:
        asked[f"{short}_sound"] = demand.sound
    if demand.unjudged is not None:
        asked[f"{short}_unjudged"] = count(batch, there & demand.unjudged)
    value = plain(batch, demand.name)
    if batch.frame.implementation.is_polars() and type_of(batch, demand.name).is_float():
        value = column(batch, demand.name)  # Its least and largest are never NaN.
    if demand.varies_from is not None:
        asked[f"{short}_stuck"] = (value.min() == value.max()).cast(nw.Int64)
    if demand.medians is not None:
        endless = infinite(batch, demand.name)
        finite = there if endless is None else there & ~endless
        number = nw.when(finite).then(plain(batch, demand.name).cast(nw.Float64))
        asked |= {f"{short}_finite": count(batch, finite), f"{short}_median": number.median()}
    return [aggregate.alias(name) for name, aggregate in asked.items()]


def _found(demand: Demand, row: Mapping[str, Any], short: str) -> Found:
    def number(what: object) -> int:
        return int(row.get(f"{short}_{what}") or 0)

    there = number("known")
    judged = there - number("unjudged")
    wrong = sum(number(position) for position in range(len(demand.wrong)))
    pieces = [
        f"{number(position):,} {said}"
        for position, said in enumerate(demand.wrong)
        if number(position)
    ]
    whole = _wrong_as_a_whole(demand, row, short, there)
    if whole:
        judged = wrong = there
    elif pieces:
        pieces[0] = f"of {judged:,} values {pieces[0]}"
    text = ", ".join([*whole, *pieces])
    return Found(name=demand.name, known=there, judged=judged, wrong=wrong, text=text)


def _wrong_as_a_whole(demand: Demand, row: Mapping[str, Any], short: str, known: int) -> list[str]:
    """What is wrong with all values together."""
    said = []
    if demand.medians is not None and row[f"{short}_median"] is not None:
        finite = int(row[f"{short}_finite"])
        power = jump(float(row[f"{short}_median"]), finite, demand.medians)
        if power:
            how = "divided" if power > 0 else "multiplied"
            said.append(f"its median fits the baseline only if {how} by {10 ** abs(power):,}")
    least = demand.varies_from
    if least is not None and known >= least and row[f"{short}_stuck"]:
        said.append(f"one value throughout, {known:,} times")
    return said
