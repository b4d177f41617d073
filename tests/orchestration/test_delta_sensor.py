"""The sensor that judges windows on profiles."""

import warnings
from collections import Counter
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.orchestration import delta_sensor, deltas
from aiguard_dagster.orchestration.keys import profile_key
from tests.mlflow_server import free_port
from tests.orchestration.project import (
    BILL,
    COMPLETE,
    DAY,
    DELTA_RULES,
    DELTAS,
    DRIFT,
    ERROR,
    FEATURES,
    FRESH,
    GOOD,
    HALF_EMPTY,
    PREDICTIONS,
    TURNED,
    Weather,
    day,
    guard,
    partition,
    record,
)

ONE_DAY = ({**DRIFT, "signal": {**DRIFT["signal"], "window": "1d"}},)
HOT = Weather(shift=1000.0)


def rows(project, rule):
    """The check rows of a rule as Dagster has them, oldest first."""
    table = next(each.signal.table for each in project.guard.rules if each.name == rule)
    asset = project.guard.tables[table].asset
    found = project.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey(asset), f"demand__{rule}"), limit=100
    )
    # A run of the asset plans its delta checks too, and leaves them to the sensor.
    return [each.evaluation for each in reversed(found) if each.status.value != "PLANNED"]


def run_checks(project, *checks):
    """What "execute" beside a check in Dagster's UI does."""
    job = project.defs.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection=set(checks)
    )
    run = project.instance.create_run_for_job(job)
    run = run._replace(asset_check_selection=frozenset(checks))
    events = list(execute_run_iterator(InMemoryJob(job), run, project.instance))
    assert events[-1].event_type is dg.DagsterEventType.RUN_SUCCESS


def test_a_tick_reports_one_evaluation_a_rule_and_partition_on_the_users_own_asset(project):
    for number in (1, 2, 3):
        project.materialise(number)
    project.daemon.tick(DELTAS)
    for rule, asset in (("drift", FEATURES), ("error", PREDICTIONS), ("bill", PREDICTIONS)):
        found = rows(project, rule)
        assert Counter(p.as_of for p in project.points(rule)) == {
            day(2): 1,
            day(3): 1,
            day(4): 1,
        }
        assert {each.asset_key for each in found} == {asset}
        assert project.verdicts(rule) == {1: "inconclusive", 2: "ok", 3: "ok"}
        newest = found[-1].metadata
        assert isinstance(newest["aiguard/value"], dg.FloatMetadataValue)
        assert isinstance(newest["aiguard/limit"], dg.FloatMetadataValue)
        assert isinstance(newest["aiguard/n"], dg.IntMetadataValue)
        assert newest["aiguard/n"].value == 48
        assert newest["aiguard/champion"].value == "2"
        assert newest["aiguard/window_start"].value == day(2).timestamp()


def test_no_evaluation_counts_for_a_materialisation_that_is_not_the_newest(project):
    project.live(1, 2)
    newest = project.instance.fetch_materializations(PREDICTIONS, limit=1).records[0]
    target = rows(project, "error")[-1].target_materialization_data
    assert (target.storage_id, target.run_id) == (newest.storage_id, newest.run_id)


def test_each_rule_tells_what_moved(new_project):
    project = new_project(rules=(DRIFT, ERROR, BILL))
    bad = Weather(slope=1.0, shift=1000.0, price=0.002)
    project.live(1, 2, weather=bad)
    assert {rule: project.verdicts(rule)[2] for rule in DELTA_RULES} == dict.fromkeys(
        DELTA_RULES, "breach"
    )
    drift, error, bill = (project.points(rule)[-1] for rule in DELTA_RULES)
    assert "worst: load (up: mean 111.5 → 1112" in drift.reason
    assert drift.limit == 1.2
    assert (error.value, error.limit) == (pytest.approx(1110.5), pytest.approx(2.0))
    assert (bill.value, bill.limit) == (pytest.approx(2.0), pytest.approx(1.5))


