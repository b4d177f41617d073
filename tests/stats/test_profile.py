"""Profiles add up whatever the order, and survive JSON."""

import json
import math
from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.profile import (
    EMPTY,
    BatchProfile,
    ColumnProfile,
    Outcomes,
    Profile,
    merge,
    merge_all,
    merge_columns,
)
from aiguard_dagster.stats.profile_json import (
    FORMAT,
    batch_from_json,
    batch_to_json,
    profile_from_json,
    profile_to_json,
)
from tests.stats.profiles import START, profiles

batches = st.builds(
    BatchProfile,
    grid_id=st.text(max_size=16),
    parts=st.dictionaries(st.text(max_size=5), profiles(), max_size=3),
)


def without_moments(profile):
    """All but mean and spread, which add up only as floats do."""
    bare = {name: replace(c, mean=0.0, spread=0.0) for name, c in profile.columns.items()}
    return replace(profile, columns=bare)


def assert_same(a, b):
    assert without_moments(a) == without_moments(b)
    for name, column in a.columns.items():
        assert column.mean == pytest.approx(b.columns[name].mean, rel=1e-9, abs=1e-6)
        assert column.spread == pytest.approx(b.columns[name].spread, rel=1e-9, abs=1e-2)


@given(profiles(), profiles())
def test_the_order_of_two_batches_does_not_matter(a, b):
    assert_same(merge(a, b), merge(b, a))


@given(profiles(), profiles(), profiles())
def test_how_batches_are_grouped_does_not_matter(a, b, c):
    assert_same(merge(merge(a, b), c), merge(a, merge(b, c)))


@given(profiles())
def test_a_batch_of_no_rows_adds_nothing(a):
    assert merge(a, EMPTY) == merge(EMPTY, a) == merge_all([EMPTY, a, EMPTY]) == a


@given(st.lists(profiles(), max_size=6))
def test_every_row_of_a_window_is_counted_once(parts):
    total = merge_all(parts)
    assert total.rows == sum(part.rows for part in parts)
    for column in total.columns.values():
        assert column.rows == total.rows
        assert sum(column.counts) + column.nulls == total.rows
    assert total.outcomes.labelled == sum(part.outcomes.labelled for part in parts)
    assert sum(total.outcomes.confusion.values()) == sum(
        sum(part.outcomes.confusion.values()) for part in parts
    )


EDGES = [-1.0, 0.0, 2.5]
values = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, *EDGES]))


def counted(rows):
    """One column by numpy, the long way round."""
    array = np.array(rows, dtype=float)
    finite = array[np.isfinite(array)]
    bins = np.searchsorted(EDGES, array[~np.isnan(array)], side="left")
    return ColumnProfile(
        rows=array.size,
        nulls=int(np.isnan(array).sum()),
        infinite=int(np.isinf(array).sum()),
        counts=tuple(np.bincount(bins, minlength=len(EDGES) + 1).tolist()),
        lowest=float(finite.min()) if finite.size else None,
        highest=float(finite.max()) if finite.size else None,
        mean=float(finite.mean()) if finite.size else 0.0,
        spread=float(((finite - finite.mean()) ** 2).sum()) if finite.size else 0.0,
    )


@given(st.lists(st.lists(values, min_size=1, max_size=20), min_size=1, max_size=6))
def test_the_sum_of_a_window_is_the_profile_of_its_rows_put_together(parts):
    def profile(rows):
        return Profile(rows=len(rows), first=START, last=START, columns={"x": counted(rows)})

    found = merge_all(profile(rows) for rows in parts).columns["x"]
    whole = counted([value for rows in parts for value in rows])
    assert replace(found, mean=0, spread=0) == replace(whole, mean=0, spread=0)
    assert found.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
    assert found.spread == pytest.approx(whole.spread, rel=1e-6, abs=1e-6)


def test_spread_stays_exact_far_from_zero():
    rows = [1e9 + step for step in range(100)]
    parts = [counted([row]) for row in rows]
    found = list(accumulate(parts, merge_columns))[-1]
    assert found.spread == pytest.approx(np.var(rows) * 100, rel=1e-6)


def test_profiles_of_other_grids_or_columns_cannot_be_added():
    x = ColumnProfile(rows=1, nulls=0, infinite=0, counts=(1, 0))
    with pytest.raises(MeasurementError, match="profiles of 2 and 3 bins"):
        merge_columns(x, replace(x, counts=(1, 0, 0)))
    a = Profile(rows=1, first=None, last=None, columns={"x": x})
    with pytest.raises(MeasurementError, match="different columns cannot be added: x, y"):
        merge(a, replace(a, columns={"y": x}))


@given(batches)
def test_a_profile_is_the_same_after_json(batch):
    text = json.dumps(batch_to_json(batch), allow_nan=False)
    assert batch_from_json(json.loads(text)) == batch


def test_a_sum_beyond_all_numbers_is_kept_as_the_largest_there_is():
    endless = Outcomes(labelled=1, absolute=1e300, squared=math.inf, signed=-math.inf)
    profile = Profile(rows=1, first=None, last=None, columns={}, outcomes=endless)
    text = json.dumps(profile_to_json(profile), allow_nan=False)
    found = profile_from_json(json.loads(text)).outcomes
    assert (found.squared, found.signed) == (1.7976931348623157e308, -1.7976931348623157e308)


WHOLE = batch_to_json(
    BatchProfile(
        grid_id="g",
        parts={
            "1": Profile(
                rows=3,
                first=START,
                last=START,
                columns={"x": ColumnProfile(rows=3, nulls=1, infinite=0, counts=(2, 0))},
            )
        },
    )
)
X = ("parts", "1", "columns", "x")


def altered(*path, to):
    """The whole document with one place changed; ``...`` takes the place out."""
    document = json.loads(json.dumps(WHOLE))
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    if to is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return document


def test_the_document_that_is_altered_below_is_whole():
    assert batch_from_json(altered("grid_id", to="g")).parts["1"].rows == 3


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        "profile",
        {},
        {"format": FORMAT},
        altered("format", to=FORMAT + 1),
        altered("parts", to=[]),
        altered("parts", to=...),
        altered("parts", "1", to=None),
        altered("parts", "1", "outcomes", to=...),
        altered("parts", "1", "first", to="yesterday"),
        altered("parts", "1", "outcomes", "confusion", to=[["a", "b"]]),
        altered(*X, to=3),
        altered(*X, "counts", to="20"),
        altered(*X, "counts", to=None),
        altered(*X, "counts", to=[2, 1]),
        altered(*X, "counts", to=[3, -1]),
        altered(*X, "nulls", to=0),
        altered(*X, "nulls", to="1"),
        altered(*X, "rows", to=4),
        altered(*X, "colour", to="red"),
        altered(*X, "infinite", to=...),
    ],
)
def test_a_cut_or_altered_document_is_a_measurement_error(document):
    with pytest.raises(MeasurementError):
        batch_from_json(document)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: st.dictionaries(
            st.sampled_from(["format", "parts", "grid_id", "columns", "rows", "outcomes"]), x
        ),
    )
)
def test_no_document_whatever_crashes_the_reader(document):
    if isinstance(document, dict):
        document["format"] = FORMAT
    try:
        batch_from_json(document)
    except MeasurementError as error:
        assert "profile" in str(error)  # noqa: PT017 - some documents are whole
