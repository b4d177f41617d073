"""How long answers take: percentiles, the share over an objective, and which segments are slow."""

import math
from datetime import timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Latency, Table
from tests.conformance.engines import LOCAL, as_spark
from tests.conformance.warehouses import as_ibis_on_duckdb
from tests.signals.tallies import counted, frame, read

DAY = timedelta(days=1)
TABLE = Table(asset="answers", time="at", latency="ms")
N = 4_000
ENGINES = {**LOCAL, "ibis": as_ibis_on_duckdb, "spark": as_spark}
IGNORED = pytest.mark.filterwarnings("ignore")
MARKS = {"ibis": [IGNORED], "spark": [IGNORED, pytest.mark.spark]}


def answers(seed=0, *, slow=1.0):
    rng = np.random.default_rng(seed)
    region = rng.choice(["eu", "us"], N, p=[0.8, 0.2])
    times = rng.lognormal(5, 0.8, N) * np.where(region == "us", slow, 1.0)
    return frame(ms=times, region=region)


def latency(**asked):
    return Latency(window=DAY, **asked)


@pytest.mark.parametrize(("statistic", "share"), [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)])
def test_percentiles_are_known_to_a_bin_of_six_per_cent(statistic, share):
    rows = answers()
    found = read(latency(statistic=statistic), TABLE, rows)
    assert found.value == pytest.approx(rows["ms"].quantile(share), rel=0.06)
    assert (found.n, found.coverage, found.unit) == (N, 1.0, "number")


def test_the_share_over_an_objective_is_exact():
    rows = frame(ms=[1.0, 200.0, 200.001, 5_000.0])
    found = read(latency(statistic="over", objective=200.0), TABLE, rows)
    assert (found.value, found.unit) == (0.5, "share")


def test_the_slowest_segment_is_named_with_what_it_was():
    found = read(latency(by=("region",)), TABLE, answers(slow=3.0), answers(1))
    assert [part.name for part in found.parts] == ["region us", "region eu"]
    assert found.parts[0].value > 2 * found.parts[1].value
    assert ", was " in found.parts[0].text


def test_answers_that_nobody_timed_and_clocks_that_ran_backwards_lower_the_coverage():
    rows = frame(ms=[10.0, None, math.nan, math.inf, -5.0, 0.0, 20.0, 30.0])
    found = read(latency(statistic="p50"), TABLE, rows)
    assert (found.n, found.coverage) == (4, 0.5)
    assert found.note == "1 times are below zero"


def test_no_time_at_all_is_no_value():
    found = read(latency(), TABLE, frame(ms=pl.Series([None, None], dtype=pl.Float64)))
    assert (found.value, found.n, found.coverage) == (None, 0, 0.0)
    assert found.note == "no answer was timed"


def test_segments_beyond_counting_leave_the_percentile_as_it_is():
    rng = np.random.default_rng(2)
    rows = frame(ms=rng.lognormal(5, 1, N), user=[f"u{k}" for k in range(N)])
    found = read(latency(statistic="p95", by=("user",)), TABLE, rows)
    assert found.n == N
    assert found.value == pytest.approx(rows["ms"].quantile(0.95), rel=0.06)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=MARKS.get(name, [])) for name in ENGINES]
)
def test_every_engine_counts_the_same(name):
    odd = pl.Series([None, 0.0, -1.0, math.inf, 1.0, 10.0, 1000.0, 1e-9])
    rows = pl.concat([answers(), frame(ms=odd, region=["eu", None] * 4)])
    signal = latency(statistic="over", objective=150.0, by=("region",))
    assert counted(signal, TABLE, rows, ENGINES[name]) == counted(signal, TABLE, rows)


def test_a_segment_is_as_large_as_what_was_timed_of_it():
    ms = [10.0] * 40 + [9_000.0] * 2 + [None] * 998
    rows = frame(ms=ms, region=["eu"] * 40 + ["us"] * 1_000)
    found = read(latency(by=("region",)), TABLE, rows)
    assert [(part.name, part.text) for part in found.parts] == [
        ("region eu", "9.971 of 40 timed answers")
    ]


@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize(
    ("ms", "held"),
    [(["fast", "12"], "text"), ([timedelta(seconds=1), timedelta(seconds=2)], "Duration")],
)
def test_times_that_are_no_numbers_are_an_error_with_the_column_s_name(name, ms, held):
    with pytest.raises(MeasurementError, match=f"ms holds {held}.*, not numbers"):
        counted(latency(), TABLE, frame(ms=ms), LOCAL[name])


@pytest.mark.parametrize("rows", [0, 3])
def test_a_column_that_pandas_holds_as_text_for_it_has_no_value_is_no_error(rows):
    void = pd.DataFrame({"ms": pd.Series([None] * rows, dtype=object)})
    tally = counted(latency(), TABLE, void)
    assert (tally.total("rows") if tally else 0) == rows


def test_answers_that_took_no_time_took_none():
    found = read(latency(statistic="p50"), TABLE, frame(ms=[0.0, 0.0, 5.0]))
    assert found.value == 0.0
