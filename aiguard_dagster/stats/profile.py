"""Mergeable counts of one batch: windows are sums of profiles, and no row is read twice.

Counts, extremes and sums of integers add up exactly, in any order and grouping; means, spreads and
sums of floats to rounding.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.tally import Tally, merge_tallies

UNKNOWN_VERSION = "unknown"
"""The part of rows that say no version, in a table that names them."""
T = TypeVar("T", float, datetime)
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """Counts of one column.

    Attributes:
        rows: All rows of the batch.
        counts: Rows in each bin of the grid; infinities fall into the outer bins.
        nulls: Rows without a value.
        nans: Rows that are NaN; engines that know no NaN count them as nulls.
        minus_infinite: Rows that are minus infinity.
        plus_infinite: Rows that are plus infinity.
        lowest: Smallest finite value; None for categories and where there is none.
        highest: Largest finite value, likewise.
        mean: Mean of the finite values; 0 where there is none.
        spread: Sum of squared distances from the mean.
    """

    rows: int
    counts: tuple[int, ...]
    nulls: int = 0
    nans: int = 0
    minus_infinite: int = 0
    plus_infinite: int = 0
    lowest: float | None = None
    highest: float | None = None
    mean: float = 0.0
    spread: float = 0.0

    @property
    def missing(self) -> int:
        """Rows without a usable value: null or NaN."""
        return self.nulls + self.nans

    @property
    def infinite(self) -> int:
        """Rows that are infinite."""
        return self.minus_infinite + self.plus_infinite

    @property
    def finite(self) -> int:
        """Rows with a value that is neither missing nor infinite."""
        return self.rows - self.missing - self.infinite

    @property
    def deviation(self) -> float:
        """Standard deviation of the finite values; 0 where there is none."""
        return math.sqrt(self.spread / self.finite) if self.finite else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What became of the predictions: sums over the rows whose label is known, and the spend.

    Attributes:
        labelled: Rows with both a prediction and a label.
        measurable: Those of them in which both are finite numbers.
        absolute: Sum of ``|prediction - label|``.
        squared: Sum of ``(prediction - label)²``.
        signed: Sum of ``prediction - label``.
        confusion: Rows by ``(label, prediction)``, for classification.
        scores: Counts on :data:`SCORE_EDGES` by ``(label, prediction)``; the label is empty where
            it is not known yet.
        priced: Rows with a cost.
        spend: Sum of the costs.
    """

    labelled: int = 0
    measurable: int = 0
    absolute: float = 0.0
    squared: float = 0.0
    signed: float = 0.0
    confusion: Mapping[tuple[str, str], int] = field(default_factory=dict)
    scores: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    priced: int = 0
    spend: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """How far outcomes lie from what was predicted, in each bin of one column.

    Attributes:
        rows: Labelled rows in each bin of the column's grid, and at last those without a value.
        sums: Sum of ``label - prediction`` in each.
        squares: Sum of its square in each.
    """

    rows: tuple[int, ...]
    sums: tuple[float, ...]
    squares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Counts of one batch of one table, on one grid.

    Attributes:
        rows: Rows of the batch.
        first: Oldest event time; None without a time column or rows.
        last: Newest event time.
        columns: Column counts by name.
        outcomes: Errors, confusion and spend.
        residuals: Residuals by the column whose bins they are told by.
        products: Sums of ``z_i z_j`` over the grid's joint columns, the lower triangle by rows, the
            squares included; then the sums of ``z_i``. Empty where nothing is watched jointly.
        tallies: Sums by group, by the name of what asked for them.
    """

    rows: int
    first: datetime | None
    last: datetime | None
    columns: Mapping[str, ColumnProfile]
    outcomes: Outcomes = field(default_factory=Outcomes)
    residuals: Mapping[str, Residuals] = field(default_factory=dict)
    products: tuple[float, ...] = ()
    tallies: Mapping[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProfile:
    """Profiles of one batch by the model version that made the predictions.

    Attributes:
        grid_id: The grid that the counts are on.
        parts: Version to profile; the key is empty for tables that name no version.
    """

    grid_id: str
    parts: Mapping[str, Profile]


EMPTY = Profile(rows=0, first=None, last=None, columns={})


def merge_columns(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    """Add column profiles; mean and spread after Chan, Golub and LeVeque (1979).

    Raises:
        MeasurementError: They are on grids of different size.
    """
    sizes = sorted({len(part.counts) for part in parts})
    if len(sizes) != 1:
        msg = f"profiles of {' and '.join(map(str, sizes))} bins cannot be added"
        raise MeasurementError(msg)
    finite = sum(part.finite for part in parts)
    # From the first mean on, so that no digits are lost far from zero.
    start = next((part.mean for part in parts if part.finite), 0.0)
    mean = start + sum(part.finite * (part.mean - start) for part in parts) / max(finite, 1)
    spread = sum(part.spread + part.finite * _squared(part.mean - mean) for part in parts)
    return ColumnProfile(
        rows=sum(part.rows for part in parts),
        counts=_added(part.counts for part in parts),
        nulls=sum(part.nulls for part in parts),
        nans=sum(part.nans for part in parts),
        minus_infinite=sum(part.minus_infinite for part in parts),
        plus_infinite=sum(part.plus_infinite for part in parts),
        lowest=_extreme(min, (part.lowest for part in parts)),
        highest=_extreme(max, (part.highest for part in parts)),
        mean=mean,
        spread=spread,
    )


def merge_outcomes(parts: Sequence[Outcomes]) -> Outcomes:
    """Add sums of outcomes."""
    return Outcomes(
        labelled=sum(part.labelled for part in parts),
        measurable=sum(part.measurable for part in parts),
        absolute=sum(part.absolute for part in parts),
        squared=sum(part.squared for part in parts),
        signed=sum(part.signed for part in parts),
        confusion=_by_key([part.confusion for part in parts], sum),
        scores=_by_key([part.scores for part in parts], _added),
        priced=sum(part.priced for part in parts),
        spend=sum(part.spend for part in parts),
    )


def merge_residuals(parts: Sequence[Residuals]) -> Residuals:
    """Add residuals of one column's bins."""
    return Residuals(
        rows=_added(part.rows for part in parts),
        sums=_added(part.sums for part in parts),
        squares=_added(part.squares for part in parts),
    )


