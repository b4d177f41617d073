"""Which days are a champion's own first ones."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.champions import Reign
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.batches import Batch
from aiguard_dagster.orchestration.first_days import first_window, spans_looked_at
from tests.orchestration.project import ERROR_NOW, Weather, day

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = [
    Batch(str(n), Window(start=FIRST + n * DAY, end=FIRST + (n + 1) * DAY), n) for n in range(9)
]


def reign(start, end=None, version="1"):
    return Reign(version=version, start=start, end=end, why="accepted", by="ann")


@given(minutes=st.integers(0, 3 * 24 * 60), days=st.integers(1, 5))
def test_they_are_so_many_whole_days_whatever_the_hour(minutes, days):
    start = FIRST + timedelta(minutes=minutes)
    found = first_window(reign(start), days * DAY, DAYS)
    assert (found.start - FIRST) % DAY == timedelta(0)
    assert found.end - found.start == days * DAY
    assert abs(found.start - start) <= DAY / 2


def test_where_the_data_begin_later_what_is_missing_is_seen():
    assert first_window(reign(FIRST), 3 * DAY, DAYS[2:]).start == FIRST
    assert first_window(reign(FIRST), 3 * DAY, []).start == FIRST


@given(minutes=st.integers(0, 20 * 24 * 60), hours=st.integers(1, 72))
def test_what_a_live_table_is_asked_for_holds_the_first_days(minutes, hours):
    start, end = FIRST + timedelta(minutes=minutes), FIRST + 30 * DAY
    recent = Window(start=end - 2 * DAY, end=end)
    spans = spans_looked_at(recent, [reign(start)], [hours * HOUR], every=HOUR)
    at = [FIRST + n * HOUR for n in range(31 * 24)]
    batches = [
        Batch(str(each), Window(start=each, end=each + HOUR), 0)
        for each in at
        if any(span.start <= each < span.end for span in spans)
    ]
    found = first_window(reign(start), hours * HOUR, batches)
    held = [b for b in batches if found.start <= b.window.start and b.window.end <= found.end]
    assert len(held) == min(hours, round((end - found.start) / HOUR))


OWN_DAYS = {
    **ERROR_NOW,
    "signal": {**ERROR_NOW["signal"], "baseline": "first 3d"},
    "action": "notify",
}


def test_errors_are_held_to_those_of_the_version_s_first_days(new_project):
    project = new_project(rules=(OWN_DAYS,), promoted=(), baselines=())
    project.registry.promote("2", at=day(1) + 14 * HOUR, by="team:demand", why="release 2")
    project.live(1, 2, 3, 4, 5)
    project.live(6, weather=Weather(slope=3.0))
    # It takes over at two in the afternoon of the first day.
    assert project.verdicts("error") == {
        **dict.fromkeys((1, 2, 3, 4), "inconclusive"),
        5: "ok",
        6: "breach",
    }
    assert "first 3d 1 +100%" in project.points("error")[-1].reason
    assert "demand" in (project.daemon.cursors["aiguard_deltas"] or "")


@pytest.mark.parametrize("labelled", [False, True])
def test_labels_of_the_first_days_that_come_late_have_later_days_judged_anew(new_project, labelled):
    project = new_project(rules=(OWN_DAYS,), promoted=(), baselines=())
    project.registry.promote("2", at=day(1), by="team:demand", why="release 2")
    project.live(1, 2, 3, weather=Weather(labelled=False))
    project.live(4)
    assert project.verdicts("error")[4] == "inconclusive"
    assert project.points("error")[-1].reason == "the first 3d hold 0 of 24 labelled rows"
    project.live(1, weather=Weather(labelled=True))
    assert project.verdicts("error")[4] == "inconclusive"
    reason = "the first 3d have only 33% of 80% coverage needed"
    assert project.points("error")[-1].reason == reason
    project.live(2, 3, weather=Weather(labelled=labelled))
    assert (project.verdicts("error")[4] == "ok") == labelled
