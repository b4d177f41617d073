"""Groups explain the change of their mean, and leave nothing over."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.bennet import Group, mean_of, split_mean

MEANS = st.fractions(min_value=-9, max_value=9, max_denominator=9)
GROUPS = st.dictionaries(
    st.sampled_from("abcd"),
    st.builds(Group, st.integers(0, 20).map(Fraction), MEANS),
    min_size=1,
).filter(lambda found: any(group.weight for group in found.values()))


@given(GROUPS, GROUPS)
def test_the_parts_add_up_to_the_change_with_nothing_left(before, now):
    assert sum(split_mean(before, now).values()) == mean_of(now) - mean_of(before)


@given(GROUPS, GROUPS)
def test_going_back_is_the_same_with_the_other_sign(before, now):
    back = split_mean(now, before)
    assert {name: -part for name, part in split_mean(before, now).items()} == back


@given(GROUPS, st.integers(1, 9))
def test_more_of_everything_is_no_change(groups, times):
    more = {name: Group(g.weight * times, g.mean) for name, g in groups.items()}
    assert not any(split_mean(groups, more).values())


def test_a_new_group_above_the_mean_raises_it_and_the_rest_gives_way():
    was = {"a": Group(1, 10.0)}
    found = split_mean(was, {**was, "new": Group(1, 30.0)})
    assert found["new"] > 0
    assert sum(found.values()) == pytest.approx(10)


def test_no_weight_is_no_mean():
    assert mean_of({"a": Group(0, 3.0)}) is None
