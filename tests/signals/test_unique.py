"""Rows that share a key."""

import math
from collections import Counter
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Verdict
from tests.signals.batches import DAY, ENGINES, RENTALS, judged, rows_of, said

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
UNIQUE = {"kind": "unique", "table": "features"}
ODD = ["größe", "a b", "k0", "n", "len", "*", "^a$", '"; DROP TABLE x; --', "it's", "時刻"]


def judged_keys(rows, *columns, **more):
    return judged({**UNIQUE, "columns": columns}, rows, **more)


def test_the_rentals_are_quiet_every_day():
    days = RENTALS["timestamp"].dt.date().unique().sort()[::7]
    assert {judged(UNIQUE, rows_of(f"{day}"), day=f"{day}").verdict for day in days} == {OK}
    assert judged(UNIQUE, RENTALS, day=None).measurement.n == 17_379


@pytest.mark.parametrize("engine", ENGINES)
def test_a_load_that_ran_twice_is_caught(engine):
    rows = rows_of("2012-05-01")
    found = judged(UNIQUE, pl.concat([rows, rows]), engine=engine)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (BREACH, 1, 48)
    assert "worst: timestamp (24 keys on 48 of 48 rows, one on 2)" in found.reason


@pytest.mark.parametrize("engine", ENGINES)
def test_a_retry_that_wrote_three_rows_again_is_caught(engine):
    rows = rows_of("2012-05-01")
    found = judged(UNIQUE, pl.concat([rows, rows.tail(3)]), engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 6 / 27)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_join_that_multiplies_rows_is_caught(engine):
    weather = pl.DataFrame({"hr": [7, 7, 7, 8], "station": ["a", "b", "c", "a"]})
    rows = rows_of("2012-05-01").join(weather, on="hr", how="left")
    found = judged(UNIQUE, rows, engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 3 / 26)
    assert "1 key on 3 of 26 rows, one on 3" in found.reason


@pytest.mark.parametrize("engine", ENGINES)
def test_an_hour_told_twice_when_clocks_go_back_is_caught(engine):
    clock = pl.col("timestamp").dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York")
    rows = rows_of("2012-11-04").with_columns(clock.dt.replace_time_zone(None))
    found = judged(UNIQUE, rows, day="2012-11-04", engine=engine)
    assert (found.verdict, found.measurement.value) == (BREACH, 2 / 24)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_rows_whose_keys_lack_the_same_part_share_a_key(engine):
    rows = pl.DataFrame({"id": [1, None, None, 2], "region": ["n", "n", "n", None]})
    found = judged_keys(rows, "id", "region", engine=engine)
    assert found.measurement.value == 0.5
    assert found.measurement.parts[0].text == (
        "1 key on 2 of 4 rows, one on 2; 2 of these rows lack a part of their key"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_keys_that_lack_a_part_and_differ_in_another_are_two(engine):
    rows = pl.DataFrame({"id": [None, None, 1], "region": ["n", "s", None]})
    assert judged_keys(rows, "id", "region", engine=engine).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_nan_is_the_same_key_as_null_and_infinities_are_keys(engine):
    rows = pl.DataFrame({"x": [math.nan, None, math.inf, -math.inf, 0.0, 1.0]})
    assert judged_keys(rows, "x", engine=engine).measurement.value == 2 / 6


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [pl.Float64, pl.String, pl.Datetime, pl.Null])
def test_one_row_without_a_key_is_unique_and_two_are_not(engine, dtype):
    rows = pl.DataFrame({"x": pl.Series([None, None], dtype=dtype), "y": [1, 2]})
    assert judged_keys(rows, "x", engine=engine).measurement.value == 1
    assert judged_keys(rows.head(1), "x", engine=engine).verdict is OK


@pytest.mark.parametrize("engine", ENGINES)
def test_no_rows_are_inconclusive(engine):
    found = judged(UNIQUE, rows_of("2012-05-01").clear(), engine=engine)
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)
    assert found.measurement.note == "no rows"


