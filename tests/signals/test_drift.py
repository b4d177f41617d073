"""How far the columns have moved from the baseline."""

from dataclasses import replace

import polars as pl
import pytest

from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.grid import Grid, NumericGrid
from aiguard_dagster.stats.profile import merge_all
from tests.signals.batches import ENGINES, said
from tests.signals.windows import (
    ACCEPTED,
    BASELINE,
    INPUTS,
    between,
    judged,
    profiles,
)

OK, BREACH, INCONCLUSIVE, ERROR = Verdict
DRIFT = {"kind": "drift", "table": "features"}
BUDGET = {"false_alarm_every": "90d"}
WINDOW = between("2012-08-01", 14)
COLUMNS = INPUTS[1:]


def drift(rows, *, limit=BUDGET, days=14, engine="polars", **more):
    batches = profiles(rows, engine=engine)
    return judged({**DRIFT, **more}, batches, limit=limit, days=days)


@pytest.mark.parametrize("limit", [BUDGET, 2])
def test_all_engines_measure_the_same_drift(limit):
    found = [drift(WINDOW, limit=limit, engine=engine) for engine in ENGINES]
    assert len({said(evaluation) for evaluation in found}) == 1
    assert found[0].verdict is OK
    assert found[0].measurement.n == WINDOW.height


def test_the_value_is_the_worst_column_s_and_all_are_named_worst_first():
    found = drift(WINDOW, limit=0.3)
    values = [part.value for part in found.measurement.parts]
    assert found.measurement.value == values[0] == max(values)
    assert values == sorted(values, reverse=True)
    assert {part.name for part in found.measurement.parts} <= set(COLUMNS)


@pytest.mark.parametrize(
    ("change", "column", "told"),
    [
        ({"hum": pl.col("hum") / 4}, "hum", "down: mean 0.6"),
        ({"hum": pl.lit(None, dtype=pl.Float64)}, "hum", "more nulls: 0.0% → 100.0%"),
        ({"hum": pl.lit(float("nan"))}, "hum", "more nulls: 0.0% → 100.0%"),
        ({"windspeed": pl.col("windspeed") * 2}, "windspeed", "up: mean 0.1"),
        ({"windspeed": pl.lit(0.5)}, "windspeed", "up: mean 0.1"),
        ({"weathersit": pl.lit("stormy")}, "weathersit", "more nulls: 0.0% → 100.0%"),
    ],
)
def test_a_column_that_moved_is_a_breach_and_told_in_its_own_unit(change, column, told):
    found = drift(WINDOW.with_columns(**change))
    assert found.verdict is BREACH
    worst = found.measurement.parts[0]
    assert worst.name == column
    assert told in worst.text
    assert f"worst: {column}" in found.reason


def test_a_column_that_is_gone_counts_as_nulls():
    gone, null = WINDOW.drop("hum"), WINDOW.with_columns(hum=pl.lit(None, dtype=pl.Float64))
    assert said(drift(gone)) == said(drift(null))


def test_infinities_move_a_column_and_not_its_mean():
    found = drift(WINDOW.with_columns(hum=pl.lit(float("inf"))))
    assert found.verdict is BREACH
    assert "inf" not in found.measurement.parts[0].text


def test_the_baseline_does_not_differ_from_itself():
    found = drift(ACCEPTED, days=365, limit=0.01)
    assert (found.verdict, found.measurement.value) == (OK, pytest.approx(0, abs=1e-9))


def test_only_the_columns_asked_for_are_compared():
    broken = WINDOW.with_columns(hum=pl.lit(0.0))
    assert drift(broken, columns=["windspeed"]).verdict is OK
    found = drift(broken, columns=["season"])
    assert found.verdict is ERROR
    assert found.reason.startswith(
        "the baseline has no column season\n\nHint: its columns are work"
    )


def test_with_a_budget_each_column_is_measured_by_its_own_limit():
    found = drift(WINDOW)
    assert found.threshold.value == 1
    assert found.threshold.source == (
        "of its limit for one false alarm in 90d, from 365 days of baseline"
    )
    worst = found.measurement.parts[0]
    assert worst.value == found.measurement.value
    effect, limit = (float(word.split()[-1]) for word in worst.text.split(";")[1].split(","))
    assert worst.value == pytest.approx(effect / limit, rel=0.1)