@pytest.mark.both_storages
def test_a_second_tick_adds_nothing_and_the_cursor_is_only_a_cache(project):
    project.live(1, 2)
    before = {rule: len(rows(project, rule)) for rule in DELTA_RULES}
    project.daemon.tick(DELTAS)
    project.daemon.cursors.clear()
    project.daemon.tick(DELTAS)
    project.daemon.cursors[DELTAS] = "{}"
    project.rebuild()
    project.daemon.tick(DELTAS)
    assert {rule: len(rows(project, rule)) for rule in DELTA_RULES} == before


def with_own_model(project, name):
    """A guard like the project's, on another model whose only version is the champion."""
    client, own = project.registry.client, project.registry.version("2")
    model = project.guard.model.model_copy(update={"name": f"{project.registry.name} {name}"})
    client.create_registered_model(model.name)
    client.create_model_version(model.name, own.source, own.run_id)
    ModelRegistry(client, model).promote("1", at=day(0), by="team:demand", why="release 1")
    found = project.guard.model_copy(update={"name": name, "model": model})
    record(found, client.tracking_uri, "1")
    return found


def test_guards_for_which_a_tick_has_no_room_are_the_next_ones(new_project, monkeypatch):
    monkeypatch.setattr(delta_sensor, "MOST_EVALUATIONS", 2)
    project = new_project(rules=(ERROR,))
    others = [with_own_model(project, name) for name in ("b", "c")]
    project.rebuild(others=others)
    for number in (1, 2):
        project.materialise(number)
        for other in others:
            project.materialise(number, profile_key(other, "predictions"))
    asked = []
    real = delta_sensor.profiles_wanted
    monkeypatch.setattr(
        delta_sensor,
        "profiles_wanted",
        lambda instance, guard, *rest, **named: (
            asked.append(guard.name) or real(instance, guard, *rest, **named)
        ),
    )
    for name in ("demand", "b", "c"):
        asked.clear()
        events = project.daemon.evaluate(DELTAS).asset_events
        project.daemon.tick(DELTAS)
        assert asked == [name, name], "the others are not looked at in vain"
        assert {event.check_name for event in events} == {f"{name}__error"}
        assert len(events) == 2
    project.daemon.tick(DELTAS)
    assert project.daemon.evaluate(DELTAS).asset_events == []


@pytest.mark.both_storages
def test_a_replaced_partition_is_judged_anew_with_all_windows_that_hold_it(new_project):
    project = new_project(rules=(DRIFT, ERROR))
    project.live(1, 2, 3, 4)
    project.live(2, weather=TURNED)
    assert Counter(p.as_of for p in project.points("error")) == {
        day(2): 1,
        day(3): 2,
        day(4): 2,
        day(5): 1,
    }
    assert project.verdicts("error") == {1: "inconclusive", 2: "breach", 3: "breach", 4: "ok"}


def test_a_late_partition_falls_into_its_place(new_project):
    project = new_project(rules=(DRIFT, ERROR))
    project.live(1, 2, 4)
    assert project.verdicts("error") == {1: "inconclusive", 2: "ok", 4: "inconclusive"}
    project.live(3)
    assert project.verdicts("error") == {1: "inconclusive", 2: "ok", 3: "ok", 4: "ok"}


def test_labels_that_come_late_are_judged_when_they_are_there(new_project):
    project = new_project(rules=(ERROR,))
    project.live(1, 2, weather=Weather(labelled=False))
    assert project.verdicts("error")[2] == "inconclusive"
    assert "no label" in project.points("error")[-1].reason or "0 of 24" in (
        project.points("error")[-1].reason
    )
    project.live(1, 2, weather=GOOD)
    assert project.verdicts("error")[2] == "ok"


