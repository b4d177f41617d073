"""Checks on a project that was not written for them, and that nobody changes."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from aiguard_dagster import (
    Completeness,
    Guard,
    Rule,
    SpecError,
    Table,
    Unique,
    Values,
    build_guard_definitions,
    build_quality_checks,
)
from tests.instances import empty_instance
from tests.projects.plain_project import assets
from tests.projects.plain_project.definitions import defs

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def guard(folder):
    return Guard.model_validate(
        {
            "name": "shop",
            "owner": "team:shop",
            "mode": "enforce",
            "tables": {
                "customers": {"asset": "customers", "key": ["id"]},
                "orders": {"asset": "orders", "key": ["id"]},
                "refunds": {"asset": "refunds"},
                "revenue": {"asset": "revenue"},
                "stock": {
                    "asset": "stock",
                    "source": {"kind": "csv", "path": f"{folder}/{{partition}}.csv"},
                },
                "weather": {
                    "asset": "weather",
                    "time": "at",
                    "source": {"kind": "parquet", "path": f"{folder}/weather.parquet"},
                },
            },
            "rules": [
                rule("customers_unique", kind="unique", table="customers"),
                rule(
                    "ages",
                    kind="values",
                    table="customers",
                    columns={"age": {"min": 0, "max": 120}},
                ),
                rule("orders_unique", kind="unique", table="orders", action="hold"),
                rule("known", kind="reconcile", table="refunds", other="orders", keys=["id"]),
                rule("refunds_unique", kind="unique", table="refunds", columns=["id"]),
                rule("no_table", kind="unique", table="revenue", columns=["id"]),
                rule("pieces", kind="completeness", table="stock", columns=["pieces"], limit=1),
                rule("fresh", kind="freshness", table="weather", max_age="2h"),
            ],
        }
    )


def rule(name, *, action="notify", limit=None, **signal):
    return {"name": name, "signal": signal, "action": action, "limit": limit}


@pytest.fixture
def project(tmp_path):
    assets.WEATHER.write_parquet(tmp_path / "weather.parquet")
    return build_guard_definitions(guards=[guard(tmp_path)], definitions=defs, clock=lambda: NOW)


def run(definitions, job, **asked):
    with empty_instance() as instance:
        result = definitions.resolve_job_def(job).execute_in_process(
            instance=instance, raise_on_error=False, **asked
        )
    return result, {
        e.check_name.removeprefix("shop__"): e.metadata["aiguard/verdict"].value
        for e in result.get_asset_check_evaluations()
        if "aiguard/verdict" in e.metadata
    }


def test_the_projects_own_job_carries_the_checks(project):
    resources = {**project.resources, "io_manager": dg.InMemoryIOManager()}
    result, verdicts = run(project, "nightly", resources=resources)
    assert verdicts == {
        "customers_unique": "ok",
        "ages": "ok",
        "orders_unique": "ok",
        "known": "breach",
        "refunds_unique": "breach",
        "no_table": "error",
    }
    assert result.success
    assert result.output_for_node("revenue") == 13.5
    own = [e for e in result.get_asset_check_evaluations() if e.check_name == "has_rows"]
    assert own[0].passed


@pytest.mark.parametrize(("shop", "verdict"), [("berlin", "ok"), ("lagos", "breach")])
def test_of_a_file_for_each_partition_only_the_one_in_hand_is_judged(
    project, tmp_path, shop, verdict
):
    _, verdicts = run(
        project,
        "__ASSET_JOB",
        partition_key=shop,
        asset_selection=[dg.AssetKey("stock")],
        run_config={"ops": {"stock": {"config": {"folder": str(tmp_path)}}}},
    )
    assert [path.stem for path in tmp_path.glob("*.csv")] == [shop]
    assert verdicts == {"pieces": verdict}


def test_what_somebody_else_loads_is_checked_by_its_schedule(project):
    names = {schedule.name for schedule in project.get_repository_def().schedule_defs}
    assert names == {"nightly_schedule", "shop__weather_checks_schedule"}
    _, verdicts = run(project, "shop__weather_checks")
    assert verdicts == {"fresh": "ok"}


def test_the_projects_own_definitions_are_all_there(project):
    before, after = defs.get_repository_def(), project.get_repository_def()
    assert {j.name for j in before.get_all_jobs()} <= {j.name for j in after.get_all_jobs()}
    assert defs.resolve_asset_graph().get_all_asset_keys() <= (
        project.resolve_asset_graph().get_all_asset_keys()
    )


def test_checks_of_one_asset_go_beside_the_projects_own(tmp_path):
    checks = build_quality_checks(
        asset=assets.ledger,
        table=Table(asset="refunds"),
        rules=[Unique(columns=["id"]), Values(columns={"paid": {"max": 0}})],
    )
    definitions = dg.Definitions.merge(defs, dg.Definitions(asset_checks=checks))
    _, verdicts = run(definitions, "nightly", resources={"io_manager": dg.InMemoryIOManager()})
    assert verdicts == {"unique": "breach", "values": "ok"}


def test_a_check_that_the_project_has_is_not_shadowed():
    taken = Rule(name="has_rows", signal=Completeness(min_rows=1), limit="100%")
    checks = build_quality_checks(asset=assets.ledger, table=Table(asset="orders"), rules=[taken])
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="has_rows"):
        dg.Definitions.merge(defs, dg.Definitions(asset_checks=checks)).get_repository_def()


def test_a_rule_that_would_wait_for_what_it_blocks_is_refused():
    def of(action):
        return Guard.model_validate(
            {
                "name": "shop",
                "owner": "team:shop",
                "tables": {"orders": {"asset": "orders"}, "revenue": {"asset": "revenue"}},
                "rules": [
                    rule("unique", kind="unique", table="orders", columns=["id"], action=action),
                    rule("agree", kind="reconcile", table="orders", other="revenue", sums=["paid"]),
                ],
            }
        )

    with pytest.raises(SpecError) as raised:
        build_guard_definitions(guards=[of("hold")], definitions=defs)
    assert str(raised.value) == (
        "guard shop: rules[1].signal.other: revenue is made from orders, which a rule with action"
        " hold keeps back\n\nHint: put this rule on revenue, with orders as the other one."
    )
    merged = build_guard_definitions(guards=[of("notify")], definitions=defs)
    dg.Definitions.validate_loadable(merged)
