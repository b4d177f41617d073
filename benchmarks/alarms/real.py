"""Real rows, watched as a user would: when each rule fired, and what is known to be true."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from aiguard_dagster.core.spec import Guard
from benchmarks.alarms import nab
from benchmarks.alarms.guarded import Guarded, Watched, guard_of
from benchmarks.alarms.tables import show

BUDGET = {"false_alarm_every": "90d"}
OUTCOMES = (
    *("repaid", "y_pred", "y_pred_proba", "partition", "clf_target"),
    *("employed", "prediction", "predicted_probability", "year"),
)
Rules = dict[str, tuple[dict[str, Any], Any]]
HEAD = ["baseline", "rule", "days judged", "alarms", "first alarm"]


def told(watched: Watched, *, since: date | None) -> tuple[str, str]:
    """Alarms before and after what is known to have happened, and the words of the first."""
    before = [day for day in watched.breaches if since is None or day < since]
    after = [day for day in watched.breaches if since is not None and day >= since]
    days = sum(1 for day in watched.said if since is not None and day >= since)
    alarms = f"{watched.alarms(before)} false"
    if since is not None:
        alarms += f" before; then a breach on {len(after)} of {days} days"
    if watched.unjudged:
        alarms += f"; {watched.unjudged}"
    firsts = [found[0] for found in (before, after) if found]
    return alarms, "; ".join(watched.words(day) for day in firsts) or "-"


def watch(name: str, baseline: str, guarded: Guarded, *, since: date | None, truth: str) -> None:
    """Print a table with a row for each rule.

    Args:
        name: Of the data.
        baseline: What it is.
        guarded: The tables and the rules.
        since: From when on something is known to have happened; None where nothing has.
        truth: What is known.
    """
    table = []
    for rule in guarded.guard.rules:
        watched = guarded.watch(rule.name)
        table.append([baseline, rule.name, str(len(watched.said)), *told(watched, since=since)])
    show(f"{name}: {truth}", HEAD, table)


def car_loan(data: Path) -> None:
    """Synthetic, with a shift on 31 March 2019."""
    rows = pl.read_parquet(data / "nannyml_car_loan.parquet").sort("timestamp")
    tables = {"features": rows.drop(*_outcomes(rows), "id"), "predictions": rows}
    reference = rows.filter(pl.col("partition") == "reference")
    days = reference["timestamp"].dt.date().n_unique()
    drift = {"kind": "drift", "table": "features"}
    guard = guard_of(
        {
            "features": {"asset": "features", "time": "timestamp"},
            "predictions": {
                "asset": "predictions",
                "time": "timestamp",
                "prediction": "y_pred",
                "score": "y_pred_proba",
                "label": "repaid",
            },
        },
        {
            "features_1d": ({**drift, "window": "1d"}, BUDGET),
            "features_7d": ({**drift, "window": "7d"}, BUDGET),
            "features_7d_rare": ({**drift, "window": "7d"}, {"false_alarm_every": "300d"}),
            "joint_7d": ({**drift, "window": "7d", "of": "joint"}, BUDGET),
            "predictions_7d": ({**drift, "table": "predictions", "window": "7d"}, BUDGET),
            "concept_7d": (
                {**drift, "table": "predictions", "window": "7d", "of": "concept"},
                BUDGET,
            ),
            "accuracy_7d": (
                {"kind": "performance", "metric": "accuracy", "window": "7d"},
                {"below_baseline": "2%"},
            ),
        },
    )
    watch(
        "car_loan",
        f"{days} days, {len(reference) // days} rows a day",
        Guarded(guard, tables, accepted=days),
        since=date(2019, 3, 31),
        truth="car_value shifts on 2019-03-31, accuracy .943 → .915; nothing before",
    )


def elec2(data: Path) -> None:
    """Electricity demand and prices; three constants come alive after a year."""
    rows = pl.read_parquet(data / "elec2.parquet").sort("timestamp").drop("class")
    drift = {"kind": "drift", "table": "features", "min_samples": 40}
    moving = ["nswprice", "nswdemand"]
    still = ["vicprice", "vicdemand", "transfer"]
    guard = guard_of(
        {"features": {"asset": "features", "time": "timestamp"}},
        {
            "features_1d": ({**drift, "window": "1d"}, BUDGET),
            "features_7d": ({**drift, "window": "7d"}, BUDGET),
            "nsw_7d": ({**drift, "window": "7d", "columns": moving}, BUDGET),
            "still_1d": ({**drift, "window": "1d", "columns": still}, BUDGET),
            "still_7d": ({**drift, "window": "7d", "columns": still}, BUDGET),
        },
    )
    alive = rows.filter(pl.col("vicdemand") != rows["vicdemand"][0])["timestamp"].dt.date()[0]
    watch(
        "elec2",
        "first 300 days, 48 rows a day",
        Guarded(guard, {"features": rows}, accepted=300),
        since=alive,
        truth=f"{', '.join(still)} are constant until {alive}; prices and demand wander",
    )


def housing(data: Path) -> None:
    """Real features with invented times: rows follow geography."""
    rows = pl.read_parquet(data / "nannyml_california_housing.parquet").sort("timestamp")
    tables = {"features": rows.drop(*_outcomes(rows), "id"), "predictions": rows}
    days = rows.filter(pl.col("partition") == "reference")["timestamp"].dt.date().n_unique()
    drift = {"kind": "drift", "table": "features"}
    guard = guard_of(
        {
            "features": {"asset": "features", "time": "timestamp"},
            "predictions": {
                "asset": "predictions",
                "time": "timestamp",
                "prediction": "y_pred",
                "score": "y_pred_proba",
                "label": "clf_target",
            },
        },
        {
            "features_7d": ({**drift, "window": "7d"}, BUDGET),
            "features_28d": ({**drift, "window": "28d"}, BUDGET),
            "predictions_7d": ({**drift, "table": "predictions", "window": "7d"}, BUDGET),
            "predictions_28d": ({**drift, "table": "predictions", "window": "28d"}, BUDGET),
            "concept_28d": (
                {**drift, "table": "predictions", "window": "28d", "of": "concept"},
                BUDGET,
            ),
            "accuracy_28d": (
                {"kind": "performance", "metric": "accuracy", "window": "28d"},
                {"below_baseline": "10%"},
            ),
        },
    )
    watch(
        "california_housing",
        f"{days} days, 24 rows a day",
        Guarded(guard, tables, accepted=days),
        since=date(2021, 9, 1),
        truth="rows follow geography, so all moves; AUC .67 in 2021-09, .79 within the reference",
    )


def census(data: Path) -> None:
    """Years without an order inside: once as they are, once cut into pieces called days."""
    rows = pl.read_parquet(data / "census_ma_employment.parquet")
    first, pieces = date(2015, 1, 1), 100
    year = pl.col("year") - rows["year"].min()
    place = pl.int_range(pl.len()).over("year") * pieces // pl.len().over("year")
    for name, day, baseline, accepted, window in (
        ("census", year, "2015 as one day", 1, "1d"),
        ("census in pieces", year * pieces + place, f"2015 as {pieces} days", pieces, "7d"),
    ):
        at = pl.lit(first).cast(pl.Datetime("us")) + pl.duration(days=day)
        timed = rows.with_columns(at=at)
        watch(
            name,
            f"{baseline}, {len(rows) // 4 // accepted:,} rows a day",
            Guarded(_census_guard(window), _census_tables(timed), accepted=accepted),
            since=None,
            truth="a negative control: AUC .902 to .906 over all years",
        )


def _census_guard(window: str) -> Guard:
    drift = {"kind": "drift", "table": "features", "window": window}
    of_predictions = {**drift, "table": "predictions"}
    scores = {"kind": "performance", "window": window}
    return guard_of(
        {
            "features": {"asset": "features", "time": "at"},
            "predictions": {
                "asset": "predictions",
                "time": "at",
                "prediction": "prediction",
                "score": "predicted_probability",
                "label": "employed",
            },
        },
        {
            "features_effect": (drift, 0.1),
            "features_psi": ({**drift, "statistic": "psi"}, 0.1),
            "features_tv": ({**drift, "statistic": "total_variation"}, 0.1),
            "features_budget": (drift, BUDGET),
            "predictions_effect": (of_predictions, 0.1),
            "predictions_budget": (of_predictions, BUDGET),
            "concept_budget": ({**of_predictions, "of": "concept"}, BUDGET),
            "accuracy": ({**scores, "metric": "accuracy"}, {"below_baseline": "2%"}),
            "f1": ({**scores, "metric": "f1"}, {"below_baseline": "2%"}),
        },
    )


def _census_tables(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {"features": rows.drop(*_outcomes(rows), "id"), "predictions": rows}


def _outcomes(rows: pl.DataFrame) -> list[str]:
    return [name for name in OUTCOMES if name in rows.columns]


SETS: dict[str, Callable[[Path], None]] = {
    "nannyml_car_loan": car_loan,
    "elec2": elec2,
    "nannyml_california_housing": housing,
    "census_ma_employment": census,
    "nab_dev": nab.main,
}


def main(data: Path | None) -> bool:
    """Print the tables; what is not there is skipped, and said to be."""
    if data is None or not data.is_dir():
        print("skipped: real data are read from the folder that --data names, and none is there")
        return False
    for name, judged in SETS.items():
        if (data / f"{name}.parquet").exists():
            judged(data)
        else:
            print(f"skipped: {name}.parquet is not in the folder")
    return False
