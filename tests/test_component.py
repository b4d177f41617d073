"""Guards in a dg project: through Dagster's loader, and through the dg program."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTreeException

from aiguard_dagster import SpecError

PROJECT = Path(__file__).parent / "projects" / "dg_project"
PAYROLL = """\
version: 1
name: payroll
owner: team:payroll
tables:
  features: {asset: ASSET, time: at}
rules:
  - name: fresh
    signal: {kind: freshness, table: features, max_age: 2h}
"""
WAGES = "type: dg_project.people.Wages\nattributes: {name: wages}\n---\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the project, importable, with no trace left of it afterwards."""
    folder = tmp_path / "dg_project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(folder / "src"))
    monkeypatch.setenv("DG_PROJECT_MLFLOW", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("PYTHONPATH", str(folder / "src"))
    monkeypatch.chdir(folder)
    importlib.invalidate_caches()
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "dg_project"]:
        del sys.modules[name]


def load(folder):
    return dg.load_from_defs_folder(path_within_project=folder / "src" / "dg_project")


def add_payroll(folder, name="payroll", *, asset="features", uri=None):
    component = folder / "src" / "dg_project" / "defs" / name
    (component / "guards").mkdir(parents=True)
    attributes = f"\nattributes:\n  mlflow_tracking_uri: {uri}\n" if uri else "\n"
    (component / "defs.yaml").write_text(f"type: aiguard_dagster.GuardComponent\n{attributes}")
    (component / "guards" / "payroll.yaml").write_text(PAYROLL.replace("ASSET", asset))
    return component


def add_checks(folder, name, *, asset="features", rules=None, before="", file="defs.yaml"):
    component = folder / "src" / "dg_project" / "defs" / name
    component.mkdir(parents=True)
    rules = rules or [{"name": "fresh", "signal": {"kind": "freshness", "max_age": "26h"}}]
    attributes = {"asset": asset, "time": "at", "rules": rules}
    document = {"type": "aiguard_dagster.QualityComponent", "attributes": attributes}
    (component / file).write_text(f"{before}{json.dumps(document)}\n")
    return component


def check_names(definitions):
    return {key.name for key in definitions.resolve_asset_graph().asset_check_keys}


def sensor_names(definitions):
    return {sensor.name for sensor in definitions.get_repository_def().sensor_defs}


def test_a_project_loads_with_its_guards_checks_sensors_and_job(folder):
    definitions = load(folder)
    assert check_names(definitions) == {
        "demand__features_fresh",
        "demand__feature_drift",
        "demand__forecast_error",
        "demand__hold",
    }
    assert sensor_names(definitions) == {"demand_deltas", "demand_stop_rules"}
    assert {"daily", "demand_rollback"} <= {job.name for job in definitions.resolve_all_job_defs()}
    uri = definitions.resources["demand_mlflow"].tracking_uri
    assert uri == os.environ["DG_PROJECT_MLFLOW"]
    dg.Definitions.validate_loadable(definitions)


def test_the_checks_run_on_assets_of_another_folder(folder):
    definitions = load(folder)
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(
            instance=instance,
            partition_key="2026-01-01",
            asset_selection=[dg.AssetKey("features")],
            resources={
                **definitions.resources,
                "io_manager": dg.FilesystemIOManager(base_dir=str(folder / "assets")),
            },
        )
    found = {each.check_name: each for each in run.get_asset_check_evaluations()}
    assert found.keys() == {"demand__features_fresh", "demand__hold"}
    assert found["demand__features_fresh"].metadata["aiguard/verdict"].value == "ok"
    assert found["demand__hold"].passed


def test_two_guard_components_in_one_project_keep_apart(folder):
    add_payroll(folder, uri=os.environ["DG_PROJECT_MLFLOW"])
    definitions = load(folder)
    assert sensor_names(definitions) == {
        "demand_deltas",
        "demand_stop_rules",
        "payroll_stop_rules",
    }
    assert check_names(definitions) >= {"payroll__fresh", "demand__features_fresh"}
    dg.Definitions.validate_loadable(definitions)


def test_a_component_deeper_down_is_named_by_its_way_there(folder):
    add_payroll(folder, "people/payroll")
    assert "people_payroll_stop_rules" in sensor_names(load(folder))


def test_checks_on_one_asset_run_with_it(folder):
    add_checks(folder, "people/wages", asset="wages", before=WAGES)
    add_checks(folder, "checks/of/features")
    (folder / "src" / "dg_project" / "defs" / "notes").mkdir()
    definitions = load(folder)
    assert definitions.resolve_asset_graph().asset_check_keys >= {
        dg.AssetCheckKey(dg.AssetKey("wages"), "fresh"),
        dg.AssetCheckKey(dg.AssetKey("features"), "fresh"),
    }
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        run = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("wages")],
            resources={**definitions.resources, "io_manager": dg.InMemoryIOManager()},
        )
    (evaluation,) = run.get_asset_check_evaluations()
    assert evaluation.metadata["aiguard/verdict"].value == "ok"


