"""Performance before labels arrive: right where scores mean what they meant, and checked."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from sklearn import metrics  # noqa: TID253 - the test compares with it

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid
from aiguard_dagster.adapters.engines.open import engine_of, profiles_of_table
from aiguard_dagster.core.spec import EstimatedPerformance, Performance, Table
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.estimated_performance import look_at_realised, read_estimated
from aiguard_dagster.signals.performance import read_performance
from aiguard_dagster.signals.tallied import Seen, tally_name
from aiguard_dagster.stats.grid import Grid
from aiguard_dagster.stats.tally import merge_tallies
from tests.conformance.engines import LOCAL
from tests.signals.scored import ACCEPTED, END, WEEK, judged, rows_of
from tests.signals.windows import DAY

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
KIND = {"kind": "estimated_performance"}
TABLE = Table(asset="p", time="at", prediction="said", label="label", score="score")
SCORED = ["accuracy", "precision", "recall", "f1", "auc", "log_loss", "brier"]
ERRORS = ["mae", "rmse", "mape", "bias"]


def unlabelled(rows):
    return rows.with_columns(label=pl.lit(None, dtype=rows.schema["label"]))


def numbers(days, *, seed=0, until=END, noise=1.0, upto=100.0):
    """Predictions of 10 to ``upto`` whose errors grow with them."""
    rng = np.random.default_rng(seed)
    rows = rows_of(days, seed=seed, until=until)
    said = rng.uniform(10, upto, rows.height)
    label = said + rng.normal(1, noise * said / 20)
    return rows.with_columns(said=said, label=label)


def tally(signal, rows, grid, *, engine="polars"):
    plan = Plan(table=TABLE, grid=grid, tallies={"it": signal})
    return profiles_of_table(LOCAL[engine](rows), plan)[""].tallies["it"]


def estimated(metric, rows, before, *, earlier=(), engine="polars", **more):
    """The reading of a window, beside earlier ones and the baseline."""
    signal = EstimatedPerformance(metric=metric, window=7 * DAY, **more)
    grid = choose_grid(engine_of(before), TABLE)
    now, known = tally(signal, rows, grid, engine=engine), tally(signal, before, grid)
    seen = Seen(
        now=now,
        as_of=END,
        batches=(),
        earlier=[tally(signal, each, grid) for each in earlier],
        before=known,
    )
    return look_at_realised(signal, read_estimated(signal, now, known), seen)


def realised(metric, rows):
    signal = Performance(metric=metric, window=7 * DAY)
    return read_performance(signal, tally(signal, rows, Grid()), None).value


@pytest.mark.parametrize("metric", SCORED)
def test_the_estimate_needs_no_labels_and_is_near_what_comes(metric):
    found = estimated(metric, unlabelled(WEEK), ACCEPTED)
    assert found.value == pytest.approx(realised(metric, WEEK), rel=0.06)
    assert abs(found.value - realised(metric, WEEK)) < 3 * found.variance**0.5
    assert (found.n, found.coverage) == (WEEK.height, 1)
    assert found.note.startswith("95% between")


@pytest.mark.parametrize("metric", ERRORS)
def test_errors_are_estimated_from_the_bins_of_the_prediction(metric):
    before, now = numbers(60, seed=1), numbers(7, seed=2, upto=50.0)
    found = estimated(metric, unlabelled(now), before)
    assert abs(found.value - realised(metric, now)) < 3 * found.variance**0.5
    # The baseline as a whole would be wrong: small predictions err less.
    if metric in {"mae", "rmse"}:
        assert found.value < 0.8 * realised(metric, before)


@pytest.mark.parametrize("metric", ["f1", "auc", "mae"])
def test_all_engines_estimate_the_same(metric):
    found = [estimated(metric, WEEK, ACCEPTED, engine=engine) for engine in LOCAL]
    for each in found:
        assert each.value == pytest.approx(found[0].value, rel=1e-9)
        assert (each.n, each.coverage) == (found[0].n, found[0].coverage)


def test_scores_that_move_to_where_they_are_often_wrong_are_seen_without_a_label():
    unsure = unlabelled(WEEK).with_columns(score=0.5 + (pl.col("score") - 0.5) / 3)
    fine, bad = (
        judged({**KIND, "metric": "accuracy"}, rows, limit={"below_baseline": "10%"})
        for rows in (unlabelled(WEEK), unsure)
    )
    assert (fine.verdict, bad.verdict) == (OK, BREACH)


def test_the_labels_of_the_window_itself_change_no_estimate():
    wrong = WEEK.with_columns(label=1 - pl.col("label"))
    values = {estimated("auc", rows, ACCEPTED).value for rows in (WEEK, wrong, unlabelled(WEEK))}
    assert max(values) - min(values) < 1e-9


def weeks_before(count, **more):
    return [rows_of(7, seed=20 + k, until=END - (k + 1) * 7 * DAY, **more) for k in range(count)]


def test_estimates_that_came_true_are_told():
    found = estimated("accuracy", unlabelled(WEEK), ACCEPTED, earlier=weeks_before(3))
    assert found.value is not None
    assert "in the newest of 3 earlier windows; off by 0.0" in found.note
    assert not found.parts


def test_estimates_that_were_wrong_make_the_rule_inconclusive_and_say_so():
    never = weeks_before(3, true=lambda score: 0.5 + 0 * score)
    found = estimated("accuracy", unlabelled(WEEK), ACCEPTED, earlier=never)
    assert found.value is None
    assert found.note.startswith(
        "unreliable: in 3 of 3 earlier windows the estimate missed what came"
    )
    assert found.parts[0].text.startswith("estimated 0.7")


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_errors_that_grew_make_the_estimate_unreliable(metric):
    before, now = numbers(60, seed=1), unlabelled(numbers(7, seed=2))
    fine = estimated(metric, now, before, earlier=[numbers(7, seed=6)])
    worse = estimated(metric, now, before, earlier=[numbers(7, seed=6, noise=3.0)])
    assert fine.value is not None
    assert (worse.value, worse.note[:10]) == (None, "unreliable")


def test_a_small_miss_within_the_tolerance_is_no_reason_to_doubt():
    slightly = weeks_before(3, true=lambda score: 0.5 + (score - 0.5) * 0.9)
    found = estimated("accuracy", WEEK, ACCEPTED, earlier=slightly, tolerance=0.2)
    assert found.value is not None


def test_windows_without_labels_check_nothing_and_that_is_said():
    early = [unlabelled(rows) for rows in weeks_before(2)]
    found = estimated("accuracy", unlabelled(WEEK), ACCEPTED, earlier=early)
    assert found.value is not None
    assert "not checked yet: no earlier window has its labels" in found.note


def test_only_the_labelled_rows_of_an_earlier_window_are_compared():
    half = weeks_before(1)[0].with_columns(
        label=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("label"))
    )
    found = estimated("accuracy", unlabelled(WEEK), ACCEPTED, earlier=[half])
    known = half.drop_nulls("label")
    told = metrics.accuracy_score(known["label"], known["said"])
    assert f"realised {told:.4g} in the newest of 1 earlier windows" in found.note


def test_a_baseline_that_was_missed_itself_makes_estimates_less_sure():
    signal = EstimatedPerformance(metric="accuracy", window=DAY)
    steady = [tally(signal, rows_of(1, seed=k), Grid()) for k in range(10)]
    wandering = [
        tally(signal, rows_of(1, seed=k, true=lambda s, k=k: s if k % 2 else 0.5 + 0 * s), Grid())
        for k in range(10)
    ]
    now, ratios = tally(signal, unlabelled(WEEK), Grid()), []
    for days in (steady, wandering):
        before = merge_tallies(days)
        alone = Seen(now=now, as_of=END, batches=(), earlier=(), before=before)
        beside = replace(alone, days=days, memo={})
        reading = read_estimated(signal, now, before)
        sure, found = (look_at_realised(signal, reading, seen) for seen in (alone, beside))
        ratios.append(found.variance / sure.variance)
    assert ratios[0] < 3
    assert ratios[1] > 20


def test_predictions_beyond_the_baseline_s_lower_the_coverage():
    far = numbers(7, seed=2, upto=200.0)
    found = estimated("mae", unlabelled(far), numbers(60, seed=1))
    beyond = (far["said"] > 100).sum()
    assert found.coverage == pytest.approx(1 - beyond / far.height, abs=0.01)
    assert "rows lie beyond what the baseline predicted" in found.note


def test_rows_counted_on_another_grid_are_not_estimated():
    signal = EstimatedPerformance(metric="mae", window=7 * DAY)
    before = numbers(60, seed=1)
    grid = choose_grid(engine_of(before), TABLE)
    other = choose_grid(engine_of(numbers(60, seed=8)), TABLE)
    known = tally(signal, before, grid)
    found = read_estimated(signal, tally(signal, before, other), known)
    assert (found.value, found.n, found.coverage) == (None, 0, 0)


def test_without_a_baseline_there_is_no_estimate():
    signal = EstimatedPerformance(metric="auc", window=7 * DAY)
    found = read_estimated(signal, tally(signal, WEEK, Grid()), None)
    assert (found.value, found.note) == (
        None, "the baseline holds no labelled score to learn from",
    )  # fmt: skip


def test_a_model_of_many_classes_has_an_estimated_accuracy():
    rng = np.random.default_rng(0)

    def rows(seed):
        frame = rows_of(14, seed=seed)
        said = rng.choice(["cat", "dog", "cow"], frame.height)
        sure = rng.uniform(0.4, 1, frame.height)
        right = rng.uniform(size=frame.height) < sure
        other = np.where(said == "cat", "dog", "cat")
        return frame.with_columns(said=said, score=sure, label=np.where(right, said, other))

    before, now = rows(1), rows(2)
    found = estimated("accuracy", unlabelled(now), before, score_of="predicted", earlier=[now])
    assert found.value == pytest.approx((now["said"] == now["label"]).mean(), abs=0.04)
    assert "off by" in found.note


def test_the_worst_segment_is_named_before_its_labels_arrive():
    unsure = pl.when(pl.col("region") == "west").then(0.5 + (pl.col("score") - 0.5) / 5)
    rows = unlabelled(WEEK).with_columns(score=unsure.otherwise(pl.col("score")))
    found = estimated("accuracy", rows, ACCEPTED, by=("region",))
    assert found.parts[0].name == "region west"
    assert found.parts[0].value < 0.7


def test_scores_share_one_count_between_kinds():
    kinds = [
        EstimatedPerformance(metric="auc", window=DAY),
        EstimatedPerformance(metric="f1", window=7 * DAY, tolerance=0.1),
        Performance(metric="brier", window=timedelta(days=3)),
    ]
    assert len({tally_name(signal, TABLE) for signal in kinds}) == 1
    other = replace_by(kinds[0])
    assert tally_name(other, TABLE) != tally_name(kinds[0], TABLE)


def replace_by(signal):
    return signal.model_copy(update={"by": ("region",)})


@pytest.mark.parametrize("metric", ["accuracy", "recall"])
def test_rows_that_predict_nothing_are_no_prediction_of_the_negative_class(metric):
    gone = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("said"))
    rows, half = WEEK.with_columns(said=gone), WEEK.gather_every(2)
    found = estimated(metric, rows, ACCEPTED, earlier=[rows])
    assert found.value == pytest.approx(estimated(metric, half, ACCEPTED).value)
    assert (found.n, found.coverage) == (half.height, 0.5)
    assert f"{WEEK.height - half.height:,} scored rows have no prediction" in found.note
    assert "in the newest of 1 earlier windows" in found.note
