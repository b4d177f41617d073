"""A bill's change is split into what it comes from, and nothing is left over."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.spend import FACTORS, Bill, Rates, Use, split_change

WHOLE = st.integers(0, 5000).map(Fraction)
PRICES = st.fractions(min_value=0, max_value=9, max_denominator=9)
FACTOR = st.fractions(min_value=Fraction(1, 9), max_value=9, max_denominator=9)


@st.composite
def uses(draw):
    input_ = draw(WHOLE)
    return Use(
        calls=Fraction(draw(st.integers(0, 50))),
        spend=draw(PRICES),
        input=input_,
        cached=Fraction(draw(st.integers(0, int(input_)))),
        output=draw(WHOLE),
        rates=Rates(draw(PRICES), draw(PRICES), draw(PRICES)),
    )


BILLS = st.builds(
    Bill,
    volume=FACTOR,
    steps=FACTOR,
    retries=FACTOR,
    uses=st.dictionaries(st.sampled_from("abc"), uses(), min_size=1).filter(
        lambda found: any(use.calls for use in found.values())
    ),
)


def clean(bill):
    """Models that were not called cost nothing."""
    kept = {name: use for name, use in bill.uses.items() if use.calls}
    return replace(bill, uses=kept)


@given(BILLS.map(clean), BILLS.map(clean))
def test_the_parts_add_up_to_the_change_with_nothing_left(before, now):
    assert sum(split_change(before, now).values()) == now.amount - before.amount


@given(BILLS.map(clean), BILLS.map(clean))
def test_going_back_is_the_same_with_the_other_sign(before, now):
    back = split_change(now, before)
    assert {name: -part for name, part in split_change(before, now).items()} == back


@given(BILLS.map(clean))
def test_a_bill_that_did_not_change_has_no_parts(bill):
    assert not any(split_change(bill, bill).values())


USUAL = Use(calls=100, spend=30.0, input=10_000, cached=4_000, output=1_000, rates=Rates(2, 1, 8))
BILL = Bill(volume=10, steps=3, retries=1.1, uses={"small": USUAL})


def scaled(use, **times):
    return replace(use, **{name: getattr(use, name) * by for name, by in times.items()})


def listed(use):
    return replace(use, spend=30.0 * use.listed / USUAL.listed)


@pytest.mark.parametrize(
    ("factor", "now"),
    [
        ("volume", replace(BILL, volume=20)),
        ("steps", replace(BILL, steps=4)),
        ("retries", replace(BILL, retries=2.0)),
        ("price", replace(BILL, uses={"small": scaled(USUAL, spend=1.5)})),
        ("size", replace(BILL, uses={"small": listed(scaled(USUAL, input=2, cached=2))})),
        ("size", replace(BILL, uses={"small": listed(scaled(USUAL, output=3))})),
        ("cache misses", replace(BILL, uses={"small": listed(scaled(USUAL, cached=0))})),
        ("mix", replace(BILL, uses={"small": USUAL, "large": scaled(USUAL, spend=9)})),
    ],
)
def test_what_alone_moved_is_the_whole_change(factor, now):
    found = split_change(BILL, now)
    assert found.pop(factor) == pytest.approx(now.amount - BILL.amount)
    assert now.amount > BILL.amount
    assert list(found.values()) == pytest.approx([0.0] * (len(FACTORS) - 1))


def test_a_model_that_is_new_is_mix_and_neither_size_nor_price():
    large = Use(calls=50, spend=500.0, input=99_000, output=7, rates=Rates(9, 9, 9))
    found = split_change(BILL, replace(BILL, uses={"large": large}))
    assert {name for name, part in found.items() if part} == {"mix"}


def test_calls_whose_tokens_are_unknown_differ_in_price_only():
    unknown = Use(calls=10, spend=9.0)
    found = split_change(BILL, replace(BILL, uses={"small": unknown}))
    assert {name for name, part in found.items() if abs(part) > 1e-9} == {"price"}


def test_a_free_model_that_is_billed_now_is_a_matter_of_price():
    free = replace(BILL, uses={"small": replace(USUAL, spend=0.0)})
    found = split_change(free, BILL)
    assert {name for name, part in found.items() if abs(part) > 1e-9} == {"price"}


def test_the_gain_of_cheaper_prices_and_the_loss_of_longer_prompts_stand_side_by_side():
    now = replace(BILL, uses={"small": scaled(USUAL, input=2, cached=2, output=2)})
    found = split_change(BILL, now)
    assert now.amount == pytest.approx(BILL.amount)
    assert found["size"] == pytest.approx(-found["price"])
    assert found["size"] > 0
