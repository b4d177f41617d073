"""One registered model in MLflow: its champion, the reigns, and the versions in quarantine."""

import warnings
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import JsonValue

from aiguard_dagster.adapters.mlflow import quarantine
from aiguard_dagster.adapters.mlflow.client import asking, is_missing
from aiguard_dagster.adapters.mlflow.history import history_key, history_to_json, read_history
from aiguard_dagster.adapters.mlflow.intents import stored_intents
from aiguard_dagster.adapters.mlflow.tags import Version, to_tag
from aiguard_dagster.core.champions import (
    UNKNOWN,
    Reign,
    accede,
    as_utc,
    reigns_of,
)
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.spec import Model

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

FOUND = "found in production, not put there by the guard"
PAGE = 200


class ModelRegistry:
    """The registered model under guard, seen through the alias or stage that marks its champion.

    MLflow keeps no history of either, so the guard keeps its own: a record on the version that
    became champion, written after the pointer has moved. The pointer says who is champion now;
    the records say since when and why.
    """

    def __init__(self, client: "MlflowClient", model: Model) -> None:
        self.client = client
        self.model = model

    @property
    def name(self) -> str:
        """The registered model's name."""
        return self.model.name

    @property
    def pointer(self) -> str:
        """What marks the champion, ``alias:champion`` or ``stage:Production``; in every record."""
        if self.model.stage is not None:
            return f"stage:{self.model.stage}"
        return f"alias:{self.model.alias or 'champion'}"

    def model_uri(self, version: str) -> str:
        """The URI that loads this version, whatever the pointer says."""
        return f"models:/{self.name}/{version}"

    def artifact_uri(self, version: str) -> str:
        """Where this version's files lie; download them with the client's own tracking URI.

        MLflow looks ``models:/`` URIs up at its global registry URI, which need not be this one.
        """
        with asking(f"{self.name}: find the files of version {version}"):
            return str(self.client.get_model_version_download_uri(self.name, version))

    def champion(self) -> str | None:
        """The version in production now, or None when the alias or stage has none.

        Raises:
            ActionError: There is no such registered model, or MLflow does not answer.
        """
        with asking(
            f"{self.name}: read {self.pointer}",
            missing=f"register a model as {self.name}, or mend model.name in the guard",
        ):
            if self.model.stage is not None:
                return self._by_stage(self.model.stage)
            return self._by_alias(self.model.alias or "champion")

    def _by_alias(self, alias: str) -> str | None:
        from mlflow.exceptions import MlflowException

        try:
            found = self.client.get_model_version_by_alias(self.name, alias)
        except MlflowException as error:
            if error.error_code == "INVALID_PARAMETER_VALUE" and "not found" in str(error):
                return None
            if is_missing(error):
                # Raises when it is the model that is missing.
                self._require_name(self.client.get_registered_model(self.name).name)
                return None
            raise
        self._require_name(found.name)
        return str(found.version)

    def _require_name(self, name: str) -> None:
        """Refuse an answer that is not about this model, such as the empty one of a proxy."""
        if name != self.name:
            msg = "the answer is not MLflow's: it is about another model, or none"
            raise ValueError(msg)

    def _by_stage(self, stage: str) -> str | None:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", FutureWarning
            )  # stages are deprecated; some still live by them
            found = self.client.get_latest_versions(self.name, stages=[stage])
        if not found:
            self._require_name(self.client.get_registered_model(self.name).name)
            return None
        return str(max(int(version.version) for version in found))

    def point_to(self, version: str) -> None:
        """Move the alias or stage, and nothing else: no record, no question asked.

        Raises:
            ActionError: The version does not exist, or MLflow refused.
        """
        from mlflow.exceptions import MlflowException

        with asking(f"{self.name}: move {self.pointer} to version {version}"):
            try:
                self._point_to(version)
            except MlflowException as error:
                if error.error_code != "BAD_REQUEST":
                    raise
                self._point_to(version)  # two processes created the alias at once; now it is there

    def _point_to(self, version: str) -> None:
        if self.model.stage is None:
            alias = self.model.alias or "champion"
            self.client.set_registered_model_alias(self.name, alias, version)
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self.client.transition_model_version_stage(
                self.name, version, self.model.stage, archive_existing_versions=True
            )

    def versions(self) -> tuple[Version, ...]:
        """Every version that exists, oldest first."""
        quotes = '"' if "'" in self.name else "'"
        found: list[Version] = []
        token = None
        while True:
            with asking(f"{self.name}: list versions"):
                page = self.client.search_model_versions(
                    f"name={quotes}{self.name}{quotes}", max_results=PAGE, page_token=token
                )
            found += [self._version(entity) for entity in page]
            token = page.token
            if not token:
                return tuple(sorted(found, key=lambda version: int(version.version)))

    def version(self, version: str) -> Version:
        """One version.

        Raises:
            ActionError: It does not exist; the message lists those that do.
        """
        from mlflow.exceptions import MlflowException

        with asking(f"{self.name}: read version {version}"):
            try:
                if version.isdecimal():
                    return self._version(self.client.get_model_version(self.name, version))
            except MlflowException as error:
                if not is_missing(error):
                    raise
        known = ", ".join(each.version for each in self.versions()) or "none"
        msg = (
            f"{self.name}: version {version} does not exist.\n\n"
            f"Hint: choose one of the versions that do: {known}."
        )
        raise ActionError(msg)

    def _version(self, entity: "ModelVersion") -> Version:
        return Version(
            model=self.name,
            version=str(entity.version),  # int on sqlite, str over HTTP
            source=str(entity.source),
            run_id=entity.run_id or None,
            tags=dict(entity.tags),
        )

    def set_record(self, version: str, key: str, document: dict[str, JsonValue]) -> None:
        """Write one of our records on a version."""
        with asking(f"{self.name}: write tag {key} on version {version}"):
            value = to_tag(self.name, version, document)
            self.client.set_model_version_tag(self.name, version, key, value)

    def reigns(self) -> tuple[Reign, ...]:
        """Every reign on record, oldest first."""
        return reigns_of(read_history(self.versions(), self.pointer))

    def promote(self, version: str, *, at: datetime, by: str, why: str) -> None:
        """Make a version champion from event time ``at`` on.

        The pointer moves first, then the record is written. Run again after a crash, it does what
        is left; run again after it was recorded, it does nothing, whoever is champion by then.

        Raises:
            ActionError: The version does not exist or is in quarantine, or MLflow refused.
        """
        accessions = read_history(self.versions(), self.pointer)
        done = (version, as_utc(at), by, why)
        if any((each.version, each.at, each.by, each.why) == done for each in accessions):
            return
        self.require_fit(version)
        if self.champion() != version:
            self.point_to(version)
        self.record_reign(version, at=at, by=by, why=why)

    def record_reign(self, version: str, *, at: datetime, by: str, why: str) -> Reign | None:
        """Record that a version became champion.

        Returns:
            The new reign, or None when it was on record already.
        """
        accessions = read_history(self.versions(), self.pointer)
        records = accede(accessions, version=version, at=at, by=by, why=why)
        if records is None:
            return None
        self.set_record(version, history_key(self.pointer), history_to_json(records))
        others = [record for record in accessions if record.version != version]
        return reigns_of([*others, *records])[-1]

    def observe(self, *, now: datetime) -> Reign | None:
        """Record a move of the pointer that did not come from the guard.

        A pointer that was taken away is no reign and is not recorded. A move that belongs to an
        unfinished rollback is recorded as the rollback's own, once: who comes back to its target
        later came by themselves.

        Returns:
            The reign found, starting ``now``; None when nothing was moved outside the guard.
        """
        reigns = self.reigns()  # before the pointer, which moves before its record is written
        champion = self.champion()
        if champion is None or (reigns and reigns[-1].version == champion):
            return None
        for stored in stored_intents(self.versions(), self.pointer):
            intent = stored.intent
            if stored.explains(champion, now=now) and self.record_reign(
                champion, at=intent.at, by=intent.actor, why=intent.reason
            ):
                return None
        return self.record_reign(champion, at=now, by=UNKNOWN, why=FOUND)

    def bearer(self, alias: str) -> str | None:
        """The version that bears an alias, which need not be the champion's; None without one.

        Raises:
            ActionError: MLflow does not answer.
        """
        with asking(f"{self.name}: read alias:{alias}"):
            return self._by_alias(alias)

    def quarantine(self, version: str, *, reason: str, at: datetime, by: str) -> None:
        """Bar a version from becoming champion until a person lifts it."""
        record = quarantine.impose(self.version(version), reason=reason, at=at, by=by)
        if record is not None:
            self.set_record(version, quarantine.QUARANTINE, record)

    def lift_quarantine(self, version: str, *, by: str, why: str, at: datetime) -> None:
        """Let a version become champion again."""
        record = quarantine.lift(self.version(version), by=by, why=why, at=at)
        if record is not None:
            self.set_record(version, quarantine.QUARANTINE, record)

    def is_quarantined(self, version: str) -> bool:
        """Whether a version is barred from becoming champion."""
        return quarantine.is_barred(self.version(version))

    def require_fit(self, version: str) -> None:
        """Refuse a version that must not become champion.

        Raises:
            ActionError: It does not exist, or it is in quarantine.
        """
        bearer = self.version(version)
        if quarantine.is_barred(bearer):
            msg = (
                f"{self.name}: version {version} is in quarantine {quarantine.describe(bearer)}\n\n"
                "Hint: choose another version, or have a person lift the quarantine."
            )
            raise ActionError(msg)
