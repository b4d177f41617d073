"""Whether new versions helped, how many there were, and what they took."""

from datetime import UTC, datetime, timedelta
from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.champions import Reign
from aiguard_dagster.core.spec import Retraining
from aiguard_dagster.signals.pipeline_cost import Step
from aiguard_dagster.signals.retraining import (
    NewVersion,
    compared,
    read_retraining,
    tally_of_versions,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def versions(*metrics):
    return [
        NewVersion(version=str(n), made=AT + n * DAY, metric=metric)
        for n, metric in enumerate(metrics, start=1)
    ]


def step(seconds=60.0, **changes):
    usual = {"why": "schedule", "attempts": (seconds,), "failed": False, "rows": None}
    return Step(asset="training", ended=AT, **{**usual, **changes})


def read(found, *, steps=(), reigns=(), days=30.0, unread=0, **options):
    usual = {"metric": "mae", **options}
    signal = Retraining(window=timedelta(days=30), **usual)
    outcomes = compared(signal, found, reigns)
    tally = tally_of_versions(found, outcomes, steps, days=days, unread=unread)
    return read_retraining(signal, tally, None)


def test_versions_that_are_no_better_than_the_one_before_did_not_help():
    found = read(versions(10.0, 9.0, 9.0, 11.0))
    assert (found.value, found.n, found.coverage) == (pytest.approx(2 / 3), 3, 1.0)
    assert [part.name for part in found.parts] == ["v4", "v3", "v2", "v1"]
    assert found.parts[0].text == "did not help: mae 11, v3 has 9"
    assert found.parts[2].text == "helped: mae 9, v1 has 10"


def test_a_version_is_compared_with_the_one_in_production_when_it_was_made():
    reign = Reign(version="1", start=AT, end=None, why="accepted", by="ada")
    found = read(versions(10.0, 30.0, 20.0), reigns=(reign,))
    assert found.value == 1.0  # v3 is better than v2, which never was in production
    assert found.parts[0].text == "did not help: mae 20, v1 has 10"


def test_higher_may_be_better_and_a_gain_may_be_too_small():
    assert read(versions(0.8, 0.9), better="higher").value == 0.0
    assert read(versions(100.0, 99.5), min_gain="1%").value == 1.0


@pytest.mark.parametrize("strange", [None, float("nan"), float("inf")])
def test_what_is_no_number_is_in_no_sum(strange):
    found = read(versions(10.0, strange, 9.0))
    assert all(isfinite(part.value) for part in found.parts)


@pytest.mark.parametrize("strange", [None, float("nan"), float("inf")])
def test_a_version_that_does_not_tell_the_metric_lowers_the_coverage(strange):
    found = read(versions(10.0, 9.0, strange))
    assert (found.value, found.n, found.coverage) == (0.0, 1, 0.5)
    assert found.note == "1 versions have no mae"


def test_the_first_version_is_compared_with_nothing():
    found = read(versions(10.0))
    assert (found.value, found.n, found.coverage) == (None, 0, 0.0)
    assert found.note == "no new version to compare"


def test_how_often_is_told_for_30_days():
    assert read(versions(*[1.0] * 6), of="often", days=90.0).value == 2.0
    assert read([], of="often", days=90.0).value == 0.0


def test_what_a_version_took_counts_what_failed_too():
    steps = [step(), step(failed=True), step(attempts=(30.0, 60.0))]
    found = read(versions(1.0, 0.9), steps=steps, of="compute")
    assert (found.value, found.n) == (105.0, 3)
    assert found.parts[-1].text == "210 s in 3 steps, 1 failed"


def test_training_without_a_version_is_no_cost_of_a_version():
    found = read([], steps=[step()], of="compute")
    assert found.value is None
    assert found.note == "60 s of training, and no new version"


def test_steps_of_unknown_time_lower_the_coverage():
    steps = [step(), step(attempts=(None,))]
    assert read(versions(1.0), steps=steps, of="compute").coverage == 0.5
    assert read(versions(1.0), steps=[step()], unread=1, of="compute").coverage == 0.5


@given(st.lists(st.floats(0.1, 100) | st.none(), min_size=1, max_size=12))
def test_every_version_has_one_outcome(metrics):
    found = read(versions(*metrics))
    judged = [part for part in found.parts if part.name.startswith("v")]
    assert len(judged) == min(8, len(metrics))
    assert found.value is None or 0 <= found.value <= 1
