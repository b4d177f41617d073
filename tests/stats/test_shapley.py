"""The parts of a change are all of it, whatever the order."""

from fractions import Fraction
from itertools import permutations
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.shapley import shapley

SIZES = st.fractions(min_value=-5, max_value=5, max_denominator=7)
FACTORS = st.lists(st.tuples(SIZES, SIZES), min_size=1, max_size=5)


def product(pairs):
    return lambda now: prod(pair[place in now] for place, pair in enumerate(pairs))


@given(FACTORS)
def test_the_parts_add_up_to_the_change_with_nothing_left(pairs):
    value, places = product(pairs), range(len(pairs))
    change = value(frozenset(places)) - value(frozenset())
    assert sum(shapley(value, places).values()) == change


@given(FACTORS)
def test_the_order_in_which_factors_are_named_changes_nothing(pairs):
    value, places = product(pairs), list(range(len(pairs)))
    assert shapley(value, places) == shapley(value, places[::-1])


@given(FACTORS)
def test_it_is_the_mean_over_all_orders_in_which_factors_can_move(pairs):
    value, places = product(pairs), range(len(pairs))
    orders = list(permutations(places))
    for factor, part in shapley(value, places).items():
        moved = [frozenset(order[: order.index(factor)]) for order in orders]
        steps = [value(before | {factor}) - value(before) for before in moved]
        assert part == Fraction(sum(steps), len(orders))


@given(FACTORS, SIZES)
def test_a_factor_that_did_not_move_has_no_part(pairs, still):
    value = product([*pairs, (still, still)])
    assert shapley(value, range(len(pairs) + 1))[len(pairs)] == 0


def test_a_change_by_one_factor_is_its_part_alone():
    found = shapley(product([(2.0, 3.0), (10.0, 10.0)]), range(2))
    assert found == {0: pytest.approx(10.0), 1: 0.0}
