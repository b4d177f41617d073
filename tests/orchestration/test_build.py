"""From guards and a user's definitions to definitions under guard."""

import dagster as dg
import pytest

from aiguard_dagster import MLflowResource, ProfileStore, SpecError, build_guard_definitions
from tests.orchestration.project import DAYS, DRIFT, ERROR, FRESH, guard

FEATURES = "features"


def user_definitions(**more):
    @dg.asset(partitions_def=DAYS)
    def features():
        pass

    @dg.asset(partitions_def=DAYS, deps=[features])
    def predictions():
        pass

    @dg.asset(deps=[predictions], group_name="reports")
    def report():
        pass

    @dg.asset_check(asset=features, name="rows_are_sane")
    def rows_are_sane():
        return dg.AssetCheckResult(passed=True)

    daily = dg.define_asset_job("daily", selection=["features", "predictions"])

    @dg.sensor(job=daily)
    def new_file():
        pass

    return dg.Definitions(
        assets=[features, predictions, report, dg.AssetSpec("source")],
        asset_checks=[rows_are_sane, *more.pop("asset_checks", ())],
        jobs=[daily],
        schedules=[dg.ScheduleDefinition(job=daily, cron_schedule="0 6 * * *")],
        sensors=[new_file],
        resources={
            "io_manager": dg.InMemoryIOManager(),
            "warehouse": dg.ResourceDefinition.none_resource(),
        },
        executor=dg.in_process_executor,
        loggers={"console": dg.colored_console_logger},
        **more,
    )


def problems(*guards, definitions=None):
    with pytest.raises(SpecError) as error:
        build_guard_definitions(guards=guards, definitions=definitions or user_definitions())
    return [(problem.file, problem.path, problem.what) for problem in error.value.problems]


def test_a_guard_adds_to_the_users_definitions_and_changes_none_of_them():
    own = user_definitions()
    result = build_guard_definitions(guards=[guard()], definitions=own)
    before, after = own.resolve_asset_graph(), result.resolve_asset_graph()
    for key in before.get_all_asset_keys():
        assert after.get(key).assets_def is before.get(key).assets_def or (
            after.get(key).assets_def.specs_by_key[key]
            == before.get(key).assets_def.specs_by_key[key]
        )
    assert after.get_all_asset_keys() - before.get_all_asset_keys() == {
        dg.AssetKey(["demand", name])
        for name in ("features_profile", "predictions_profile", "guard")
    }
    assert set(after.asset_check_keys) - set(before.asset_check_keys) == {
        dg.AssetCheckKey(dg.AssetKey(asset), f"demand__{name}")
        for asset, names in {
            "features": ("fresh", "complete", "columns", "drift", "hold"),
            "predictions": ("error", "bill", "hold"),
        }.items()
        for name in names
    }
    repository, mine = result.get_repository_def(), own.get_repository_def()
    assert {job.name for job in repository.get_all_jobs()} - {
        job.name for job in mine.get_all_jobs()
    } == {"demand_answer", "demand_rollback", "__anonymous_asset_job_aiguard_deltas"}
    assert repository.get_schedule_def("daily_schedule") == mine.get_schedule_def("daily_schedule")
    assert {each.name for each in repository.sensor_defs} == {
        "new_file",
        "aiguard_deltas",
        "aiguard_stop_rules",
    }
    for key, resource in own.resources.items():
        assert result.resources[key] is resource
    assert result.executor is own.executor
    assert result.loggers == own.loggers
    assert repository.get_job("daily").asset_layer.executable_asset_keys == {
        dg.AssetKey("features"),
        dg.AssetKey("predictions"),
    }


def test_the_users_own_definitions_object_is_left_as_it_was():
    own = user_definitions()
    keys = own.resolve_asset_graph().get_all_asset_keys()
    build_guard_definitions(guards=[guard()], definitions=own)
    assert own.resolve_asset_graph().get_all_asset_keys() == keys
    assert set(own.resources) == {"io_manager", "warehouse"}


def test_everything_that_is_wrong_is_told_at_once():
    @dg.asset_check(asset="features", name="demand__fresh")
    def taken():
        return dg.AssetCheckResult(passed=True)

    tables = {
        "features": {"asset": "features", "time": "at"},
        "predictions": {
            "asset": "predicshuns",
            "time": "at",
            "prediction": "said",
            "label": "was",
            "model_version": "version",
            "cost": "cost",
        },
    }
    first, second = guard(), guard(name="other", tables=tables)
    own = user_definitions(asset_checks=[taken])
    found = problems(first, second, definitions=own)
    assert [(file, path) for file, path, _ in found] == [
        ("guard other", "model.name"),
        ("guard demand", "rules[0].name"),
        ("guard other", "tables.predictions.asset"),
    ]
    told = " | ".join(what for _, _, what in found)
    assert "the model 'demand' has a guard already" in told
    assert "features has a check 'demand__fresh' already" in told
    assert "the project has no asset 'predicshuns'" in told


