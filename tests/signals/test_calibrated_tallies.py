"""Rules that are read from sums are replayed on their own baseline, before anything is live."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of, profiles_of_table
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.asked import plan_of
from aiguard_dagster.signals.baseline import Baseline, TableBaseline
from aiguard_dagster.signals.calibrated import calibrate_guard
from tests.signals.scored import ACCEPTED

RULES = {
    "auc": ({"kind": "performance", "metric": "auc"}, {"below_baseline": "10%"}),
    "accuracy": ({"kind": "performance", "metric": "accuracy"}, 0.99),
    "calibrated": ({"kind": "calibration"}, {"false_alarm_every": "90d"}),
    "to_come": ({"kind": "estimated_performance", "metric": "f1"}, {"below_baseline": "10%"}),
    "outside": ({"kind": "out_of_distribution", "table": "predictions"}, "1%"),
}
BUDGET = ({"kind": "performance", "metric": "accuracy"}, {"objective": "90%", "period": "28d"})
GUARD = Guard.model_validate(
    {
        "name": "churn",
        "owner": "team:retention",
        "model": {"name": "churn"},
        "tables": {
            "predictions": {
                "asset": "p", "time": "at", "prediction": "said", "label": "label",
                "score": "score",
            },
        },
        "rules": [
            {"name": name, "signal": {**signal, "window": "7d"}, "limit": limit}
            for name, (signal, limit) in {**RULES, "budget": BUDGET}.items()
        ],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def found():
    spec = GUARD.tables["predictions"]
    grid = choose_grid(engine_of(ACCEPTED), spec)
    plan = plan_of(GUARD, "predictions", grid)
    days = profiles_of_table(ACCEPTED, replace(plan, by="day"))
    baseline = Baseline(
        guard="churn",
        model="churn",
        version="1",
        recorded_at=datetime(2012, 6, 1, tzinfo=UTC),
        tables={"predictions": TableBaseline(grid=grid, days=days, types={})},
        metrics={},
    )
    return {each.rule.name: each for each in calibrate_guard(GUARD, baseline)}


@pytest.mark.parametrize("name", RULES)
def test_each_kind_is_replayed_on_the_baseline_s_windows(found, name):
    assert (found[name].problem, found[name].windows, found[name].unmeasured) == ("", 8, 0)


def test_an_error_budget_is_not_calibrated_and_says_so(found):
    assert found["budget"].problem == (
        "an error budget is held against its objective, which no baseline calibrates"
    )


def test_a_limit_that_the_baseline_itself_breaks_is_told(found):
    assert found["accuracy"].fired == 8
    assert found["auc"].fired == found["to_come"].fired == found["outside"].fired == 0
