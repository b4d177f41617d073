"""Error budgets measured: a breach of both windows, and of nothing less."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiguard_dagster.core.spec import ErrorBudgetLimit, Errors, Performance, Rule
from aiguard_dagster.core.verdicts import Verdict, Window
from aiguard_dagster.signals.error_budget import BudgetWindows
from aiguard_dagster.signals.measure import evaluate_tallied
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.profile import BatchProfile, Profile
from aiguard_dagster.stats.tally import Tally

HOUR = timedelta(hours=1)
END = datetime(2026, 3, 1, tzinfo=UTC)
HOURS, NEAR = 12, 2
LIMIT = ErrorBudgetLimit(objective="90%", period="4d", burn_rate=2, short="2h")
MOST = Fraction(1, 5)
EVENTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 20)), min_size=HOURS, max_size=HOURS)
"""Bad and good ones by the hour."""


def of_errors(bad, good):
    groups = {("error", "timeout"): (bad,), ("fine", "ok"): (good,)}
    there = {key: sums for key, sums in groups.items() if sums[0]}
    return Tally(keys=("outcome", "status"), sums=("rows",), groups=there)


def seen(hours, *, end=END, expected=None, tally=of_errors, silent=True):
    rows = [
        Profile(
            rows=bad + good, first=None, last=None, columns={}, tallies={"it": tally(bad, good)}
        )
        for bad, good in hours
    ]
    return WindowProfiles(
        window=Window(start=end - (expected or len(hours)) * HOUR, end=end),
        batches=[BatchProfile(grid_id="", parts={"1": each}) for each in rows],
        expected=expected or len(hours),
        champion="1",
        silent=silent,
    )


def judged(hours, *, before=(), limit=LIMIT, expected=HOURS, silent=True, tally=of_errors, **asked):
    """The verdict on so many hours, with the hours before them in the period."""
    window = expected * HOUR
    options = {"table": "answers", "window": window, "min_samples": 1, "min_coverage": 0.0}
    signal = Errors(**{**options, **asked})
    if tally is not of_errors:
        signal = Performance(metric="accuracy", **{**options, **asked})
    rule = Rule(name="spent", signal=signal, limit=limit)
    whole = [*before, *hours]
    period = [
        seen([each], end=END - place * HOUR, tally=tally, silent=silent)
        for place, each in enumerate(reversed(whole))
    ]
    near = seen(hours[-NEAR:], expected=NEAR, tally=tally, silent=silent)
    current = seen(hours, expected=expected, tally=tally, silent=silent)
    windows = BudgetWindows(short=near, period=period)
    return evaluate_tallied(rule, "it", current, lambda: None, budget=windows)


def share(hours):
    """Bad events as a share, in whole numbers; None of none."""
    bad, all_ = sum(bad for bad, _ in hours), sum(map(sum, hours))
    return Fraction(bad, all_) if all_ else None


@given(EVENTS)
def test_a_breach_is_one_of_both_windows(hours):
    long, short = share(hours), share(hours[-NEAR:])
    verdict = judged(hours).verdict
    if long is None:
        assert verdict is Verdict.INCONCLUSIVE
    elif long <= MOST:
        assert verdict is Verdict.OK
    elif short is None:
        assert verdict is Verdict.INCONCLUSIVE
    else:
        assert verdict is (Verdict.BREACH if short > MOST else Verdict.OK)


@given(EVENTS, st.integers(0, HOURS - 1), st.integers(0, 5), st.integers(0, 5))
def test_more_bad_events_never_end_a_breach(hours, place, more, turned):
    assume(judged(hours).verdict is Verdict.BREACH)
    bad, good = hours[place]
    turned = min(turned, good)
    worse = [*hours]
    worse[place] = (bad + more + turned, good - turned)
    assert judged(worse).verdict is Verdict.BREACH


@given(EVENTS, st.integers(1, 40))
def test_fewer_samples_than_asked_never_turn_a_breach_into_ok(hours, least):
    assume(judged(hours).verdict is Verdict.BREACH)
    assert judged(hours, min_samples=least).verdict is not Verdict.OK


def test_the_reason_tells_both_burn_rates_and_what_is_spent():
    hours = [(3, 7)] * 10 + [(6, 4)] * 2
    found = judged(hours, before=[(0, 10)] * 84)
    assert found.verdict is Verdict.BREACH
    assert found.reason == (
        "35% > 20% (burn rate 3.5 over 12h and 6 over 2h, limit 2;"
        " 43.7% of the budget of 4d spent, n=120); worst: timeout (35%)"
    )


def test_a_trouble_that_is_over_ends_the_alarm_though_the_long_window_remembers():
    found = judged([(5, 5)] * 10 + [(0, 10)] * 2)
    assert found.verdict is Verdict.OK
    assert found.reason == (
        "0% ≤ 20% (burn rate 4.17 over 12h and 0 over 2h, limit 2;"
        " 52.1% of the budget of 4d spent, of which 12.5% is there, n=120)"
    )


def test_a_short_burst_that_spent_little_is_no_alarm():
    found = judged([(0, 10)] * 10 + [(5, 5)] * 2)
    assert (found.verdict, found.measurement.value) == (Verdict.OK, pytest.approx(10 / 120))


def test_what_is_exactly_at_the_burn_rate_is_no_breach():
    assert judged([(2, 8)] * HOURS).verdict is Verdict.OK


def test_the_short_window_needs_samples_in_proportion_and_silence_ends_no_alarm():
    enough = judged([(5, 15)] * 10 + [(2, 3)] * 2, min_samples=60)
    few = judged([(5, 15)] * 10 + [(2, 2)] * 2, min_samples=60)
    none = judged([(5, 15)] * 10 + [(0, 0)] * 2, min_samples=60)
    assert enough.verdict is Verdict.BREACH
    assert few.verdict is none.verdict is Verdict.INCONCLUSIVE
    assert few.reason.startswith(
        "only 8 of 10 requests needed in the last 2h, to see whether it goes on (burn rate"
    )


def test_a_short_window_with_holes_does_not_say_whether_it_goes_on():
    found = judged([(5, 5)] * 11 + [(0, 0)], silent=False, min_coverage=0.8)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "only 50% of 80% coverage needed in the last 2h" in found.reason


def test_a_long_window_with_holes_is_inconclusive_however_calm_the_short_one_is():
    found = judged([(0, 10)] * 4, silent=False, min_coverage=0.8)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_of_accuracy_what_is_wrong_spends_the_budget():
    def of_classes(wrong, right):
        groups = {("a", "b"): (wrong,), ("a", "a"): (right,)}
        return Tally(keys=("label", "said"), sums=("rows",), groups=groups)

    found = judged([(3, 7)] * HOURS, tally=of_classes)
    calm = judged([(3, 7)] * 10 + [(0, 10)] * 2, tally=of_classes)
    assert found.verdict is Verdict.BREACH
    assert found.reason.startswith("70% < 80% (burn rate 3 over 12h and 3 over 2h, limit 2;")
    assert (calm.verdict, calm.measurement.value) == (Verdict.OK, 1.0)


def test_without_its_other_windows_an_error_budget_is_an_error_and_no_verdict():
    signal = Errors(table="answers", window=HOURS * HOUR)
    rule = Rule(name="spent", signal=signal, limit=LIMIT)
    found = evaluate_tallied(rule, "it", seen([(1, 9)] * HOURS), lambda: None)
    assert found.verdict is Verdict.ERROR
    assert found.reason == (
        "an error budget is measured over several windows, and only one is at hand"
    )
