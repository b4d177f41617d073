"""A registered model as it stood at one look: what is asked several times is read once."""

from datetime import datetime

from pydantic import JsonValue

from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.tags import Version
from aiguard_dagster.core.champions import Reign


class SteadyRegistry(ModelRegistry):
    """Reads champion and versions once, and anew after it has written something itself.

    For looks that end within moments, such as a sensor's at one guard. A transaction must not use
    it: others may move the pointer meanwhile.
    """

    _versions: tuple[Version, ...] | None = None
    _champion: tuple[str | None] | None = None

    @classmethod
    def of(cls, registry: ModelRegistry) -> "SteadyRegistry":
        """The same model, from now on as it stands when it is first asked."""
        return cls(registry.client, registry.model)

    def observe(self, *, now: datetime) -> Reign | None:
        """See :meth:`ModelRegistry.observe`."""
        reigns, champion = self.reigns(), self.champion()
        if champion is None or (reigns and reigns[-1].version == champion):
            return None
        # What tells of a move is written about it, so it must be read after the pointer.
        self._versions = None
        return super().observe(now=now)

    def champion(self) -> str | None:
        """See :meth:`ModelRegistry.champion`."""
        if self._champion is None:
            self._champion = (super().champion(),)
        return self._champion[0]

    def versions(self) -> tuple[Version, ...]:
        """See :meth:`ModelRegistry.versions`."""
        if self._versions is None:
            self._versions = super().versions()
        return self._versions

    def version(self, version: str) -> Version:
        """See :meth:`ModelRegistry.version`."""
        known = (each for each in self.versions() if each.version == version)
        return next(known, None) or super().version(version)

    def point_to(self, version: str) -> None:
        """See :meth:`ModelRegistry.point_to`."""
        self._champion = None
        super().point_to(version)

    def set_record(self, version: str, key: str, document: dict[str, JsonValue]) -> None:
        """See :meth:`ModelRegistry.set_record`."""
        self._versions = None
        super().set_record(version, key, document)
