"""What a version was accepted on is profiled, measured and kept with it."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aiguard_dagster import record_baseline
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import ActionError, MeasurementError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.accepted import load_accepted
from aiguard_dagster.signals.kinds import kind_of
from aiguard_dagster.signals.tallied import tally_name
from tests.conformance.test_profiles import assert_same

GUARD = Guard.model_validate(
    {
        "name": "demand",
        "owner": "team:demand",
        "model": {"name": "demand"},
        "tables": {
            "features": {"asset": "features", "time": "at"},
            "predictions": {
                "asset": "predictions",
                "time": "at",
                "prediction": "said",
                "label": "was",
                "cost": "cost",
            },
        },
        "rules": [
            {
                "name": "drift",
                "signal": {"kind": "drift", "table": "features", "window": "7d"},
                "limit": {"false_alarm_every": "90d"},
            },
            {
                "name": "error",
                "signal": {"kind": "performance", "metric": "mae", "window": "7d"},
                "limit": {"above_baseline": "50%"},
            },
            {
                "name": "bill",
                "signal": {"kind": "cost", "window": "7d"},
                "limit": {"above_baseline": "20%"},
            },
        ],
    }
)
DAYS = 30


def tables(*, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    hours = DAYS * 24
    at = [datetime(2026, 1, 1) + timedelta(hours=hour) for hour in range(hours)]
    features = pl.DataFrame(
        {"at": at, "load": rng.normal(shift, 1, hours), "kind": rng.choice(["a", "b"], hours)}
    )
    was = rng.normal(100, 10, hours)
    predictions = pl.DataFrame({"at": at, "said": was + 2, "was": was, "cost": 0.001})
    return {"features": features, "predictions": predictions}


@pytest.fixture
def uri(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = connect(uri)
    experiment = client.create_experiment("training", artifact_location=tmp_path.as_uri())
    client.create_registered_model("demand")
    for _ in range(3):
        run = client.create_run(experiment).info
        client.create_model_version("demand", f"{run.artifact_uri}/model", run.run_id)
    return uri


def accepted(uri, version):
    return load_accepted(ModelRegistry(connect(uri), GUARD.model), version, GUARD).baseline


def test_profile_grid_metrics_and_cost_come_back_as_they_were_recorded(uri):
    recorded = record_baseline(GUARD, version="1", data=tables(), tracking_uri=uri)
    assert accepted(uri, "1") == recorded
    assert recorded.metrics == pytest.approx({"mae": 2.0})
    bill = GUARD.rules[2].signal
    sums = recorded.tables["predictions"].total.tallies
    name = tally_name(bill, GUARD.tables["predictions"])
    assert kind_of(bill).read(bill, sums[name], None).value == pytest.approx(1.0)
    assert recorded.tables["features"].total.rows == DAYS * 24
    assert len(recorded.tables["features"].days) == DAYS
    assert set(recorded.tables["features"].grid.columns) == {"load", "kind"}
    assert list(recorded.tables["predictions"].grid.columns) == [
        "said",
        "was",
        "said - was",
        "cost",
    ]


def test_pandas_and_arrow_give_the_baseline_that_polars_gives(uri):
    data = tables()
    first = record_baseline(GUARD, version="1", data=data, tracking_uri=uri)
    pandas = {name: table.to_pandas() for name, table in data.items()}
    arrow = {name: table.to_arrow() for name, table in data.items()}
    for version, other in (("2", pandas), ("3", arrow)):
        found = record_baseline(GUARD, version=version, data=other, tracking_uri=uri).tables
        assert found.keys() == first.tables.keys()
        for name, expected in first.tables.items():
            assert (found[name].grid, found[name].types) == (expected.grid, expected.types)
            assert_same({"": found[name].total}, {"": expected.total})
            assert_same(found[name].days, expected.days)


def test_a_new_version_keeps_the_grid_while_it_resolves_the_data(uri):
    first = record_baseline(GUARD, version="1", data=tables(), tracking_uri=uri)
    near = record_baseline(GUARD, version="2", data=tables(shift=0.5, seed=1), tracking_uri=uri)
    far = record_baseline(GUARD, version="3", data=tables(shift=50, seed=2), tracking_uri=uri)
    assert near.tables["features"].grid.id == first.tables["features"].grid.id
    assert far.tables["features"].grid.id != first.tables["features"].grid.id


def test_a_grid_is_made_anew_where_one_inner_bin_would_hold_almost_all(uri):
    wide, narrow = tables(), tables(seed=1)
    for data, width in ((wide, 1_000), (narrow, 10)):
        load = np.random.default_rng(width).uniform(0, width, DAYS * 24)
        data["features"] = data["features"].with_columns(load=load)
    record_baseline(GUARD, version="1", data=wide, tracking_uri=uri)
    found = record_baseline(GUARD, version="2", data=narrow, tracking_uri=uri).tables["features"]
    assert max(found.total.columns["load"].counts) < 0.1 * found.total.rows


def test_a_grid_is_made_anew_where_a_column_holds_something_else(uri):
    record_baseline(GUARD, version="1", data=tables(), tracking_uri=uri)
    data = tables(seed=1)
    told = pl.when(pl.col("load") > 0).then(pl.lit("high")).otherwise(pl.lit("low"))
    data["features"] = data["features"].with_columns(load=told)
    found = record_baseline(GUARD, version="2", data=data, tracking_uri=uri).tables["features"]
    assert set(found.grid.columns["load"].categories) == {"high", "low"}
    assert found.total.columns["load"].missing == 0


def test_an_earlier_baseline_that_cannot_be_read_is_in_nobody_s_way(uri, tmp_path):
    record_baseline(GUARD, version="1", data=tables(), tracking_uri=uri)
    (file,) = tmp_path.rglob("baseline-*.json")
    file.write_text("{}")
    recorded = record_baseline(GUARD, version="2", data=tables(), tracking_uri=uri)
    assert accepted(uri, "2") == recorded


def test_a_baseline_is_not_overwritten(uri):
    record_baseline(GUARD, version="1", data=tables(), tracking_uri=uri)
    with pytest.raises(ActionError, match="1"):
        record_baseline(GUARD, version="1", data=tables(shift=1), tracking_uri=uri)


def test_data_that_a_rule_needs_is_asked_for(uri):
    data = tables()
    with pytest.raises(MeasurementError, match="compares predictions with"):
        record_baseline(GUARD, version="1", data={"features": data["features"]}, tracking_uri=uri)
    with pytest.raises(MeasurementError, match="declares no table 'labels'"):
        record_baseline(GUARD, version="1", data={**data, "labels": data}, tracking_uri=uri)
    unlabelled = data["predictions"].with_columns(was=pl.lit(None, dtype=pl.Float64))
    with pytest.raises(MeasurementError, match="no mae"):
        record_baseline(
            GUARD, version="1", data={**data, "predictions": unlabelled}, tracking_uri=uri
        )


def test_an_empty_table_is_no_baseline(uri):
    empty = {name: table.clear() for name, table in tables().items()}
    with pytest.raises(MeasurementError, match="no rows"):
        record_baseline(GUARD, version="1", data=empty, tracking_uri=uri)


def test_a_baseline_too_short_for_a_budget_is_refused_before_it_is_kept(uri):
    short = {name: rows.head(20 * 24) for name, rows in tables().items()}
    with pytest.raises(MeasurementError) as raised:
        record_baseline(GUARD, version="1", data=short, tracking_uri=uri)
    assert str(raised.value).startswith("demand: drift: the baseline has 20 days, 2 windows of 7")
    record_baseline(GUARD, version="1", data=tables(), tracking_uri=uri)


def test_a_column_that_is_not_there_is_named_with_its_table(uri):
    data = tables()
    data["predictions"] = data["predictions"].drop("said")
    with pytest.raises(MeasurementError) as raised:
        record_baseline(GUARD, version="1", data=data, tracking_uri=uri)
    assert str(raised.value).startswith(
        "predictions: columns are gone: said\n\nHint: the table has"
    )


def test_where_mlflow_keeps_no_registry_is_told():
    with pytest.raises(ActionError) as raised:
        record_baseline(GUARD, version="1", data=tables(), tracking_uri="nowhere://here")
    assert str(raised.value).startswith("MLflow at nowhere://here: ")
    assert "Hint: give http://… or sqlite:///…" in str(raised.value)


def test_a_version_that_is_no_number_is_told_with_those_that_exist(uri):
    with pytest.raises(ActionError, match="version newest does not exist") as raised:
        record_baseline(GUARD, version="newest", data=tables(), tracking_uri=uri)
    assert "Hint: choose one of the versions that do: 1" in str(raised.value)
