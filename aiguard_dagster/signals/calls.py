"""The calls of a usage ledger: each once, however often it was written down."""

from collections.abc import Mapping
from datetime import date, timedelta

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, Frame
from aiguard_dagster.signals.columns import family_of, has_values, known, plain, type_of
from aiguard_dagster.signals.moments import START, seconds_of
from aiguard_dagster.signals.tallied import PART, text_of

DAY = "day"
"""The key of days: whole days since the first of year 1, by the clock of the time column."""
DAY_SECONDS = 86_400
CALLS, DUPLICATES = "calls", "duplicates"
UNNAMED = "any"
"""The key of a role that the table does not name."""


def calls_of(
    batch: Batch, part: nw.Expr, group: str | None, columns: Mapping[str, nw.Expr]
) -> Frame:
    """One row a call, or a few calls that are alike.

    A row that repeats another of the same request or task in everything that is counted, the time
    among it, was written down twice: it is one call. Without a name of the request nothing tells
    such rows from calls that are alike, and all count.

    Args:
        batch: The ledger.
        part: To which part a row belongs.
        group: The column that names the request or task; None where the table has none.
        columns: What else is counted, by names of our own.

    Returns:
        :data:`PART`, :data:`DAY`, ``group`` as text, the columns, and how many
        :data:`CALLS` and :data:`DUPLICATES` a row stands for.
    """
    time = batch.table.time or ""
    own = nw.lit("") if group is None else text_of(batch, group)
    picked = batch.frame.select(
        part.alias(PART), day_of(batch).alias(DAY), own.alias("group"), **columns
    )
    if group is None:
        return picked.with_columns(nw.lit(1.0).alias(CALLS), nw.lit(0.0).alias(DUPLICATES))
    picked = batch.frame.select(
        part.alias(PART),
        day_of(batch).alias(DAY),
        own.alias("group"),
        plain(batch, time).alias("at"),
        **columns,
    )
    copies = nw.col("copies")
    return (
        picked.group_by(PART, DAY, "group", "at", *columns)
        .agg(nw.len().cast(nw.Float64).alias("copies"))
        .with_columns(
            nw.when(nw.col("group") == "").then(copies).otherwise(nw.lit(1.0)).alias(CALLS)
        )
        .with_columns((copies - nw.col(CALLS)).alias(DUPLICATES))
        .drop("copies")
    )


def day_of(batch: Batch) -> nw.Expr:
    """A row's day as text; empty where it has no time."""
    days = seconds_of(batch, batch.table.time or "") // DAY_SECONDS
    return days.cast(nw.Int64).cast(nw.String).fill_null("")


def date_of(day: str) -> date | None:
    """The day of a key; None for rows without a time, and for what was put together.

    >>> date_of("0"), date_of("")
    (datetime.date(1, 1, 1), None)
    """
    return (START + timedelta(days=int(day))).date() if day.isdecimal() else None


def role_text(batch: Batch, name: str | None, *, unnamed: str = UNNAMED) -> nw.Expr:
    """A role's column as text; a text of its own where the table names none."""
    return text_of(batch, name) if name else nw.lit(unnamed)


def number_of(batch: Batch, name: str | None) -> nw.Expr:
    """A role's column as finite numbers; null where there is none, or the table names no column.

    Raises:
        MeasurementError: It is gone, or holds no numbers.
    """
    nothing = nw.lit(None, nw.Float64)
    if not name:
        return nothing
    there = known(batch, name)
    dtype = type_of(batch, name)
    family = family_of(dtype)
    if family not in {"numbers", "truths"}:
        if not has_values(batch, name):  # pandas makes text of what is null throughout.
            return nw.when(there).then(nothing)
        what = f"{name} holds {dtype if family == 'something else' else family}, not numbers"
        raise MeasurementError(with_hint(what, "keep amounts in a column of numbers."))
    value = plain(batch, name).cast(nw.Float64)
    return nw.when(there & value.is_finite()).then(value)


def summed(name: str) -> nw.Expr:
    """The sum of a column of numbers, whatever an engine makes of sums."""
    return nw.col(name).sum().cast(nw.Float64)


def named(*columns: str | None) -> tuple[str, ...]:
    """The columns that a table names, of several roles."""
    return tuple(name for name in columns if name)
