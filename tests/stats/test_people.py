from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.stats.people import People, people_of, person_mean, thin
from aiguard_dagster.stats.tally import Tally, merge_tallies

hashes = st.integers(0, 255).map("{:02x}".format)
groups = st.dictionaries(
    st.tuples(hashes | st.just(""), st.sampled_from(["eu", "us"])),
    st.tuples(st.integers(0, 50), st.integers(0, 50)),
    max_size=60,
)


def tally_of(found):
    return Tally(keys=("user", "region"), sums=("rows", "told"), groups=found)


@given(groups, st.integers(1, 40))
def test_no_row_is_lost_by_a_sample_and_no_other_key_is_blurred(found, most):
    tally = tally_of(found)
    thinned = thin(tally, ["user"], most=most)
    assert thinned.by("region") == {
        group: sums for group, sums in tally.by("region").items() if group in thinned.by("region")
    }
    assert thinned.total("rows") == tally.total("rows")
    named = [group for group in thinned.groups if group[0] and not group[0].startswith("…")]
    assert len(named) <= most


@given(groups, st.integers(1, 40))
def test_who_is_in_a_sample_is_there_with_all_that_they_did(found, most):
    whole, part = (
        people_of(tally_of(found), "user"),
        people_of(thin(tally_of(found), ["user"], most=most), "user"),
    )
    assert part.sums.items() <= whole.sums.items()
    assert whole.each == 1


@given(groups, groups, st.integers(1, 40))
def test_days_of_different_samples_add_up_to_people_that_are_in_both(first, second, most):
    days = [thin(tally_of(first), ["user"], most=most), tally_of(second)]
    together = people_of(merge_tallies(days), "user")
    exact = people_of(merge_tallies([tally_of(first), tally_of(second)]), "user")
    assert together.sums.items() <= exact.sums.items()


@given(st.dictionaries(hashes, st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1))
def test_who_does_everything_a_thousand_times_changes_no_mean(shares):
    once = {who: {"a": part, "b": whole} for who, (part, whole) in shares.items()}
    often = {
        who: {"a": 1000 * sums["a"], "b": 1000 * sums["b"]} if n == 0 else sums
        for n, (who, sums) in enumerate(once.items())
    }
    means = [person_mean(People(sums=sums), "a", "b") for sums in (once, often)]
    assert means[0] == means[1]


def test_of_nobody_there_is_no_mean():
    assert person_mean(People(sums={"a": {"a": 0, "b": 0}}), "a", "b").value is None


def test_one_person_of_more_groups_than_are_kept_is_left_out_like_anyone():
    tally = tally_of({("ff", "eu"): (1, 1), ("ff", "us"): (1, 1), ("00", "eu"): (1, 1)})
    thinned = thin(tally, ["user"], most=1)
    assert thinned.total("rows") == 3
    assert people_of(thinned, "user").sums == {}
