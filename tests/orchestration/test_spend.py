"""Rules on spend in a real project: from the user's rows to a verdict that says why."""

from aiguard_dagster.adapters.dagster.history import read_evaluations
from aiguard_dagster.orchestration.baseline import baseline_of
from aiguard_dagster.orchestration.keys import check_key
from aiguard_dagster.report.calibration import report
from aiguard_dagster.signals.calibrated import calibrate_guard
from tests.orchestration.project import BILL, Weather, day

DEAR = Weather(price=0.002)
TABLES = {
    "features": {"asset": "features", "time": "at"},
    "predictions": {"asset": "predictions", "time": "at", "cost": "cost"},
}
A_DAY = {
    "name": "a_day",
    "signal": {"kind": "cost", "window": "2d", "per": "day", "min_samples": 24},
    "limit": 1.0,
}
BUDGETED = {**BILL, "name": "budgeted", "limit": {"false_alarm_every": "90d"}}
MONTH = {
    "name": "month",
    "signal": {
        "kind": "cost",
        "window": "31d",
        "per": "month",
        "budget": 0.8,
        "min_samples": 24,
        "min_coverage": 0,
    },
}


def newest(project, rule):
    found = next(each for each in project.guard.rules if each.name == rule)
    return read_evaluations(project.instance, check_key(project.guard, found))[-1]


def test_a_bill_that_rises_says_what_made_it_rise(new_project):
    project = new_project(rules=(BILL,))
    project.live(1, 2)
    project.live(3, 4, weather=DEAR)
    assert project.verdicts("bill") == {1: "inconclusive", 2: "ok", 3: "ok", 4: "breach"}
    assert "worst: price (+1 per 1,000: calls cost 0.002 each, did 0.001)" in (
        newest(project, "bill").point.reason
    )


def test_a_bill_of_days_goes_on_when_the_champion_changes(new_project):
    project = new_project(rules=(BILL, A_DAY), tables=TABLES)
    project.live(1, 2)
    project.registry.promote("1", at=day(3), by="team:demand", why="back")
    project.live(3)
    assert project.verdicts("a_day")[3] == "ok"
    assert project.verdicts("bill")[3] == "inconclusive"


def test_a_month_is_forecast_by_event_time(new_project):
    project = new_project(rules=(MONTH,), tables=TABLES)
    project.live(1, 2)
    project.live(3, weather=Weather(price=0.1))
    assert project.verdicts("month") == {1: "ok", 2: "ok", 3: "breach"}
    assert "of the budget" in newest(project, "month").point.reason


def test_calibrate_replays_rules_on_spend_over_their_baseline(new_project):
    project = new_project(rules=(BILL, BUDGETED, MONTH))
    uri = project.registry.client.tracking_uri
    baseline = baseline_of(project.guard, tracking_uri=uri)
    bill, budgeted, month = found = calibrate_guard(project.guard, baseline)
    assert (bill.problem, bill.windows, bill.fired) == ("", 15, 0)
    assert (budgeted.problem, budgeted.fired) == ("", 0)
    assert (month.problem, month.windows) == ("", 0)
    told = report(project.guard, "2", found)
    assert "on the baseline's own 15 windows it is in breach 0 times" in told
