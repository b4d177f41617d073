"""Compute seconds of assets, from steps."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.spec import PipelineCost
from aiguard_dagster.signals.pipeline_cost import Step, read_pipeline_cost, tally_of_steps
from aiguard_dagster.stats.tally import merge_tallies

AT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def step(asset="table", seconds=10.0, **changes):
    usual = {"why": "schedule", "attempts": (seconds,), "failed": False, "rows": None}
    return Step(asset=asset, ended=AT, **{**usual, **changes})


def read(steps, *, before=None, days=1.0, **options):
    signal = PipelineCost(window=DAY, **options)
    now, was = (
        tally_of_steps(each, own="table", days=days) if each is not None else None
        for each in (steps, before)
    )
    return read_pipeline_cost(signal, now, was)


def test_seconds_a_day_are_those_of_all_assets():
    found = read([step(), step("upstream", 30.0)], days=2.0)
    assert (found.value, found.n, found.coverage) == (20.0, 2, 1.0)
    assert [part.name for part in found.parts] == ["upstream", "table"]


def test_seconds_a_run_are_by_runs_of_the_asset_itself():
    steps = [step(), step(), step("upstream", 30.0), step(failed=True, seconds=5.0)]
    assert read(steps, per="run").value == 27.5


def test_seconds_for_rows_need_rows_and_say_so():
    told = [step(rows=500), step(rows=1_500), step("upstream", 20.0)]
    assert read(told, per=1000).value == 20.0
    half = read([step(rows=500), step()], per=1000)
    assert (half.value, half.coverage) == (40.0, 0.5)
    none = read([step()], per=1000)
    assert (none.value, none.coverage) == (None, 0.0)
    assert "dagster/row_count" in none.note


def test_the_asset_that_grew_is_named_first_with_what_was_lost_in_it():
    usual = [step(), step("upstream", 100.0)]
    now = [step(attempts=(20.0, 10.0)), step(seconds=10.0, why="backfill"), step("upstream", 101.0)]
    worst = read(now, before=usual).parts[0]
    assert worst.name == "table"
    assert worst.text == ("40 s a day, was 10 s; 1 retries, 20 s lost in them, 25% in backfills")


def test_a_failed_step_took_its_time_too():
    found = read([step(failed=True, attempts=(3.0, 4.0))])
    assert found.value == 7.0
    assert "1 failures, 7 s lost in them" in found.parts[0].text


def test_a_clock_that_ran_backwards_lowers_the_coverage():
    found = read([step(), step(attempts=(None,))])
    assert (found.value, found.n, found.coverage) == (10.0, 1, 0.5)


def test_no_run_is_no_value():
    found = read([])
    assert (found.value, found.n, found.coverage, found.note) == (None, 0, 0.0, "no step ran")


@given(st.lists(st.floats(0, 1e6), max_size=20), st.lists(st.floats(0, 1e6), max_size=20))
def test_two_days_add_up(first, second):
    days = [[step(seconds=s) for s in each] for each in (first, second)]
    added = merge_tallies(tally_of_steps(each, own="table", days=1.0) for each in days)
    whole = tally_of_steps([s for each in days for s in each], own="table", days=2.0)
    for name in whole.sums:
        assert added.total(name) == pytest.approx(whole.total(name))
