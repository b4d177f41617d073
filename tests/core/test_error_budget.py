"""Error budgets as limits: burn rates, short windows, and what could never work."""

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.spec import ErrorBudgetLimit, describe_limit
from aiguard_dagster.core.spec.semantics import find_problems
from tests.core.specs import guard_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TABLES = {
    "answers": {
        "asset": "answers",
        "time": "at",
        "status": "status",
        "latency": "ms",
        "prediction": "said",
        "label": "true",
        "user": "who",
        "decision": "decided",
        "reviewed": "seen",
        "decided_at": "when",
        "input_tokens": "read",
        "output_tokens": "written",
        "task": "task",
        "score": "sure",
        "review": {"score_below": 0.7},
    }
}
BUDGET = {"objective": "95%", "period": "28d"}


def budget(**asked):
    return ErrorBudgetLimit(**{**BUDGET, **asked})


def problems(signal, limit=BUDGET, **rule):
    signal = {"window": "1d", **signal}
    guard = guard_of({"signal": signal, "limit": limit, **rule}, tables=TABLES)
    return [problem.path.removeprefix("rules[0].") for problem in find_problems(guard, file="")]


@pytest.mark.parametrize(
    ("window", "rate"), [(HOUR, 14.4), (6 * HOUR, 6), (DAY, 3), (3 * DAY, 1), (7 * DAY, 1)]
)
def test_the_usual_burn_rates_over_30_days_are_those_of_the_workbook(window, rate):
    assert budget(period="30d").burn_rate_over(window) == pytest.approx(rate)


def test_a_burn_rate_that_is_given_holds_for_any_window():
    assert budget(burn_rate=2).burn_rate_over(HOUR) == 2


@pytest.mark.parametrize(
    ("window", "partition", "short"),
    [
        (DAY, HOUR, 2 * HOUR),
        (12 * HOUR, HOUR, HOUR),
        (6 * HOUR, HOUR, HOUR),
        (30 * HOUR, HOUR, 3 * HOUR),
        (28 * DAY, DAY, 3 * DAY),
    ],
)
def test_the_short_window_is_a_twelfth_in_whole_partitions(window, partition, short):
    assert budget().short_of(window, partition) == short
    assert budget(short="5h").short_of(window, partition) == 5 * HOUR


def test_a_limit_is_the_burn_rate_times_what_may_be_bad_on_either_side():
    high = budget(burn_rate=4).threshold(DAY, "high")
    low = budget(burn_rate=4).threshold(DAY, "low")
    assert (high.value, high.direction, low.value, low.direction) == (0.2, "high", 0.8, "low")
    assert budget().rate_of(0.2, "high") == pytest.approx(budget().rate_of(0.8, "low"))


def test_an_error_budget_in_words():
    assert describe_limit(budget()) == "an error budget of 5% in 28d"


@given(
    st.integers(1, 999),
    st.integers(1, 3_000),
    st.integers(1, 48),
    st.integers(1, 90),
    st.booleans(),
)
def test_a_burn_rate_is_refused_if_and_only_if_it_is_out_of_reach_or_too_late(
    objective, rate, hours, days, given_short
):
    """In whole thousandths and tenths, so that the truth can be told exactly."""
    limit = ErrorBudgetLimit(
        objective=objective / 1000,
        period=days * DAY,
        burn_rate=rate / 10,
        short="30m" if given_short else None,
    )
    exact, share = Fraction(rate, 10), 1 - Fraction(objective, 1000)
    window = hours * HOUR
    found = {below for below, _, _ in limit.problems(window)}
    if days * 24 <= hours:
        assert found == {"period"}
        return
    wrong = exact * share >= 1 or exact * hours > days * 24
    assert found == ({"burn_rate"} if wrong else set())


@pytest.mark.parametrize(
    "signal",
    [
        {"kind": "errors"},
        {"kind": "latency", "statistic": "over", "objective": 2},
        {"kind": "hallucination", "verdict": "judged"},
        {"kind": "agents", "of": "calls", "more_than": 5},
        {"kind": "tokens", "of": "over", "size": 1_000},
        {"kind": "overtrust", "metric": "unreviewed"},
        {"kind": "overtrust", "metric": "skipped"},
        {"kind": "overtrust", "metric": "hasty"},
        {"kind": "trust", "metric": "override"},
        {"kind": "trust", "metric": "thumbs_down"},
        {"kind": "performance", "metric": "accuracy"},
    ],
    ids=lambda signal: " ".join(map(str, signal.values())),
)
def test_shares_of_bad_events_have_an_error_budget(signal):
    assert problems({"table": "answers", **signal}) == []


@pytest.mark.parametrize(
    "signal",
    [
        {"kind": "latency"},
        {"kind": "agents", "of": "calls"},
        {"kind": "tokens", "of": "total"},
        {"kind": "overtrust", "metric": "blind"},
        {"kind": "trust"},
        {"kind": "trust", "metric": "returning"},
        {"kind": "performance", "metric": "recall"},
        {"kind": "estimated_performance", "metric": "accuracy"},
        {"kind": "calibration"},
        {"kind": "out_of_distribution"},
        {"kind": "drift"},
    ],
    ids=lambda signal: " ".join(map(str, signal.values())),
)
def test_what_is_no_share_of_bad_events_has_none(signal):
    assert problems({"table": "answers", **signal}) == ["limit"]


def test_a_grace_may_be_as_long_as_some_of_the_budget_is_left():
    limit, errors = {**BUDGET, "burn_rate": 7}, {"kind": "errors", "table": "answers"}
    assert problems(errors, limit, grace="3d") == []
    assert problems(errors, limit, grace="73h") == ["grace"]


def test_first_days_say_nothing_of_an_objective():
    signal = {"kind": "errors", "table": "answers", "baseline": "first 14d"}
    assert problems(signal) == ["signal.baseline"]
