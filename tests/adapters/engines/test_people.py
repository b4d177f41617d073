"""Names become hashes, and very many people a sample, as if each group were looked at alone."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.adapters.engines.people import hash_of, without_names
from aiguard_dagster.signals.tallied import PART, Counted
from aiguard_dagster.stats.people import thin
from aiguard_dagster.stats.tally import OTHER, tally_of

KEYS, SUMS = ("user", "region"), ("rows", "told")
COUNTED = Counted(
    frame=pl.LazyFrame(), keys=KEYS, sums=SUMS, hashed=("user",)  # type: ignore[arg-type]
)  # fmt: skip
names = st.sampled_from([None, "", OTHER, *(f"person {n}" for n in range(40))])
groups = st.dictionaries(
    st.tuples(st.integers(1, 3), names, st.sampled_from(["eu", "us", None])),
    st.tuples(st.integers(0, 50), st.integers(0, 50)),
    max_size=80,
)


def frame_of(found):
    schema = {PART: pl.Int64, "user": pl.String, "region": pl.String}
    rows = [(*keys, *sums) for keys, sums in found.items()]
    return pl.DataFrame(rows, {**schema, "rows": pl.Int64, "told": pl.Int64}, orient="row")


def one_by_one(found, part, most):
    """The tally of a part, where each row is hashed and put together by itself."""
    rows = [
        (hash_of(user, "g") if user and user != OTHER else user, region, *sums)
        for (of, user, region), sums in found.items()
        if of == part
    ]
    return thin(tally_of(KEYS, SUMS, rows), ["user"], most=most)


@given(groups, st.integers(1, 12))
def test_columns_give_what_rows_give_one_by_one(found, most):
    frame = without_names(frame_of(found), COUNTED, guard="g", most=most)
    for part in {part for part, *_ in found}:
        rows = [row for of, *row in frame.iter_rows() if of == part]
        assert tally_of(KEYS, SUMS, rows) == one_by_one(found, part, most)


def test_of_very_many_people_the_sample_is_that_of_one_by_one():
    found = {(1, f"person {n}", region): (n, 1) for n in range(900) for region in ("eu", "us")}
    frame = without_names(frame_of(found), COUNTED, guard="g", most=300)
    kept = tally_of(KEYS, SUMS, [row for _, *row in frame.iter_rows()])
    assert kept == one_by_one(found, 1, 300)
    assert 100 < len(kept.groups) <= 302


@given(groups, st.integers(1, 12))
def test_no_name_is_left_and_no_row_is_lost(found, most):
    frame = without_names(frame_of(found), COUNTED, guard="g", most=most)
    assert not any("person" in user for user in frame["user"])
    assert frame["rows"].sum() == sum(rows for rows, _ in found.values())
    assert len(frame) <= len(found)


def test_people_of_two_guards_cannot_be_joined():
    found = {(1, f"person {n}", "eu"): (1, 1) for n in range(100)}
    one, other = (
        set(without_names(frame_of(found), COUNTED, guard=guard)["user"])
        for guard in ("assistant", "scorer")
    )
    assert (len(one), len(other)) == (100, 100)
    assert not one & other