def test_a_source_may_be_named_from_the_root_of_the_project(folder, monkeypatch):
    component = add_checks(folder, "mine", asset="stations")
    text = (component / "defs.yaml").read_text()
    source = '"source": {"kind": "csv", "path": "{{ context.project_root }}/at.csv"}, "rules"'
    (component / "defs.yaml").write_text(text.replace('"rules"', source))
    stations = "import dagster as dg\nstations = dg.AssetSpec('stations')\n"
    (folder / "src/dg_project/defs/stations.py").write_text(stations)
    (folder / "at.csv").write_text(f"at\n{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}\n")
    monkeypatch.chdir(folder.parent)
    run = load(folder).resolve_job_def("mine_checks").execute_in_process()
    (evaluation,) = run.get_asset_check_evaluations()
    assert evaluation.metadata["aiguard/verdict"].value == "ok"


def test_two_of_them_in_one_file_keep_apart(folder):
    first = add_checks(folder, "first", asset="lake/rain")
    text = (first / "defs.yaml").read_text()
    (first / "defs.yaml").write_text(f"{text}---\n{text.replace('rain', 'snow')}")
    (folder / "src/dg_project/defs/lake.py").write_text(
        "import dagster as dg\n"
        "lake = [dg.AssetSpec(['lake', 'rain']), dg.AssetSpec(['lake', 'snow'])]\n"
    )
    repository = load(folder).get_repository_def()
    assert {s.name for s in repository.schedule_defs} == {
        "first_checks_schedule",
        "first_1_checks_schedule",
    }


def test_a_check_of_the_projects_own_is_told_with_the_place_in_the_file(folder):
    (folder / "src/dg_project/defs/own.py").write_text(
        "import dagster as dg\n@dg.asset_check(asset='features')\n"
        "def fresh(): return dg.AssetCheckResult(passed=True)\n"
    )
    component = add_checks(folder, "mine")
    with pytest.raises(ComponentTreeException) as error:
        load(folder)
    assert str(spec_error(error.value)) == (
        f"{component / 'defs.yaml'}: attributes.rules[0].name: features has a check 'fresh' already"
        "\n\nHint: give one of them another name."
    )


def test_two_components_that_claim_one_check_are_told_of_each_other(folder):
    rules = [{"name": "fresh", "signal": {"kind": "freshness", "max_age": "26h"}}]
    first = add_checks(folder, "a", rules=rules)
    text = (first / "defs.yaml").read_text()
    (first / "defs.yaml").write_text(f"{text}---\n{text}")
    with pytest.raises(ComponentTreeException) as error:
        load(folder)
    assert str(spec_error(error.value)) == (
        f"{first / 'defs.yaml'}, document 2: attributes.rules[0].name: features has a check 'fresh'"
        f" already, in {first / 'defs.yaml'}, document 1"
        "\n\nHint: give one of them another name."
    )


@pytest.mark.parametrize(
    ("asset", "rule", "told"),
    [
        (
            "feetures",
            {"name": "unique", "signal": {"kind": "unique", "columns": ["at"]}},
            (
                "attributes.asset: the project has no asset 'feetures'"
                "\n\nHint: did you mean features? The assets are: features, predictions."
            ),
        ),
        (
            "features",
            {"name": "full", "signal": {"kind": "completeness"}},
            (
                "attributes.rules[0].limit: completeness needs a limit"
                "\n\nHint: choose a share such as 90%."
            ),
        ),
        (
            "features",
            {"name": "unique", "signal": {"kind": "uniqe"}},
            (
                "attributes.rules[0].signal.kind: 'uniqe' is no kind of signal"
                "\n\nHint: did you mean unique?"
            ),
        ),
    ],
)
def test_what_is_wrong_with_checks_is_told_with_the_place_in_the_file(folder, asset, rule, told):
    component = add_checks(folder, "mine", asset=asset, rules=[rule])
    with pytest.raises(ComponentTreeException) as error:
        load(folder)
    assert str(spec_error(error.value)).startswith(f"{component / 'defs.yaml'}: {told}")


def test_an_asset_that_does_not_exist_is_told_with_those_that_do(folder):
    add_payroll(folder, asset="wages")
    with pytest.raises(ComponentTreeException) as error:
        load(folder)
    told = str(spec_error(error.value))
    assert told.startswith("guard payroll: tables.features.asset: the project has no asset 'wages'")
    assert "features, predictions" in told


