"""Performance is what scikit-learn says of the labelled rows, and says how late the labels are."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics  # noqa: TID253 - the test compares with it

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import profiles_of_table
from aiguard_dagster.core.spec import Performance, Table
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.performance import read_performance
from aiguard_dagster.stats.grid import Grid
from tests.conformance.engines import LOCAL
from tests.signals.scored import WEEK, judged, rows_of
from tests.signals.windows import DAY

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
NUMBERS = Table(asset="p", time="at", prediction="said", label="label")
SCORES = Table(asset="p", time="at", prediction="said", label="label", score="score")
OF_NUMBERS = {
    "mae": metrics.mean_absolute_error,
    "rmse": metrics.root_mean_squared_error,
    "mape": metrics.mean_absolute_percentage_error,
    "bias": lambda was, said: abs(np.mean(said - was)),
}
OF_SCORES = {
    "auc": metrics.roc_auc_score,
    "log_loss": metrics.log_loss,
    "brier": metrics.brier_score_loss,
}


def read(rows, metric, *, table=SCORES, engine="polars", **more):
    signal = Performance(metric=metric, window=DAY, **more)
    plan = Plan(table=table, grid=Grid(), tallies={"it": signal})
    tally = profiles_of_table(LOCAL[engine](rows), plan)[""].tallies["it"]
    return read_performance(signal, tally, None)


def numbers(was, said):
    return pl.DataFrame({"at": [WEEK["at"][0]] * len(was), "label": was, "said": said})


@pytest.mark.parametrize("metric", OF_NUMBERS)
@given(pairs=st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 2), min_size=1, max_size=40))
@settings(max_examples=25)
def test_errors_are_those_of_scikit_learn(metric, pairs):
    was, said = (np.array(each) for each in zip(*pairs, strict=True))
    found = read(numbers(was, said), metric, table=NUMBERS)
    assert found.value == pytest.approx(OF_NUMBERS[metric](was, said), rel=1e-9, abs=1e-9)
    assert (found.n, found.coverage) == (len(pairs), 1)


@given(
    pairs=st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 2), min_size=1, max_size=40),
    quantile=st.floats(0.01, 0.99),
)
@settings(max_examples=25)
def test_the_quantile_loss_is_that_of_scikit_learn(pairs, quantile):
    was, said = (np.array(each) for each in zip(*pairs, strict=True))
    found = read(numbers(was, said), "quantile_loss", table=NUMBERS, quantile=quantile)
    theirs = metrics.mean_pinball_loss(was, said, alpha=quantile)
    assert found.value == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("metric", OF_SCORES)
@given(seed=st.integers(0, 1000), digits=st.sampled_from([1, 2, 16]))
@settings(max_examples=25)
def test_metrics_of_scores_are_those_of_scikit_learn(metric, seed, digits):
    rows = rows_of(1, seed=seed).with_columns(pl.col("score").round(digits))
    found = read(rows, metric)
    theirs = OF_SCORES[metric](rows["label"], rows["score"])
    off = float(found.note.rpartition("±")[2]) if metric == "auc" else 1e-9
    assert found.value == pytest.approx(theirs, abs=1.01 * off)


@pytest.mark.parametrize("metric", [*OF_NUMBERS, *OF_SCORES, "accuracy", "f1"])
def test_all_engines_measure_the_same(metric):
    holes = pl.int_range(pl.len())
    rows = WEEK.with_columns(
        label=pl.when(holes % 7 > 0).then(pl.col("label").cast(pl.Float64)),
        score=pl.when(holes % 5 > 0).then(pl.col("score")),
    )
    found = [read(rows, metric, engine=engine, by=("region",)) for engine in LOCAL]
    assert len({(each.n, each.coverage, each.note) for each in found}) == 1
    for each in found[1:]:
        assert each.value == pytest.approx(found[0].value, rel=1e-12)
        assert [part.name for part in each.parts] == [part.name for part in found[0].parts]


@pytest.mark.parametrize("engine", LOCAL)
@pytest.mark.parametrize("dtype", [pl.Int8, pl.Float32, pl.Boolean, pl.String])
def test_a_label_is_the_same_whatever_its_type(dtype, engine):
    label = WEEK["label"].cast(dtype) if dtype != pl.String else WEEK["label"].cast(pl.String)
    rows = WEEK.with_columns(label=label)
    for metric in ("auc", "accuracy"):
        assert read(rows, metric, engine=engine).value == pytest.approx(read(WEEK, metric).value)


def test_the_positive_class_may_have_a_name():
    named = pl.when(pl.col("label") == 1).then(pl.lit("left")).otherwise(pl.lit("stayed"))
    rows = WEEK.with_columns(label=named)
    assert read(rows, "auc", positive="left").value == pytest.approx(read(WEEK, "auc").value)
    unnamed = read(rows, "auc")
    assert unnamed.value is None
    assert unnamed.note == "no label is 1, the positive class"


def test_labels_of_one_class_have_no_area():
    found = read(WEEK.with_columns(label=1), "auc")
    assert (found.value, found.note) == (None, "every label is 1")


def test_scores_that_are_no_probabilities_are_left_out_and_counted():
    at = pl.int_range(pl.len())
    odd = pl.when(at == 0).then(1.5).when(at == 1).then(float("inf")).otherwise(pl.col("score"))
    found = read(WEEK.with_columns(score=odd), "brier")
    rest = WEEK[2:]
    assert found.value == pytest.approx(metrics.brier_score_loss(rest["label"], rest["score"]))
    assert found.n == rest.height
    assert found.coverage == pytest.approx(rest.height / WEEK.height)
    assert found.note == "2 scores are not in 0 to 1"


def test_a_prediction_that_is_no_number_is_counted_and_never_an_error_of_nothing():
    said = pl.when(pl.int_range(pl.len()) < 3).then(float("inf")).otherwise(pl.col("said") * 1.0)
    found = read(WEEK.with_columns(said=said), "mae")
    assert found.n == WEEK.height - 3
    assert found.note == "3 labelled rows have no usable prediction"


def test_text_has_no_error():
    found = judged({"kind": "performance", "metric": "accuracy"}, WEEK, limit=0.5)
    assert found.verdict is OK
    with pytest.raises(Exception, match="the label label holds String, not numbers"):
        read(WEEK.with_columns(label=pl.lit("a")), "mae")


def test_the_worst_segment_is_named_with_what_it_was():
    wrong = pl.when(pl.col("region") == "west").then(1 - pl.col("said")).otherwise(pl.col("said"))
    signal = {"kind": "performance", "metric": "accuracy", "by": ["region"]}
    found = judged(signal, WEEK.with_columns(said=wrong), limit=0.7)
    worst = found.measurement.parts[0]
    assert worst.name == "region west"
    assert worst.value < 0.4
    assert ", was 0.7" in worst.text
    assert found.verdict is BREACH
    assert "worst: region west" in found.reason


def test_the_share_of_labels_in_hand_and_their_delay_are_told():
    known = pl.col("at") < WEEK["at"].max() - 2 * DAY
    late = WEEK.with_columns(label=pl.when(known).then(pl.col("label")))
    signal = {"kind": "performance", "metric": "brier", "min_coverage": 0.5}
    found = judged(signal, late, limit=0.5)
    assert found.verdict is OK
    assert found.measurement.coverage == pytest.approx(5 / 7, abs=0.01)
    assert found.measurement.note.startswith("71.4% of the labels in hand, the newest 2d")


def test_too_many_predictions_say_of_a_bias_which_way_it_goes():
    found = read(WEEK.with_columns(said=pl.col("label") + 2), "bias", table=NUMBERS)
    assert (found.value, found.note) == (pytest.approx(2), "predictions are too high")


def test_a_budget_is_calibrated_on_the_baseline_s_own_windows():
    signal = {"kind": "performance", "metric": "auc"}
    budget = {"false_alarm_every": "60d"}
    fine = judged(signal, WEEK, limit=budget)
    bad = judged(signal, WEEK.with_columns(score=1 - pl.col("score")), limit=budget)
    assert (fine.verdict, bad.verdict) == (OK, BREACH)
    assert "one false alarm in 60d" in fine.reason


def test_segments_that_are_too_many_lower_the_coverage_and_are_counted():
    rows = pl.concat([WEEK] * 4)
    for metric in ("auc", "accuracy"):
        found = read(rows.with_columns(region=pl.int_range(pl.len())), metric, by=("region",))
        assert found.coverage == pytest.approx(2_000 / rows.height)
        assert "too many" in found.note
