"""Sums by group add up, whatever the order and the grouping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.profile import BatchProfile, Profile, merge_all
from aiguard_dagster.stats.profile_json import batch_from_bytes, batch_to_bytes
from aiguard_dagster.stats.tally import Tally, merge_tallies, tally_of

TALLIES = st.builds(
    Tally,
    keys=st.just(("model", "status")),
    sums=st.just(("rows", "spend")),
    groups=st.dictionaries(
        st.tuples(st.text(max_size=2), st.sampled_from(["ok", "", "größe"])),
        st.tuples(st.integers(0, 2**40), st.integers(-(2**40), 2**40)),
        max_size=5,
    ),
)


@given(TALLIES, TALLIES, TALLIES)
def test_order_and_grouping_change_nothing(a, b, c):
    whole = merge_tallies([a, b, c])
    assert whole == merge_tallies([c, a, b])
    assert whole == merge_tallies([merge_tallies([a, b]), c])
    assert whole == merge_tallies([a, merge_tallies([c, b])])


@given(TALLIES)
def test_fewer_keys_keep_the_total(tally):
    for names in ((), ("model",), ("status", "model")):
        found = tally.by(*names)
        assert sum(sums["rows"] for sums in found.values()) == tally.total("rows")
    for (model,), sums in tally.by("model").items():
        assert sums["spend"] == tally.total("spend", model=model)


def test_none_give_none():
    assert merge_tallies([]) is None


@pytest.mark.parametrize("other", [("model", "team"), ("model",)])
def test_tallies_of_different_things_are_not_added(other):
    a, b = (Tally(keys=keys, sums=("rows",)) for keys in (("model", "status"), other))
    with pytest.raises(MeasurementError, match="cannot be added"):
        merge_tallies([a, b])


def test_a_null_has_an_empty_key_and_sums_of_nothing_are_zero():
    found = tally_of(["model"], ["rows", "spend"], [[None, 3, None], ["a", 1, 2.5], ["", 1, 1.0]])
    assert found.groups == {("",): (4, 1.0), ("a",): (1, 2.5)}


@given(st.dictionaries(st.text(max_size=4), TALLIES, max_size=3))
def test_a_profile_holds_them_through_a_file_and_a_sum(tallies):
    one = Profile(rows=1, first=None, last=None, columns={}, tallies=tallies)
    batch = BatchProfile(grid_id="g", parts={"1": one})
    assert batch_from_bytes(batch_to_bytes(batch)) == batch
    twice = merge_all([one, one])
    for name, tally in tallies.items():
        assert twice.tallies[name].total("rows") == 2 * tally.total("rows")
