"""Drift that no column shows by itself: of columns together, and of outcomes given the inputs."""

from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.grids import choose_grid, late_columns, outcome_columns
from aiguard_dagster.adapters.engines.open import engine_of
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.baseline import Baseline, TableBaseline
from aiguard_dagster.signals.calibrated import calibrate_guard
from aiguard_dagster.stats.profile import BatchProfile
from tests.signals.windows import ACCEPTED, FEATURES, PREDICTIONS, between, judged

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
BUDGET = {"false_alarm_every": "90d"}
INPUTS = ["timestamp", "temp", "atemp", "hum", "windspeed"]
WINDOW = between("2012-06-02", 14)
JOINT = {"kind": "drift", "table": "features", "of": "joint"}
CONCEPT = {"kind": "drift", "table": "predictions", "of": "concept"}


def with_noise(rows):
    """Predictions that are right but for a rhythm of their own."""
    return rows.with_columns(said=pl.col("cnt") + pl.col("hr") - 12.0)


def table_of(rows, table, *, joint=None, residuals=()):
    engine = engine_of(rows)
    grid = choose_grid(engine, table, joint=joint, also=residuals)
    plan = Plan(table=table, grid=grid, by="day", residuals=tuple(residuals))
    days = engine.profiles(plan)
    return TableBaseline(
        grid=grid,
        days=days,
        types={},
        late=late_columns(table),
        outcomes=outcome_columns(table),
    )


TABLES = {
    "features": table_of(ACCEPTED.select(INPUTS), FEATURES, joint=()),
    "predictions": table_of(with_noise(ACCEPTED), PREDICTIONS, residuals=("said", "hr")),
}
BASELINE = Baseline(
    guard="bike_demand",
    model="bike_demand",
    version="1",
    recorded_at=datetime(2012, 6, 1, tzinfo=UTC),
    tables=TABLES,
    metrics={},
)


def days_of(rows, table, residuals=()):
    spec = {"features": FEATURES, "predictions": PREDICTIONS}[table]
    plan = Plan(table=spec, grid=TABLES[table].grid, residuals=tuple(residuals))
    parts = rows.with_columns(day=pl.col("timestamp").dt.date()).partition_by("day")
    return [
        BatchProfile(grid_id=plan.grid.id, parts=engine_of(part).profiles(plan)) for part in parts
    ]


def joint(rows, *, limit=BUDGET, **asked):
    batches = days_of(rows, "features")
    return judged({**JOINT, **asked}, batches, limit=limit, days=14, baseline=BASELINE)


def concept(rows, *, limit=BUDGET, **asked):
    batches = days_of(rows, "predictions", ("said", "hr"))
    return judged({**CONCEPT, **asked}, batches, limit=limit, days=14, baseline=BASELINE)


SHUFFLED = WINDOW.with_columns(pl.col("atemp").shuffle(seed=0))


def test_columns_that_no_longer_move_together_are_named_with_their_correlations():
    found = joint(SHUFFLED)
    assert found.verdict is BREACH
    worst = found.measurement.parts[0]
    assert worst.name == "temp & atemp"
    assert worst.text.startswith("correlation 0.9")
    assert " → " in worst.text


def test_what_joint_drift_sees_no_column_shows():
    alone = {"kind": "drift", "table": "features"}
    plain, mixed = (
        judged(alone, days_of(rows, "features"), limit=BUDGET, days=14, baseline=BASELINE)
        for rows in (WINDOW, SHUFFLED)
    )
    assert plain.measurement.value == pytest.approx(mixed.measurement.value)


def test_two_columns_that_were_swapped_are_seen():
    swapped = WINDOW.with_columns(hum=pl.col("windspeed"), windspeed=pl.col("hum"))
    assert joint(swapped).verdict is BREACH


@pytest.mark.parametrize("limit", [BUDGET, 1.0])
def test_columns_that_move_as_ever_are_quiet(limit):
    assert joint(WINDOW, limit=limit).verdict is OK


def test_only_the_pairs_asked_for_are_compared():
    found = joint(SHUFFLED, columns=["temp", "hum"])
    assert [part.name for part in found.measurement.parts] == ["temp & hum"]
    assert found.verdict is OK


