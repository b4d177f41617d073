"""The delta sensor: sum the window's profiles, compare with the champion's baseline, report.

A tick reads no rows. What has been judged before on the same inputs, which the fingerprint names,
is not judged again; so the cursor is only a cache, and late or replaced partitions are judged anew.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import dagster as dg

from aiguard_dagster.adapters.dagster.history import (
    materialized,
    newest_materialization,
    read_evaluations,
)
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.champions import Reign, champion_at
from aiguard_dagster.core.errors import AIGuardError, MeasurementError
from aiguard_dagster.core.spec import DeltaSignal, Drift, Guard, Rule
from aiguard_dagster.core.verdicts import Evaluation, Measurement, Window
from aiguard_dagster.orchestration.accepted import Accepted, baseline_mark, load_accepted
from aiguard_dagster.orchestration.keys import check_key, delta_rules, profile_key
from aiguard_dagster.orchestration.partitions import Partitions, window_of
from aiguard_dagster.orchestration.resources import ProfileStore
from aiguard_dagster.signals.measure import evaluate_window, failed
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.profile import BatchProfile


class Batch(NamedTuple):
    """One profile that exists: its partition (None for a table without), window and storage id."""

    key: str | None
    window: Window
    storage_id: int


class DeltaEvaluator:
    """Evaluates the delta rules of one guard; loads each profile and baseline once."""

    def __init__(
        self,
        *,
        guard: Guard,
        partitions: Mapping[str, Partitions],
        instance: dg.DagsterInstance,
        registry: ModelRegistry,
        store: ProfileStore,
    ) -> None:
        self._guard = guard
        self._partitions = partitions
        self._instance = instance
        self._registry = registry
        self._store = store
        self._profiles: dict[tuple[str, str | None], BatchProfile] = {}
        self._baselines: dict[str, Accepted | AIGuardError] = {}
        self._marks: dict[str, str | None] = {}
        self.champion = registry.champion()
        self._reigns: tuple[Reign, ...] = registry.reigns()
        self._batches: dict[str, list[Batch]] = {}

    def batches(self, table: str) -> list[Batch]:
        """The profiles of a table that exist, in event time."""
        if table not in self._batches:
            partitions_def = self._partitions[table]
            key = profile_key(self._guard, table)
            if partitions_def is None:
                known = self._whole_table(table, newest_materialization(self._instance, key))
            else:
                found = materialized(self._instance, key)
                windows = [(p, window_of(partitions_def, p), at) for p, at in found.items()]
                known = [Batch(p, window, at) for p, window, at in windows if window]
            self._batches[table] = sorted(known, key=lambda batch: batch.window.end)
        return self._batches[table]

    def _whole_table(self, table: str, storage_id: int | None) -> list[Batch]:
        """A table without partitions is one batch, which ends with its newest row."""
        if storage_id is None:
            return []
        parts = self._profile(table, None).parts.values()
        firsts, lasts = ([p.first for p in parts if p.first], [p.last for p in parts if p.last])
        if not firsts or not lasts:
            return []
        return [Batch(None, Window(start=min(firsts), end=max(lasts)), storage_id)]

    def signature(self) -> str:
        """Names all inputs of all rules: when it has not changed, nothing needs judging."""
        tables = sorted({signal.table for _, signal in delta_rules(self._guard)})
        mark = self._baseline_mark(self.champion) if self.champion else None
        reigns = [str(reign) for reign in self._reigns]
        inputs: list[object] = [self._guard.model_dump_json(), self.champion, mark, reigns]
        inputs += [[(b.key, b.storage_id) for b in self.batches(table)] for table in tables]
        return _digest(inputs)

    def due(self, rule: Rule, signal: DeltaSignal) -> Iterator[Evaluation]:
        """Evaluate a rule at each partition's end whose inputs were not judged before."""
        stored = read_evaluations(self._instance, check_key(self._guard, rule))
        judged = {found.point.as_of: found.fingerprint for found in stored}
        for batch in self.batches(signal.table):
            as_of = batch.window.end
            fingerprint = self._fingerprint(rule, signal, as_of)
            if judged.get(as_of) != fingerprint:
                yield self.evaluate_marked(rule, signal, as_of)

    def evaluate_marked(self, rule: Rule, signal: DeltaSignal, as_of: datetime) -> Evaluation:
        """Judge one rule for one event time, and name the inputs."""
        fingerprint = self._fingerprint(rule, signal, as_of)
        return replace(self.evaluate(rule, signal, as_of), fingerprint=fingerprint)

    def evaluate(self, rule: Rule, signal: DeltaSignal, as_of: datetime) -> Evaluation:
        """Judge one rule for one event time."""
        window = Window(start=as_of - signal.window, end=as_of)
        nothing = Measurement(value=None, n=0, window=window, as_of=as_of)
        champion = self.champion_at(as_of)
        if champion is None:
            msg = f"{self._registry.name} has no champion ({self._registry.pointer})"
            return failed(rule, nothing, MeasurementError(msg))
        accepted = self._baseline(champion)
        if isinstance(accepted, AIGuardError):
            return failed(rule, nothing, accepted, subject=champion)
        held = self._in_window(signal, as_of)
        try:
            profiles = [self._profile(signal.table, batch.key) for batch in held]
        except MeasurementError as error:
            return failed(rule, nothing, error, subject=champion)
        current = WindowProfiles(
            window=window,
            batches=profiles,
            expected=self._expected(signal, window),
            champion=champion,
        )
        return evaluate_window(rule, current, accepted.baseline, accepted.drift)

    def on_other_grids(self, rule: Rule, signal: DeltaSignal) -> list[str | None]:
        """Partitions of the newest window whose profile is not on the champion's grid."""
        batches = self.batches(signal.table)
        if not isinstance(rule.signal, Drift) or not batches or self.champion is None:
            return []
        accepted = self._baseline(self.champion)
        if isinstance(accepted, AIGuardError) or signal.table not in accepted.baseline.tables:
            return []
        grid_id = accepted.baseline.tables[signal.table].grid.id
        held = self._in_window(signal, batches[-1].window.end)
        return [b.key for b in held if self._profile(signal.table, b.key).grid_id != grid_id]

    def champion_at(self, as_of: datetime) -> str | None:
        """The version that was in production up to this time; before all records, today's."""
        return champion_at(self._reigns, as_of) or self.champion

    def _in_window(self, signal: DeltaSignal, as_of: datetime) -> list[Batch]:
        start = as_of - signal.window
        return [b for b in self.batches(signal.table) if start < b.window.end <= as_of]

    def _expected(self, signal: DeltaSignal, window: Window) -> int:
        partitions_def = self._partitions[signal.table]
        if not isinstance(partitions_def, dg.TimeWindowPartitionsDefinition):
            return 1
        newest = self.batches(signal.table)[-1].window
        return max(1, round((window.end - window.start) / (newest.end - newest.start)))

    def _fingerprint(self, rule: Rule, signal: DeltaSignal, as_of: datetime) -> str:
        champion = self.champion_at(as_of)
        mark = self._baseline_mark(champion) if champion else None
        held = [(b.key, b.storage_id) for b in self._in_window(signal, as_of)]
        return _digest([rule.model_dump_json(), champion, mark, held])

    def _profile(self, table: str, key: str | None) -> BatchProfile:
        if (table, key) not in self._profiles:
            loaded = self._store.load(profile_key(self._guard, table), key)
            self._profiles[table, key] = loaded
        return self._profiles[table, key]

    def _baseline_mark(self, version: str) -> str | None:
        if version not in self._marks:
            self._marks[version] = baseline_mark(self._registry, version, self._guard)
        return self._marks[version]

    def _baseline(self, version: str) -> Accepted | AIGuardError:
        if version not in self._baselines:
            try:
                self._baselines[version] = load_accepted(self._registry, version, self._guard)
            except AIGuardError as error:
                self._baselines[version] = error
        return self._baselines[version]


def _digest(inputs: object) -> str:
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
