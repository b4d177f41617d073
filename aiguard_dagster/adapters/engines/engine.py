"""What is asked of an engine, and what it answers: aggregates only, never rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table, TalliedSignal
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.stats.grid import Grid, Reading, Spread
from aiguard_dagster.stats.profile import Profile

Family = Literal["number", "truth", "text", "time", "other"]
SAMPLE = 200_000
"""Rows of a baseline that its grid is chosen from."""
AROUND = 2**31
GOLDEN = 1_327_217_885
"""About the golden section of that. The place of a row times this, less whole turns, is spread
evenly whatever the rhythm of the table: of hours in order every 24th row would be of one hour."""
SAFELY = 0.998
"""Of the rows wanted, what is asked for where a few more may come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to count of a batch.

    Attributes:
        table: What its columns mean.
        grid: The grid to count on.
        by: Into which parts: the version that made each prediction (one part, named ``""``, where
            the table names none), or days (UTC, ISO dates; ``""`` for rows without a time).
        classes: Whether label and prediction are classes, to be counted by pairs.
        residuals: Columns of the grid by whose bins residuals are summed.
        tallies: What else is counted: signals by the names of their tallies.
        guard: Whose batch it is, by which the hashes of people differ.
    """

    table: Table
    grid: Grid
    by: Literal["version", "day"] = "version"
    classes: bool = False
    residuals: tuple[str, ...] = ()
    tallies: Mapping[str, TalliedSignal] = field(default_factory=dict)
    guard: str = ""

    @property
    def named(self) -> tuple[str, ...]:
        """Columns that the guard names, and that must be there."""
        table = self.table
        names = (
            table.time,
            table.prediction,
            table.label,
            table.score,
            table.model_version,
            table.cost,
            table.latency,
        )
        return tuple(dict.fromkeys(name for name in names if name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """The most frequent values of a text column, in a sample of the rows.

    Attributes:
        counts: Rows by value; the most frequent, at most as many as a grid knows.
        values: Rows with a value, in the sample.
        distinct: Different values in the sample.
    """

    counts: Mapping[str, int]
    values: int
    distinct: int


class Engine(Protocol):
    """A table where it is.

    All engines give the same counts on the same rows; means and sums agree to rounding.
    """

    def families(self) -> Mapping[str, Family]:
        """What each column holds, in the table's order."""
        ...

    def spreads(self, readings: Mapping[str, Reading], table: Table) -> Mapping[str, Spread | None]:
        """The spread of columns, from a sample of at most :data:`SAMPLE` rows."""
        ...

    def categories(self, names: Sequence[str]) -> Mapping[str, Categories]:
        """The most frequent values of columns as text, from such a sample."""
        ...

    def profiles(self, plan: Plan) -> Mapping[str, Profile]:
        """Count the rows, in parts.

        Columns of the grid that are gone, and values of another type, count as nulls.

        Raises:
            MeasurementError: A column that the guard names is gone.
        """
        ...


def turn_of(rows: int, most: int) -> int:
    """The part of :data:`AROUND` in which the rows of a sample of at most so many lie."""
    return int(AROUND * SAFELY * most / rows)


def require(names: Sequence[str], present: Sequence[str]) -> None:
    """Raise unless all columns that the guard names are there."""
    gone = sorted(set(names) - set(present))
    if gone:
        what, there = f"columns are gone: {', '.join(gone)}", ", ".join(present) or "none"
        raise MeasurementError(with_hint(what, f"the table has {there}."))
