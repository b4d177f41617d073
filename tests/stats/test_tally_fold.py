"""Groups that are put together lose nothing, and stay apart where they must."""

from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.tally import Tally, fold

GROUPS = st.dictionaries(
    st.tuples(st.sampled_from(["calls", "requests"]), st.sampled_from(["a", "b", "c", "d", "…"])),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
)


def tally_of(groups):
    return Tally(keys=("counts", "model"), sums=("rows", "spend"), groups=groups)


@given(GROUPS, st.integers(0, 8))
def test_no_sum_changes_when_groups_are_put_together(groups, most):
    whole, folded = tally_of(groups), fold(tally_of(groups), most=most)
    assert [folded.total(name) for name in whole.sums] == [whole.total(n) for n in whole.sums]


@given(GROUPS, st.integers(0, 8))
def test_keys_that_stand_apart_keep_their_own_sums(groups, most):
    whole, folded = tally_of(groups), fold(tally_of(groups), most=most, apart=["counts"])
    for counts in ("calls", "requests"):
        assert folded.total("spend", counts=counts) == whole.total("spend", counts=counts)
    assert len(folded.groups) <= most + 2
