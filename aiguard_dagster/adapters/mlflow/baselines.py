"""Baselines, kept with the model version that they speak of.

The document is an artifact beside the model; a tag on the version holds where it is and the
SHA-256 of its bytes. The path contains that hash: two versions made by one run never collide, and
a write that was interrupted leaves nothing that a later one could be mistaken for.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from aiguard_dagster.adapters.mlflow.client import asking, first_line, is_missing, short_patience
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.tags import Version, from_tag, quote, tag_key, unreadable
from aiguard_dagster.core.errors import ActionError, MeasurementError

EXPERIMENT = "aiguard"
"""Holds the baselines of versions that no run and no logged model stands behind."""


class MissingBaselineError(MeasurementError):
    """The version has no baseline for this guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a baseline lies: with a logged model, or with a run."""

    keeper: Literal["model", "run"]
    id: str
    path: str
    sha256: str

    def __str__(self) -> str:
        scheme = "models" if self.keeper == "model" else "runs"
        return f"{scheme}:/{self.id}/{self.path}"


def baseline_key(guard: str) -> str:
    """The tag that says where a guard's baseline is."""
    return tag_key("baseline", guard)


def has_baseline(registry: ModelRegistry, version: str, *, guard: str) -> bool:
    """Whether the version has a baseline for this guard."""
    return _place(registry.version(version), guard) is not None


def newest_baseline(registry: ModelRegistry, guard: str, before: str | None = None) -> str | None:
    """The newest version that has a baseline for this guard.

    Args:
        registry: The model to look at.
        guard: The guard's name.
        before: Look only at versions older than this one.
    """
    for version in reversed(registry.versions()):
        young = before is not None and int(version.version) >= int(before)
        if not young and _place(version, guard) is not None:
            return version.version
    return None


def write_baseline(
    registry: ModelRegistry, version: str, document: dict[str, JsonValue], *, guard: str
) -> None:
    """Record a baseline with a model version, once.

    The artifact is written before the tag, so what is interrupted has not happened: run it again.
    The same document twice is no overwriting.

    Raises:
        ActionError: The version has another baseline for this guard, or MLflow refused.
        ValueError: The document holds a number that JSON cannot, such as NaN.
    """
    bearer = registry.version(version)
    content = json.dumps(document, sort_keys=True, allow_nan=False).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    stored = _place(bearer, guard)
    if stored is not None:
        if stored.sha256 == sha256:
            return
        msg = (
            f"{registry.name}: version {version}: has a baseline for guard {guard}, and a baseline "
            f"is not overwritten.\n\nHint: register the model as a new version and record the "
            f"baseline there; if this one was a mistake, delete tag {baseline_key(guard)} of "
            f"version {version} in MLflow and record again."
        )
        raise ActionError(msg)
    folder = "/".join((EXPERIMENT, quote(guard), quote(registry.name), quote(version)))
    with (
        asking(f"{registry.name}: version {version}: store the baseline of guard {guard}"),
        tempfile.TemporaryDirectory(prefix="aiguard-") as scratch,
    ):
        file = Path(scratch, f"baseline-{sha256[:16]}.json")
        file.write_bytes(content)
        keeper, keeper_id = _keeper(registry, bearer, guard)
        if keeper == "model":
            registry.client.log_model_artifact(keeper_id, str(file), folder)
        else:
            registry.client.log_artifact(keeper_id, str(file), folder)
    registry.set_record(
        version,
        baseline_key(guard),
        {"keeper": keeper, "id": keeper_id, "path": f"{folder}/{file.name}", "sha256": sha256},
    )


def read_baseline(
    registry: ModelRegistry, version: str, *, guard: str, tables: Sequence[str] = ("TABLE",)
) -> dict[str, JsonValue]:
    """The baseline of a version, byte for byte as it was recorded.

    Args:
        registry: The model's registry.
        version: The version it speaks of.
        guard: The guard's name.
        tables: The tables that a new one would be recorded from, for the hint.

    Raises:
        MissingBaselineError: None was recorded for this guard.
        MeasurementError: It was recorded, but is gone or was changed.
    """
    place = _place(registry.version(version), guard)
    where = f"{registry.name}: version {version}: baseline of guard {guard}"
    if place is None:
        msg = (
            f"{where}: none was recorded.\n\nHint: record one with "
            f"`aiguard baseline record GUARD.yaml --model-version {version}"
            f"{''.join(f' --data {table}=FILE' for table in tables)}`."
        )
        raise MissingBaselineError(msg)
    content = _download(registry, place, where)
    found = hashlib.sha256(content).hexdigest()
    if found != place.sha256:
        msg = (
            f"{where}: expected sha256 {place.sha256}, found {found}: {place} was changed after it "
            "was recorded.\n\nHint: restore that artifact; a baseline changed on purpose belongs "
            "to a new model version."
        )
        raise MeasurementError(msg)
    document: dict[str, JsonValue] = json.loads(content)
    return document


def _download(registry: ModelRegistry, place: _Place, where: str) -> bytes:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    client = registry.client
    try:
        with short_patience(), tempfile.TemporaryDirectory(prefix="aiguard-") as scratch:
            if place.keeper == "run":
                return Path(client.download_artifacts(place.id, place.path, scratch)).read_bytes()
            # models:/NAME/VERSION would be looked up at MLflow's global URI, not at this client's.
            root = client.get_logged_model(place.id).artifact_location
            file = download_artifacts(
                artifact_uri=f"{root}/{place.path}",
                dst_path=scratch,
                tracking_uri=client.tracking_uri,
            )
            return Path(file).read_bytes()
    except (MlflowException, OSError) as error:
        msg = (
            f"{where}: {place} cannot be read: {first_line(error)}\n\n"
            "Hint: see that MLflow and its artifact store can be reached and that nobody deleted "
            "the artifact."
        )
        raise MeasurementError(msg) from error


def _place(version: Version, guard: str) -> _Place | None:
    key = baseline_key(guard)
    record = from_tag(version, key)
    if record is None:
        return None
    values = [record.get(name) for name in ("keeper", "id", "path", "sha256")]
    match values:
        case ["model" | "run" as keeper, str(id_), str(path), str(sha256)]:
            return _Place(keeper=keeper, id=id_, path=path, sha256=sha256)
        case _:
            raise unreadable(version, key)


def _keeper(
    registry: ModelRegistry, version: Version, guard: str
) -> tuple[Literal["model", "run"], str]:
    """Who keeps the artifact: the logged model, else the version's run, else a run of our own."""
    from mlflow.exceptions import MlflowException

    client = registry.client
    scheme, _, rest = version.source.partition(":/")
    try:
        if scheme == "models" and rest.startswith("m-"):
            return "model", str(client.get_logged_model(rest.partition("/")[0]).model_id)
        if version.run_id:
            return "run", str(client.get_run(version.run_id).info.run_id)
    except MlflowException as error:
        if not is_missing(error):  # deleted since; the version itself is still there
            raise
    run = client.create_run(
        _experiment(registry),
        run_name=f"baseline of {registry.name} version {version.version} for {guard}",
    )
    client.set_terminated(run.info.run_id)
    return "run", str(run.info.run_id)


def _experiment(registry: ModelRegistry) -> str:
    """The guard's own experiment, made when it is first needed."""
    from mlflow.exceptions import MlflowException

    client = registry.client
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return str(client.create_experiment(EXPERIMENT))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(EXPERIMENT)
    return str(found.experiment_id)