def test_a_version_without_a_baseline_is_an_error_that_says_how_to_record_one(new_project):
    project = new_project(rules=(DRIFT, ERROR), baselines=("1",))
    project.live(1, 2)
    for rule in ("drift", "error"):
        assert set(project.verdicts(rule).values()) == {"error"}
        assert (
            "aiguard baseline record GUARD.yaml --model-version 2"
            in project.points(rule)[-1].reason
        )
    written = len(project.points("error"))
    project.tick()
    assert len(project.points("error")) == written
    record(project.guard, project.registry.client.tracking_uri, "2")
    project.tick()
    assert project.verdicts("error") == {1: "inconclusive", 2: "ok"}
    # Their profiles were made without a grid; they are made again, once.
    assert project.verdicts("drift") == {1: "inconclusive", 2: "ok"}


def test_a_model_without_a_champion_is_an_error(new_project):
    project = new_project(rules=(ERROR,), promoted=())
    project.live(1, 2)
    assert set(project.verdicts("error").values()) == {"error"}
    assert "has no champion" in project.points("error")[-1].reason
    assert project.decisions() == []


def test_mlflow_that_is_down_fails_the_tick_clearly_and_leaves_all_else_alone(new_project):
    project = new_project(rules=(FRESH, ERROR))
    project.live(1)
    cursor, written = dict(project.daemon.cursors), len(rows(project, "error"))
    up = project.registry.client.tracking_uri
    down = f"http://127.0.0.1:{free_port()}"
    project.rebuild(tracking_uri=down)
    project.daemon.cursors.update(cursor)
    project.materialise(2, FEATURES, PREDICTIONS)  # the user's own job goes on
    with pytest.raises(dg.Failure) as failure:
        project.daemon.tick(DELTAS)
    told = str(failure.value)
    assert told.startswith("demand: ActionError: read the champions of all models: ")
    assert down in told
    assert "Hint: see that MLflow runs" in told
    assert project.daemon.cursors == cursor
    assert len(rows(project, "error")) == written
    assert project.decisions() == []
    project.rebuild(tracking_uri=up)
    project.tick()
    assert project.verdicts("error") == {1: "inconclusive", 2: "ok"}


def test_a_guard_whose_registry_fails_does_not_silence_another(new_project):
    project = new_project(rules=(ERROR,))
    ghost = guard(name="ghost", model={"name": "no such model"}, rules=(ERROR,))
    project.rebuild(others=[ghost])
    for number in (1, 2):
        project.materialise(number)
    project.tick()
    assert project.verdicts("error") == {1: "inconclusive", 2: "ok"}


@pytest.mark.both_storages
def test_profiles_that_the_users_job_leaves_out_are_asked_for_once(new_project):
    project = new_project(rules=(DRIFT, ERROR))
    for number in (1, 2):
        project.materialise(number, FEATURES, PREDICTIONS)
    asked = project.daemon.tick(DELTAS)
    assert sorted(
        (run.dagster_run.tags["aiguard/profile"].rpartition("/")[0]) for run in asked
    ) == [
        f"demand/{table}_profile/{partition(number)}"
        for table in ("features", "predictions")
        for number in (1, 2)
    ]
    assert all(run.success for run in asked)
    assert project.daemon.tick(DELTAS) == []
    assert project.verdicts("error") == {1: "inconclusive", 2: "ok"}
    assert project.daemon.tick(DELTAS) == []


def test_a_profile_that_is_older_than_its_rows_is_made_again(new_project):
    project = new_project(rules=ONE_DAY)
    project.live(1)
    project.weather[1] = HOT
    project.materialise(1, FEATURES)
    assert len(project.daemon.tick(DELTAS)) == 1
    project.daemon.tick(DELTAS)
    assert project.verdicts("drift") == {1: "breach"}


def test_a_profile_run_that_fails_is_tried_three_times(new_project):
    project = new_project(rules=(DRIFT,))
    project.materialise(1, FEATURES)
    project.folder.mkdir(parents=True)
    (project.folder / "profiles").write_text("a file where the folder should be")
    runs = [run for _ in range(5) for run in project.daemon.tick(DELTAS)]
    assert [run.success for run in runs] == [False] * 3


