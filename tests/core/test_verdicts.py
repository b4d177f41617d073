"""What a limit says of a measurement."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.verdicts import Measurement, Threshold, Verdict, Window, crosses, judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(start=NOW, end=NOW)
DIRECTIONS = st.sampled_from(["high", "low"])
NUMBERS = st.floats(allow_nan=False)


def measured(value, *, n=100, coverage=1.0, note=""):
    return Measurement(value=value, n=n, window=WINDOW, as_of=NOW, coverage=coverage, note=note)


def limit(value, direction="high", **more):
    return Threshold(value=value, direction=direction, **more)


@given(NUMBERS, DIRECTIONS)
def test_a_value_on_the_limit_is_no_breach(value, direction):
    assert not crosses(value, limit(value, direction))
    assert judge(measured(value), limit(value, direction))[0] is Verdict.OK


@given(NUMBERS, NUMBERS)
def test_a_value_that_is_not_on_the_limit_crosses_it_in_one_direction(value, at):
    high, low = crosses(value, limit(at, "high")), crosses(value, limit(at, "low"))
    assert high == (value > at)
    assert low == (value < at)
    assert not (high and low)


@given(NUMBERS, NUMBERS, DIRECTIONS)
def test_the_verdict_is_a_breach_exactly_when_the_limit_is_crossed(value, at, direction):
    verdict, reason = judge(measured(value), limit(at, direction))
    assert verdict is (Verdict.BREACH if crosses(value, limit(at, direction)) else Verdict.OK)
    assert reason


@given(
    st.builds(measured, st.none() | st.floats(), n=st.integers(0, 5), coverage=st.floats(0, 1)),
    st.builds(limit, st.floats(), DIRECTIONS),
    st.integers(1, 5),
    st.floats(0, 1),
)
def test_no_data_too_little_of_it_and_no_limit_are_never_ok_nor_a_breach(
    measurement, threshold, min_samples, min_coverage
):
    verdict, _ = judge(measurement, threshold, min_samples=min_samples, min_coverage=min_coverage)
    missing = (
        measurement.value is None
        or math.isnan(measurement.value)
        or math.isnan(threshold.value)
        or measurement.n < min_samples
        or measurement.coverage < min_coverage
    )
    assert (verdict is Verdict.INCONCLUSIVE) == missing


@pytest.mark.parametrize("value", [None, math.nan])
def test_no_value_is_told_by_its_note(value):
    told = judge(measured(value, note="no rows"), limit(1.0))
    assert told == (Verdict.INCONCLUSIVE, "no rows")
    assert judge(measured(value), limit(1.0)) == (Verdict.INCONCLUSIVE, "no data")


def test_a_measurement_of_no_samples_is_inconclusive_without_being_asked():
    assert judge(measured(0.0, n=0), limit(1.0))[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("n", "verdict"), [(99, Verdict.INCONCLUSIVE), (100, Verdict.OK)])
def test_as_many_samples_as_needed_are_enough(n, verdict):
    assert judge(measured(0.5, n=n), limit(1.0), min_samples=100)[0] is verdict


@pytest.mark.parametrize(("coverage", "verdict"), [(0.79, Verdict.INCONCLUSIVE), (0.8, Verdict.OK)])
def test_as_much_coverage_as_needed_is_enough(coverage, verdict):
    found, told = judge(measured(0.5, coverage=coverage), limit(1.0), min_coverage=0.8)
    assert found is verdict
    assert verdict is Verdict.OK or told == "only 79% of 80% coverage needed"


@pytest.mark.parametrize(
    ("value", "threshold", "told"),
    [
        (3.0, limit(2.0), "3 > 2 (n=1,204)"),
        (2.0, limit(2.0), "2 ≤ 2 (n=1,204)"),
        (0.91, limit(0.95, "low"), "0.91 < 0.95 (n=1,204)"),
        (0.95, limit(0.95, "low", unit="share"), "95% ≥ 95% (n=1,204)"),
        (28_800.0, limit(7_200, unit="seconds"), "8h > 2h (n=1,204)"),
        (1.5, limit(1.0, source="baseline 0.5 +100%"), "1.5 > 1 (baseline 0.5 +100%, n=1,204)"),
        (math.inf, limit(1.0), "inf > 1 (n=1,204)"),
    ],
)
def test_a_verdict_says_value_limit_source_and_samples(value, threshold, told):
    assert judge(measured(value, n=1204), threshold)[1] == told
