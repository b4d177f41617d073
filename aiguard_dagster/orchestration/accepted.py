"""Baselines as they were recorded, read from MLflow once a process: they never change."""

from functools import cache

from aiguard_dagster.adapters.mlflow.baselines import baseline_key, read_baseline
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.signals.baseline import Baseline, baseline_from_json
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.signals.measure_tallied import Reference, reference_of

MOST_KEPT = 256
_kept: dict[tuple[str, str, str, str], "Accepted"] = {}


class Accepted:
    """One version's baseline, and what is derived from it when it is first needed."""

    def __init__(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self.drift = cache(self._drift)
        self.tallied = cache(self._tallied)

    def _drift(self, table: str) -> DriftReference:
        """The table's baseline made ready for drift.

        Raises:
            MeasurementError: The table was not recorded.
        """
        return DriftReference(self.baseline.table(table))

    def _tallied(self, table: str, name: str) -> Reference | None:
        """What the baseline holds of one tally; None where it has no such table."""
        if table not in self.baseline.tables:
            return None
        days = list(self.baseline.table(table).days.values())
        return reference_of(days, name, told="baseline")


def baseline_mark(registry: ModelRegistry, version: str, guard: Guard) -> str | None:
    """The record of where a version's baseline is, with its hash; None where there is none."""
    return registry.version(version).tags.get(baseline_key(guard.name))


def load_accepted(registry: ModelRegistry, version: str, guard: Guard) -> Accepted:
    """A version's baseline, from memory where it was read before.

    Raises:
        MissingBaselineError: None was recorded for this guard.
        MeasurementError: It is gone or was changed.
        ActionError: MLflow does not answer.
    """
    mark = baseline_mark(registry, version, guard)
    key = (registry.client.tracking_uri, registry.name, version, mark or "")
    if mark is None or key not in _kept:
        document = read_baseline(registry, version, guard=guard.name, tables=guard.tables_to_record)
        while len(_kept) >= MOST_KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = Accepted(baseline_from_json(document))
    return _kept[key]
