"""Two tables that should agree: the rentals as the features table and the ledger have them."""

from datetime import timedelta

import polars as pl
import pytest

from aiguard_dagster.adapters.tables.rows import open_rows
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.batch import Batch
from tests.signals.batches import ENGINES, TABLE, day_of, judged, rows_of

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
DAY = rows_of("2012-05-01")
SUMS = {"kind": "reconcile", "other": "ledger", "sums": ["cnt", "windspeed"]}
KEYS = {**SUMS, "keys": ["timestamp"]}


def against(other, signal=SUMS, *, rows=DAY, engine="polars", other_engine="polars", **options):
    opened = open_rows(ENGINES[other_engine](other))

    def ledger(name):
        assert name == "ledger"
        return Batch(
            frame=opened.frame,
            native=opened.native,
            table=TABLE,
            window=None,
            now=day_of("2012-05-03"),
        )

    return judged(signal, rows, engine=engine, other=ledger, **options)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("other", ENGINES)
def test_the_same_rows_agree_on_any_two_engines(engine, other):
    found = against(DAY.sample(fraction=1, shuffle=True), KEYS, engine=engine, other_engine=other)
    assert (found.verdict, found.measurement.value) == (OK, 0)
    assert found.measurement.n == 2 * DAY.height


@pytest.mark.parametrize(
    ("fault", "name", "value", "told"),
    [
        (DAY.head(23), "rows", 1 / 24, "24 here, 23 there"),
        (DAY.vstack(DAY.head(1)), "rows", 1 / 25, "24 here, 25 there"),
        (DAY.with_columns(pl.col("cnt") * 2), "sum of cnt", 0.5, "here"),
        (DAY.with_columns(windspeed=pl.lit(None, pl.Float64)), "sum of windspeed", 1.0, "0 there"),
        (
            DAY.with_columns(pl.col("timestamp") + timedelta(hours=1)),
            "keys by timestamp",
            2 / 25,
            "1 only here, 1 only there, of 25",
        ),
    ],
    ids=["an hour lost", "an hour twice", "counted double", "a column lost", "shifted by an hour"],
)
def test_what_differs_is_named_with_how_much(fault, name, value, told):
    found = against(fault, KEYS)
    assert found.verdict is BREACH
    (part,) = [part for part in found.measurement.parts if part.name == name]
    assert part.value == pytest.approx(value)
    assert told in part.text


def test_the_limit_is_a_tolerance():
    assert against(DAY.head(23), {**SUMS, "sums": None}, limit="5%").verdict is OK
    assert against(DAY.head(23), {**SUMS, "sums": None}, limit="4%").verdict is BREACH


def test_groups_hide_no_difference_and_are_not_named():
    moved = DAY.with_columns(
        cnt=pl.when(pl.col("hr") == 1)
        .then(pl.col("cnt") + 5)
        .when(pl.col("hr") == 2)
        .then(pl.col("cnt") - 5)
        .otherwise(pl.col("cnt"))
    )
    assert against(moved, {**SUMS, "sums": ["cnt"]}).verdict is OK
    found = against(moved, {**SUMS, "sums": ["cnt"], "by": ["hr"]})
    assert found.verdict is BREACH
    assert found.measurement.parts[0].text.startswith("2 of 24 groups differ, most by ")


def test_nothing_against_something_is_all_of_it_and_nothing_against_nothing_inconclusive():
    assert against(DAY.clear()).measurement.value == 1
    found = against(DAY.clear(), KEYS, rows=DAY.clear())
    assert (found.verdict, found.measurement.note) == (INCONCLUSIVE, "no rows in either table")


def test_null_and_nan_add_nothing_and_infinity_is_an_error():
    odd = DAY.with_columns(windspeed=pl.Series([float("nan"), None, *DAY["windspeed"][2:]]))
    same = DAY.with_columns(windspeed=pl.Series([None, float("nan"), *DAY["windspeed"][2:]]))
    assert against(odd, rows=same).verdict is OK
    infinite = DAY.with_columns(windspeed=pl.lit(float("inf")))
    found = against(infinite)
    assert found.reason.startswith("the sum of windspeed is not finite\n\nHint:")


@pytest.mark.parametrize("name", ['a "b"', "*", "^x$", '"; DROP TABLE x; --', "größe"])
def test_a_column_may_have_any_name(name):
    rows = DAY.rename({"cnt": name})
    signal = {**SUMS, "sums": [name], "keys": [name], "by": [name]}
    assert against(rows, signal, rows=rows).verdict is OK


def test_what_cannot_be_added_or_is_gone_is_told():
    found = against(DAY, {**SUMS, "sums": ["timestamp"]})
    assert found.reason.startswith("timestamp holds no numbers to add up")
    assert against(DAY.drop("cnt")).reason.startswith("columns are gone: cnt")
