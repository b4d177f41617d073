"""The rows that a candidate is asked about: the champion's, with the inputs it would have had."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest

from aiguard_dagster import Guard
from aiguard_dagster.adapters.mlflow.models import UnfitModelError
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration import model_rows
from aiguard_dagster.orchestration.model_rows import inputs_in, rows_of, with_inputs
from aiguard_dagster.orchestration.table_reader import TableReader

START = datetime(2026, 1, 1)
HOURS = [START + timedelta(hours=hour) for hour in range(6)]
WINDOW = Window(start=START.replace(tzinfo=UTC), end=datetime(2026, 1, 2, tzinfo=UTC))
FEATURES = pl.DataFrame(
    {
        "at": HOURS[::-1],
        "load": [5, 4, None, 2, 1, 0],
        "flag": [1, 0, 1, 0, 1, 0],
        "text": ["5", "4", "3", "2", "1", "0"],
    }
)
PREDICTIONS = pl.DataFrame(
    {"at": HOURS, "said": [0.0] * 6, "was": [1.0] * 6, "version": ["2", "2", "2", "2", "2", "1"]}
)


TABLE = Table(asset="predictions", time="at", prediction="said", label="was")


@pytest.fixture
def rows(tmp_path):
    """Gives version 2's rows with some inputs."""

    def make(wanted, *, before=None, features=FEATURES, key=None):
        for name, frame in (("features", features), ("predictions", PREDICTIONS)):
            frame.write_parquet(tmp_path / f"{name}.parquet")
        source = {
            name: {"kind": "parquet", "path": str(tmp_path / f"{name}.parquet")}
            for name in ("features", "predictions")
        }
        told = {"prediction": "said", "label": "was", "model_version": "version"}
        signal = {"kind": "performance", "metric": "mae", "window": "1d"}
        tables = {
            "features": {"asset": "features", "time": "at", "source": source["features"]},
            "predictions": {
                "asset": "predictions",
                "time": "at",
                "source": source["predictions"],
                **told,
            },
        }
        if key:
            tables["features"]["key"] = key
        guard = Guard.model_validate(
            {
                "name": "demand",
                "owner": "team:demand",
                "model": {"name": "demand"},
                "tables": tables,
                "rules": [{"name": "error", "signal": signal, "limit": 1.0}],
            }
        )
        reader = TableReader(
            guard=guard,
            tables=dg.Definitions(),
            partitions=dict.fromkeys(tables),
            instance=dg.DagsterInstance.ephemeral(),
        )
        mine = rows_of(reader.rows("predictions", WINDOW), guard.tables["predictions"], "2")
        return with_inputs(reader, "predictions", mine, WINDOW, wanted=wanted, before=before or {})

    return make


def test_inputs_are_joined_in_time_order_and_typed_as_the_model_wants_them(rows):
    found = rows({"load": "float64", "flag": "float32"})
    assert found.select(inputs_in(found, {"load": "", "flag": ""}, TABLE)).schema == {
        "load": pl.Float64,
        "flag": pl.Float32,
    }
    assert found["load"].to_list() == [0.0, 1.0, 2.0, None, 4.0]
    assert found["at"].to_list() == HOURS[:5]


def test_rows_whose_whole_number_is_null_are_left_out(rows):
    assert rows({"load": "int64"})["load"].to_list() == [0, 1, 2, 4]


def test_what_the_service_converts_for_the_champion_it_converts_for_the_candidate(rows):
    found = rows({"text": "float64"}, before={"text": "float64"})
    assert found["text"].to_list() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_all_inputs_that_do_not_fit_are_named(rows):
    with pytest.raises(UnfitModelError) as raised:
        rows({"text": "float64", "tide": "float64", "load": "int64"})
    assert str(raised.value) == (
        "its inputs are not what the guard's tables (features, predictions) hold today:"
        " text is string, not float64;"
        " tide (float64) is in none of the tables."
        " If another asset holds them, declare it as a table of the guard"
    )


def test_features_that_name_a_row_twice_leave_it_open(rows):
    with pytest.raises(MeasurementError, match="names several rows"):
        rows({"load": "float64"}, features=pl.concat([FEATURES, FEATURES]))


def test_tables_without_a_key_in_common_leave_it_open(rows):
    with pytest.raises(MeasurementError, match="have no key in common"):
        rows({"load": "float64"}, key=["at", "flag"])


def test_of_very_many_rows_a_sample_is_taken_in_their_order(rows, monkeypatch):
    monkeypatch.setattr(model_rows, "MOST_ROWS", 3)
    found = rows({"load": "float64"})
    assert found.height == 3
    assert found["at"].is_sorted()
    assert "__place" not in found.columns


def test_a_model_without_a_signature_is_given_all_columns_but_the_outcome(rows):
    assert inputs_in(rows({}), {}, TABLE) == ["at", "version"]
