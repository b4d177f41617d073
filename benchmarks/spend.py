"""Spend on NAB's series of cost per click and of machines: what a limit on it sees.

Run: ``python -m benchmarks.spend --data FOLDER``. Each row of a series is taken for a prediction
and its value for what it cost. Each day is judged, by a false-alarm budget and by a share above
the baseline. The baseline is what a guard would have had, the days before the first labelled
window; and, since NAB's are short, also all days without a label, as after a longer life (those
days are judged too, so false alarms are then of the baseline's own days).
"""

import argparse
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl

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
        for rule in LIMITS:
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


def _moved(rows: pl.DataFrame, places: dict[date, date]) -> pl.DataFrame:
    """The same rows, each on the day that its own is put to."""
    time = pl.col("timestamp")
    day = time.dt.date().replace_strict(places, return_dtype=pl.Date)
    return rows.with_columns(day.dt.combine(time.dt.time()).cast(rows["timestamp"].dtype))


if __name__ == "__main__":
    main()
