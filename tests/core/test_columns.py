"""Comparisons of columns: what was renamed, what moved."""

from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.columns import out_of_order, renamed, same_type

NAMES = st.lists(st.text(max_size=4), unique=True, max_size=8)
TYPES = st.sampled_from(["int", "string"])
COLUMNS = st.dictionaries(st.text("abc_", max_size=5), TYPES, max_size=6)


@given(NAMES, st.randoms(use_true_random=False))
def test_without_what_is_out_of_order_the_order_is_right(names, random):
    shuffled = random.sample(names, len(names))

    moved = out_of_order(names, shuffled)

    left = [name for name in shuffled if name not in moved]
    assert left == [name for name in names if name in left]
    assert (moved == []) == (shuffled == names)


@given(NAMES.filter(bool), st.data())
def test_one_column_that_moved_is_at_most_one_out_of_order(names, data):
    moved = data.draw(st.sampled_from(names))
    rest = [name for name in names if name != moved]
    place = data.draw(st.integers(0, len(rest)))

    assert len(out_of_order(names, [*rest[:place], moved, *rest[place:]])) <= 1


@given(NAMES, NAMES)
def test_columns_that_only_one_side_has_are_not_out_of_order(names, others):
    new = [name for name in others if name not in names]

    assert out_of_order(names, [*new, *names]) == []
    assert out_of_order([*names, *new], names) == []


@given(COLUMNS, COLUMNS)
def test_a_column_is_renamed_once_and_to_its_own_type(gone, new):
    pairs = renamed(gone, new)

    assert len(set(pairs.values())) == len(pairs)
    assert all(gone[old] == new[fresh] for old, fresh in pairs.items())


def test_names_that_only_differ_in_case_and_marks_are_renamed():
    gone = {"customer_id": "int", "temp": "float", "größe": "float"}
    new = {"temperature": "float", "CustomerID": "int", "grösse": "float", "customer_no": "string"}

    assert renamed(gone, new) == {
        "customer_id": "CustomerID",
        "temp": "temperature",
        "größe": "grösse",
    }


def test_of_several_new_names_the_most_similar_one_is_meant():
    assert renamed({"price": "float"}, {"pricey": "float", "Price": "float"}) == {"price": "Price"}
    assert renamed({"price": "float"}, {"Price": "float", "pricey": "float"}) == {"price": "Price"}


def test_a_column_of_another_type_or_name_is_not_the_renamed_one():
    assert renamed({"price": "float"}, {"price_2": "string", "weather": "float"}) == {}
    assert renamed({"": "int"}, {"*": "int"}) == {}


@given(TYPES, TYPES)
def test_an_unknown_type_contradicts_nothing(one, other):
    assert same_type(one, "unknown")
    assert same_type("unknown", other)
    assert same_type(one, other) == (one == other)
