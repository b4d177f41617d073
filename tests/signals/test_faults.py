"""The fault table: for each kind, what went wrong in real pipelines, put into real rentals.

Each fault must be a breach, or an error that says why; the same rule must be quiet on every sound
day of the year. What each finding says is tested beside its kind.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import polars as pl
import pytest

from aiguard_dagster.adapters.tables.rows import open_rows
from aiguard_dagster.core.spec import Compliance, Table
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.signals.batch import Asset, Batch
from aiguard_dagster.signals.measure import MEASURES
from tests.signals.batches import DAY, RENTALS, day_of, judged, rows_of

RIDES = Table(asset="rides", time="timestamp", key=("timestamp",), label="weathersit")
DECLARED = {
    "timestamp": "timestamp",
    "hr": "int",
    "holiday": "int",
    "temp": {"type": "float", "nullable": False},
    "cnt": "int",
}
DEFINED = Asset(
    key="hourly_features",
    owners=("team:forecasting",),
    description="Weather and calendar of each hour.",
    columns={"hr": "bigint", "temp": "double"},
    descriptions={"hr": "hour of the day", "temp": "normalised"},
    upstream=("weather",),
)
SUITE = [
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "temp"}},
    {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "timestamp"}},
    {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "hum", "min_value": 0, "max_value": 1},
    },
]
RULES = {
    "freshness": {"max_age": "2h"},
    "freshness by materialisation": {"by": "materialisation", "max_age": "26h"},
    "freshness by partition": {"by": "partition", "max_age": "26h"},
    "schema": {"columns": DECLARED},
    "completeness": {"every": "1h", "columns": ["cnt", "temp"], "limit": 0.95},
    "unique": {"columns": ["timestamp"]},
    "values": {
        "columns": {
            "temp": {"min": 0, "max": 1, "varies": True},
            "weathersit": {"one_of": [1, 2, 3, 4]},
        }
    },
    "pandera": {"schema": "examples.bike_demand.schemas:HourlyFeatures"},
    "expectations": {"suite": SUITE},
    "reconcile": {"other": "store", "keys": ["timestamp"], "sums": ["cnt"]},
    "skew": {"reference": "store", "keys": ["timestamp"], "columns": ["temp", "hum"]},
    "labels": {"classes": [1, 2, 3, 4], "max_missing": 0.05},
    "metadata": {"require": ["owner", "columns", "column_descriptions", "lineage"]},
    "custom": {"function": "tests.signals.checks:riders_add_up"},
}


@dataclass(frozen=True)
class Seen:
    """What a rule is shown of one day."""

    rows: pl.DataFrame
    asset: Asset = DEFINED
    made: timedelta | None = timedelta(hours=1)
    """How long ago it was last materialised."""
    behind: timedelta | None = timedelta(hours=1)
    """How long ago its newest partition ended."""


def rows(change):
    """A fault in the rows."""
    return lambda seen: replace(seen, rows=change(seen.rows))


def columns(*changes, **named):
    return rows(lambda frame: frame.with_columns(*changes, **named))


def definition(**change):
    return lambda seen: replace(seen, asset=replace(seen.asset, **change))


HOUR = pl.col("hr")
NIGHT = HOUR < 6
FAULTS = {
    "freshness": {
        "the load stopped at noon": rows(lambda frame: frame.filter(HOUR < 12)),
        "nothing came": rows(lambda frame: frame.clear()),
        "a clock is a day ahead": columns(pl.col("timestamp") + pl.duration(days=1)),
    },
    "freshness by materialisation": {
        "the job did not run": lambda seen: replace(seen, made=timedelta(days=2)),
        "it never ran": lambda seen: replace(seen, made=None),
    },
    "freshness by partition": {
        "a partition is late": lambda seen: replace(seen, behind=timedelta(days=2)),
        "there is none": lambda seen: replace(seen, behind=None),
    },
    "schema": {
        "a column is gone": rows(lambda frame: frame.drop("temp")),
        "a column has another name": rows(lambda frame: frame.rename({"hr": "hour"})),
        "numbers came as text": columns(pl.col("cnt").cast(pl.String)),
        "nulls where none may be": columns(temp=pl.when(~NIGHT).then("temp")),
    },
    "completeness": {
        "a night is lost": rows(lambda frame: frame.filter(~NIGHT)),
        "a join lost every other value": columns(temp=pl.when(HOUR % 2 == 0).then("temp")),
        "not a number in a night": columns(
            temp=pl.when(NIGHT).then(float("nan")).otherwise("temp")
        ),
        "nothing came": rows(lambda frame: frame.clear()),
    },
    "unique": {
        "a retry wrote the day twice": rows(lambda frame: pl.concat([frame, frame])),
        "a join fanned out one hour": rows(lambda frame: frame.vstack(frame[3:4])),
        "an hour was stamped as the one before": columns(
            timestamp=pl.when(HOUR == 3)
            .then(pl.col("timestamp") - pl.duration(hours=1))
            .otherwise("timestamp")
        ),
    },
    "values": {
        "another unit": columns(pl.col("temp") * 41),
        "a sensor is stuck": columns(temp=0.5),
        "-1 for unknown": columns(temp=pl.when(NIGHT).then(-1.0).otherwise("temp")),
        "a new category": columns(weathersit=pl.when(NIGHT).then(9).otherwise("weathersit")),
    },
    "pandera": {
        "another unit": columns(pl.col("temp") * 41),
        "hours from 1 to 24": columns(HOUR + 1),
        "a column is gone": rows(lambda frame: frame.drop("hum")),
        "numbers came as text": columns(pl.col("weathersit").cast(pl.String)),
    },
    "expectations": {
        "nulls": columns(temp=pl.when(~NIGHT).then("temp")),
        "a retry wrote the day twice": rows(lambda frame: pl.concat([frame, frame])),
        "percent for a share": columns(pl.col("hum") * 100),
    },
    "reconcile": {
        "rows were lost": rows(lambda frame: frame.filter(~NIGHT)),
        "rows came twice": rows(lambda frame: pl.concat([frame, frame])),
        "an amount changed": columns(cnt=pl.when(HOUR == 8).then(0).otherwise("cnt")),
        "keys are of another hour": columns(pl.col("timestamp") + pl.duration(minutes=1)),
    },
    "skew": {
        "another unit": columns(pl.col("temp") * 41),
        "a default for unknown": columns(hum=pl.when(NIGHT).then(0.0).otherwise("hum")),
        "nulls": columns(temp=pl.when(~NIGHT).then("temp")),
        "values of the hour before": columns(pl.col("temp").shift(1, fill_value=0.99)),
    },
    "labels": {
        "a night has none": columns(weathersit=pl.when(~NIGHT).then("weathersit")),
        "a class nobody knows": columns(weathersit=pl.when(NIGHT).then(9).otherwise("weathersit")),
        "two for one hour": rows(
            lambda frame: frame.vstack(frame.with_columns(weathersit=pl.lit(4, dtype=pl.Int64)))
        ),
        "no label at all": columns(weathersit=pl.lit(None, dtype=pl.Int64)),
    },
    "metadata": {
        "nobody owns it": definition(owners=()),
        "a column is not described": definition(descriptions={"hr": "hour of the day"}),
        "declared and actual differ": columns(HOUR.cast(pl.String)),
        "its lineage is not declared": definition(upstream=()),
    },
    "custom": {
        "casual riders were dropped": columns(casual=0),
        "one half was counted twice": columns(pl.col("registered") * 2),
        "a column is gone": rows(lambda frame: frame.drop("cnt")),
    },
}


def verdict(kind, day, fault=lambda seen: seen):
    """One rule's verdict on a day's rows; ``store`` has the day as it was."""
    options = dict(RULES[kind])
    limit = options.pop("limit", None)
    sound, now = rows_of(day), day_of(day) + DAY + timedelta(hours=1)
    seen, opened = fault(Seen(sound)), open_rows(sound)
    store = Batch(frame=opened.frame, native=opened.native, table=RIDES, window=None, now=now)
    asset = replace(
        seen.asset,
        last_materialised=lambda: None if seen.made is None else now - seen.made,
        partition_ends=lambda _: ([] if seen.behind is None else [now - seen.behind], []),
    )
    found = judged(
        {"kind": kind.partition(" ")[0], "table": "rides", **options},
        seen.rows,
        limit=limit,
        table=RIDES,
        day=day,
        now=now,
        asset=asset,
        other=lambda _: store,
    )
    return found.verdict


def test_every_kind_has_its_faults():
    assert set(FAULTS) == set(RULES)
    for kind in set(MEASURES) - {Compliance}:  # A stop is raised; no fault of the rows.
        name = kind.model_fields["kind"].default
        faults = [f for rule, fs in FAULTS.items() if rule.partition(" ")[0] == name for f in fs]
        assert len(faults) >= 3, name


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        pytest.param(kind, fault, id=f"{kind}: {name}")
        for kind, faults in FAULTS.items()
        for name, fault in faults.items()
    ],
)
def test_it_is_caught(kind, fault):
    assert verdict(kind, "2012-05-01", fault) in {Verdict.BREACH, Verdict.ERROR}


@pytest.mark.parametrize("kind", RULES)
def test_sound_days_are_quiet(kind):
    days = RENTALS.group_by(day=pl.col("timestamp").dt.date()).len().filter(pl.col("len") == 24)
    of_2012 = days.filter(pl.col("day").dt.year() == 2012)["day"].sort().gather_every(6)
    assert len(of_2012) > 50
    assert {verdict(kind, day.isoformat()) for day in of_2012} == {Verdict.OK}
