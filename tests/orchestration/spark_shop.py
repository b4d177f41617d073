"""Checks on rows that stay in Spark: by an IO manager, and of a table by its name.

Run by itself, it does so over Spark Connect and prints what the checks said.
"""

import json
from datetime import UTC, datetime

import dagster as dg

from aiguard_dagster import Completeness, Rule, Table, Unique, Values, build_quality_checks
from tests.instances import empty_instance

DAYS = dg.DailyPartitionsDefinition("2026-03-01")
NOW = datetime(2026, 3, 3, tzinfo=UTC)
HOSTILE = "orders`; DROP TABLE x; --"
RULES = [
    Rule(name="full", signal=Completeness(min_rows=3), limit="100%"),
    Unique(columns=["order.id"]),
    Values(columns={"paid": {"min": 0}}),
]


class Lake(dg.IOManager):
    """Gives Spark frames and counts how often."""

    def __init__(self, frame):
        self.frame, self.reads = frame, 0

    def handle_output(self, context, obj): ...

    def load_input(self, context):
        self.reads += 1
        return self.frame


def judged(session):
    """What the checks say, how often the rows were loaded, and the frame they were."""
    rows = [(1, 9.5, "2026-03-01"), (2, -1.0, "2026-03-01"), (2, 3.0, "2026-03-02")]
    frame = session.createDataFrame(rows, schema="id int, paid double, day string")
    frame = frame.withColumnRenamed("id", "order.id")
    frame.createOrReplaceTempView("orders")
    lake = Lake(frame)

    @dg.asset
    def orders() -> None: ...

    @dg.asset(partitions_def=DAYS)
    def daily() -> None: ...

    stored = {"kind": "spark", "partition_by": "day"}
    checks = [
        *build_quality_checks(asset=orders, rules=RULES, clock=lambda: NOW),
        *build_quality_checks(
            asset=daily,
            table=Table(asset="daily", source={**stored, "table": "orders"}),
            rules=[*RULES[1:], Rule(name="full", signal=Completeness(min_rows=2), limit="100%")],
            clock=lambda: NOW,
        ),
        *build_quality_checks(
            asset=daily,
            table=Table(asset="daily", source={**stored, "table": HOSTILE}),
            rules=[Rule(name="hostile", signal=Unique(columns=["order.id"]))],
            clock=lambda: NOW,
        ),
    ]
    definitions = dg.Definitions(
        assets=[orders, daily], asset_checks=checks, resources={"io_manager": lake}
    )
    said = {}
    with empty_instance() as instance:
        for key, partition in (("orders", None), ("daily", "2026-03-01")):
            found = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=instance, partition_key=partition, asset_selection=[dg.AssetKey(key)]
            )
            for check in found.get_asset_check_evaluations():
                verdict = check.metadata["aiguard/verdict"].value
                said[f"{key}.{check.check_name}"] = [verdict, check.description]
    return said, lake


def main():
    """Over Spark Connect."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote("local[2]").getOrCreate()
    said, lake = judged(session)
    print(json.dumps({"said": said, "reads": lake.reads, "module": type(lake.frame).__module__}))  # noqa: T201


if __name__ == "__main__":
    main()
