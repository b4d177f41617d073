"""Mergeable counts of one batch: windows are sums of profiles, and no row is read twice."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import TypeVar

from aiguard_dagster.core.errors import MeasurementError

T = TypeVar("T", float, datetime)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """Counts of one column.

    Attributes:
        rows: All rows of the batch.
        nulls: Rows that are null or NaN.
        infinite: Rows that are plus or minus infinity.
        counts: Rows in each bin of the grid; infinities fall into the outer bins.
        lowest: Smallest finite value; None for categories and where there is none.
        highest: Largest finite value, likewise.
        mean: Mean of the finite values; 0 where there is none.
        spread: Sum of squared distances from the mean.
    """

    rows: int
    nulls: int
    infinite: int
    counts: tuple[int, ...]
    lowest: float | None = None
    highest: float | None = None
    mean: float = 0.0
    spread: float = 0.0

    @property
    def finite(self) -> int:
        """Rows with a usable value."""
        return self.rows - self.nulls - self.infinite


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What became of the predictions: sums over the rows whose label is known, and the spend.

    Attributes:
        labelled: Rows with both a prediction and a label.
        absolute: Sum of ``|prediction - label|``.
        squared: Sum of ``(prediction - label)²``.
        signed: Sum of ``prediction - label``.
        confusion: Rows by ``(label, prediction)``, for classification.
        priced: Rows with a cost.
        spend: Sum of the costs.
    """

    labelled: int = 0
    absolute: float = 0.0
    squared: float = 0.0
    signed: float = 0.0
    confusion: Mapping[tuple[str, str], int] = field(default_factory=dict)
    priced: int = 0
    spend: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Counts of one batch of one table, on one grid.

    Attributes:
        rows: Rows of the batch.
        first: Oldest event time; None without a time column or rows.
        last: Newest event time.
        columns: Column counts by name.
        outcomes: Errors, confusion and spend.
    """

    rows: int
    first: datetime | None
    last: datetime | None
    columns: Mapping[str, ColumnProfile]
    outcomes: Outcomes = field(default_factory=Outcomes)


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


def merge_columns(a: ColumnProfile, b: ColumnProfile) -> ColumnProfile:
    """Add two column profiles; mean and spread after Chan, Golub and LeVeque (1979).

    Raises:
        MeasurementError: The two are on grids of different size.
    """
    if len(a.counts) != len(b.counts):
        msg = f"profiles of {len(a.counts)} and {len(b.counts)} bins cannot be added"
        raise MeasurementError(msg)
    finite = a.finite + b.finite
    gap = b.mean - a.mean
    share = b.finite / finite if finite else 0.0
    return ColumnProfile(
        rows=a.rows + b.rows,
        nulls=a.nulls + b.nulls,
        infinite=a.infinite + b.infinite,
        counts=tuple(x + y for x, y in zip(a.counts, b.counts, strict=True)),
        lowest=_extreme(min, a.lowest, b.lowest),
        highest=_extreme(max, a.highest, b.highest),
        mean=a.mean + gap * share,
        spread=a.spread + b.spread + gap * gap * a.finite * share,
    )


def merge_outcomes(a: Outcomes, b: Outcomes) -> Outcomes:
    """Add two sums of outcomes."""
    confusion = dict(a.confusion)
    for pair, rows in b.confusion.items():
        confusion[pair] = confusion.get(pair, 0) + rows
    return Outcomes(
        labelled=a.labelled + b.labelled,
        absolute=a.absolute + b.absolute,
        squared=a.squared + b.squared,
        signed=a.signed + b.signed,
        confusion=confusion,
        priced=a.priced + b.priced,
        spend=a.spend + b.spend,
    )


def merge(a: Profile, b: Profile) -> Profile:
    """Add two profiles of one grid; a batch of no rows adds nothing.

    Raises:
        MeasurementError: Both have rows and their columns differ.
    """
    if not a.rows or not b.rows:
        return a if a.rows else b
    if set(a.columns) != set(b.columns):
        differ = ", ".join(sorted(set(a.columns) ^ set(b.columns)))
        msg = f"profiles of different columns cannot be added: {differ}"
        raise MeasurementError(msg)
    return Profile(
        rows=a.rows + b.rows,
        first=_extreme(min, a.first, b.first),
        last=_extreme(max, a.last, b.last),
        columns={name: merge_columns(a.columns[name], b.columns[name]) for name in a.columns},
        outcomes=merge_outcomes(a.outcomes, b.outcomes),
    )


def merge_all(profiles: Iterable[Profile]) -> Profile:
    """The sum of profiles; no profile gives a profile of no rows."""
    return reduce(merge, profiles, EMPTY)


def _extreme(pick: Callable[[T, T], T], a: T | None, b: T | None) -> T | None:
    if a is None or b is None:
        return b if a is None else a
    return pick(a, b)
