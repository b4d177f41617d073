"""Checks on frames and tables of Spark, classic and over Spark Connect."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.engines import spark_session
from tests.orchestration.spark_shop import judged

ROOT = Path(__file__).parents[2]
VERDICTS = {
    "orders.full": "ok",
    "orders.unique": "breach",
    "orders.values": "breach",
    "daily.full": "ok",
    "daily.unique": "ok",
    "daily.values": "breach",
    "daily.hostile": "error",
}

pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]


def test_rows_stay_in_spark_are_read_once_and_given_back():
    said, lake = judged(spark_session())
    assert {name: verdict for name, (verdict, _) in said.items()} == VERDICTS
    assert lake.reads == 1
    assert not lake.frame.is_cached
    assert said["orders.unique"][1] == (
        "66.7% > 0% (n=3); worst: order.id (1 key on 2 of 3 rows, one on 2)"
    )


def test_a_table_that_is_not_there_is_told_by_name():
    said, _ = judged(spark_session())
    assert "orders`; DROP TABLE x; --" in said["daily.hostile"][1]
    assert "Hint: " in said["daily.hostile"][1]


def test_over_spark_connect_they_say_the_same():
    program = [sys.executable, "-W", "ignore", "-m", "tests.orchestration.spark_shop"]
    done = subprocess.run(
        program, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["module"].startswith("pyspark.sql.connect")
    assert {name: verdict for name, (verdict, _) in found["said"].items()} == VERDICTS
    assert found["reads"] == 1
