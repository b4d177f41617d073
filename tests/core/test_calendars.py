"""Time that counts."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.calendars import WEEKDAYS, open_time, zone_of
from aiguard_dagster.core.errors import MeasurementError

moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
calendars = st.fixed_dictionaries(
    {
        "closed": st.sets(st.sampled_from(WEEKDAYS)),
        "holidays": st.sets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=20),
        "zone": st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]).map(ZoneInfo),
    }
)


@given(moments, moments, moments, calendars)
def test_time_adds_up(first, second, third, calendar):
    start, middle, end = sorted([first, second, third])
    whole = open_time(start, end, **calendar)
    assert whole == open_time(start, middle, **calendar) + open_time(middle, end, **calendar)
    assert timedelta(0) <= whole <= end - start
    assert open_time(end, start, **calendar) == -whole


@given(moments, moments)
def test_without_closed_days_all_time_counts(start, end):
    assert open_time(start, end, zone=ZoneInfo("Europe/Berlin")) == end - start


@given(moments, moments)
def test_where_every_day_is_closed_no_time_counts(start, end):
    assert not open_time(start, end, closed=WEEKDAYS, zone=ZoneInfo("America/New_York"))


def test_a_day_on_which_clocks_go_forward_has_23_hours():
    berlin = ZoneInfo("Europe/Berlin")
    saturday = datetime(2026, 3, 28, tzinfo=berlin)
    monday = datetime(2026, 3, 30, tzinfo=berlin)
    counted = open_time(saturday, monday, closed=["saturday"], zone=berlin)
    assert counted == timedelta(hours=23)


def test_a_zone_that_is_none_is_told():
    assert zone_of("Europe/Berlin") == ZoneInfo("Europe/Berlin")
    for name in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(MeasurementError, match="is no time zone"):
            zone_of(name)