def test_rows_that_cannot_be_profiled_do_not_fail_the_users_job_and_are_never_ok(new_project):
    project = new_project(rules=(DRIFT, ERROR))
    project.memory.replace = lambda _: "no table"
    run = project.materialise(1)
    assert run.success
    project.materialise(2)
    project.daemon.tick(DELTAS)
    assert set(project.verdicts("error").values()) == {"inconclusive"}


@pytest.mark.parametrize("left", ["", '{"form', "{}"], ids=["empty", "cut", "no profile"])
def test_a_profile_that_is_damaged_is_an_error_of_its_own_rules_and_is_made_again(
    new_project, left
):
    project = new_project(rules=(DRIFT, ERROR, BILL))
    project.live(1, 2)
    file = project.profile_file("features", 2)
    file.write_text(left)
    project.materialise(3)
    project.tick()
    assert project.verdicts("error")[3] == project.verdicts("bill")[3] == "ok"
    assert project.verdicts("drift")[3] == "ok"
    errors = [p.reason for p in project.points("drift") if p.verdict == "error"]
    assert len(errors) <= 1
    assert all(str(file) in reason and "Hint" in reason for reason in errors)


def test_a_champion_is_judged_against_its_own_baseline_and_only_for_its_own_time(new_project):
    project = new_project(rules=(ERROR,))
    project.live(1, 2, weather=TURNED)
    project.registry.promote("1", at=day(3), by="ada", why="the world has turned")
    project.live(3, 4, weather=TURNED)
    assert project.verdicts("error") == {1: "inconclusive", 2: "breach", 3: "ok", 4: "ok"}
    assert project.points("error")[2].n == 24  # its own rows only
    assert [(p.as_of, p.subject) for p in project.points("error")] == [
        (day(2), "2"),
        (day(3), "2"),
        (day(4), "1"),
        (day(5), "1"),
    ]


def test_a_move_of_the_alias_by_a_person_is_seen_and_recorded(new_project):
    project = new_project(rules=(ERROR,))
    project.live(1)
    project.registry.point_to("1")
    project.now = day(2) + DAY / 2
    project.daemon.tick(DELTAS)
    reign = project.registry.reigns()[-1]
    assert (reign.version, reign.start, reign.by) == ("1", day(2) + DAY / 2, "unknown")


def test_a_delta_check_run_by_hand_judges_the_newest_partition(new_project):
    project = new_project(rules=(DRIFT, ERROR))
    project.materialise(1)
    project.materialise(2)
    run_checks(project, dg.AssetCheckKey(PREDICTIONS, "demand__error"))
    assert project.verdicts("drift") == {}
    assert project.verdicts("error") == {2: "ok"}
    project.daemon.tick(DELTAS)  # and the sensor does not judge it a second time
    assert Counter(p.as_of for p in project.points("error")) == {day(2): 1, day(3): 1}


def test_a_held_day_lowers_the_coverage_and_is_not_ok(new_project):
    project = new_project(rules=(COMPLETE, ERROR))
    project.live(1, 2)
    project.live(3, weather=HALF_EMPTY)
    assert project.instance.get_materialized_partitions(PREDICTIONS) == {partition(1), partition(2)}
    assert project.verdicts("error") == {1: "inconclusive", 2: "ok"}
    project.live(4, weather=GOOD)
    assert project.verdicts("error")[4] == "inconclusive"


def test_nothing_of_ours_warns_when_definitions_are_built_and_when_a_sensor_ticks(project):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        project.rebuild()
        project.defs.resolve_all_job_defs()
        project.daemon.tick(DELTAS)
    early = (dg.BetaWarning, dg.PreviewWarning)
    found = {str(each.message) for each in told if issubclass(each.category, early)}
    # Dagster names the owners of every sensor itself, when it hands resources to the jobs.
    assert {each for each in found if "`owners` of initializer" not in each} == set()


