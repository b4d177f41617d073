"""Checks without a guard: on any asset, in any partitions, read once."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from aiguard_dagster import (
    Completeness,
    Custom,
    Freshness,
    Rule,
    Schema,
    SpecError,
    Table,
    Unique,
    build_quality_checks,
)
from tests.instances import empty_instance

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
DAYS = dg.DailyPartitionsDefinition("2026-03-01")
HOURS = dg.HourlyPartitionsDefinition("2026-03-01-00:00")
MONTHS = dg.MonthlyPartitionsDefinition("2026-01-01")
REGIONS = dg.StaticPartitionsDefinition(["eu", "us"])
BOTH = dg.MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})
SHOPS = dg.DynamicPartitionsDefinition(name="shops")
FULL = Rule(name="full", signal=Completeness(min_rows=2), limit="100%", action="hold")


class Counting(dg.InMemoryIOManager):
    """Keeps values in memory, and counts how often one is read."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def load_input(self, context):
        self.reads += 1
        return super().load_input(context)


def orders_of(partitions_def=None, rows=2, at=NOW - timedelta(hours=1)):
    @dg.asset(partitions_def=partitions_def)
    def orders() -> pl.DataFrame:
        return pl.DataFrame({"id": list(range(rows)), "at": [at] * rows})

    return orders


def run(asset, checks, *, partition=None, instance=None, manager=None, selection=None):
    definitions = dg.Definitions(
        assets=[asset],
        asset_checks=checks,
        resources={"io_manager": manager or dg.InMemoryIOManager()},
    )
    job = definitions.resolve_implicit_global_asset_job_def()
    with instance or empty_instance() as found:
        if isinstance(partition, tuple):
            found.add_dynamic_partitions("shops", [partition[0]])
            partition = partition[0]
        return job.execute_in_process(
            instance=found,
            partition_key=partition,
            raise_on_error=False,
            asset_selection=selection,
        )


def verdicts(result):
    return {
        e.check_name: e.metadata["aiguard/verdict"].value
        for e in result.get_asset_check_evaluations()
    }


def clock():
    return NOW


TABLE = Table(asset="orders", time="at")


@pytest.mark.parametrize(
    ("partitions_def", "partition", "as_of"),
    [
        (None, None, NOW),
        (DAYS, "2026-03-02", datetime(2026, 3, 3, tzinfo=UTC)),
        (HOURS, "2026-03-02-05:00", datetime(2026, 3, 2, 6, tzinfo=UTC)),
        (MONTHS, "2026-02-01", datetime(2026, 3, 1, tzinfo=UTC)),
        (REGIONS, "eu", NOW),
        (BOTH, dg.MultiPartitionKey({"day": "2026-03-02", "region": "eu"}), None),
        (SHOPS, ("berlin",), NOW),
    ],
)
def test_an_asset_of_any_partitions_is_judged_at_its_time(partitions_def, partition, as_of):
    asset = orders_of(partitions_def)
    checks = build_quality_checks(asset=asset, rules=[FULL], table=TABLE, clock=clock)
    result = run(asset, checks, partition=partition)
    (evaluation,) = result.get_asset_check_evaluations()
    assert result.success
    assert evaluation.passed
    told = evaluation.metadata["aiguard/as_of"].value
    assert told == (as_of or datetime(2026, 3, 3, tzinfo=UTC)).timestamp()
    series = evaluation.metadata.get("aiguard/series")
    expected = {"eu": "eu", "2026-03-02|eu": "eu", ("berlin",): "berlin"}.get(partition)
    assert (series.value if series else None) == expected


def test_all_checks_are_made_from_one_read():
    asset, manager = orders_of(), Counting()
    rules = [FULL, Freshness(max_age="2h"), Schema(columns={"id": "int", "at": "timestamp"})]
    checks = build_quality_checks(asset=asset, rules=rules, table=TABLE, clock=clock)
    result = run(asset, checks, manager=manager)
    assert verdicts(result) == {"full": "ok", "freshness": "ok", "schema": "ok"}
    assert manager.reads == 1


def test_a_bare_signal_tells_and_a_hold_blocks():
    downstream_ran = []
    asset = orders_of(rows=1)

    @dg.asset(deps=[asset])
    def report():
        downstream_ran.append(1)

    for rule, ran in ((Freshness(max_age="1m"), True), (FULL, False)):
        downstream_ran.clear()
        checks = build_quality_checks(asset=asset, rules=[rule], table=TABLE, clock=clock)
        with empty_instance() as instance:
            result = dg.materialize(
                [asset, report, *checks], instance=instance, raise_on_error=False
            )
        assert set(verdicts(result).values()) == {"breach"}
        assert bool(downstream_ran) is ran
        assert result.success is ran


