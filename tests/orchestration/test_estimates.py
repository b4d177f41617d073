"""Estimates and rows out of distribution, from the recorded baseline to the sensor's verdict."""

import polars as pl
import pytest

from aiguard_dagster.orchestration.baseline import baseline_of, record_baseline
from aiguard_dagster.signals.tallied import tally_name
from tests.orchestration.project import (
    DAY,
    ERROR,
    GOOD,
    TURNED,
    Weather,
    accepted,
    day,
    features_of,
    guard,
)

pytestmark = pytest.mark.slow
ESTIMATE = {
    "name": "estimate",
    "signal": {
        "kind": "estimated_performance", "metric": "mae", "window": "2d", "min_samples": 24,
    },
    "limit": {"above_baseline": "100%"},
}  # fmt: skip
OUTSIDE = {
    "name": "outside",
    "signal": {
        "kind": "out_of_distribution", "table": "features", "window": "1d", "min_samples": 24,
    },
    "limit": "10%",
}  # fmt: skip
TOGETHER = {
    "name": "together",
    "signal": {"kind": "out_of_distribution", "table": "features", "of": "joint", "window": "1d"},
    "limit": "10%",
}


@pytest.fixture
def project(new_project):
    return new_project(rules=(ESTIMATE, OUTSIDE, ERROR))


def test_an_estimate_that_did_not_come_true_is_inconclusive_until_it_does_again(project):
    project.live(1, 2, 3, 4)
    assert project.verdicts("estimate")[4] == "ok"
    project.live(5, 6, weather=TURNED)
    assert project.verdicts("estimate")[6] == "ok"
    project.live(7, 8)
    assert project.verdicts("estimate")[8] == "inconclusive"
    reason = project.points("estimate")[-1].reason
    assert reason.startswith("unreliable: in 1 of 3 earlier windows")
    project.live(9, 10, 11, 12)
    assert project.verdicts("estimate")[12] == "ok"


def test_labels_that_arrive_later_have_earlier_estimates_judged_again(project):
    project.live(1, 2, weather=Weather(slope=1.0, labelled=False))
    project.live(3, 4)
    assert project.verdicts("estimate")[4] == "ok"
    project.live(1, 2, weather=TURNED)
    assert project.verdicts("estimate")[4] == "inconclusive"


def test_days_beyond_the_baseline_are_out_of_distribution(project):
    project.live(1)
    project.live(2, weather=Weather(shift=500.0))
    assert project.verdicts("outside") == {1: "ok", 2: "breach"}
    assert "load (100% outside, was 0%)" in project.points("outside")[-1].reason


def test_the_middle_of_the_baseline_is_recorded_where_distances_are_asked_for(new_project):
    project = new_project(rules=(TOGETHER,))
    rows = accepted("2")["features"].with_columns(more=pl.col("load") * 2 + 1)
    asked = guard(rules=(TOGETHER,), name="other", model={"name": project.guard.model.name})
    uri = project.registry.client.tracking_uri
    record_baseline(asked, version="1", data={"features": rows}, tracking_uri=uri)
    table = baseline_of(asked, tracking_uri=uri, version="1").table("features")
    assert table.grid.joint.columns == ("load", "more")
    assert len(table.grid.joint.covariances) == 3
    name = tally_name(asked.rules[0].signal, asked.tables["features"])
    tally = table.total.tallies[name]
    assert tally.total("judged") == rows.height
    assert {key[0] for key in tally.groups} == {table.grid.id}


def test_what_a_new_version_supports_is_no_earlier_version_s_grid(new_project):
    project = new_project(rules=(OUTSIDE,), versions=3)
    rows = features_of(day(1) - 30 * DAY, GOOD).with_columns(load=pl.col("load") * 3)
    uri = project.registry.client.tracking_uri
    before = project.registry.champion()
    record_baseline(project.guard, version="3", data={"features": rows}, tracking_uri=uri)
    grids = [
        baseline_of(project.guard, tracking_uri=uri, version=version).table("features").grid
        for version in (before, "3")
    ]
    assert grids[0].id != grids[1].id
    assert grids[1].columns["load"].edges[-1] == rows["load"].max()