def merge_all(profiles: Iterable[Profile]) -> Profile:
    """The sum of profiles of one grid; a batch of no rows adds nothing.

    No profile gives a profile of no rows. The time it takes grows with their number, no faster.

    Raises:
        MeasurementError: Their columns differ.
    """
    parts = [profile for profile in profiles if profile.rows]
    if len(parts) <= 1:
        return parts[0] if parts else EMPTY
    names = parts[0].columns.keys()
    for part in parts:
        if part.columns.keys() != names or len(part.products) != len(parts[0].products):
            differ = ", ".join(sorted(names ^ part.columns.keys())) or "those watched jointly"
            msg = f"profiles of different columns cannot be added: {differ}"
            raise MeasurementError(msg)
    return Profile(
        rows=sum(part.rows for part in parts),
        first=_extreme(min, (part.first for part in parts)),
        last=_extreme(max, (part.last for part in parts)),
        columns={name: merge_columns([part.columns[name] for part in parts]) for name in names},
        outcomes=merge_outcomes([part.outcomes for part in parts]),
        residuals=_by_key([part.residuals for part in parts], merge_residuals),
        products=_added(part.products for part in parts),
        tallies=_by_key([part.tallies for part in parts], merge_tallies),
    )


def merge(a: Profile, b: Profile) -> Profile:
    """Add two profiles; see :func:`merge_all`."""
    return merge_all([a, b])


def _squared(value: float) -> float:
    """As a product, which may be infinite; a power raises an error then."""
    return value * value


def _added(rows: Iterable[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(map(sum, zip(*rows, strict=True)))


def _by_key(parts: Sequence[Mapping[Key, Any]], add: Callable[[Any], Any]) -> dict[Key, Any]:
    """What several mappings hold under each key, added up."""
    found: dict[Key, list[Any]] = {}
    for part in parts:
        for key, value in part.items():
            found.setdefault(key, []).append(value)
    return {key: add(values) for key, values in found.items()}


def _extreme(pick: Callable[..., T], values: Iterable[T | None]) -> T | None:
    return pick((value for value in values if value is not None), default=None)
