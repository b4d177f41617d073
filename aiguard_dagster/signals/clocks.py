"""Two times of one row: whether the second came after the first, and by how much."""

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.columns import has_values, type_of
from aiguard_dagster.signals.moments import seconds_of, zone_of


def seconds_between(batch: Batch, first: str, then: str) -> nw.Expr:
    """Whole seconds from one column of times to another; below zero where a clock ran backwards.

    Raises:
        MeasurementError: A column is gone or holds no times, or only one of them has a time zone
            and it is not known how to read the other.
    """
    if not all(is_time(batch, name) or has_values(batch, name) for name in (first, then)):
        return nw.lit(None, dtype=nw.Int64)
    zones = [zone_of(batch, name) for name in (first, then)]
    if None in zones and zones != [None, None] and batch.table.time_zone != "UTC":
        naive, aware = (first, then) if zones[0] is None else (then, first)
        what = f"{naive} has no time zone and {aware} has one, so they cannot be subtracted"
        raise MeasurementError(with_hint(what, "keep both with a time zone, or both without."))
    return seconds_of(batch, then) - seconds_of(batch, first)


def is_time(batch: Batch, name: str) -> bool:
    """Whether a column holds times.

    Raises:
        MeasurementError: The column is gone.
    """
    return isinstance(type_of(batch, name), nw.Datetime | nw.Date)
