import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from examples import home

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")  # Put back afterwards.
    monkeypatch.setattr(home, "HOME", tmp_path / "state")
    return tmp_path / "state"


def test_both_examples_are_in_one_code_location_each_with_its_guard_and_sensors():
    import definitions

    defs = definitions.defs
    assert [n for n, v in vars(definitions).items() if isinstance(v, dg.Definitions)] == ["defs"]
    graph = defs.resolve_asset_graph()
    names = {
        "bike_demand": ("hourly_features", "demand_predictions"),
        "assistant": ("assistant_requests", "assistant_feedback", "assistant_traces"),
    }
    for guard, assets in names.items():
        assert graph.has(dg.AssetKey([guard, "guard"]))
        for asset in assets:
            checks = graph.get_check_keys_for_assets({dg.AssetKey(asset)})
            assert any(check.name.startswith(f"{guard}__") for check in checks), asset
    assert {sensor.name for sensor in defs.sensors or ()} == {
        "aiguard_deltas",
        "aiguard_stop_rules",
        "assistant_deltas",
        "assistant_stop_rules",
    }


def test_loading_the_examples_imports_no_slow_library():
    code = (
        "import warnings; warnings.simplefilter('ignore'); import definitions, sys;"
        "print([m for m in ('mlflow', 'sklearn', 'great_expectations') if m in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_a_demo_keeps_the_history_of_the_other_and_none_of_its_own(folder):
    home.prepare_home("bike_demand")
    (folder / "mlflow.db").touch()
    home.prepare_home("assistant")
    assert (folder / "mlflow.db").exists()
    home.prepare_home("bike_demand")
    assert not (folder / "mlflow.db").exists()


def test_a_folder_that_no_demo_made_whole_is_begun_afresh(folder):
    folder.mkdir()
    (folder / "mlflow.db").touch()
    home.prepare_home("assistant")
    assert not (folder / "mlflow.db").exists()
    assert (folder / "dagster" / "dagster.yaml").exists()
