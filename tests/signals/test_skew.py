"""Features at inference against the feature store, hour by hour."""

import polars as pl
import pytest

from aiguard_dagster.adapters.tables.rows import open_rows
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.batch import Batch
from tests.signals.batches import ENGINES, TABLE, day_of, judged, rows_of

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
DAY = rows_of("2012-05-01")
SKEW = {"kind": "skew", "reference": "store", "columns": ["temp", "hum", "weathersit"]}


def against(store, signal=SKEW, *, rows=DAY, engine="polars", **options):
    opened = open_rows(ENGINES[engine](store))

    def reference(name):
        assert name == "store"
        return Batch(
            frame=opened.frame,
            native=opened.native,
            table=TABLE,
            window=None,
            now=day_of("2012-05-03"),
        )

    return judged(signal, rows, engine=engine, other=reference, **options)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_features_do_not_differ(engine):
    found = against(DAY.sample(fraction=1, shuffle=True), engine=engine)
    assert (found.verdict, found.measurement.value, found.measurement.n) == (OK, 0, 24)
    every = against(DAY, {"kind": "skew", "reference": "store"}, engine=engine)
    assert every.verdict is OK


@pytest.mark.parametrize(
    ("fault", "name", "share", "told"),
    [
        (pl.col("temp") * 100, "temp", 1.0, "median ratio 0.01"),
        (pl.col("hum") + 0.25, "hum", 1.0, "median difference -0.25"),
        (
            pl.when(pl.col("hr") < 6).then(None).otherwise(pl.col("hum")).alias("hum"),
            "hum",
            0.25,
            "6 of 24 rows, 6 null only in the reference",
        ),
        (pl.col("weathersit").cast(pl.String), "weathersit", 1.0, "text in the reference"),
        (pl.col("temp").shift(1), "temp", 0.0, "null only in the reference"),
    ],
    ids=["scaled", "shifted", "nulls", "retyped", "stale by an hour"],
)
def test_what_differs_is_named_with_how(fault, name, share, told):
    found = against(DAY.with_columns(fault))
    assert found.verdict is BREACH
    worst = found.measurement.parts[0]
    assert worst.name == name
    assert told in worst.text
    if share:
        assert found.measurement.value == pytest.approx(share)


def test_a_tolerance_forgives_rounding_and_the_limit_some_rows():
    near = DAY.with_columns(pl.col("temp") * (1 + 1e-9))
    assert against(near).verdict is OK
    rounded = DAY.with_columns(pl.col("hum").round(1))
    assert against(rounded).verdict is BREACH
    assert against(rounded, {**SKEW, "tolerance": "20%"}).verdict is OK
    one = DAY.with_columns(temp=pl.Series([9.0, *DAY["temp"][1:]]))
    assert against(one, limit="5%").verdict is OK
    assert against(one, limit="4%").verdict is BREACH


def test_rows_that_the_reference_lacks_lower_the_coverage():
    found = against(DAY.head(12))
    assert (found.verdict, found.measurement.coverage) == (INCONCLUSIVE, 0.5)
    assert against(DAY.head(12), {**SKEW, "min_coverage": "50%"}).verdict is OK
    assert against(DAY.clear()).verdict is INCONCLUSIVE
    assert against(DAY, rows=DAY.clear()).verdict is INCONCLUSIVE


def test_null_and_nan_equal_each_other():
    nan = DAY.with_columns(temp=pl.lit(float("nan")))
    null = DAY.with_columns(temp=pl.lit(None, pl.Float64))
    assert against(nan, rows=null).verdict is OK
    infinite = DAY.with_columns(temp=pl.lit(float("inf")))
    assert against(infinite, rows=infinite).verdict is OK
    assert against(infinite).measurement.value == 1


def test_a_key_that_names_several_rows_is_an_error_that_says_where():
    twice = DAY.vstack(DAY.head(2))
    assert against(twice).reason.startswith("2 rows in the reference share a key")
    assert against(DAY, rows=twice).reason.startswith("2 rows here share a key")


@pytest.mark.parametrize("name", ['a "b"', "*", "^x$", '"; DROP TABLE x; --', "größe"])
def test_a_column_may_have_any_name(name):
    rows = DAY.rename({"temp": name})
    signal = {"kind": "skew", "reference": "store", "columns": [name]}
    assert against(rows, signal, rows=rows).verdict is OK
    assert against(rows.with_columns(hum=1), {**signal, "keys": ["hr"]}, rows=rows).verdict is OK
