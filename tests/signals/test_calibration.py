"""Whether scores mean what they say: the error, the curve, the classes, the confidence."""

import numpy as np
import polars as pl
import pytest
from sklearn.calibration import calibration_curve  # noqa: TID253 - the test compares with it

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import profiles_of_table
from aiguard_dagster.core.spec import Calibration, Table
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.calibration import look_at_scores, read_calibration
from aiguard_dagster.signals.tallied import Seen
from aiguard_dagster.stats.grid import Grid
from tests.conformance.engines import LOCAL
from tests.signals.scored import END, WEEK, judged, rows_of
from tests.signals.windows import DAY

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
ECE = {"kind": "calibration"}
DRIFT = {"kind": "calibration", "statistic": "confidence_drift"}
TABLE = Table(asset="p", time="at", prediction="said", label="label", score="score")
OVERSURE = rows_of(7, seed=2, true=lambda score: 0.5 + (score - 0.5) * 0.6)
"""Scores of 0.9 come true in 74 of 100."""


def read(rows, before=None, *, engine="polars", **more):
    signal = Calibration(window=DAY, **more)
    plan = Plan(table=TABLE, grid=Grid(), tallies={"it": signal})
    now, then = (
        rows_ is not None and profiles_of_table(LOCAL[engine](rows_), plan)[""].tallies["it"]
        for rows_ in (rows, before)
    )
    seen = Seen(now=now, as_of=END, batches=(), earlier=(), before=then or None)
    return look_at_scores(signal, read_calibration(signal, now, then or None), seen)


@pytest.mark.parametrize("engine", LOCAL)
def test_the_error_is_that_of_scikit_learn_s_curve_on_every_engine(engine):
    found = read(WEEK, engine=engine)
    true, said = calibration_curve(WEEK["label"], WEEK["score"], n_bins=10)
    rows = np.histogram(WEEK["score"], bins=10, range=(0, 1))[0]
    assert found.value == pytest.approx((rows * np.abs(true - said)).sum() / rows.sum())
    assert found.parts[0].chart.now == pytest.approx(tuple(true))


def test_scores_that_mean_what_they_say_are_ok_and_others_are_not():
    fine, bad = (judged(ECE, rows, limit=0.05) for rows in (WEEK, OVERSURE))
    assert (fine.verdict, bad.verdict) == (OK, BREACH)
    assert "true by score, worst at" in bad.reason
    assert bad.measurement.parts[0].chart is not None
    assert fine.measurement.note.startswith("chance alone would make")


def test_each_class_tells_how_sure_and_how_right_it_was():
    found = judged(ECE, OVERSURE, limit=0.05)
    by_name = {part.name: part for part in found.measurement.parts}
    said = OVERSURE.filter(pl.col("said") == 1)
    part = by_name["predicted 1"]
    assert part.value == pytest.approx(abs(said["score"].mean() - said["label"].mean()))
    zero = OVERSURE.filter(pl.col("said") == 0)
    right = (zero["label"] == 0).mean()
    assert f"right in {percent(round(right, 4))}" in by_name["predicted 0"].text
    assert ", was sure by" in part.text


def test_a_model_of_many_classes_has_the_score_of_what_it_predicted():
    rng = np.random.default_rng(0)
    said = rng.choice(["cat", "dog", "cow"], WEEK.height)
    sure = rng.uniform(0.4, 1, WEEK.height)
    right = rng.uniform(size=WEEK.height) < sure
    rows = WEEK.with_columns(
        said=said, score=sure, label=np.where(right, said, np.where(said == "cat", "dog", "cat"))
    )
    found = read(rows, score_of="predicted")
    assert found.value < 0.06
    assert {p.name for p in found.parts} > {"predicted cat", "predicted dog", "predicted cow"}
    surer = read(rows.with_columns(score=pl.lit(0.99)), score_of="predicted")
    assert surer.value == pytest.approx(0.99 - right.mean())


def test_confidence_that_drifts_is_seen_before_any_label():
    unknown = WEEK.with_columns(label=pl.lit(None, dtype=pl.Int64))
    timid = unknown.with_columns(score=0.5 + (pl.col("score") - 0.5) / 2)
    fine, bad = (judged(DRIFT, rows, limit=0.05) for rows in (unknown, timid))
    assert (fine.verdict, bad.verdict) == (OK, BREACH)
    assert "worst: mean confidence" in bad.reason
    assert bad.measurement.value == pytest.approx(0.16, abs=0.03)


def test_without_labels_there_is_no_calibration_error_and_never_ok():
    found = judged(ECE, WEEK.with_columns(label=pl.lit(None, dtype=pl.Int64)), limit=0.05)
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)
    assert "no label yet" in found.measurement.note


def test_a_positive_class_that_is_named_wrongly_is_said_and_no_error_is_told():
    found = judged({**ECE, "positive": "yes"}, WEEK, limit=0.05)
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)
    assert found.measurement.note == "no label is yes, the positive class"


def test_confidence_without_a_baseline_is_inconclusive():
    found = read(WEEK, statistic="confidence_drift")
    assert (found.value, found.note) == (None, "the baseline holds no score")


def test_the_error_may_be_twice_the_baseline_s():
    found = judged(ECE, OVERSURE, limit={"above_baseline": 1.0})
    assert found.verdict is BREACH
    assert "baseline 0.0" in found.reason


def test_the_worst_segment_is_named():
    odd = pl.when(pl.col("region") == "south").then(1 - pl.col("score")).otherwise(pl.col("score"))
    found = judged({**ECE, "by": ["region"]}, WEEK.with_columns(score=odd), limit=0.05)
    segments = [part for part in found.measurement.parts if part.name.startswith("region")]
    assert segments[0].name == "region south"
    assert segments[0].value > 3 * segments[1].value
