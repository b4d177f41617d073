"""Time columns as seconds, which every engine can subtract."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, column
from aiguard_dagster.signals.columns import type_of

START = datetime(1, 1, 1, tzinfo=UTC)
HINT = "keep times in a date or timestamp column."


def zone_of(batch: Batch, name: str) -> str | None:
    """The zone of a time column; None where its times are naive.

    Raises:
        MeasurementError: The column is gone, or holds no times.
    """
    match type_of(batch, name):
        case nw.Datetime(time_zone=zone):
            return zone
        case nw.Date():
            return None
        case nw.Unknown() if _polars(batch):  # A zone that narwhals does not know.
            return "UTC"
        case dtype:
            what = f"{name} holds {dtype}, not times"
            raise MeasurementError(with_hint(what, HINT))


def seconds_of(batch: Batch, name: str) -> nw.Expr:
    """Whole seconds since the first day of year 1; see :func:`seconds_at` for the clock.

    Made of calendar parts: Spark cannot subtract times through narwhals.

    Raises:
        MeasurementError: The column is gone, or holds no times.
    """
    zone, value = zone_of(batch, name), column(batch, name)
    if zone and _polars(batch):
        value = value.dt.convert_time_zone("UTC")
    elif type_of(batch, name) == nw.Date:
        value = value.cast(nw.Datetime("us"))
    years = value.dt.year().cast(nw.Int64) - 1
    days = years * 365 + years // 4 - years // 100 + years // 400 + value.dt.ordinal_day() - 1
    hours = days * 24 + value.dt.hour()
    return (hours * 60 + value.dt.minute()) * 60 + value.dt.second()


def seconds_at(batch: Batch, name: str, moment: datetime) -> int:
    """A moment as :func:`seconds_of` would give it in this column.

    Naive columns follow the clock of the table's time zone. Aware ones follow UTC, or where the
    engine cannot convert, their own zone: a change of clocks is an hour's error there.
    """
    zone = zone_of(batch, name)
    if zone is None:
        zone = batch.table.time_zone
    elif _polars(batch):
        zone = "UTC"
    clock = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC)
    return int((clock - START).total_seconds())


def _polars(batch: Batch) -> bool:
    return batch.frame.implementation.is_polars()
