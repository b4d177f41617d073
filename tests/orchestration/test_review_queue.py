"""The review queue: rows that wait for a person, on a real Dagster."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from aiguard_dagster import Guard, SpecError, build_guard_definitions, build_review_queue
from aiguard_dagster.orchestration.assets import know
from aiguard_dagster.orchestration.review_queue import review_queues
from aiguard_dagster.testing import Daemon

DAY = datetime(2026, 3, 1)
DAYS = dg.DailyPartitionsDefinition("2026-03-01")
QUEUE = dg.AssetKey(["loans", "decisions_review_queue"])
EVENING = datetime(2026, 3, 1, 20, tzinfo=UTC)
ROWS = pl.DataFrame(
    {
        "id": [1, 2, 3, 4, 5],
        "at": [DAY + timedelta(hours=hour) for hour in (1, 2, 3, 19, 4)],
        "sure": [0.9, 0.5, 0.4, 0.3, None],
        "amount": [10.0, 20.0, 30.0, 40.0, 50.0],
        "seen": [None, DAY + timedelta(hours=3), None, None, None],
    },
    schema_overrides={"at": pl.Datetime("us"), "seen": pl.Datetime("us")},
)
REVIEW = {"score_below": 0.7, "within": "4h"}


class Clock:
    def __init__(self, now=EVENING):
        self.now = now

    def __call__(self):
        return self.now


def guard(review=REVIEW, **table):
    loans = {"asset": "decisions", "time": "at", "score": "sure", "reviewed": "seen"}
    return Guard.model_validate(
        {
            "name": "loans",
            "owner": "team:risk",
            "tables": {"decisions": loans | {"review": review} | table},
            "rules": [{"name": "fresh", "signal": {"kind": "freshness", "max_age": "1d"}}],
        }
    )


def project(make=lambda rows: rows, rows=ROWS, partitions_def=None, manager=None):
    held = {"rows": rows}

    @dg.asset(partitions_def=partitions_def)
    def decisions():
        return make(held["rows"])

    manager = manager or dg.InMemoryIOManager()
    own = dg.Definitions(assets=[decisions], resources={"io_manager": manager})
    return own, held, manager


def ran(own, added):
    """A run of everything."""
    assets = [*own.assets, *added.assets, *added.asset_checks]
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            assets, instance=instance, resources=own.resources, raise_on_error=False
        )


def evaluation_of(result):
    (found,) = result.get_asset_check_evaluations()
    return found


def queue(own, mine=None):
    return build_review_queue(guard=mine or guard(), definitions=own, clock=Clock())


def test_the_queue_holds_the_rows_that_a_person_must_see_and_why():
    own, *_ = project()
    result = ran(own, queue(own))
    rows = result.asset_value(QUEUE)
    assert rows.columns == [*ROWS.columns, "review_why"]
    assert dict(zip(rows["id"], rows["review_why"], strict=True)) == {
        3: "score below 70%",
        4: "score below 70%",
        5: "no score",
    }
    (event,) = result.asset_materializations_for_node("loans__decisions_review_queue")
    assert event.metadata["aiguard/waiting"].value == 3
    assert event.metadata["aiguard/why"].value == {"score below 70%": 2, "no score": 1}


def test_the_check_tells_of_reviews_that_are_overdue():
    own, *_ = project()
    found = evaluation_of(ran(own, queue(own)))
    assert not found.passed
    assert found.asset_key == QUEUE
    assert found.severity == dg.AssetCheckSeverity.WARN
    assert found.metadata["aiguard/verdict"].value == "breach"
    assert found.description == (
        "66.7% > 0% (n=3); 4 of 5 rows had to be reviewed, 3 of them by now"
    )
    table = found.metadata["aiguard/columns"].value
    assert [record.data["what"] for record in table.records] == [
        "1 of 1 that were due were not reviewed",
        "1 of 2 that were due were not reviewed",
    ]


def test_once_all_are_reviewed_the_queue_is_empty_and_the_check_passes():
    reviewed = ROWS.with_columns(seen=pl.col("at") + timedelta(minutes=5))
    own, *_ = project(rows=reviewed)
    result = ran(own, queue(own))
    assert len(result.asset_value(QUEUE)) == 0
    assert evaluation_of(result).passed


def test_before_anything_is_due_nobody_knows():
    own, *_ = project(rows=ROWS.filter(pl.col("id") == 4))
    found = evaluation_of(ran(own, queue(own)))
    assert found.metadata["aiguard/verdict"].value == "inconclusive"
    assert found.description == "1 of 1 rows had to be reviewed, 0 of them by now"


def test_where_no_row_needs_a_person_the_check_passes_and_without_rows_it_does_not():
    own, *_ = project(rows=ROWS.head(1))
    found = evaluation_of(ran(own, queue(own)))
    assert found.passed
    assert found.description.endswith("none of 1 rows had to be reviewed")
    own, *_ = project(rows=ROWS.head(0))
    empty = evaluation_of(ran(own, queue(own)))
    assert empty.metadata["aiguard/verdict"].value == "inconclusive"
    assert empty.description == "no rows"


def test_late_and_impossible_reviews_are_told():
    seen = [None, DAY + timedelta(hours=9), DAY, DAY + timedelta(hours=20), DAY]
    own, *_ = project(rows=ROWS.with_columns(seen=pl.Series(seen)))
    found = evaluation_of(ran(own, queue(own)))
    assert not found.passed
    assert "1 were reviewed after 4h" in found.description
    assert "2 reviews are before their output" in found.description


def test_rows_without_a_time_are_due_at_once():
    rows = ROWS.filter(pl.col("id") == 4).with_columns(at=pl.lit(None, dtype=pl.Datetime("us")))
    own, *_ = project(rows=rows)
    assert evaluation_of(ran(own, queue(own))).metadata["aiguard/verdict"].value == "breach"


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda rows: rows.to_pandas(), pd.DataFrame),
        (lambda rows: rows.lazy(), pl.DataFrame),
        (lambda rows: rows.to_arrow(), pa.Table),
        (lambda rows: rows.to_dicts(), list),
    ],
)
def test_the_queue_is_a_table_of_the_users_own_kind(make, kind):
    own, *_ = project(make=make)
    rows = ran(own, queue(own)).asset_value(QUEUE)
    assert isinstance(rows, kind)
    assert len(rows) == 3


def test_no_row_is_in_the_metadata():
    own, *_ = project(rows=ROWS.with_columns(amount=pl.lit(123_456.5)))
    result = ran(own, queue(own))
    text = str([event.event_specific_data for event in result.all_events])
    assert "123456" not in text.replace("_", "").replace(",", "")


def test_what_cannot_be_measured_fails_the_queue_for_an_empty_one_would_be_a_lie():
    own, *_ = project(rows=ROWS.drop("sure"))
    result = ran(own, queue(own))
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "columns are gone: sure" in failure.step_failure_data.error.message


def test_a_check_alone_that_cannot_be_measured_is_an_error(tmp_path):
    files = dg.FilesystemIOManager(base_dir=str(tmp_path))
    own, _, manager = project(manager=files, rows=ROWS.drop("sure"))
    added = queue(own)
    definitions = dg.Definitions.merge(own, added)
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(own.assets, instance=instance, resources={"io_manager": manager})
        job = dg.define_asset_job(
            "only", dg.AssetSelection.checks(*added.asset_checks[0].check_keys)
        )
        alone = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
        result = alone.resolve_job_def("only").execute_in_process(instance=instance)
    found = evaluation_of(result)
    assert result.success
    assert found.metadata["aiguard/verdict"].value == "error"
    assert found.severity == dg.AssetCheckSeverity.ERROR


def test_the_schedule_asks_again_until_the_reviews_are_long_due(new_instance, tmp_path):
    files = dg.FilesystemIOManager(base_dir=str(tmp_path))
    own, held, _ = project(partitions_def=DAYS, manager=files)
    clock = Clock()
    definitions = build_guard_definitions(guards=[guard()], definitions=own, clock=clock)
    instance = new_instance(on_disk=True)
    daemon = Daemon(definitions, instance, log_level="ERROR")
    key = "2026-03-01"
    clock.now = datetime(2026, 3, 2, 1, tzinfo=UTC)
    daemon.run(partition_key=key, asset_selection=[dg.AssetKey("decisions"), QUEUE])
    schedule = definitions.resolve_schedule_def("loans__decisions_review_schedule")

    def asked(now):
        clock.now = now
        with dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=now,
            repository_def=definitions.get_repository_def(),
        ) as context:
            return [r.partition_key for r in schedule.evaluate_tick(context).run_requests]

    assert asked(datetime(2026, 3, 2, 2, tzinfo=UTC)) == [key]
    held["rows"] = ROWS.with_columns(seen=pl.col("at") + timedelta(minutes=5))
    daemon.run(partition_key=key, asset_selection=[dg.AssetKey("decisions")])
    result = daemon.run("loans__decisions_review_job", partition_key=key)
    assert evaluation_of(result).passed
    assert asked(datetime(2026, 3, 3, tzinfo=UTC)) == []


def test_a_guard_with_a_policy_has_its_queue_by_itself():
    own, *_ = project()
    definitions = build_guard_definitions(guards=[guard()], definitions=own, clock=Clock())
    graph = definitions.resolve_asset_graph()
    assert graph.has(QUEUE)
    assert dg.AssetCheckKey(QUEUE, "reviewed") in graph.asset_check_keys
    assert graph.get(QUEUE).parent_keys == {dg.AssetKey("decisions")}


def test_a_guard_without_a_policy_has_no_queue_to_build():
    own, *_ = project()
    with pytest.raises(SpecError) as raised:
        queue(own, guard(review=None))
    (problem,) = raised.value.problems
    assert problem.what == "no table has a review policy"


def test_a_policy_that_nobody_could_follow_is_told_at_load():
    own, *_ = project()
    review = {
        "inside": {"amount": {"min": 5, "max": 1}, "id": {}, "sure": {"one_of": [1], "max": 1}}
    }
    with pytest.raises(SpecError) as raised:
        queue(own, guard(review=review, time=None))
    found = {problem.path: problem.what for problem in raised.value.problems}
    assert found["tables.decisions.review.inside.amount"] == "no value is at least 5 and at most 1"
    assert found["tables.decisions.review.inside.id"] == "it holds everything"
    assert found["tables.decisions.review.inside.sure"] == "a region is a range or a list"
    assert found["tables.decisions.review"].startswith("it needs the time column")


def test_a_table_that_dagster_does_not_make_is_queued_from_its_source(tmp_path):
    path = tmp_path / "decisions.parquet"
    ROWS.write_parquet(path)
    own = dg.Definitions(
        assets=[dg.AssetSpec("decisions")], resources={"io_manager": dg.InMemoryIOManager()}
    )
    mine = guard(source={"kind": "parquet", "path": str(path)})
    added = queue(own, mine)
    result = dg.materialize(
        [*added.assets, *added.asset_checks], resources=own.resources, raise_on_error=False
    )
    assert result.asset_value(QUEUE)["id"].to_list() == [3, 4, 5]
    assert evaluation_of(result).metadata["aiguard/verdict"].value == "breach"
    (schedule,) = added.schedules
    assert [request.partition_key for request in schedule(dg.build_schedule_context())] == [None]


def test_the_queue_of_a_partition_holds_its_own_rows(new_instance, tmp_path):
    files = dg.FilesystemIOManager(base_dir=str(tmp_path))
    own, held, _ = project(partitions_def=DAYS, manager=files)
    definitions = build_guard_definitions(guards=[guard()], definitions=own, clock=Clock())
    daemon = Daemon(definitions, new_instance(), log_level="ERROR")
    keys = [dg.AssetKey("decisions"), QUEUE]
    daemon.run(partition_key="2026-03-01", asset_selection=keys)
    held["rows"] = ROWS.head(2).with_columns(pl.col("at") + timedelta(days=1), sure=0.1)
    result = daemon.run(partition_key="2026-03-02", asset_selection=keys)
    assert result.asset_value(QUEUE)["id"].to_list() == [1, 2]


def test_a_policy_on_what_is_no_asset_is_told(tmp_path):
    source = {"kind": "parquet", "path": str(tmp_path / "others.parquet")}
    table = {"asset": "others", "time": "at", "score": "sure", "reviewed": "seen"}
    loans = guard().model_dump(mode="json")
    loans["tables"]["others"] = {**table, "review": REVIEW, "source": source}
    own, *_ = project()
    with pytest.raises(SpecError) as raised:
        queue(own, Guard.model_validate(loans))
    (problem,) = raised.value.problems
    assert problem.path == "tables.others.asset"
    assert problem.what == "the project has no asset 'others'"


def test_a_row_whose_review_was_due_between_two_ticks_is_looked_at_once_more(
    new_instance, tmp_path
):
    own, *_ = project(partitions_def=DAYS, manager=dg.FilesystemIOManager(base_dir=str(tmp_path)))
    mine = guard({**REVIEW, "within": "10m"})
    known = {"decisions": know(own.resolve_asset_graph(), mine.tables["decisions"])}
    clock, instance = Clock(), new_instance(on_disk=True)
    dg.materialize(
        own.assets, instance=instance, resources=own.resources, partition_key="2026-03-01"
    )
    (schedule,) = review_queues(guard=mine, known=known, clock=clock).schedules

    def asked(now):
        clock.now = now
        with dg.build_schedule_context(instance=instance, scheduled_execution_time=now) as context:
            return [request.partition_key for request in schedule(context)]

    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    ticks = [midnight + timedelta(hours=hour, seconds=2) for hour in range(4)]
    assert [asked(tick) for tick in ticks] == [["2026-03-01"], ["2026-03-01"], [], []]
