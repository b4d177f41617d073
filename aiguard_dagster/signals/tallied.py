"""What every kind that is measured from sums by group has in common.

A kind says how a batch is counted (:class:`Counted`, a grouped query that any engine runs) and how
a value is read from the sums (:class:`Reading`). Windows, baselines and limits are alike for all.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import narwhals as nw

from aiguard_dagster.core.spec import Table, TalliedSignal
from aiguard_dagster.core.verdicts import Part, Unit
from aiguard_dagster.signals.batch import Batch, Frame
from aiguard_dagster.signals.columns import known, plain, type_of
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.tally import Tally

PART = "part"
"""The column of a counted frame that says to which part of the batch a group belongs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A grouped query: one row a group.

    Attributes:
        frame: Its columns are :data:`PART`, the keys and the sums.
        keys: Columns of text that groups are told apart by.
        sums: Columns of numbers that add up; the first ranks the groups, where there are too many.
        hashed: Keys that name people, of whom only hashes are kept.
        apart: Keys of few values that stay as they are where there are too many groups.
        each: What has further sums of its own in every group, such as a column, by its name, which
            is a value of ``each_key`` and stands in no query: the frame's columns that hold them.
        each_key: The last key of the tally, where there is something in ``each``; empty in the
            groups that hold ``sums``.
        each_sums: What the further sums are called.
    """

    frame: Frame
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    hashed: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    each: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    each_key: str = ""
    each_sums: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A value read from sums.

    Attributes:
        value: In the signal's own unit; None where nothing could be measured.
        n: What it rests on, as ``min_samples`` counts.
        coverage: Share, 0 to 1, of the rows that could be measured.
        parts: What explains it, or its change against the baseline; worst first.
        note: What a reader must know; empty if nothing.
        unit: How values are written.
        variance: Of the value, by chance alone; None where it is not known.
        interval: The ends of its 95 % interval; None where it is not known.
    """

    value: float | None
    n: int
    coverage: float = 1.0
    parts: tuple[Part, ...] = ()
    note: str = ""
    unit: Unit = "number"
    variance: float | None = None
    interval: tuple[float, float] | None = None


Count = Callable[[Any, Batch, nw.Expr], Counted]
"""Counts a batch for a signal; the expression says to which part a row belongs."""
Read = Callable[[Any, Tally, Tally | None], Reading]
"""Reads a signal's value from a window's sums; the baseline's, if there is one, explain changes."""
ReadWindow = Callable[[Any, Tally, Tally | None, WindowProfiles], Reading]
"""The same, told the window: how long it is, and when it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a reading may be seen beside, where the sums of its window are not enough.

    Attributes:
        as_of: The event time the reading speaks for.
        batches: The newest event time of each of the window's batches that has rows, and its sums.
        earlier: The sums of earlier windows, newest first; as far back as the signal looks.
        before: The baseline's sums; None where nothing was recorded.
        now: The window's own sums.
        days: The baseline's sums by day, in time order.
        versions: The window's sums by the version that made the rows; those of a table that names
            none are under an empty one.
        memo: Keeps what was derived from the baseline, which never changes, by a name for it.
    """

    now: Tally
    as_of: datetime
    batches: Sequence[tuple[datetime | None, Tally]]
    earlier: Sequence[Tally]
    before: Tally | None
    days: Sequence[Tally] = ()
    versions: Mapping[str, Tally] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict)


Look = Callable[[Any, Reading, Seen], Reading]
"""Goes over a reading with what it may be seen beside: what is late, and what came true."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of signal is counted and read.

    Attributes:
        count: Counts a batch.
        read: Reads the sums of whole days.
        read_window: Reads the sums of a window, where its length matters; as ``read`` if None.
        learns: Whether there is no value without the baseline's sums, which it learns from.
        look: Goes over the reading of a window; None where there is nothing to add.
    """

    count: Count
    read: Read
    read_window: ReadWindow | None = None
    learns: bool = False
    look: Look | None = None


def tally_name(signal: TalliedSignal, table: Table) -> str:
    """Names what a signal counts: two signals of one name share a tally.

    >>> from datetime import timedelta
    >>> from aiguard_dagster.core.spec import Latency
    >>> table = Table(asset="answers", time="at", latency="ms")
    >>> day, week = (Latency(window=timedelta(days=days)) for days in (1, 7))
    >>> tally_name(day, table) == tally_name(week, table)
    True
    """
    roles = {name: getattr(table, name) for name in (*signal.roles, "model_version", "time_zone")}
    text = json.dumps([signal.counted_by, roles], sort_keys=True, default=str)
    return f"{signal.count_name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def class_of(batch: Batch, name: str) -> nw.Expr:
    """A value as text, the same for 1 and 1.0: pandas has no whole numbers beside nulls.

    Raises:
        MeasurementError: The column is gone.
    """
    value, dtype = plain(batch, name), type_of(batch, name)
    if not (dtype.is_float() or dtype.is_decimal()):
        return value.cast(nw.String)
    value = value.cast(nw.Float64)
    fits = value.is_finite() & (value.abs() < 2.0**53)
    whole = nw.when(fits).then(value).otherwise(nw.lit(0.0)).floor()
    short = whole.cast(nw.Int64).cast(nw.String)
    return nw.when(fits & (value == whole)).then(short).otherwise(value.cast(nw.String))


def text_of(batch: Batch, name: str) -> nw.Expr:
    """A column as text; no value is empty.

    Raises:
        MeasurementError: The column is gone.
    """
    return class_of(batch, name).fill_null("")


def rows_where(condition: nw.Expr) -> nw.Expr:
    """In how many rows of a group a condition holds; where it is unknown it does not."""
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).sum()


def sum_of(batch: Batch, name: str) -> nw.Expr:
    """The values of a column as numbers; 0 where there is none, or none that is finite."""
    value = plain(batch, name).cast(nw.Float64)
    return nw.when(known(batch, name) & value.is_finite()).then(value).otherwise(nw.lit(0.0))


def segments(columns: Sequence[str] | None) -> tuple[str, ...]:
    """The keys of segments; names of the user's stand in no query.

    >>> segments(["region", "plan"])
    ('segment0', 'segment1')
    """
    return tuple(f"segment{place}" for place in range(len(columns or ())))
