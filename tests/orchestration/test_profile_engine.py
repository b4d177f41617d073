"""A run moves to another engine by a resource, and nothing else changes."""

from contextlib import ExitStack
from datetime import datetime, timedelta

import dagster as dg
import numpy as np
import polars as pl
import pytest

from aiguard_dagster import (
    MLflowResource,
    ProfileEngine,
    ProfileStore,
    build_guard_definitions,
    record_baseline,
)
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.keys import profile_key
from tests.conformance.engines import spark_session
from tests.conformance.sparks import configured
from tests.conformance.test_profiles import assert_same
from tests.instances import empty_instance

DAY = "2026-02-01"
PARTITIONS = dg.DailyPartitionsDefinition(start_date="2026-02-01", end_date="2026-02-04")


def rows(days, *, start=datetime(2026, 1, 1), seed=0):
    rng = np.random.default_rng(seed)
    hours = days * 24
    return pl.DataFrame(
        {
            "at": [start + timedelta(hours=hour) for hour in range(hours)],
            "load": pl.Series(rng.normal(size=hours)).set(
                pl.Series(np.arange(hours) % 9 == 0), None
            ),
            "kind": rng.choice(["a", "b", "größe"], hours),
        }
    )


def guard_of(source, **table):
    return Guard.model_validate(
        {
            "name": "demand",
            "owner": "team:demand",
            "model": {"name": "demand"},
            "tables": {"features": {"asset": "features", "time": "at", "source": source, **table}},
            "rules": [{"name": "drift", "signal": {"kind": "drift", "window": "7d"}, "limit": 0.5}],
        }
    )


@pytest.fixture
def uri(tmp_path):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client = connect(uri)
    client.create_registered_model("demand")
    client.create_model_version("demand", "s3://nowhere/model")
    client.set_registered_model_alias("demand", "champion", "1")
    return uri


def profiled(guard, uri, folder, engine, *, partition=DAY):
    """The profile that a real run of the profile asset stores."""
    store = ProfileStore(path=str(folder / f"profiles-{engine.kind}"))
    definitions = build_guard_definitions(
        guards=[guard],
        definitions=dg.Definitions(
            assets=[dg.AssetSpec("features", partitions_def=PARTITIONS)],
            resources={"aiguard_engine": engine},
        ),
        mlflow=MLflowResource(tracking_uri=uri),
        profiles=store,
    )
    key = profile_key(guard, "features")
    with empty_instance() as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(
            asset_selection=[key], partition_key=partition, instance=instance
        )
    assert done.success
    return store.load(key, partition)


def written(folder, *, by_path):
    """February's rows, a file a day or all in one, and the source that names them."""
    february = rows(3, start=datetime(2026, 2, 1), seed=1)
    if not by_path:
        february.write_parquet(folder / "all.parquet")
        return {"kind": "parquet", "path": str(folder / "all.parquet")}
    for day in february.with_columns(day=pl.col("at").dt.date()).partition_by("day"):
        day.drop("day").write_parquet(folder / f"{day['day'][0]}.parquet")
    return {"kind": "parquet", "path": str(folder / "{start:%Y-%m-%d}.parquet")}


@pytest.mark.parametrize("by_path", [True, False], ids=["by path", "by time"])
@pytest.mark.parametrize("kind", ["duckdb", pytest.param("spark", marks=pytest.mark.spark)])
@pytest.mark.filterwarnings("ignore")
def test_another_engine_stores_the_same_profile(kind, by_path, uri, tmp_path):
    if kind == "spark":
        spark_session()
    guard = guard_of(written(tmp_path, by_path=by_path))
    record_baseline(guard, version="1", data={"features": rows(31)}, tracking_uri=uri)
    own = profiled(guard, uri, tmp_path, ProfileEngine())
    other = profiled(guard, uri, tmp_path, ProfileEngine(kind=kind))
    assert own.parts[""].rows == 24
    assert own.parts[""].columns["load"].nulls > 0
    assert other.grid_id == own.grid_id
    assert_same(other.parts, own.parts)


@pytest.mark.parametrize("kind", ["own", "duckdb", pytest.param("spark", marks=pytest.mark.spark)])
@pytest.mark.filterwarnings("ignore")
def test_times_of_another_zone_fall_into_their_own_day(kind, uri, tmp_path):
    if kind == "spark":
        spark_session()
    guard = guard_of(written(tmp_path, by_path=False), time_zone="America/New_York")
    record_baseline(guard, version="1", data={"features": rows(31)}, tracking_uri=uri)
    found = profiled(guard, uri, tmp_path, ProfileEngine(kind=kind)).parts[""]
    assert found.rows == 19
    assert found.first.isoformat() == "2026-02-01T05:00:00+00:00"


@pytest.mark.parametrize("kind", ["own", "duckdb", pytest.param("spark", marks=pytest.mark.spark)])
@pytest.mark.filterwarnings("ignore")
def test_dates_are_days_of_the_tables_own_clock(kind, uri, tmp_path):
    dated = rows(3, start=datetime(2026, 2, 1)).with_columns(pl.col("at").dt.date())
    dated.write_parquet(tmp_path / "dated.parquet")
    guard = guard_of({"kind": "parquet", "path": str(tmp_path / "dated.parquet")})
    record_baseline(guard, version="1", data={"features": rows(31)}, tracking_uri=uri)
    with ExitStack() as stack:
        if kind == "spark":
            zone = {"session.timeZone": "Asia/Kolkata"}
            stack.enter_context(configured(spark_session(), **zone))
        assert profiled(guard, uri, tmp_path, ProfileEngine(kind=kind)).parts[""].rows == 24


@pytest.mark.filterwarnings("ignore")
def test_files_that_are_gone_lower_the_coverage_whatever_the_engine(uri, tmp_path):
    guard = guard_of({"kind": "parquet", "path": str(tmp_path / "{partition}-gone.parquet")})
    record_baseline(guard, version="1", data={"features": rows(31)}, tracking_uri=uri)
    for kind in ("own", "duckdb"):
        assert profiled(guard, uri, tmp_path, ProfileEngine(kind=kind)).parts == {}


@pytest.mark.parametrize("kind", ["own", "duckdb", pytest.param("spark", marks=pytest.mark.spark)])
@pytest.mark.parametrize("damage", ["cut short", "overwritten"])
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_file_fails_no_run_and_lowers_the_coverage(kind, damage, uri, tmp_path):
    if kind == "spark":
        spark_session()
    source = written(tmp_path, by_path=True)
    file = tmp_path / f"{DAY}.parquet"
    content = file.read_bytes()
    half = len(content) // 2
    damaged = {"cut short": content[:half], "overwritten": bytes(half) + content[half:]}
    file.write_bytes(damaged[damage])
    guard = guard_of(source)
    record_baseline(guard, version="1", data={"features": rows(31)}, tracking_uri=uri)
    assert profiled(guard, uri, tmp_path, ProfileEngine(kind=kind)).parts == {}
