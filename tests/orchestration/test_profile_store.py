"""Profiles on disk: whole or not at all, and never outside their folder."""

from pathlib import Path

import dagster as dg
import pytest

from aiguard_dagster import MeasurementError, ProfileStore
from aiguard_dagster.stats.profile import BatchProfile, Outcomes, Profile
from tests.instances import empty_instance

KEY = dg.AssetKey(["demand", "features_profile"])


def profile(rows=24):
    part = Profile(rows=rows, first=None, last=None, columns={}, outcomes=Outcomes())
    return BatchProfile(grid_id="g", parts={"": part})


def write(store, partition, *, key=KEY, rows=24):
    with dg.build_output_context(
        asset_key=key, partition_key=partition, run_id="0123", name="result"
    ) as context:
        store.handle_output(context, profile(rows))
        return context.consume_logged_metadata()


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def store(tmp_path):
    return ProfileStore(path=str(tmp_path / "deep" / "profiles"))


def test_a_profile_comes_back_as_it_was_written(store, tmp_path):
    metadata = write(store, "2026-01-01")
    assert store.load(KEY, "2026-01-01") == profile()
    (file,) = files(tmp_path)
    told = {name: value.value for name, value in metadata.items()}
    assert told == {"rows": 24, "grid": "g", "file": str(file), "aiguard/versions": {"": 24}}


def test_a_table_without_partitions_has_one_profile(store):
    write(store, None)
    assert store.load(KEY, None) == profile()


@pytest.mark.parametrize(
    "partition",
    ["../../../evil", "/etc/evil", "..", ".", "a/b", "a\\b", "~", "a%2Fb", "a b?*", "über"],
)
def test_a_partition_key_cannot_leave_its_folder(store, tmp_path, partition):
    write(store, partition)
    (file,) = files(tmp_path)
    assert file.parent == tmp_path / "deep" / "profiles" / "demand" / "features_profile"
    assert store.load(KEY, partition) == profile()


def test_an_asset_key_cannot_leave_its_folder(store, tmp_path):
    write(store, "p", key=dg.AssetKey(["..", "..", "evil"]))
    (file,) = files(tmp_path)
    assert file.is_relative_to(tmp_path / "deep" / "profiles")
    assert ".." not in file.parts


def test_keys_that_look_alike_are_kept_apart(store, tmp_path):
    keys = ["a/b", "a%2Fb", "a.b", "a%2Eb", "all", "p-all"]
    for rows, partition in enumerate(keys, start=1):
        write(store, partition, rows=rows)
    write(store, None, rows=99)
    assert len(files(tmp_path)) == len(keys) + 1
    for rows, partition in enumerate(keys, start=1):
        assert store.load(KEY, partition) == profile(rows)


def test_a_profile_is_replaced_whole_and_leaves_no_part_behind(store, tmp_path):
    write(store, "2026-01-01")
    write(store, "2026-01-01", rows=7)
    assert [file.name for file in files(tmp_path)] == ["p-2026-01-01.jsonl"]
    assert store.load(KEY, "2026-01-01") == profile(7)


def test_a_write_that_dies_leaves_the_profile_that_was_there(store, tmp_path, monkeypatch):
    from fsspec.implementations.local import LocalFileSystem

    write(store, "2026-01-01")

    def cut(self, path, value, **_):
        Path(path).write_bytes(value[:10])
        raise OSError(28, "disk full")

    monkeypatch.setattr(LocalFileSystem, "pipe_file", cut)
    with pytest.raises(OSError, match="disk full"):
        write(store, "2026-01-01", rows=7)
    assert store.load(KEY, "2026-01-01") == profile()


@pytest.mark.parametrize("left", ["", '{"form', "[]", "null", "{}"])
def test_a_file_that_is_cut_is_told_with_its_place_and_what_to_do(store, tmp_path, left):
    write(store, "2026-01-01")
    (file,) = files(tmp_path)
    file.write_text(left)
    with pytest.raises(MeasurementError) as error:
        store.load(KEY, "2026-01-01")
    assert str(file) in str(error.value)
    assert "Hint: materialise demand/features_profile again." in str(error.value)


def test_a_profile_that_is_gone_is_told_with_its_place_and_what_to_do(store):
    with pytest.raises(MeasurementError) as error:
        store.load(KEY, "2026-01-01")
    assert "p-2026-01-01.jsonl: the profile is gone" in str(error.value)
    assert "Hint: materialise demand/features_profile for 2026-01-01 again, or" in str(error.value)


def test_any_path_that_fsspec_knows_will_do():
    store = ProfileStore(path="memory://bucket/aiguard/")
    write(store, "2026-01-01")
    assert store.load(KEY, "2026-01-01") == profile()


def test_without_a_path_profiles_are_kept_with_dagsters_own_storage(tmp_path):
    @dg.asset(key=KEY, io_manager_key="profiles")
    def profiled():
        return profile()

    with empty_instance(on_disk=True) as instance:
        dg.materialize([profiled], resources={"profiles": ProfileStore()}, instance=instance)
        with dg.build_resources({"profiles": ProfileStore()}, instance=instance) as resources:
            assert resources.profiles.load(KEY, None) == profile()
        (file,) = files(Path(instance.storage_directory()))
        assert file.suffix == ".jsonl"


def test_without_a_path_and_an_instance_profiles_have_no_place():
    with pytest.raises(MeasurementError, match="profiles have no place here"):
        ProfileStore().load(KEY, None)
