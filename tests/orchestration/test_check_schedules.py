"""Checks that run by themselves, on what Dagster does not materialise."""

from datetime import UTC, datetime

import dagster as dg
import polars as pl
import pytest

from aiguard_dagster import Guard, SpecError, build_guard_definitions
from tests.instances import empty_instance

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
DAYS = dg.DailyPartitionsDefinition("2026-03-01")
REGIONS = dg.StaticPartitionsDefinition(["eu", "us"])
BOTH = dg.MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})
TICK = "shop__orders_checks_schedule"


class Lake(dg.IOManager):
    """Where somebody else has written; what is asked for is noted."""

    def __init__(self):
        self.asked = []

    def handle_output(self, context, obj):
        pytest.fail("a check writes nothing")

    def load_input(self, context):
        self.asked.append(context.partition_key if context.has_partition_key else None)
        return pl.DataFrame({"id": [1, 2], "at": [datetime(2026, 3, 2, 23), None]})


def guard(**table):
    return Guard.model_validate(
        {
            "name": "shop",
            "owner": "team:shop",
            "tables": {"orders": {"asset": "orders", "time": "at", **table}},
            "rules": [
                {"name": "fresh", "signal": {"kind": "freshness", "max_age": "24h"}},
                {
                    "name": "full",
                    "signal": {"kind": "completeness", "columns": ["id"], "min_rows": 2},
                    "limit": 1,
                    "action": "hold",
                },
            ],
        }
    )


def project(partitions_def=None, lake=None, **table):
    return build_guard_definitions(
        guards=[guard(**table)],
        definitions=dg.Definitions(
            assets=[dg.AssetSpec("orders", partitions_def=partitions_def)],
            resources={"io_manager": lake or Lake()},
        ),
        clock=lambda: NOW,
    )


def tick(definitions, instance):
    repository = definitions.get_repository_def()
    context = dg.build_schedule_context(
        instance=instance, scheduled_execution_time=NOW, repository_def=repository
    )
    return repository.get_schedule_def(TICK).evaluate_tick(context).run_requests


@pytest.mark.parametrize(
    ("partitions_def", "asked"),
    [
        (None, [None]),
        (DAYS, ["2026-03-02"]),
        (REGIONS, ["eu", "us"]),
        (BOTH, ["2026-03-02|eu", "2026-03-02|us"]),
    ],
)
def test_an_asset_from_elsewhere_is_checked_by_a_schedule(partitions_def, asked):
    lake = Lake()
    definitions = project(partitions_def, lake)
    with empty_instance(on_disk=True) as instance:
        requests = tick(definitions, instance)
        assert [request.tags.get("dagster/partition") for request in requests] == asked
        for request in requests:
            job = definitions.resolve_job_def("shop__orders_checks")
            result = job.execute_in_process(instance=instance, tags=request.tags)
            found = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
            assert found == {"shop__fresh": True, "shop__full": True}
            assert result.success
    assert sorted(map(str, lake.asked)) == sorted(map(str, asked))


def test_it_runs_every_hour_unless_the_guard_says_when():
    schedule = project().get_repository_def().get_schedule_def(TICK)
    assert schedule.cron_schedule == "0 * * * *"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    nightly = project(schedule="30 2 * * *").get_repository_def().get_schedule_def(TICK)
    assert nightly.cron_schedule == "30 2 * * *"


def test_what_is_no_cron_schedule_is_told_where_it_stands():
    with pytest.raises(SpecError) as raised:
        project(schedule="every day")
    assert str(raised.value) == (
        "guard shop: tables.orders.schedule: 'every day' is no cron schedule"
        "\n\nHint: write five fields: 0 6 * * 1-5."
    )


def test_an_asset_of_the_projects_own_has_a_schedule_only_when_asked_for():
    @dg.asset
    def orders(): ...

    def names(**table):
        definitions = build_guard_definitions(
            guards=[guard(**table)], definitions=dg.Definitions(assets=[orders])
        )
        return [s.name for s in definitions.get_repository_def().schedule_defs]

    assert names() == []
    assert names(schedule="0 6 * * *") == [TICK]


def test_a_partition_that_is_not_there_yet_is_not_asked_for():
    later = dg.DailyPartitionsDefinition("2027-01-01")
    with empty_instance(on_disk=True) as instance:
        assert tick(project(later), instance) == []