def test_a_budget_beyond_the_baseline_is_extrapolated_and_says_so():
    found = drift(WINDOW, limit={"false_alarm_every": "1000d"})
    assert found.threshold.source == (
        "of its limit for one false alarm in 1000d, from 365 days of baseline, which support one in"
        " 365d: beyond, it is extrapolated"
    )
    assert found.measurement.value < drift(WINDOW).measurement.value


def test_no_effect_below_the_least_is_a_breach_with_a_budget():
    broken = WINDOW.with_columns(pl.col("hum") / 4)
    assert drift(broken).verdict is BREACH
    quiet = drift(broken, min_effect=4)
    assert quiet.verdict is OK
    assert "limit 4" in quiet.measurement.parts[0].text


def test_each_part_shows_the_shares_then_and_now():
    found = drift(WINDOW.with_columns(hum=pl.lit(2.0)))
    chart = found.measurement.parts[0].chart
    assert chart.labels[-1] == "above 1"
    assert (chart.before[-1], chart.now[-1]) == (0, 1)
    assert sum(chart.before) == pytest.approx(1)


def test_missing_days_lower_the_coverage_until_it_is_inconclusive():
    most, few = profiles(WINDOW)[:12], profiles(WINDOW)[:11]
    enough = judged(DRIFT, most, limit=BUDGET, days=14)
    assert (enough.verdict, enough.measurement.coverage) == (OK, pytest.approx(12 / 14))
    found = judged(DRIFT, few, limit=BUDGET, days=14)
    assert found.verdict is INCONCLUSIVE
    assert found.reason == "only 79% of 80% coverage needed"


def test_fewer_days_are_judged_by_what_so_few_days_may_do():
    asked = {**DRIFT, "min_coverage": 0.1, "columns": ["hum"]}
    three = judged(asked, profiles(WINDOW)[:3], limit=BUDGET, days=14)
    same = judged(asked, profiles(WINDOW)[:3], limit=BUDGET, days=3)
    assert three.measurement.parts[0].text == same.measurement.parts[0].text
    whole = judged(asked, profiles(WINDOW), limit=BUDGET, days=14)
    limits = [float(e.measurement.parts[0].text.split()[-1]) for e in (three, whole)]
    assert limits[0] > limits[1]


def test_no_profile_and_profiles_of_no_rows_are_inconclusive():
    empty = [profiles(WINDOW)[0]]
    empty = [replace(empty[0], parts={"": replace(empty[0].parts[""], rows=0)})]
    for batches in ([], empty):
        found = judged(DRIFT, batches, limit=BUDGET, days=14)
        assert found.verdict is INCONCLUSIVE
        assert found.measurement.coverage == 0


def test_too_few_rows_are_inconclusive():
    found = drift(WINDOW.gather_every(6), limit=0.3)
    assert found.verdict is INCONCLUSIVE
    assert found.reason == f"only {WINDOW.gather_every(6).height} of 100 samples needed"


def test_profiles_on_another_grid_are_never_compared():
    other = Grid({name: NumericGrid((0.5,)) for name in COLUMNS})
    batches = profiles(WINDOW, grid=other)
    found = judged(DRIFT, batches, limit=BUDGET, days=14)
    assert (found.verdict, found.measurement.value) == (INCONCLUSIVE, None)
    assert found.measurement.note == "no profile with rows on the baseline's grid in the window"
    mixed = judged(DRIFT, [*profiles(WINDOW)[:12], *batches[12:]], limit=BUDGET, days=14)
    alone = judged(DRIFT, profiles(WINDOW)[:12], limit=BUDGET, days=14)
    assert said(mixed) == said(alone)


def test_too_short_a_baseline_is_an_error_that_says_how_long_it_must_be():
    table = BASELINE.tables["features"]
    short = {day: table.days[day] for day in list(table.days)[:20]}
    baseline = replace(BASELINE, tables={"features": replace(table, days=short)})
    found = judged(DRIFT, profiles(WINDOW), limit=BUDGET, days=14, baseline=baseline)
    assert found.verdict is ERROR
    assert "Hint: record the baseline on at least 42 days" in found.reason


@pytest.mark.parametrize("limit", [None, {"above_baseline": 0.5}])
def test_a_limit_of_another_kind_is_an_error(limit):
    found = drift(WINDOW, limit=limit)
    assert found.verdict is ERROR
    assert "drift takes an absolute limit or false_alarm_every" in found.reason