def test_an_asset_that_does_not_exist_is_told_with_those_that_do():
    tables = {"features": {"asset": "feature", "time": "at"}}
    with pytest.raises(SpecError) as error:
        build_guard_definitions(
            guards=[guard(rules=(FRESH,), tables=tables)], definitions=user_definitions()
        )
    assert str(error.value) == (
        "guard demand: tables.features.asset: the project has no asset 'feature'"
        "\n\nHint: did you mean features? The assets are: features, predictions, report, source."
    )


def test_two_guards_of_one_name_are_told():
    found = problems(guard(rules=(FRESH,)), guard(rules=(FRESH,), model={"name": "another"}))
    assert ("guard demand", "name") in [(file, path) for file, path, _ in found]


def test_verdicts_need_spans_of_time():
    tables = {"features": {"asset": "report", "time": "at"}}
    found = problems(guard(rules=(DRIFT,), tables=tables))
    assert found == [
        (
            "guard demand",
            "tables.features.asset",
            "report has no partitions, and a model is judged over spans of time",
        )
    ]


@pytest.mark.parametrize(
    ("window", "short", "found"),
    [
        ("3d", "12h", ("rules[0].limit.short", "12h is shorter than a partition, 1d")),
        ("1d", None, ("rules[0].limit", "a window of 1d holds but one partition of 1d")),
    ],
)
def test_an_error_budget_has_a_short_window_of_whole_partitions(window, short, found):
    table = {"asset": "features", "time": "at", "status": "who"}
    limit = {"objective": "90%", "period": "28d", "burn_rate": 2, "short": short}
    rule = {"name": "spent", "signal": {"kind": "errors", "window": window}, "limit": limit}
    rule["signal"]["table"] = "features"
    (told,) = problems(guard(rules=(rule,), tables={"features": table}))
    assert told[1] == found[0]
    assert told[2].startswith(found[1])


def test_a_window_is_at_least_a_partition():
    found = problems(guard(rules=({**DRIFT, "signal": {**DRIFT["signal"], "window": "6h"}},)))
    assert [(path, what) for _, path, what in found] == [
        ("rules[0].signal.window", "6h is shorter than a partition of features, 1d")
    ]


def test_a_data_rule_may_watch_an_asset_without_partitions():
    tables = {"features": {"asset": "report", "time": "at"}}
    result = build_guard_definitions(
        guards=[guard(rules=(FRESH,), tables=tables)], definitions=user_definitions()
    )
    key = dg.AssetCheckKey(dg.AssetKey("report"), "demand__fresh")
    assert key in result.resolve_asset_graph().asset_check_keys


def test_a_guard_on_data_alone_has_no_rollback_job_and_no_delta_sensor():
    result = build_guard_definitions(
        guards=[guard(rules=(FRESH,), model=None)], definitions=user_definitions()
    )
    assert "aiguard_deltas" not in {s.name for s in result.get_repository_def().sensor_defs}


def test_the_sensors_are_named_and_paced_by_the_caller():
    result = build_guard_definitions(
        guards=[guard()],
        definitions=user_definitions(),
        name="models",
        minimum_interval_seconds=7,
    )
    ours = [s for s in result.get_repository_def().sensor_defs if s.name.startswith("models_")]
    assert {(s.name, s.minimum_interval_seconds) for s in ours} == {
        ("models_deltas", 7),
        ("models_stop_rules", 7),
    }


def test_resources_of_the_users_own_stand():
    mine, store = MLflowResource(tracking_uri="http://mine"), ProfileStore(path="mine")
    own = dg.Definitions.merge(
        user_definitions(),
        dg.Definitions(resources={"aiguard_mlflow": mine, "aiguard_profiles": store}),
    )
    result = build_guard_definitions(guards=[guard()], definitions=own)
    assert result.resources["aiguard_mlflow"] is mine
    assert result.resources["aiguard_profiles"] is store


def test_all_of_it_loads_as_a_code_location():
    result = build_guard_definitions(guards=[guard()], definitions=user_definitions())
    dg.Definitions.validate_loadable(result)
    jobs = {job.name for job in result.resolve_all_job_defs()}
    assert {"daily", "demand_rollback"} <= jobs


def test_a_user_job_may_select_what_a_guard_adds():
    job = dg.define_asset_job("with_profile", selection=["features", "demand/features_profile"])
    own = dg.Definitions.merge(user_definitions(), dg.Definitions(jobs=[job]))
    result = build_guard_definitions(guards=[guard(rules=(DRIFT, ERROR))], definitions=own)
    selected = result.resolve_job_def("with_profile").asset_layer.executable_asset_keys
    assert dg.AssetKey(["demand", "features_profile"]) in selected
