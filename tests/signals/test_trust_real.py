"""Decisions of 21 programmers on suggestions of code: see ``tests/data/README.md``."""

from pathlib import Path

import polars as pl
import pytest

from aiguard_dagster.core.spec import Table, Trust
from tests.signals.tallies import read, told

DECISIONS = pl.read_parquet(Path(__file__).parents[1] / "data" / "copilot_decisions.parquet")
TABLE = Table(asset="suggestions", time="TimeGenerated", user="UserId", decision="StateName")


def trust(metric="acceptance", **options):
    return Trust.model_validate({"window": "14d", "metric": metric, **options})


def test_acceptance_by_person_is_not_that_of_all_decisions():
    found = read(trust(by=["Task"]), TABLE, DECISIONS)
    shares = DECISIONS.group_by("UserId").agg((pl.col("StateName") == "Accepted").mean())
    assert found.value == pytest.approx(shares["StateName"].mean())
    assert found.n == 21
    assert found.coverage == 1.0
    assert told(found)["all decisions alike"] == "35.22% of 1,096"


def test_tasks_of_fewer_than_five_people_are_not_named():
    found = read(trust(by=["Task"]), TABLE, DECISIONS)
    fewest = DECISIONS.group_by("Task").agg(pl.col("UserId").n_unique(), pl.len())
    many = fewest.filter((pl.col("UserId") >= 5) & (pl.col("len") >= 30))["Task"].to_list()
    named = [part.name for part in found.parts if part.name.startswith("Task")]
    assert sorted(named) == sorted(f"Task {task}" for task in many)[:5]


def test_a_bot_that_rejects_everything_moves_acceptance_by_one_person():
    bot = DECISIONS.head(1).with_columns(UserId=pl.lit(99, pl.Int64), StateName=pl.lit("Rejected"))
    flooded = pl.concat([DECISIONS, pl.concat([bot] * 10_000)])
    before, now = read(trust(), TABLE, DECISIONS), read(trust(), TABLE, flooded)
    assert now.value == pytest.approx(before.value * 21 / 22)


def test_times_to_a_decision_are_those_that_were_logged():
    shown = pl.col("TimeGenerated") - pl.duration(milliseconds=pl.col("timeSinceDisplayedMs"))
    timed = DECISIONS.with_columns(shown=shown)
    table = TABLE.model_copy(update={"time": "shown", "decided_at": "TimeGenerated"})
    found = read(trust("time_to_decision"), table, timed)
    assert found.coverage == 1.0
    assert 1 <= found.value <= 3
