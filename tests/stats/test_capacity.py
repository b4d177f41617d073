"""Idle hours are split into load, capacity, work and price, and nothing is left over."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.capacity import (
    Fleet,
    split_hours,
    split_idle_cost,
    split_utilisation,
)

SOME = st.fractions(min_value="1/9", max_value=9, max_denominator=9)
FLEETS = st.builds(
    Fleet,
    hours=SOME,
    used=st.fractions(min_value="1/9", max_value=1, max_denominator=9),
    answered=SOME,
    price=SOME,
)
UNCOUNTED = FLEETS.map(lambda fleet: replace(fleet, answered=None))


@given(FLEETS, FLEETS)
def test_the_parts_of_the_idle_cost_add_up_to_its_change(before, now):
    assert sum(split_idle_cost(before, now).values()) == now.idle_cost - before.idle_cost


@given(FLEETS | UNCOUNTED, FLEETS | UNCOUNTED)
def test_the_parts_of_utilisation_and_hours_add_up_to_their_changes(before, now):
    assert sum(split_utilisation(before, now).values()) == now.used - before.used
    assert sum(split_hours(before, now).values()) == now.hours - before.hours


WAS = Fleet(hours=24.0, used=0.5, answered=1000.0, price=2.0)


@pytest.mark.parametrize(
    ("factor", "now"),
    [
        ("load", replace(WAS, answered=500.0, used=0.25)),
        ("capacity", replace(WAS, hours=48.0, used=0.25)),
        ("price", replace(WAS, price=3.0)),
        ("work", replace(WAS, used=0.4)),
    ],
)
def test_what_alone_moved_is_the_whole_change(factor, now):
    found = split_idle_cost(WAS, now)
    assert found.pop(factor) == pytest.approx(now.idle_cost - WAS.idle_cost)
    assert list(found.values()) == pytest.approx([0.0] * 3)
    assert now.idle_cost > WAS.idle_cost


def test_hours_that_grow_with_the_load_are_load_and_hours_that_grow_without_it_are_waste():
    busier = replace(WAS, hours=48.0, answered=2000.0)
    found = {name: round(part, 9) for name, part in split_hours(WAS, busier).items()}
    assert found == {"load": 24.0, "utilisation": 0.0, "work": 0.0}
    idler = replace(WAS, hours=48.0, used=0.25)
    found = {name: round(part, 9) for name, part in split_hours(WAS, idler).items()}
    assert found == {"load": 0.0, "utilisation": 24.0, "work": 0.0}
