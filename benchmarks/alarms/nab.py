"""Fourteen series of the Numenta Anomaly Benchmark, each watched by day as one column."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from benchmarks.alarms.guarded import Guarded, Watched, guard_of
from benchmarks.alarms.tables import show

EVERY = "30d"
SHORT = 14
"""Days below which a baseline is short."""
FEWEST = 3
WINDOWS = {"by_day": "1d", "by_three": "3d"}
HEAD = ["series", "baseline", "rows a day", "window", "days judged", "labelled windows seen"]
HEAD += ["anomaly points seen", "false alarms", "allowed", "first alarm"]
DAY = timedelta(days=1)
Row = list[str]


def main(data: Path) -> None:
    """Print the table."""
    rows = pl.read_parquet(data / "nab_dev.parquet")
    table = []
    for (name,), each in rows.sort("timestamp").group_by(["series"], maintain_order=True):
        table += list(_series(str(name), each))
    show(f"NAB, by day, one false alarm in {EVERY}", HEAD, table)


def _series(name: str, rows: pl.DataFrame) -> Iterator[Row]:
    """One series; days that it does not cover whole are left out, as no partition would be."""
    short = name.rpartition("/")[2]
    day = pl.col("timestamp").dt.date()
    days = rows.select(day.unique().sort()).to_series().to_list()[1:-1]
    rows = rows.filter(day.is_in(days))
    labelled = rows.filter("label").select(day.unique().sort()).to_series().to_list()
    accepted = days.index(labelled[0]) if labelled else len(days) // 2
    per_day = len(rows) // len(days)
    spoken = f"{accepted} days" + (", short" if accepted < SHORT else "")
    if accepted < FEWEST:
        yield [short, spoken, str(per_day), *["-"] * (len(HEAD) - 4), "too short to calibrate"]
        return
    drift = {"kind": "drift", "min_samples": 20}
    guard = guard_of(
        {"series": {"asset": "series", "time": "timestamp"}},
        {
            name: ({**drift, "window": window}, {"false_alarm_every": EVERY})
            for name, window in WINDOWS.items()
        },
    )
    guarded = Guarded(guard, {"series": rows.select("timestamp", "value")}, accepted=accepted)
    points = rows.filter("anomaly_point").select(day).to_series().to_list()
    for rule, window in WINDOWS.items():
        watched = guarded.watch(rule)
        yield [short, spoken, str(per_day), window, *told(watched, runs_of(labelled), points)]


def told(watched: Watched, labelled: list[tuple[date, date]], points: list[date]) -> Row:
    """What was seen, and what was false: a breach belongs to what its window overlaps."""
    seen = {
        day: [run for run in labelled if run[0] <= day and run[1] > day - watched.span * DAY]
        for day in watched.breaches
    }
    false = [day for day, runs in seen.items() if not runs]
    hit = {run for runs in seen.values() for run in runs}
    found = [
        point
        for point in points
        if any(point <= day < point + watched.span * DAY for day in watched.breaches)
    ]
    first = watched.breaches[:1]
    unjudged = f"; {watched.unjudged}" if watched.unjudged else ""
    return [
        str(len(watched.said)),
        f"{len(hit)} of {len(labelled)}",
        f"{len(found)} of {len(points)}",
        str(watched.alarms(false)),
        f"{len(watched.said) / int(EVERY[:-1]):.1f}",
        ("; ".join(watched.words(day) for day in first) + unjudged).removeprefix("; ") or "-",
    ]


def runs_of(days: list[date]) -> list[tuple[date, date]]:
    """First and last day of each labelled window; windows on neighbouring days are one."""
    found: list[tuple[date, date]] = []
    for day in days:
        if found and day - found[-1][1] <= DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
