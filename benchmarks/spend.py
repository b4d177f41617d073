"""Spend on NAB's series of cost per click and of machines: what a limit on it sees.

Run: ``python -m benchmarks.spend --data FOLDER``. Each row of a series is taken for a prediction
and its value for what it cost. Each day is judged, by a false-alarm budget and by a share above
the baseline. The baseline is what a guard would have had, the days before the first labelled
window; and, since NAB's are short, also all days without a label, as after a longer life (those
days are judged too, so false alarms are then of the baseline's own days).

A guard's baseline is kept by day, so its budgets are for windows of days. ``hour_by_budget`` is
what the same limit would see by the hour: NAB's anomalies are single values.
"""

import argparse
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from aiguard_dagster.stats.budget import budget_limit
from benchmarks.alarms.guarded import Guarded, guard_of
from benchmarks.alarms.nab import EVERY, runs_of, told
from benchmarks.alarms.tables import show

KINDS = ("cpc", "cpm", "ec2")
FEWEST = 3
"""Days of baseline below which nothing can be calibrated."""
COST = {"kind": "cost", "window": "1d", "min_samples": 20}
THREE = {**COST, "window": "3d", "min_samples": 60}
LIMITS = {
    "day_by_budget": (COST, {"false_alarm_every": EVERY}),
    "three_by_budget": (THREE, {"false_alarm_every": EVERY}),
    "day_half_above": (COST, {"above_baseline": "50%"}),
}
HOURLY = "hour_by_budget"
EPISODE = timedelta(days=1)
"""Hours in breach that are closer are one alarm."""
SHIFT = timedelta(days=10_000)
"""How far before a series its days without a label are put, to be its baseline."""
HEAD = ["series", "baseline, days", "rule", "days judged", "labelled windows seen"]
HEAD += ["anomaly points seen", "false alarms", "allowed", "first alarm"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with nab_dev.parquet")
    rows = pl.read_parquet(parser.parse_args().data / "nab_dev.parquet")
    table = []
    for (name,), each in rows.sort("timestamp").group_by(["series"], maintain_order=True):
        if any(kind in str(name) for kind in KINDS):
            table += list(_series(str(name), each))
    show(f"Spend on NAB, one false alarm in {EVERY}", HEAD, table)
    for mode in ("before", "clean"):
        for rule in (*LIMITS, HOURLY):
            mine = [row for row in table if row[1].endswith(mode) and row[2] == rule]
            mine = [row for row in mine if "of" in row[4]]
            seen = [_sum(row[place] for row in mine) for place in (4, 5)]
            false, days = (sum(int(row[place]) for row in mine) for place in (6, 3))
            found = f"windows {seen[0]}, points {seen[1]}, {false} false in {days} days"
            print(f"{mode}, {rule}: {found}")


def _sum(told_: Iterator[str]) -> str:
    pairs = [tuple(map(int, text.split(" of "))) for text in told_]
    return f"{sum(pair[0] for pair in pairs)} of {sum(pair[1] for pair in pairs)}"


def _series(name: str, rows: pl.DataFrame) -> Iterator[list[str]]:
    """One series; days that it does not cover whole are left out, as no partition would be."""
    short = name.rpartition("/")[2]
    day = pl.col("timestamp").dt.date()
    days = rows.select(day.unique().sort()).to_series().to_list()[1:-1]
    rows = rows.filter(day.is_in(days))
    labelled = rows.filter("label").select(day.unique().sort()).to_series().to_list()
    points = rows.filter("anomaly_point").select(day).to_series().to_list()
    clean = [each for each in days if each not in labelled]
    before = days.index(labelled[0]) if labelled else len(days) // 2
    # Days without a label are numbered anew, so that windows of several days are whole.
    places = {each: days[0] - SHIFT + timedelta(days=k) for k, each in enumerate(clean)}
    earlier = _moved(rows.filter(day.is_in(clean)), places)
    modes = {"before": (rows, before), "clean": (pl.concat([earlier, rows]), len(clean))}
    for mode, (both, accepted) in modes.items():
        for rule, (signal, limit) in LIMITS.items():
            row = [short, f"{accepted}, {mode}", rule]
            if accepted < FEWEST * int(str(signal["window"]).rstrip("d")):
                yield [*row, *["-"] * (len(HEAD) - 4), "too short to calibrate"]
                continue
            guard = guard_of(
                {"predictions": {"asset": "spend", "time": "timestamp", "cost": "value"}},
                {rule: (signal, limit)},
            )
            tables = {"predictions": both.select("timestamp", "value")}
            watched = Guarded(guard, tables, accepted=accepted).watch(rule)
            yield [*row, *told(watched, runs_of(labelled), points)]
        usual = earlier if mode == "clean" else rows.filter(day.is_in(days[:accepted]))
        judged = rows if mode == "clean" else rows.filter(~day.is_in(days[:accepted]))
        yield [short, f"{accepted}, {mode}", HOURLY, *_by_hour(usual, judged)]


def _by_hour(usual: pl.DataFrame, judged: pl.DataFrame) -> list[str]:
    """The mean of each hour, against a limit from the baseline's own hours."""
    hour = pl.col("timestamp").dt.truncate("1h")
    every = int(EVERY[:-1]) * 24
    before = usual.group_by(hour).agg(pl.mean("value")).sort("timestamp")["value"].to_list()
    limit = budget_limit(before, span=1, every=every, high=True).limit
    hours = (
        judged.group_by(hour)
        .agg(pl.mean("value"), pl.col("label").any(), pl.sum("anomaly_point"))
        .sort("timestamp")
        .with_columns(run=pl.col("label").rle_id(), breach=pl.col("value") > limit)
    )
    windows = hours.filter("label").group_by("run").agg(pl.col("breach").any())["breach"]
    points = hours.filter(pl.col("anomaly_point") > 0)
    false = hours.filter(pl.col("breach") & ~pl.col("label"))
    starts = false.filter(pl.col("timestamp").diff().fill_null(EPISODE) >= EPISODE)
    seen = points.filter("breach")["anomaly_point"].sum()
    first = hours.filter("breach").head(1)
    where = ", ".join(
        f"{at}: {value:.3g} > {limit:.3g}"
        for at, value in first.select("timestamp", "value").rows()
    )
    return [
        f"{len(hours) / 24:.0f}",
        f"{windows.sum()} of {len(windows)}",
        f"{seen} of {points['anomaly_point'].sum()}",
        str(len(starts)),
        f"{len(hours) / every:.1f}",
        where or "-",
    ]


def _moved(rows: pl.DataFrame, places: dict[date, date]) -> pl.DataFrame:
    """The same rows, each on the day that its own is put to."""
    time = pl.col("timestamp")
    day = time.dt.date().replace_strict(places, return_dtype=pl.Date)
    return rows.with_columns(day.dt.combine(time.dt.time()).cast(rows["timestamp"].dtype))


if __name__ == "__main__":
    main()