def test_an_asset_may_have_checks_from_several_places():
    asset = orders_of()
    first = build_quality_checks(asset=asset, rules=[FULL], table=TABLE, clock=clock)
    second = build_quality_checks(asset=asset, rules=[Freshness(max_age="2h")], table=TABLE)
    assert set(verdicts(run(asset, [*first, *second]))) == {"full", "freshness"}


def test_one_check_that_is_selected_runs_alone(tmp_path):
    asset = orders_of()
    checks = build_quality_checks(
        asset=asset, rules=[FULL, Freshness(max_age="2h")], table=TABLE, clock=clock
    )
    key = dg.AssetCheckKey(dg.AssetKey("orders"), "freshness")
    definitions = dg.Definitions(
        assets=[asset],
        asset_checks=checks,
        jobs=[dg.define_asset_job("one", dg.AssetSelection.checks(key))],
        resources={"io_manager": (manager := dg.FilesystemIOManager(base_dir=str(tmp_path)))},
    )
    with empty_instance() as instance:
        dg.materialize([asset], instance=instance, resources={"io_manager": manager})
        result = definitions.resolve_job_def("one").execute_in_process(instance=instance)
    assert verdicts(result) == {"freshness": "ok"}


def test_a_check_that_crashes_is_an_error_and_leaves_its_siblings_and_the_run_alone():
    asset = orders_of()
    rules = [
        FULL,
        Rule(name="gone", signal=Completeness(columns=["nowhere"]), limit="100%"),
        Rule(
            name="broken",
            signal={"kind": "pandera", "schema": "examples.bike_demand.schemas:NoSuchSchema"},
        ),
    ]
    checks = build_quality_checks(asset=asset, rules=rules, table=TABLE, clock=clock)
    result = run(asset, checks)
    assert result.success
    assert verdicts(result) == {"full": "ok", "gone": "error", "broken": "error"}


def test_one_asset_of_a_multi_asset_is_checked_when_it_is_named():
    @dg.multi_asset(specs=[dg.AssetSpec("a"), dg.AssetSpec("b")])
    def both():
        yield dg.MaterializeResult("a")
        yield dg.MaterializeResult("b")

    with pytest.raises(SpecError) as raised:
        build_quality_checks(asset=both, rules=[FULL])
    assert str(raised.value) == (
        "build_quality_checks: asset: it makes 2 assets"
        "\n\nHint: say which: table=Table(asset=…), one of a, b."
    )
    (checks,) = build_quality_checks(asset=both, rules=[FULL], table=Table(asset="b"))
    assert {key.asset_key for key in checks.check_keys} == {dg.AssetKey("b")}


def test_what_is_wrong_is_told_at_once_and_where():
    with pytest.raises(SpecError) as raised:
        build_quality_checks(
            asset=orders_of(),
            rules=[
                Freshness(max_age="1h"),
                Freshness(max_age="2h"),
                Rule(name="same", signal=Schema()),
                Rule(name="moved", signal={"kind": "drift", "window": "7d"}, limit=0.2),
                Rule(name="agree", signal={"kind": "reconcile", "other": "ledger"}),
            ],
        )
    found = [(p.path, p.what) for p in raised.value.problems]
    assert ("rules[1].name", "rules[0] is named 'freshness' too") in found
    assert ("rules[4].signal.other", "no table 'ledger' is declared") in found
    assert [path for path, what in found if "needs the time column" in what] == [
        f"rules[{number}].signal.table" for number in (0, 1, 3)
    ]
    assert any(
        path == "rules[2].signal" and "only a guard names a model" in what for path, what in found
    )
    assert any(path == "rules[3].signal.kind" for path, _ in found)


