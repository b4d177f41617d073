"""The champion's error, from profiles of the rows that are known."""

from datetime import timedelta

import polars as pl
import pytest
from sklearn.metrics import f1_score  # noqa: TID253 - the test compares with it

from aiguard_dagster.core.verdicts import Verdict
from tests.signals.batches import ENGINES, said
from tests.signals.windows import between, tallied

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
MAE = {"kind": "performance", "table": "predictions", "metric": "mae"}
TWICE = {"above_baseline": 1.0}
WEEK = between("2012-08-01", 7)


def mae(rows, *, limit=TWICE, engine="polars", **more):
    return tallied({**MAE, **more}, rows, limit=limit, days=7, engine=engine)


def test_all_engines_measure_the_same():
    found = [mae(WEEK, engine=engine) for engine in ENGINES]
    assert len({said(evaluation) for evaluation in found}) == 1
    assert found[0].verdict is OK
    assert found[0].subject == "1"
    assert found[0].measurement.n == WEEK.height


@pytest.mark.parametrize(("error", "verdict"), [(20.0, OK), (20.001, BREACH), (-20.001, BREACH)])
def test_the_error_may_be_twice_the_baseline_s_and_not_more(error, verdict):
    found = mae(WEEK.with_columns(said=pl.col("cnt") + error))
    assert found.verdict is verdict
    assert found.measurement.value == pytest.approx(abs(error))
    assert "baseline 10 +100%" in found.reason


@pytest.mark.parametrize("missing", [None, float("nan")])
@pytest.mark.parametrize("engine", ENGINES)
def test_labels_that_are_late_are_inconclusive_until_they_arrive(engine, missing):
    late = pl.int_range(pl.len()) >= pl.len() // 2
    label = pl.when(late).then(pl.lit(missing, dtype=pl.Float64)).otherwise(pl.col("cnt"))
    known = {"engine": engine, "min_samples": 50}
    waiting = mae(WEEK.with_columns(cnt=label, said=pl.col("cnt") + 50.0), **known)
    assert waiting.verdict is INCONCLUSIVE
    assert waiting.measurement.coverage == pytest.approx(0.5)
    assert waiting.measurement.n == WEEK.height // 2
    assert waiting.reason == "only 50% of 80% coverage needed"
    assert mae(WEEK.with_columns(said=pl.col("cnt") + 50.0), engine=engine).verdict is BREACH
    assert mae(WEEK, engine=engine).verdict is OK


def test_no_label_at_all_is_inconclusive_and_never_ok():
    found = mae(WEEK.with_columns(cnt=pl.lit(None, dtype=pl.Int64)))
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)
    assert found.measurement.note == "no label yet"


def test_predictions_of_another_version_do_not_count_for_the_champion():
    worse = WEEK.with_columns(version=pl.lit("2"), said=pl.col("cnt") + 500.0, price=pl.lit(9.0))
    alone, among = mae(WEEK), mae(pl.concat([WEEK, worse]).sort("timestamp"))
    assert said(among) == said(alone)
    assert mae(worse).verdict is INCONCLUSIVE


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.String, pl.Categorical])
def test_a_version_is_the_same_whatever_its_type(dtype):
    version = pl.lit(1).cast(dtype) if dtype.is_numeric() else pl.lit("1").cast(dtype)
    assert said(mae(WEEK.with_columns(version=version))) == said(mae(WEEK))


def test_predictions_of_no_known_version_are_nobody_s():
    assert mae(WEEK.with_columns(version=pl.lit(None, dtype=pl.String))).verdict is INCONCLUSIVE


def test_predictions_that_are_no_number_lower_the_coverage():
    lost = pl.when(pl.int_range(pl.len()) % 2 == 0).then(float("inf")).otherwise(pl.col("said"))
    found = mae(WEEK.with_columns(said=lost))
    assert found.verdict is INCONCLUSIVE
    assert found.measurement.value == pytest.approx(10)


def test_missing_days_lower_the_coverage():
    found = mae(WEEK.filter(pl.col("timestamp") < WEEK["timestamp"].min() + timedelta(days=5)))
    assert (found.verdict, found.measurement.coverage) == (INCONCLUSIVE, pytest.approx(5 / 7))


def test_too_few_labels_are_inconclusive():
    found = mae(WEEK.gather_every(2), min_samples=100)
    assert found.reason == "only 84 of 100 samples needed"
    assert mae(WEEK.gather_every(2), min_samples=84).verdict is OK


def test_one_absurd_prediction_is_a_breach_and_breaks_nothing():
    absurd = pl.when(pl.int_range(pl.len()) == 0).then(1e300).otherwise(pl.col("said"))
    for metric in ("mae", "rmse", "bias"):
        rows = WEEK.with_columns(said=absurd)
        assert mae(rows, metric=metric, limit=20.0).verdict is BREACH


def test_a_rule_without_a_limit_is_an_error():
    found = mae(WEEK, limit=None)
    assert (found.verdict, found.subject) == (ERROR, "1")
    assert found.reason.startswith("performance takes above_baseline")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("missing", [None, float("nan")])
def test_classes_are_counted_where_both_sides_are_known(missing, engine):
    label = (pl.col("cnt") > 200).cast(pl.Float64)
    said_so = pl.col("registered") > 150
    known = pl.int_range(pl.len()) % 10 > 0
    rows = WEEK.with_columns(
        cnt=pl.when(known).then(label).otherwise(pl.lit(missing, dtype=pl.Float64)), said=said_so
    )
    found = mae(rows, metric="f1", limit=0.5, engine=engine)
    both = rows.filter(known)
    assert found.verdict is OK
    assert found.measurement.n == both.height
    assert found.measurement.value == pytest.approx(
        f1_score(both["cnt"], both["said"].cast(pl.Float64), average="macro")
    )
