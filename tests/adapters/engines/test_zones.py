"""Local times in UTC: as polars reads them, to the minute, whatever the clock does."""

from datetime import datetime

import polars as pl
import pytest

from aiguard_dagster.adapters.engines.zones import Span, spans_of
from aiguard_dagster.adapters.tables.times import utc

ZONES = ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "UTC"]
YEARS = pl.datetime_range(
    datetime(2010, 1, 1), datetime(2027, 1, 1), "10m", time_unit="us", eager=True
)


@pytest.mark.parametrize("zone", ZONES)
def test_offsets_are_those_of_polars(zone):
    """The days around clock changes are among them: in Samoa a whole one was left out."""
    local = YEARS.to_physical() // 1_000_000
    moment = pl.lit(None, dtype=pl.Int64)
    for span in reversed(spans_of(zone, local.min(), local.max())):
        shifted = pl.col("local") - pl.lit(span.offset, dtype=pl.Int64)
        moment = (
            shifted
            if span.until is None
            else pl.when(pl.col("local") < span.until).then(shifted).otherwise(moment)
        )
    found = pl.DataFrame({"local": local}).select(moment).to_series()
    rows = pl.LazyFrame({"at": YEARS})
    expected = rows.select(utc(rows, "at", zone)).collect().to_series()
    assert found.equals(expected.to_physical() // 1_000_000, null_equal=True)


def test_times_far_away_cost_no_more_than_a_second():
    spans = spans_of("Europe/Berlin", -(10**11), 10**12)
    assert spans[-1] == Span(until=None, offset=3600)
    assert len(spans) < 400
