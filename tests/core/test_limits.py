import pytest

from aiguard_dagster.core.spec import (
    AbsoluteLimit,
    BaselineLimit,
    FalseAlarmLimit,
    describe_limit,
    resolve_limit,
)


@pytest.mark.parametrize(
    ("limit", "direction", "value", "source"),
    [
        (BaselineLimit(above_baseline="50%"), "high", 15, "baseline 10 +50%"),
        (BaselineLimit(above_baseline="12.5%"), "high", 11.25, "baseline 10 +12.5%"),
        (BaselineLimit(above_baseline=0), "high", 10, "baseline 10 +0%"),
        (BaselineLimit(above_baseline=3), "high", 40, "baseline 10 +300%"),
        (BaselineLimit(below_baseline="5%"), "low", 9.5, "baseline 10 -5%"),
    ],
)
def test_a_limit_relative_to_the_baseline_says_where_it_comes_from(limit, direction, value, source):
    threshold = resolve_limit(limit, direction=direction, baseline=10.0)

    assert threshold is not None
    assert threshold.value == pytest.approx(value)
    assert (threshold.direction, threshold.source) == (direction, source)


def test_without_the_baseline_value_there_is_no_relative_limit():
    limit = BaselineLimit(above_baseline=0.5)

    assert resolve_limit(limit, direction="high", baseline=None) is None


@pytest.mark.parametrize("baseline", [None, 10.0])
def test_an_absolute_limit_needs_no_baseline(baseline):
    threshold = resolve_limit(AbsoluteLimit(value="95%"), direction="low", baseline=baseline)

    assert threshold is not None
    assert (threshold.value, threshold.direction) == (0.95, "low")


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (AbsoluteLimit(value=2.5), "2.5"),
        (BaselineLimit(above_baseline="12.5%"), "12.5% above the baseline"),
        (BaselineLimit(below_baseline=0.05), "5% below the baseline"),
        (FalseAlarmLimit(false_alarm_every="90d"), "calibrated to one false alarm in 90d"),
    ],
)
def test_a_limit_in_words(limit, words):
    assert describe_limit(limit) == words