def test_neither_what_is_upstream_nor_a_resource_is_needed():
    @dg.asset(required_resource_keys={"db"}, deps=["lake"], io_manager_key="files")
    def orders(raw): ...

    (checks,) = build_quality_checks(asset=orders, rules=[FULL], table=TABLE)
    assert "aiguard_rows_by_files" in checks.resource_defs


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"asset": "orders"},
            (
                "build_quality_checks: asset: str is no definition of an asset"
                "\n\nHint: give the asset itself, or dg.AssetSpec(…)."
            ),
        ),
        (
            {"asset": orders_of(), "table": Table(asset="order")},
            (
                "build_quality_checks: table.asset: the asset is orders, and its table says 'order'"
                "\n\nHint: write Table(asset='orders')."
            ),
        ),
        (
            {"asset": orders_of(), "rules": [Freshness(max_age="2h")]},
            (
                "checks of orders: rules[0].signal.table: freshness needs the time column, and none"
                " is named\n\nHint: add time: and the column's name to table."
            ),
        ),
        (
            {
                "asset": orders_of(REGIONS),
                "rules": [Freshness(max_age="2h", by="partition")],
            },
            (
                "checks of orders: rules[0].signal.by: orders has no partitions in time"
                "\n\nHint: partition it by time, or leave this out."
            ),
        ),
        (
            {"asset": orders_of(), "rules": [Custom(function="no.such.module:function")]},
            (
                "checks of orders: rules[0].signal.function: there is no module 'no.such.module'"
                "\n\nHint: it must be importable where this project is loaded."
            ),
        ),
        (
            {"asset": orders_of(), "rules": [Schema(against="baseline")]},
            (
                "checks of orders: rules[0].signal: without columns it compares with a model's"
                " baseline, and only a guard names a model\n\nHint: put the rule into a guard."
            ),
        ),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_who_wrote_it(asked, told):
    with pytest.raises(SpecError) as raised:
        build_quality_checks(**{"rules": [FULL], **asked})
    assert str(raised.value) == told


def test_an_empty_list_has_no_rows_and_is_inconclusive():
    @dg.asset
    def orders() -> list[dict]:
        return []

    checks = build_quality_checks(asset=orders, rules=[Unique(columns=["id"]), FULL])
    assert verdicts(run(orders, checks)) == {"unique": "inconclusive", "full": "breach"}


def test_earlier_batches_of_the_series_are_at_hand():
    """Judged on 2026-03-02: what 2026-03-01 of that region left, and no other's."""
    from aiguard_dagster.orchestration import quality

    seen = []
    original = quality._Session._past

    def spy(self, *arguments):
        found = original(self, *arguments)
        seen.append([(point.as_of.day, point.series) for point in found])
        return found

    asset = orders_of(BOTH)
    checks = build_quality_checks(
        asset=asset, rules=[Schema(against="previous")], table=TABLE, clock=clock
    )
    with empty_instance() as instance, pytest.MonkeyPatch.context() as patched:
        patched.setattr(quality._Session, "_past", spy)
        definitions = dg.Definitions(assets=[asset], asset_checks=checks)
        job = definitions.resolve_implicit_global_asset_job_def()
        for day, region in ((2, "us"), (1, "eu"), (3, "eu"), (2, "eu")):
            key = dg.MultiPartitionKey({"day": f"2026-03-0{day}", "region": region})
            job.execute_in_process(
                instance=instance,
                partition_key=key,
                resources={"io_manager": dg.InMemoryIOManager()},
            )
    assert seen[-1] == [(2, "eu")]


def test_a_source_is_read_in_place_of_the_io_manager_for_the_partition_in_hand(tmp_path):
    @dg.asset(partitions_def=DAYS)
    def orders():
        """Writes its own files and returns nothing."""

    for day in (1, 2):
        at = [datetime(2026, 3, day, hour) for hour in range(day)]
        pl.DataFrame({"id": range(day), "at": at}).write_parquet(f"{tmp_path}/2026-03-0{day}.pq")
    source = {"kind": "parquet", "path": f"{tmp_path}/{{partition}}.pq"}
    table = Table(asset="orders", time="at", source=source)
    checks = build_quality_checks(asset=orders, rules=[FULL], table=table, clock=clock)
    counted = {
        day: run(orders, checks, partition=f"2026-03-0{day}").get_asset_check_evaluations()
        for day in (1, 2)
    }
    assert [counted[day][0].passed for day in (1, 2)] == [False, True]


def test_a_source_that_cannot_be_reached_is_told_at_load_and_an_error_in_the_run(tmp_path, caplog):
    @dg.asset
    def orders(): ...

    table = Table(asset="orders", source={"kind": "csv", "path": f"{tmp_path}/no/where.csv"})
    rule = Rule(name="full", signal=Completeness(min_rows=2), limit="100%")
    checks = build_quality_checks(asset=orders, rules=[rule], table=table, clock=clock)
    assert "the csv source of orders cannot be reached" in caplog.text
    result = run(orders, checks)
    assert result.success
    assert verdicts(result) == {"full": "error"}


def test_a_source_that_does_not_fit_the_partitions_is_refused_at_load():
    table = Table(asset="orders", source={"kind": "csv", "path": "orders.csv"})
    with pytest.raises(SpecError) as raised:
        build_quality_checks(asset=orders_of(REGIONS), rules=[FULL], table=table)
    assert str(raised.value) == (
        "checks of orders: table.source.partition_by: nothing tells one partition's rows"
        " from another's\n\nHint: give partition_by, or a placeholder in the path."
    )