def test_a_column_that_was_not_watched_is_an_error_with_a_way_out():
    found = joint(WINDOW, columns=["temp", "season"])
    assert found.verdict is ERROR
    assert "the baseline did not sum products of season" in found.reason
    assert "Hint: " in found.reason


def test_a_column_that_is_constant_now_moves_together_with_nothing():
    found = joint(WINDOW.with_columns(atemp=pl.lit(0.5)))
    assert found.verdict is INCONCLUSIVE
    assert "temp & atemp" in found.measurement.note


def test_outcomes_that_are_as_they_were_are_quiet():
    assert concept(with_noise(WINDOW)).verdict is OK


def test_outcomes_that_rose_everywhere_are_told():
    higher = with_noise(WINDOW).with_columns(pl.col("cnt") + 20)
    found = concept(higher)
    assert found.verdict is BREACH
    assert "outcome less prediction, mean" in found.measurement.parts[0].text


def test_outcomes_that_changed_in_one_region_are_told_with_the_region():
    at_night = pl.when(pl.col("hr") < 3).then(pl.col("cnt") + 60).otherwise(pl.col("cnt"))
    found = concept(with_noise(WINDOW).with_columns(cnt=at_night), columns=["hr"], limit=1.0)
    assert found.verdict is BREACH
    assert "most where hr is" in found.measurement.parts[0].text


def test_without_labels_nothing_is_said_of_outcomes():
    unknown = with_noise(WINDOW).with_columns(cnt=pl.lit(None, dtype=pl.Int64))
    found = concept(unknown)
    assert (found.verdict, found.measurement.n) == (INCONCLUSIVE, 0)


def test_labels_that_came_for_few_rows_lower_the_coverage():
    early = pl.when(pl.col("hr") < 12).then(pl.col("cnt"))
    found = concept(with_noise(WINDOW).with_columns(cnt=early))
    assert found.measurement.n > 100
    assert found.measurement.coverage == pytest.approx(0.5, abs=0.01)
    assert found.verdict is INCONCLUSIVE


def test_rows_of_another_version_are_not_the_champion_s_outcomes():
    rows = with_noise(WINDOW).with_columns(version=pl.lit("2"))
    assert concept(rows).verdict is INCONCLUSIVE


def test_a_baseline_without_residuals_says_what_to_record():
    bare = replace(
        BASELINE,
        tables={
            **TABLES,
            "predictions": table_of(ACCEPTED.with_columns(said=pl.col("cnt") * 1.0), PREDICTIONS),
        },
    )
    batches = days_of(with_noise(WINDOW), "predictions", ("said",))
    found = judged(CONCEPT, batches, limit=BUDGET, days=14, baseline=bare)
    assert found.verdict is ERROR
    assert "summed no residuals by any column" in found.reason


def test_one_column_alone_has_nothing_to_move_with():
    found = joint(WINDOW, columns=["temp"])
    assert found.verdict is ERROR
    assert found.reason.startswith("temp alone moves with nothing")


def test_a_column_that_moved_by_itself_is_told_beside_its_pair():
    half = WINDOW.with_row_index("i").with_columns(
        temp=pl.col("temp") + pl.when(pl.col("i") > 168).then(1.0).otherwise(0.0)
    )
    found = joint(half.drop("i"), limit=0.5)
    assert found.verdict is BREACH
    told = {part.name: part.text for part in found.measurement.parts}
    assert ", but temp itself is +" in told["temp & atemp"]


def test_what_calibration_says_of_a_pair_is_a_correlation_that_can_be():
    guard = Guard.model_validate(
        {
            "name": "g",
            "owner": "team:g",
            "model": {"name": "m"},
            "tables": {"features": FEATURES.model_dump()},
            "rules": [{"name": "pairs", "signal": {**JOINT, "window": "14d"}, "limit": BUDGET}],
        }
    )
    (found,) = calibrate_guard(guard, BASELINE)
    told = {seen.test.name: seen.told for seen in found.seen}
    before, after = (float(word) for word in told["temp & atemp"].split()[1::2])
    assert 0.9 < before < 1
    assert -1 < after < before