def test_a_table_the_baseline_does_not_hold_is_an_error():
    found = judged({**DRIFT, "table": "others"}, [], limit=BUDGET, days=14)
    assert found.verdict is ERROR
    assert "has no table 'others', only features, predictions" in found.reason


def test_predictions_drift_too():
    signal = {"kind": "drift", "table": "predictions"}
    higher = WINDOW.with_columns(said=pl.col("said") * 3)
    found = judged(signal, profiles(higher, "predictions"), limit=BUDGET, days=14)
    assert (found.verdict, found.measurement.parts[0].name) == (BREACH, "said")
    assert len(found.measurement.parts) == 1


def test_the_label_is_compared_when_it_is_named_and_late_labels_are_no_drift():
    signal = {"kind": "drift", "table": "predictions", "columns": ["cnt"]}
    late = WINDOW.with_columns(cnt=pl.when(pl.col("hr") < 20).then("cnt"))
    found = judged(signal, profiles(late, "predictions"), limit=3, days=14)
    assert (found.verdict, found.measurement.n) == (OK, 20 * 14)
    most = WINDOW.with_columns(cnt=pl.when(pl.col("hr") < 6).then("cnt"))
    found = judged(signal, profiles(most, "predictions"), limit=3, days=14)
    assert (found.verdict, found.measurement.coverage) == (INCONCLUSIVE, 0.25)
    none = WINDOW.with_columns(cnt=pl.lit(None, dtype=pl.Int64))
    found = judged(signal, profiles(none, "predictions"), limit=3, days=14)
    assert found.verdict is INCONCLUSIVE
    higher = WINDOW.with_columns(pl.col("cnt") * 30)
    assert judged(signal, profiles(higher, "predictions"), limit=2, days=14).verdict is BREACH


def test_of_predictions_the_champion_s_own_count():
    days = profiles(WINDOW.with_columns(version=pl.lit("2")), "predictions")
    current = WindowProfiles(window=None, batches=days, expected=14, champion="1")
    assert current.champion_rows().rows == current.champion_profile().rows == 0
    theirs = replace(current, champion="2")
    assert theirs.champion_profile() == merge_all(day.parts["2"] for day in days)
    signal = {"kind": "drift", "table": "predictions"}
    found = judged(signal, days, limit=BUDGET, days=14)
    assert (found.verdict, found.measurement.note) == (
        INCONCLUSIVE,
        "no row of v1 in the window",
    )


def test_after_a_change_of_champion_few_days_are_judged_by_what_few_days_may_do():
    signal = {"kind": "drift", "table": "predictions", "min_samples": 1, "min_coverage": 0}
    days = profiles(WINDOW.with_columns(version=pl.lit("0")), "predictions")
    newest = profiles(WINDOW.tail(24), "predictions")
    changed = judged(signal, [*days[:-1], *newest], limit=BUDGET, days=14)
    alone = judged(signal, newest, limit=BUDGET, days=1)
    assert changed.measurement.n == alone.measurement.n == 24
    assert changed.measurement.parts == alone.measurement.parts


@pytest.mark.parametrize(
    "statistic",
    ["effect", "jensen_shannon", "psi", "total_variation", "ks", "wasserstein", "cramers_v"],
)
def test_every_statistic_is_quiet_where_nothing_changed_and_sees_another_unit(statistic):
    asked = {"limit": 0.4, "columns": ["hum", "windspeed"], "statistic": statistic}
    assert drift(ACCEPTED, **asked).measurement.value == pytest.approx(0, abs=0.05)
    found = drift(WINDOW.with_columns(pl.col("hum") / 4), **asked)
    assert found.measurement.parts[0].name == "hum"
    assert found.measurement.value > drift(WINDOW, **asked).measurement.value
    assert found.verdict is BREACH


def test_a_column_without_numbers_has_no_ks_and_is_told():
    gone = WINDOW.with_columns(hum=pl.lit(None, dtype=pl.Float64))
    found = drift(gone, limit=0.4, columns=["hum", "windspeed"], statistic="ks")
    assert found.verdict is INCONCLUSIVE
    assert found.measurement.coverage == 0.5
    assert found.measurement.note == "no distance, as a side has no numbers: hum"


@pytest.mark.parametrize("statistic", ["psi", "ks", "total_variation"])
def test_only_the_calibrated_statistic_takes_a_budget(statistic):
    found = drift(WINDOW, limit=BUDGET, statistic=statistic)
    assert found.verdict is ERROR
