"""A model that is tried can do no harm, and how it failed is told without a row of the user's."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aiguard_dagster.adapters.mlflow.models import UnfitModelError, predict_apart
from aiguard_dagster.core.errors import ActionError, MeasurementError
from tests.adapters.mlflow.wild_model import SECRET

LONG = timedelta(minutes=5)
ROWS = pd.DataFrame({"load": [0.25, 0.5], "who": [SECRET, SECRET]})


@pytest.fixture
def model(sqlite_workshop, tmp_path):
    """Registers a model that behaves in one way; gives its registry."""
    workshop = sqlite_workshop

    def make(way):
        import mlflow

        way_file = tmp_path / "way"
        way_file.write_text(way)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mlflow.pyfunc.save_model(
                str(tmp_path / "model"),
                loader_module="tests.adapters.mlflow.wild_model",
                data_path=str(way_file),
                pip_requirements=[],
            )
        name = workshop.model(versions=0)
        run = workshop.client.create_run(workshop.experiment).info
        workshop.client.log_artifacts(run.run_id, str(tmp_path / "model"), "model")
        workshop.client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id)
        return workshop.registry(name)

    return make


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary files are put meanwhile."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("well", [0.5, 1.0]),
        ("prints a lot", [0.5, 1.0]),
        ("scratches", [0.5, 1.0]),
        ("probabilities", [[0.75, 0.25], [0.5, 0.5]]),
        ("names", [SECRET, SECRET]),
    ],
)
def test_what_a_model_says_comes_back_and_nothing_is_left_behind(model, scratch, way, expected):
    said = predict_apart(model(way), "1", ROWS, within=LONG)
    assert said.tolist() == expected
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("exits loading", "cannot be loaded: its process ended with code 7 while loading"),
        ("raises loading", "RuntimeError: no tokenizer at https://[*]{3}@models.example"),
        ("leaves loading", "cannot be loaded: SystemExit: bye"),
        ("says why", "ended with code 4 while loading; the last it said: .*no GPU found"),
        ("dies of memory", "killed by SIGKILL while loading, as happens when memory runs out"),
        ("exits predicting", "cannot predict today's rows: its process ended with code 0"),
        ("raises predicting", "today's rows: ValueError in predict, wild_model.py:[0-9]+$"),
        ("prints predicting", "today's rows: its process ended with code 3 while predicting$"),
    ],
)
def test_a_model_that_fails_is_unfit_and_its_failure_quotes_no_row(model, scratch, way, told):
    with pytest.raises(UnfitModelError, match=told) as raised:
        predict_apart(model(way), "1", ROWS, within=LONG)
    assert SECRET not in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert len(str(raised.value)) < 1_500
    assert list(scratch.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "told"),
    [("hangs deaf", "still loading after"), ("hangs predicting", "still predicting after")],
)
def test_a_model_that_hangs_is_killed_when_its_time_is_over(model, scratch, way, told):
    registry = model(way)
    for seconds in (15, 60, 240):  # On a busy machine it has not even begun after the first.
        with pytest.raises(ActionError) as raised:
            predict_apart(registry, "1", ROWS, within=timedelta(seconds=seconds))
        if told in str(raised.value):
            break
    assert isinstance(raised.value, UnfitModelError)
    assert told in str(raised.value)
    assert "rollback.load_within" in str(raised.value)
    assert list(scratch.iterdir()) == []


def test_what_a_model_has_started_is_killed_with_it(model, tmp_path):
    left = tmp_path / "pid"
    said = predict_apart(model(f"leaves {left}"), "1", ROWS, within=LONG)
    assert said.tolist() == [0.5, 1.0]
    assert is_dead(int(left.read_text()))


TRY = """
import sys
from datetime import timedelta
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.models import predict_apart
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.spec import Model
import pandas as pd

registry = ModelRegistry(connect(sys.argv[1]), Model(name=sys.argv[2]))
predict_apart(registry, "1", pd.DataFrame({"load": [1.0]}), within=timedelta(minutes=5))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of that")
def test_a_run_that_is_killed_takes_the_trial_with_it_and_leaves_no_rows(model, scratch):
    pid_file = scratch.parent / "pid"
    registry = model(f"waits {pid_file}")
    command = [sys.executable, "-c", TRY, registry.client.tracking_uri, registry.name]
    path = os.pathsep.join(sys.path)
    env = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(scratch)}
    run = subprocess.Popen(command, env=env)
    while not (pid_file.exists() and pid_file.read_text()):
        assert run.poll() is None
        time.sleep(0.1)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert is_dead(int(pid_file.read_text()))
    left = [path for path in scratch.rglob("*") if path.is_file()]
    assert not [path for path in left if b"load" in path.read_bytes() and "model" not in path.parts]


def is_dead(pid):
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_another_number_of_predictions_than_rows_cannot_be_scored(model):
    with pytest.raises(MeasurementError, match=r"shape \(1,\) for 2 rows"):
        predict_apart(model("too few"), "1", ROWS, within=LONG)


def test_a_model_is_only_loaded_where_there_are_no_rows(model):
    assert predict_apart(model("raises predicting"), "1", None, within=LONG).size == 0


def test_a_model_whose_files_are_gone_is_unfit(model):
    registry = model("well")
    shutil.rmtree(Path(registry.artifact_uri("1").removeprefix("file://")))
    with pytest.raises(UnfitModelError, match=r"cannot be loaded: .*No such artifact"):
        predict_apart(registry, "1", ROWS, within=LONG)


def test_a_store_that_does_not_answer_leaves_the_model_untried(model, monkeypatch):
    registry = model("well")
    monkeypatch.setattr(registry, "artifact_uri", lambda _: "http://127.0.0.1:9/model")
    with pytest.raises(ActionError, match="cannot be loaded") as raised:
        predict_apart(registry, "1", ROWS, within=LONG)
    assert not isinstance(raised.value, UnfitModelError)


def test_time_that_is_over_before_the_files_are_there_says_nothing_of_the_model(model):
    with pytest.raises(ActionError, match=r"still (starting Python|fetching its files)") as raised:
        predict_apart(model("well"), "1", ROWS, within=timedelta(seconds=0.01))
    assert not isinstance(raised.value, UnfitModelError)


def test_the_model_gets_the_very_frame(model, scratch):
    rows = pd.DataFrame(
        {"load": pd.Series([1, None], dtype="float64"), "who": pd.Categorical(["a", "b"])}
    )
    said = predict_apart(model("well"), "1", rows, within=LONG)
    assert said[0] == 2.0
    assert np.isnan(said[1])
    assert list(scratch.iterdir()) == []
