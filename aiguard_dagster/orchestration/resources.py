"""The resources of a guard: where MLflow is, where profiles are kept, whom decisions are told."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import dagster as dg
from pydantic import PrivateAttr

from aiguard_dagster.adapters.mlflow.champions import champions
from aiguard_dagster.adapters.mlflow.client import connect
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import MeasurementError, SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.engines import ENGINE
from aiguard_dagster.stats.profile import BatchProfile
from aiguard_dagster.stats.profile_json import batch_from_bytes, batch_to_bytes

MLFLOW = "aiguard_mlflow"
PROFILES = "aiguard_profiles"
VERSIONS = "aiguard/versions"
"""Metadata of a profile: rows by the version that made them."""
NOTIFIER = "aiguard_notifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceKeys:
    """Under which keys a project's resources are."""

    mlflow: str = MLFLOW
    profiles: str = PROFILES
    engine: str = ENGINE
    notifier: str = NOTIFIER


class MLflowResource(dg.ConfigurableResource[None]):
    """The MLflow server whose registry holds the guarded models."""

    tracking_uri: str | None = None
    """``http://…`` or ``sqlite:///…``; the environment's ``MLFLOW_TRACKING_URI`` when left out."""

    @property
    def uri(self) -> str:
        """The tracking URI in force."""
        found = self.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        if not found:
            msg = (
                "no MLflow tracking URI"
                "\n\nHint: set MLFLOW_TRACKING_URI, or give Definitions a resource"
                f" {MLFLOW!r}: MLflowResource(tracking_uri=…)."
            )
            raise MeasurementError(msg)
        return found

    def champions(self, guards: Iterable[Guard]) -> dict[str, str | None]:
        """The champion's version by the model's name, asked for all at once."""
        models = [guard.model for guard in guards if guard.model is not None]
        return champions(connect(self.uri), models)

    def registry(self, guard: Guard) -> ModelRegistry:
        """The registry as one guard sees it."""
        if guard.model is None:
            raise SpecError(())
        return ModelRegistry(connect(self.uri), guard.model)


class NotifierResource(dg.ConfigurableResource[None]):
    """Where owners are told of decisions: Slack, mail, PagerDuty and whatever Apprise can reach.

    Addresses are secrets, so they are never given here: each owner has the name of an environment
    variable, which is read when a message is sent, and holds one Apprise URL or several with
    blanks between them. ``*`` is for every owner that is not named, and for messages that an
    owner's own target has not taken in six attempts::

        NotifierResource(variables={"team:forecasting": "FORECASTING_ALERTS", "*": "ML_ALERTS"})
    """

    variables: dict[str, str]
    """The environment variable that holds the addresses, by owner."""


class ProfileStore(dg.ConfigurableIOManager):
    """Profiles as small text files under any path that fsspec knows, one a partition."""

    path: str | None = None
    """A folder or URL, such as ``/var/lib/aiguard`` or ``s3://bucket/aiguard``; when left out, a
    folder in Dagster's own storage, which all processes must then share."""

    _folder: str = PrivateAttr(default="")

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Find Dagster's own storage, where no path is given."""
        if self.path is None and context.instance is not None:
            self._folder = f"{context.instance.storage_directory()}/{PROFILES}"

    def handle_output(self, context: dg.OutputContext, obj: BatchProfile) -> None:
        """Write the profile of one partition, whole or not at all."""
        partition = context.partition_key if context.has_partition_key else None
        file = self._file(context.asset_key, partition)
        filesystem, path = _open(file)
        filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
        content = batch_to_bytes(obj)
        part = f"{path}.{context.run_id}.part"
        try:
            filesystem.pipe_file(part, content)
            filesystem.mv(part, path)
        except OSError:
            with suppress(OSError):  # A disk that is full must not fill further with parts.
                filesystem.rm(part)
            raise
        context.add_output_metadata(
            {
                "rows": sum(p.rows for p in obj.parts.values()),
                "grid": obj.grid_id,
                "file": file,
                VERSIONS: {version: part.rows for version, part in obj.parts.items()},
            }
        )

    def load_input(self, context: dg.InputContext) -> BatchProfile:
        """Read the profile of one partition."""
        return self.load(
            context.asset_key, context.partition_key if context.has_partition_key else None
        )

    def load(self, key: dg.AssetKey, partition: str | None) -> BatchProfile:
        """Read a profile outside a run.

        Raises:
            MeasurementError: The file is gone, cut short, or no profile.
        """
        file = self._file(key, partition)
        filesystem, path = _open(file)
        try:
            return batch_from_bytes(filesystem.cat_file(path))
        except FileNotFoundError as error:
            hint = (
                f"materialise {key.to_user_string()} for {partition or 'all rows'} again, or if"
                " profiles are kept elsewhere, give ProfileStore that path"
            )
            msg = f"{file}: the profile is gone\n\nHint: {hint}."
            raise MeasurementError(msg) from error
        except (ValueError, MeasurementError) as error:
            msg = f"{file}: {error}\n\nHint: materialise {key.to_user_string()} again."
            raise MeasurementError(msg) from error

    def _file(self, key: dg.AssetKey, partition: str | None) -> str:
        # A partition key is a user's text: quoted, it cannot leave its folder.
        parts = [quote(part, safe="").replace(".", "%2E") for part in key.path]
        name = "all" if partition is None else "p-" + quote(partition, safe="").replace(".", "%2E")
        folder = self.path or self._folder
        if not folder:
            msg = (
                "profiles have no place here"
                f"\n\nHint: give Definitions a resource {PROFILES!r}: ProfileStore(path=…)."
            )
            raise MeasurementError(msg)
        return "/".join([folder.rstrip("/"), *parts, f"{name}.jsonl"])


def _open(file: str) -> tuple[Any, str]:
    """The file system that fsspec has for a path or URL, and the path in it."""
    from fsspec.core import url_to_fs

    filesystem, path = url_to_fs(file)
    return filesystem, path
