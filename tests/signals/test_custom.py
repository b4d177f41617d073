"""A function of the user's own, by import path."""

import pytest

from aiguard_dagster.core.verdicts import Verdict
from tests.signals.batches import judged, rows_of

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
DAY = rows_of("2012-05-01")


def say(name, *, rows=DAY, limit=None, **options):
    signal = {"kind": "custom", "function": f"tests.signals.checks:{name}", **options}
    return judged(signal, rows, limit=limit)


def test_a_number_is_held_against_the_limit():
    whole = sum(DAY["cnt"])
    assert say("riders", limit=whole).verdict is OK
    assert say("riders", limit=whole - 1).verdict is BREACH
    assert say("riders", limit=whole, worse="lower").verdict is OK
    assert say("riders", limit=whole + 1, worse="lower").verdict is BREACH
    few = say("riders", limit=whole, options={"least": 100})
    assert few.measurement.value == sum(count for count in DAY["cnt"] if count >= 100)


def test_whether_all_is_well_is_no_failure_or_one():
    assert (say("is_whole").verdict, say("is_whole").measurement.value) == (OK, 0)
    half = say("is_whole", rows=DAY.head(12))
    assert (half.verdict, half.measurement.value) == (BREACH, 1)


def test_numpy_is_understood_and_a_measurement_is_taken_as_it_is():
    assert say("share_as_numpy", limit=1).measurement.value == 1
    found = say("measured", limit=6)
    assert (found.verdict, found.measurement.n) == (BREACH, 3)


@pytest.mark.parametrize("name", ["nothing", "not_a_number"])
def test_nothing_is_inconclusive(name):
    assert (say(name).verdict, say(name).measurement.value) == (INCONCLUSIVE, None)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("text", "'tests.signals.checks:text' returned a str\n\nHint: return a Measurement"),
        ("NO_FUNCTION", "'tests.signals.checks:NO_FUNCTION' is a int, and no function"),
        ("nowhere", "the function 'tests.signals.checks:nowhere' cannot be imported"),
    ],
)
def test_what_is_no_check_is_an_error_in_words(name, told):
    found = say(name)
    assert found.verdict is ERROR
    assert found.reason.startswith(told)


def test_options_that_it_does_not_take_are_told_with_those_it_takes():
    found = say("riders", options={"leest": 3})
    assert found.reason == (
        "'tests.signals.checks:riders' cannot be called: got an unexpected keyword argument 'leest'"
        "\n\nHint: it takes (table, *, least=0); the table comes first, then the options by name."
    )


def test_what_it_raises_is_an_error_that_quotes_no_row():
    found = say("fails")
    assert found.reason.startswith("could not be measured: ValueError in fails, checks.py:")
    assert str(DAY["cnt"][0]) not in found.reason.partition("checks.py")[0]