def test_an_absolute_limit_on_a_metric_needs_no_baseline(new_project):
    project = new_project(rules=(DRIFT, {**ERROR, "limit": 1_000.0}), baselines=("1",))
    project.live(1, 2)
    assert set(project.verdicts("drift").values()) == {"error"}
    assert project.verdicts("error")[2] == "ok"


def test_each_change_of_what_rules_count_has_the_newest_profiles_made_again_once(new_project):
    def rule(quantile, name="tail"):
        asked = {"metric": "quantile_loss", "quantile": quantile, "window": "2d"}
        signal = {"kind": "performance", "min_samples": 24, **asked}
        return {"name": name, "signal": signal, "limit": 100.0}

    project = new_project(rules=(rule(0.5),), baselines=())
    project.live(1, 2)
    name = project.guard.model.name
    for quantile in (0.1, 0.2, 0.3, 0.4):
        rules = (rule(quantile), rule(1 - quantile, "other"))
        project.guard = guard(rules=rules, model={"name": name, "alias": "champion"})
        project.rebuild()
        assert len(project.tick()) == 2
        assert project.tick() == []
        assert [project.verdicts(each)[2] for each in ("tail", "other")] == ["ok", "ok"]


def test_what_a_tick_reads_back_does_not_grow_with_the_history(project, monkeypatch):
    asked = []
    real = deltas.read_evaluations

    def read(instance, check, **options):
        asked.append(options["after"])
        return real(instance, check, **options)

    project.live(*range(1, 5))
    project.tick()
    monkeypatch.setattr(deltas, "read_evaluations", read)
    project.materialise(5)
    newest = max(record.storage_id for record in materialisations(project, 4))
    project.daemon.tick(DELTAS)
    assert len(asked) == len(DELTA_RULES)
    assert all(after >= newest for after in asked)
    asked.clear()
    project.daemon.cursors.clear()
    project.daemon.tick(DELTAS)
    assert asked == [0] * len(DELTA_RULES)


def materialisations(project, number):
    wanted = dg.AssetRecordsFilter(
        asset_key=project.profiles()[-1], asset_partitions=[partition(number)]
    )
    return project.instance.fetch_materializations(wanted, limit=10).records


@pytest.mark.parametrize("key", ["2025-06-01", "2026-01-01-05:00", "north"])
def test_a_partition_that_the_definition_no_longer_has_keeps_nobody_waiting(new_project, key):
    project = new_project(rules=ONE_DAY)
    project.live(1)
    for asset in (FEATURES, *project.profiles()):
        project.instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=key))
    project.instance.report_runless_asset_event(dg.AssetMaterialization(FEATURES, partition=key))
    assert project.daemon.tick(DELTAS) == []
    project.live(2)
    assert project.verdicts("drift")[2] == "ok"


def test_a_profile_run_that_died_with_its_machine_is_asked_for_again_after_an_hour(new_project):
    project = new_project(rules=ONE_DAY)
    (profile,) = project.profiles()
    project.materialise(1, FEATURES)
    asked = list(evaluated(project).run_requests or ())
    assert [request.partition_key for request in asked] == [partition(1)]
    project.instance.create_run_for_job(
        project.defs.resolve_implicit_global_asset_job_def(),
        status=dg.DagsterRunStatus.STARTED,
        tags={**asked[0].tags, "dagster/partition": partition(1)},
    )
    assert not evaluated(project).run_requests
    project.now = datetime.now(UTC) + timedelta(hours=2)
    (again,) = evaluated(project).run_requests
    assert again.run_key == asked[0].run_key.replace("#1", "#2")
    assert again.asset_selection == [profile]


def evaluated(project):
    """A tick without a cursor, and without what comes of it."""
    project.daemon.cursors.pop(DELTAS, None)
    return project.daemon.evaluate(DELTAS)
