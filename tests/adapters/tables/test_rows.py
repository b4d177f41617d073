"""What users' IO managers hand over, as one lazy frame."""

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aiguard_dagster.adapters.tables.rows import open_rows
from aiguard_dagster.core.errors import MeasurementError

VALUES = st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.booleans()


def table(value):
    return open_rows(value).frame.collect().to_native()


def test_a_list_of_dicts_is_a_table_and_what_a_row_leaves_out_is_null():
    rows = [{"id": 1, "age": None}, {"id": 2, "age": 31}, {"age": 40.5, "note": "new"}]
    found = table(rows)
    assert found.to_dict(as_series=False) == {
        "id": [1, 2, None],
        "age": [None, 31.0, 40.5],
        "note": [None, None, "new"],
    }
    assert open_rows(rows).native is rows


def test_values_of_several_types_are_text():
    assert table([{"a": 1}, {"a": "x"}, {"a": None}])["a"].to_list() == ["1", "x", None]


@given(st.lists(st.dictionaries(st.text(max_size=3) | st.integers(0, 3), VALUES, max_size=4)))
def test_any_list_of_flat_dicts_keeps_its_rows_and_its_nulls(rows):
    names = [str(name) for name in dict.fromkeys(name for row in rows for name in row)]
    assume(len(set(names)) == len(names))
    found = table(rows)
    assert found.columns == names
    assert found.height == (len(rows) if names else 0)
    for name in found.columns:
        given_null = [{str(k): v for k, v in row.items()}.get(name) is None for row in rows]
        assert found[name].is_null().to_list() == given_null


def test_partitions_are_put_together():
    parts = {"a": pl.LazyFrame({"x": [1]}), "b": [{"x": 2}]}
    assert table(parts)["x"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (5, "the asset's value is a builtins.int, which is no table"),
        ([{"a": 1}, 2], "the asset's value is a builtins.list, which is no table"),
        (pl.scan_parquet("/no/where.parquet"), "cannot be computed: FileNotFoundError"),
        (pl.LazyFrame({"a": ["secret"]}).cast(pl.Int64), "cannot be computed: InvalidOperation"),
        (
            {"a": pl.DataFrame({"x": [1]}), "b": pl.DataFrame({"y": [1]})},
            "the 2 partitions differ in columns or types",
        ),
    ],
)
def test_what_is_no_table_is_told_without_quoting_rows(value, told):
    with pytest.raises(MeasurementError) as raised:
        open_rows(value)
    assert told in str(raised.value)
    assert "Hint: " in str(raised.value)
    assert "secret" not in str(raised.value)
