"""Profiles survive their file, and a file that did not survive is never a number."""

import hashlib
import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import split_hint
from aiguard_dagster.stats.profile import (
    BatchProfile,
    ColumnProfile,
    Outcomes,
    Profile,
    Residuals,
)
from aiguard_dagster.stats.profile_json import FORMAT, batch_from_bytes, batch_to_bytes
from tests.stats.profiles import START, counted, profiles

MOST_BYTES = 64 * 1024
batches = st.builds(
    BatchProfile,
    grid_id=st.text(max_size=16),
    parts=st.dictionaries(st.text(max_size=5), profiles(), max_size=2),
)
WHOLE = BatchProfile(
    grid_id="g",
    parts={
        "1": Profile(
            rows=4,
            first=START,
            last=START,
            columns={"x": counted([1.5, -math.inf, math.nan], nulls=1)},
            outcomes=Outcomes(
                labelled=2,
                absolute=0.5,
                squared=0.25,
                signed=-0.5,
                confusion={("a", "b"): 1, ("b", "b"): 1},
                scores={("a", "b"): (0, 1), ("", "b"): (2, 0)},
                priced=1,
                spend=0.25,
            ),
            residuals={"x": Residuals(rows=(1, 0), sums=(0.5, 0.0), squares=(0.25, 0.0))},
            products=(1.0, 0.5),
        )
    },
)
FILE = batch_to_bytes(WHOLE)


def sealed(body, **head):
    """A file of any body, as its writer would have sealed it."""
    line = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = {
        "format": FORMAT,
        "readable_from": FORMAT,
        "sha256": hashlib.sha256(line).hexdigest(),
        **head,
    }
    return json.dumps(head).encode() + b"\n" + line + b"\n"


def body_of(content):
    return json.loads(content.split(b"\n")[1])


def read(content):
    """The batch, or None where it is refused as it ought to be."""
    try:
        return batch_from_bytes(content)
    except MeasurementError:
        return None


@settings(max_examples=60)
@given(batches)
def test_a_profile_is_the_same_after_its_file(batch):
    assert batch_from_bytes(batch_to_bytes(batch)) == batch


def test_a_profile_of_everything_is_the_same_after_its_file():
    assert batch_from_bytes(FILE) == WHOLE


@settings(max_examples=60)
@given(batches)
def test_a_file_is_two_lines_and_the_same_each_time(batch):
    content = batch_to_bytes(batch)
    assert content == batch_to_bytes(batch)
    assert content.count(b"\n") == 2
    assert content.isascii()
    assert [type(json.loads(line)) for line in content.splitlines()] == [dict, dict]


def test_fifty_columns_of_ten_million_rows_take_less_than_64_kilobytes():
    rng = np.random.default_rng(0)
    rows = 10_000_000
    columns = {
        f"a_column_with_a_long_name_{place}": ColumnProfile(
            rows=rows,
            counts=tuple(rng.multinomial(rows - 54_321, np.full(36, 1 / 36)).tolist()),
            nulls=50_000,
            nans=4_321,
            lowest=rng.normal(),
            highest=rng.normal(),
            mean=rng.normal(),
            spread=rng.random() * rows,
        )
        for place in range(50)
    }
    products = tuple(rng.normal(size=10 * 11 // 2 + 10).tolist())
    whole = Profile(rows=rows, first=START, last=START, columns=columns, products=products)
    size = len(batch_to_bytes(BatchProfile(grid_id="0" * 16, parts={"": whole})))
    assert size < MOST_BYTES / 2


def test_a_file_that_was_cut_anywhere_is_refused():
    assert [kept for kept in range(len(FILE)) if read(FILE[:kept])] == [len(FILE) - 1]
    # Without the last line's end nothing is missing.
    assert read(FILE[:-1]) == WHOLE


@settings(max_examples=60)
@given(batches, st.data())
def test_any_file_that_was_cut_anywhere_is_refused(batch, data):
    content = batch_to_bytes(batch)
    kept = data.draw(st.integers(0, len(content) - 1))
    found = read(content[:kept])
    assert found == (batch if kept == len(content) - 1 else None)


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_never_gives_another_profile(bit):
    body = FILE.index(b"\n") + 1
    for place in range(len(FILE)):
        altered = bytearray(FILE)
        altered[place] ^= 1 << bit
        found = read(bytes(altered))
        # In the head, what is flipped may be what nobody reads: a format, a name.
        assert found in ([None] if place >= body else [None, WHOLE])


@settings(max_examples=60)
@given(batches, st.data())
def test_a_byte_that_was_altered_never_gives_another_profile(batch, data):
    content = bytearray(batch_to_bytes(batch))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    assert read(bytes(content)) in (None, batch)


@given(st.data())
def test_bytes_that_were_added_or_lost_never_give_another_profile(data):
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(FILE))] * 2)))
    found = read(FILE[:start] + data.draw(st.binary(max_size=3)) + FILE[end:])
    assert found in (None, WHOLE)


def test_a_file_that_was_cut_says_so():
    with pytest.raises(MeasurementError, match=r"^not a whole profile: it was cut or altered"):
        batch_from_bytes(FILE[:-20])
    with pytest.raises(MeasurementError, match=r"^not a profile$"):
        batch_from_bytes(FILE[:20])


def test_keys_that_are_not_known_are_left_alone():
    document = body_of(FILE)
    part = document["parts"]["1"]
    for place in (document, part, part["outcomes"], part["columns"]["x"]):
        place["sketch"] = {"of": [1, 2, 3]}
    assert batch_from_bytes(sealed(document)) == WHOLE
    assert batch_from_bytes(sealed(document, format=FORMAT + 7, seal="wax")) == WHOLE


