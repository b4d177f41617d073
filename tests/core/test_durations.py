from datetime import timedelta
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.durations import LONGEST, format_duration, parse_duration, parse_ratio


@given(st.timedeltas(min_value=timedelta(0), max_value=LONGEST))
def test_a_duration_comes_back_from_its_text(duration):
    assert parse_duration(format_duration(duration)) == duration


@given(st.integers(0, 1_000), st.sampled_from("smhdw"))
def test_a_duration_may_have_spaces_and_the_text_of_it_is_stable(number, unit):
    duration = parse_duration(f" {number} {unit} ")

    assert duration == parse_duration(f"{number}{unit}")
    assert format_duration(parse_duration(format_duration(duration))) == format_duration(duration)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("14 days", "'days' is no unit of time"),
        ("3M", "'M' is no unit of time"),
        ("90", "'90' has no unit"),
        (90, "90 has no unit"),
        ("-3d", "'-3d' is negative"),
        (timedelta(days=-3), "-3d is negative"),
        ("soon", "'soon' is no duration"),
        ("", "'' is no duration"),
        (None, "nothing is no duration"),
        (True, "true is no duration"),
        ("101 w 2 d", "'101 w 2 d' is no duration"),
        ("200000w", "'200000w' is longer than a century"),
        ("9" * 400 + "d", "is longer than a century"),
    ],
)
def test_what_is_no_duration_is_told_with_a_hint(text, told):
    with pytest.raises(ValueError, match="\n\nHint: ") as raised:
        parse_duration(text)

    assert told in str(raised.value)


@pytest.mark.parametrize("text", ["1" + " " * 100_000 + "!", " " * 100_000 + "!", "9" * 100_000])
def test_a_long_text_is_refused_at_once(text):
    began = process_time()

    for parse in (parse_duration, parse_ratio):
        with pytest.raises(ValueError, match="\n\nHint: "):
            parse(text)

    assert process_time() - began < 5


@given(st.floats(0, 1_000, allow_subnormal=False))
def test_a_percentage_is_a_hundredth_of_its_number(number):
    assert parse_ratio(f"{number:.6f}%") == pytest.approx(number / 100, abs=1e-8)


@pytest.mark.parametrize("value", ["-5%", "much", True, None, float("nan"), float("inf"), 10**400])
def test_what_is_no_finite_number_is_no_ratio(value):
    with pytest.raises(ValueError, match="\n\nHint: "):
        parse_ratio(value)