def test_a_guard_that_is_wrong_is_told_with_its_file_and_line_of_reason(folder):
    guard = folder / "src/dg_project/defs/demand/guards/demand.yaml"
    guard.write_text(guard.read_text().replace("grace: 3d", "grace: 3 days ago"))
    with pytest.raises(ComponentTreeException) as error:
        load(folder)
    assert str(spec_error(error.value)).startswith(f"{guard}: rules[2].grace: ")


def spec_error(error):
    """The SpecError behind whatever the loader made of it."""
    while not isinstance(error, SpecError):
        error = error.__cause__ or error.__context__
        assert error is not None
    return error


def program(*arguments, cwd):
    dagster_home = cwd.parent / "dagster_home"
    dagster_home.mkdir(exist_ok=True)
    return subprocess.run(
        [Path(sys.executable).with_name("dg"), *arguments],
        cwd=cwd,
        env={
            **os.environ,
            "DAGSTER_HOME": str(dagster_home),
            "DG_CLI_CONFIG": str(cwd.parent / "dg.toml"),
            "DAGSTER_TELEMETRY_ENABLED": "false",
            "VIRTUAL_ENV": str(Path(sys.executable).parents[1]),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.slow
def test_dg_lists_checks_and_scaffolds_the_component(folder):
    listed = program("list", "components", cwd=folder)
    assert listed.returncode == 0, listed.stderr
    assert "aiguard_dagster.GuardComponent" in listed.stdout

    scaffolded = program("scaffold", "defs", "aiguard_dagster.GuardComponent", "x", cwd=folder)
    assert scaffolded.returncode == 0, scaffolded.stderr
    made = folder / "src" / "dg_project" / "defs" / "x"
    assert "type: aiguard_dagster.GuardComponent" in (made / "defs.yaml").read_text()
    starter = made / "guards" / "my_model.yaml"
    starter.write_text(starter.read_text().replace("asset: my_features", "asset: features"))

    checked = program("check", "yaml", cwd=folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    loaded = program("check", "defs", cwd=folder)
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr


@pytest.mark.slow
def test_dg_lists_checks_and_scaffolds_the_checks_of_one_asset(folder):
    listed = program("list", "components", cwd=folder)
    assert "aiguard_dagster.QualityComponent" in listed.stdout, listed.stderr

    scaffolded = program("scaffold", "defs", "aiguard_dagster.QualityComponent", "x", cwd=folder)
    assert scaffolded.returncode == 0, scaffolded.stderr
    starter = folder / "src" / "dg_project" / "defs" / "x" / "defs.yaml"
    assert program("check", "yaml", cwd=folder).returncode == 0
    unknown = program("check", "defs", cwd=folder)
    assert unknown.returncode != 0
    assert "the project has no asset 'my_table'" in unknown.stdout + unknown.stderr

    starter.write_text(starter.read_text().replace("my_table", "features"))
    loaded = program("check", "defs", cwd=folder)
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr

    starter.write_text(starter.read_text().replace("rules:", "ruels:"))
    misspelt = program("check", "yaml", cwd=folder)
    assert misspelt.returncode != 0
    assert "ruels" in misspelt.stdout + misspelt.stderr


@pytest.mark.slow
def test_dg_check_refuses_a_key_that_the_component_does_not_know(folder):
    file = folder / "src/dg_project/defs/demand/defs.yaml"
    file.write_text(file.read_text().replace("guards: guards", "gards: guards"))
    checked = program("check", "yaml", cwd=folder)
    assert checked.returncode != 0
    assert "gards" in checked.stdout + checked.stderr


@pytest.mark.slow
def test_dg_check_defs_tells_of_an_asset_that_does_not_exist(folder):
    add_payroll(folder, asset="wages")
    loaded = program("check", "defs", cwd=folder)
    assert loaded.returncode != 0
    assert "the project has no asset 'wages'" in loaded.stdout + loaded.stderr


def test_a_component_tells_owners_by_the_names_of_variables(folder):
    file = add_payroll(folder) / "defs.yaml"
    text = "type: aiguard_dagster.GuardComponent\nattributes:\n  notify: {OWNER: PAYROLL_ALERTS}\n"
    file.write_text(text.replace("OWNER", "'team:payroll'"))
    definitions = load(folder)
    assert "payroll_notices" in sensor_names(definitions)
    resources = definitions.get_repository_def().get_top_level_resources()
    assert "payroll_notifier" in resources
    file.write_text(text.replace("OWNER", "'team:other'"))
    with pytest.raises(ComponentTreeException) as raised:
        load(folder)
    assert "nothing reaches team:payroll" in str(raised.value.__cause__)
