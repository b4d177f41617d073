"""Baselines stay with their version, byte for byte, whatever made the version."""

import hashlib
import json

import pytest

from aiguard_dagster.adapters.mlflow.baselines import (
    MissingBaselineError,
    baseline_key,
    has_baseline,
    newest_baseline,
    read_baseline,
    write_baseline,
)
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.tags import from_tag
from aiguard_dagster.core.errors import ActionError, MeasurementError
from tests.mlflow_server import mlflow_at

GUARD = "bike_demand"
DOCUMENT = {"rows": 744, "metrics": {"mae": 41.25}, "columns": ["temp", "früh"], "none": None}


@pytest.fixture(params=["runs", "models", "nowhere"])
def registry(request, workshop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the guard's own experiment lies where MLflow puts it
    return workshop.registry(workshop.model(source=request.param))


@pytest.fixture
def plain(workshop):
    return workshop.registry(workshop.model(source="models"))


def place(registry, version="1"):
    return from_tag(registry.version(version), baseline_key(GUARD))


def overwrite(registry, stored, tmp_path, content):
    """What somebody with write access to the artifact store may do."""
    folder, _, name = stored["path"].rpartition("/")
    (tmp_path / name).write_bytes(content)
    log = registry.client.log_artifact
    if stored["keeper"] == "model":
        log = registry.client.log_model_artifact
    log(stored["id"], str(tmp_path / name), folder)


def test_a_baseline_is_read_as_it_was_written(registry):
    assert not has_baseline(registry, "1", guard=GUARD)
    write_baseline(registry, "1", DOCUMENT, guard=GUARD)
    assert has_baseline(registry, "1", guard=GUARD)
    assert read_baseline(registry, "1", guard=GUARD) == DOCUMENT


def test_the_tag_holds_the_hash_of_the_exact_bytes(registry):
    write_baseline(registry, "1", DOCUMENT, guard=GUARD)
    content = json.dumps(DOCUMENT, sort_keys=True).encode()
    stored = place(registry)
    assert stored["sha256"] == hashlib.sha256(content).hexdigest()
    assert stored["path"].startswith("aiguard/bike_demand/bike_demand.20")


def test_another_client_reads_it_without_global_settings(registry, monkeypatch):
    from mlflow import MlflowClient

    write_baseline(registry, "1", DOCUMENT, guard=GUARD)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    other = ModelRegistry(MlflowClient(registry.client.tracking_uri), registry.model)
    assert read_baseline(other, "1", guard=GUARD) == DOCUMENT


def test_versions_and_guards_do_not_share_a_baseline(registry):
    write_baseline(registry, "1", {"is": "first"}, guard=GUARD)
    write_baseline(registry, "2", {"is": "second"}, guard=GUARD)
    write_baseline(registry, "2", {"is": "other"}, guard="other_guard")
    assert read_baseline(registry, "1", guard=GUARD) == {"is": "first"}
    assert read_baseline(registry, "2", guard=GUARD) == {"is": "second"}
    assert read_baseline(registry, "2", guard="other_guard") == {"is": "other"}


def test_one_large_baseline_makes_the_journey(registry):
    large = {"counts": list(range(200_000))}
    write_baseline(registry, "1", large, guard=GUARD)
    assert read_baseline(registry, "1", guard=GUARD) == large


def test_a_baseline_is_not_overwritten(registry):
    write_baseline(registry, "1", DOCUMENT, guard=GUARD)
    write_baseline(registry, "1", DOCUMENT, guard=GUARD)
    with pytest.raises(ActionError, match=r"(?s)version 1: has a baseline.*Hint: register.*delete"):
        write_baseline(registry, "1", {"other": 1}, guard=GUARD)
    assert read_baseline(registry, "1", guard=GUARD) == DOCUMENT


def test_a_crash_between_artifact_and_tag_is_healed_by_writing_again(registry, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(registry, "set_record", crash)
    with pytest.raises(KeyboardInterrupt):
        write_baseline(registry, "1", {"recorded_at": "first try"}, guard=GUARD)
    monkeypatch.undo()
    assert not has_baseline(registry, "1", guard=GUARD)
    write_baseline(registry, "1", {"recorded_at": "second try"}, guard=GUARD)
    assert read_baseline(registry, "1", guard=GUARD) == {"recorded_at": "second try"}


def test_a_changed_baseline_is_noticed(registry, tmp_path):
    write_baseline(registry, "1", DOCUMENT, guard=GUARD)
    stored = place(registry)
    overwrite(registry, stored, tmp_path, b"{}")
    found = hashlib.sha256(b"{}").hexdigest()
    expected = rf"(?s)expected sha256 {stored['sha256']}, found {found}.*Hint: restore"
    with pytest.raises(MeasurementError, match=expected):
        read_baseline(registry, "1", guard=GUARD)


def test_a_missing_baseline_says_how_to_record_one(plain):
    with pytest.raises(MissingBaselineError) as caught:
        read_baseline(plain, "3", guard=GUARD)
    assert str(caught.value) == (
        f"{plain.name}: version 3: baseline of guard bike_demand: none was recorded.\n\n"
        "Hint: record one with `aiguard baseline record GUARD.yaml --model-version 3 "
        "--data TABLE=FILE`."
    )


def test_a_baseline_whose_artifact_is_gone_is_not_missing_but_broken(plain):
    write_baseline(plain, "1", DOCUMENT, guard=GUARD)
    stored = place(plain)
    lost = {**stored, "path": stored["path"] + ".gone"}
    plain.set_record("1", baseline_key(GUARD), lost)
    with pytest.raises(MeasurementError, match=r"(?s)cannot be read: .*Hint") as caught:
        read_baseline(plain, "1", guard=GUARD)
    assert not isinstance(caught.value, MissingBaselineError)


def test_a_version_that_does_not_exist_has_no_place_for_a_baseline(plain):
    for ask in (read_baseline, has_baseline):
        with pytest.raises(ActionError, match="version 9 does not exist"):
            ask(plain, "9", guard=GUARD)
    with pytest.raises(ActionError, match="version 9 does not exist"):
        write_baseline(plain, "9", DOCUMENT, guard=GUARD)


def test_the_newest_baseline_is_the_one_of_the_highest_version(plain):
    assert newest_baseline(plain, GUARD) is None
    for version in ("2", "1"):
        write_baseline(plain, version, {"version": version}, guard=GUARD)
    assert newest_baseline(plain, GUARD) == "2"
    assert newest_baseline(plain, GUARD, before="2") == "1"
    assert newest_baseline(plain, GUARD, before="1") is None
    assert newest_baseline(plain, "other_guard") is None


def test_odd_names_are_quoted_in_tags_and_paths(workshop):
    registry = workshop.registry(workshop.model(name="bike's v1.0 & Söhne", source="models"))
    write_baseline(registry, "1", DOCUMENT, guard="my guard: été?")
    assert read_baseline(registry, "1", guard="my guard: été?") == DOCUMENT
    assert not has_baseline(registry, "1", guard="my guard: ete?")


def test_a_copy_of_a_version_does_not_inherit_its_baseline(plain, workshop):
    write_baseline(plain, "1", DOCUMENT, guard=GUARD)
    with mlflow_at(workshop.uri):
        workshop.client.copy_model_version(plain.model_uri("1"), f"{plain.name} copy")
    copy = workshop.registry(f"{plain.name} copy")
    assert not has_baseline(copy, "1", guard=GUARD)
    write_baseline(copy, "1", {"of": "the copy"}, guard=GUARD)
    assert read_baseline(copy, "1", guard=GUARD) == {"of": "the copy"}
    assert read_baseline(plain, "1", guard=GUARD) == DOCUMENT


def test_a_version_whose_logged_model_was_deleted_still_takes_a_baseline(
    plain, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    source = plain.version("1").source
    plain.client.delete_logged_model(source.removeprefix("models:/"))
    write_baseline(plain, "1", DOCUMENT, guard=GUARD)
    assert read_baseline(plain, "1", guard=GUARD) == DOCUMENT


def test_a_place_edited_by_hand_is_named(plain):
    write_baseline(plain, "1", DOCUMENT, guard=GUARD)
    plain.set_record("1", baseline_key(GUARD), {**place(plain), "keeper": "a drawer"})
    with pytest.raises(ActionError, match=r"(?s)tag aiguard.baseline.bike_demand .*Hint"):
        read_baseline(plain, "1", guard=GUARD)


def test_a_number_that_json_cannot_hold_is_refused(plain):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_baseline(plain, "1", {"mae": float("nan")}, guard=GUARD)
    assert not has_baseline(plain, "1", guard=GUARD)