def test_one_duplicate_among_hundreds_of_thousands_is_counted_exactly():
    rows = pl.DataFrame({"id": [*range(300_000), 7]})
    found = judged_keys(rows, "id", day=None)
    assert found.measurement.value == 2 / 300_001
    assert found.verdict is BREACH


def test_decimals_and_large_integers_that_differ_in_the_last_digit_differ():
    big = 2**62
    rows = pl.DataFrame({"id": [big, big + 1], "price": pl.Series(["0.10", "0.11"])})
    rows = rows.with_columns(exact=pl.col("price").cast(pl.Decimal(38, 30)))
    assert judged_keys(rows, "id").verdict is OK
    assert judged_keys(rows, "exact").verdict is OK


def test_the_limit_is_a_share_and_a_value_on_it_is_ok():
    rows = pl.DataFrame({"id": [1, 1, 2, 3]})
    assert judged_keys(rows, "id", limit="50%").verdict is OK
    assert judged_keys(rows, "id", limit="49%").verdict is BREACH


def test_the_key_of_the_table_is_asked_when_no_columns_are_named():
    rows = rows_of("2012-05-01").with_columns(zone=pl.lit("n"))
    both = pl.concat([rows, rows.with_columns(zone=pl.lit("s"))])
    keyed = Table(asset="a", time="timestamp", key=("timestamp", "zone"))
    assert judged(UNIQUE, both, table=keyed).verdict is OK
    assert judged(UNIQUE, both).verdict is BREACH
    assert judged_keys(both, "zone", table=keyed).measurement.value == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("column", ODD)
def test_a_column_may_have_any_name(engine, column):
    rows = pl.DataFrame({"one": [1, 2, 3], column: ["x", "x", "y"], "two": [1, 1, 1]})
    found = judged_keys(rows, column, engine=engine)
    assert found.measurement.value == 2 / 3
    assert found.measurement.parts[0].name == column
    assert judged_keys(rows, "one", column, engine=engine).verdict is OK


@pytest.mark.parametrize("engine", ["polars", "lazy polars"])
def test_a_column_may_have_no_name(engine):
    found = judged_keys(pl.DataFrame({"": [1, 1], "x": [1, 2]}), "", engine=engine)
    assert found.measurement.value == 1


def test_a_column_that_is_gone_is_an_error():
    found = judged_keys(rows_of("2012-05-01"), "hr", "gone")
    assert found.verdict is ERROR
    assert found.reason.startswith("columns are gone: gone")


def test_a_table_without_a_key_is_an_error():
    found = judged(UNIQUE, rows_of("2012-05-01"), table=Table(asset="a"))
    assert found.verdict is ERROR
    assert "unique needs a key" in found.reason


def test_no_key_of_the_rows_is_told():
    rows = pl.DataFrame({"email": ["ann@example.com", "ann@example.com"]})
    assert "ann" not in str(judged_keys(rows, "email"))


keys = st.tuples(st.sampled_from([1.0, 2.0, None, math.nan]), st.sampled_from(["a", "b", None]))


@given(st.lists(keys, min_size=1, max_size=8))
def test_the_share_is_that_of_rows_with_a_twin_and_all_engines_agree(rows):
    xs, ys = zip(*rows, strict=True)
    table = pl.DataFrame(
        {"x": pl.Series(xs, dtype=pl.Float64), "y": pl.Series(ys, dtype=pl.String)}
    )
    times = Counter((None if x is None or math.isnan(x) else x, y) for x, y in rows)
    found = [judged_keys(table, "x", "y", engine=engine) for engine in ENGINES]
    shared = sum(n for n in times.values() if n > 1)
    assert found[0].measurement.value == shared / len(rows)
    assert len({said(evaluation) for evaluation in found}) == 1


def test_dates_and_times_are_keys():
    start = datetime(2012, 5, 1)
    rows = pl.DataFrame({"at": [start, start + DAY, start]}).with_columns(on=pl.col("at").dt.date())
    assert judged_keys(rows, "at").measurement.value == 2 / 3
    assert judged_keys(rows, "on").measurement.value == 2 / 3