def test_a_file_that_older_readers_may_read_is_read():
    assert batch_from_bytes(sealed(body_of(FILE), readable_from=1)) == WHOLE


def test_a_file_for_newer_readers_is_refused_with_a_hint():
    newer = sealed(body_of(FILE), format=9, readable_from=FORMAT + 1)
    with pytest.raises(MeasurementError) as refused:
        batch_from_bytes(newer)
    what, hint = split_hint(str(refused.value))
    assert what == f"profile of format 9; this version reads up to {FORMAT}"
    assert hint == "update aiguard-dagster where profiles are read."


def test_a_file_for_newer_readers_is_refused_before_its_body_is_looked_at():
    newer = sealed(b"something compressed", format=9, readable_from=FORMAT + 1)
    with pytest.raises(MeasurementError, match="profile of format 9"):
        batch_from_bytes(newer)


def test_what_is_zero_or_empty_takes_no_room():
    plain = Profile(rows=1, first=None, last=None, columns={"c": counted([], (), nulls=1)})
    body = body_of(batch_to_bytes(BatchProfile(grid_id="g", parts={"": plain})))
    column = {"counts": [0], "nulls": 1}
    assert body["parts"][""] == {"rows": 1, "columns": {"c": column}, "outcomes": {}}


def test_a_sum_beyond_all_numbers_is_kept_as_the_largest_there_is():
    largest = 1.7976931348623157e308
    column = ColumnProfile(
        rows=2, counts=(2,), lowest=1.0, highest=1e300, mean=math.nan, spread=math.inf
    )
    endless = Profile(
        rows=2,
        first=None,
        last=None,
        columns={"x": column},
        outcomes=Outcomes(labelled=1, absolute=1e300, squared=math.inf, signed=-math.inf),
        residuals={"x": Residuals(rows=(2,), sums=(-math.inf,), squares=(math.inf,))},
        products=(math.inf, math.nan),
    )
    batch = batch_from_bytes(batch_to_bytes(BatchProfile(grid_id="g", parts={"": endless})))
    found = batch.parts[""]
    assert (found.columns["x"].mean, found.columns["x"].spread) == (0.0, largest)
    assert (found.outcomes.squared, found.outcomes.signed) == (largest, -largest)
    assert found.residuals["x"] == Residuals(rows=(2,), sums=(-largest,), squares=(largest,))
    assert found.products == (largest, 0.0)


X = ("parts", "1", "columns", "x")


def altered(*path, to):
    """The whole document with one place changed; ``...`` takes the place out."""
    document = body_of(FILE)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    if to is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return document


@pytest.mark.parametrize(
    "document",
    [
        [],
        None,
        "profile",
        {},
        altered("parts", to=[]),
        altered("parts", to=...),
        altered("grid_id", to=...),
        altered("parts", "1", to=None),
        altered("parts", "1", "rows", to=...),
        altered("parts", "1", "rows", to=5),
        altered("parts", "1", "outcomes", to=...),
        altered("parts", "1", "first", to="yesterday"),
        altered("parts", "1", "outcomes", "confusion", to=[["a", "b"]]),
        altered("parts", "1", "outcomes", "confusion", to=[[["a"], "b", 1]]),
        altered("parts", "1", "outcomes", "scores", to=[["a", "b", 1]]),
        altered("parts", "1", "residuals", "x", to=[[1]]),
        altered("parts", "1", "residuals", to=3),
        altered("parts", "1", "products", to=3),
        altered(*X, to=3),
        altered(*X, "counts", to=...),
        altered(*X, "counts", to="20"),
        altered(*X, "counts", to=None),
        altered(*X, "counts", to=[2, 1]),
        altered(*X, "counts", to=[3, -1, 0, 0]),
        altered(*X, "counts", to=[10**400, 0.5]),
        altered(*X, "nulls", to=0),
        altered(*X, "nulls", to="1"),
    ],
)
def test_a_document_that_is_no_profile_is_a_measurement_error(document):
    with pytest.raises(MeasurementError, match="profile"):
        batch_from_bytes(sealed(document))


NAMES = ["grid_id", "parts", "1", "rows", "first", "columns", "counts", "outcomes", "confusion"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
)


@given(anything, anything)
@example(None, 2)
@example({}, True)
def test_no_document_whatever_crashes_the_reader(body, readable):
    content = sealed(body)
    for tried in (content, sealed(body, readable_from=readable), content.replace(b"\n", b"")):
        read(tried)


@given(st.sampled_from(["rows", "outcomes", "columns", "residuals", "products", "last"]), anything)
def test_no_altered_document_crashes_the_reader(place, value):
    read(sealed(altered("parts", "1", place, to=value)))


@given(st.sampled_from([*body_of(FILE)["parts"]["1"]["outcomes"]]), anything)
def test_no_altered_outcome_crashes_the_reader(place, value):
    read(sealed(altered("parts", "1", "outcomes", place, to=value)))


@given(st.sampled_from(["counts", "nulls", "lowest", "mean"]), anything)
def test_no_altered_column_crashes_the_reader(place, value):
    read(sealed(altered(*X, place, to=value)))


@given(st.binary())
@example(b"")
@example(b"\n")
@example(b"\xff\xfe{\x00}\x00\n")
@example(b"1" * 5000)
@example(b"[" * 100_000)
@example(sealed(b"[" * 100_000))
@example(sealed(b'{"parts":' + b"9" * 5000 + b"}"))
def test_no_bytes_whatever_crash_the_reader(content):
    assert read(content) is None
