"""The delta sensor: sum the window's profiles, compare with the champion's baseline, report.

A tick reads no rows. What has been judged before on the same inputs, which the fingerprint names,
is not judged again; so the cursor is only a cache, and late or replaced partitions are judged anew.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cached_property, partial

import dagster as dg

from aiguard_dagster.adapters.dagster.history import materialized, read_evaluations
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.champions import Reign, champion_at, reign_that_lasted
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.errors import AIGuardError, MeasurementError
from aiguard_dagster.core.spec import (
    AbsoluteLimit,
    DeltaSignal,
    Drift,
    ErrorBudgetLimit,
    Guard,
    PipelineCost,
    Retraining,
    Rule,
    TalliedSignal,
)
from aiguard_dagster.core.verdicts import Evaluation, Measurement, Verdict, Window
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.orchestration.accepted import Accepted, baseline_mark, load_accepted
from aiguard_dagster.orchestration.batches import Batch, LiveTable
from aiguard_dagster.orchestration.first_days import first_window
from aiguard_dagster.orchestration.keys import check_key, delta_rules, profile_key
from aiguard_dagster.orchestration.lineage import Lineage
from aiguard_dagster.orchestration.partitions import Partitions, window_of
from aiguard_dagster.orchestration.progress import Progress
from aiguard_dagster.orchestration.resources import ProfileStore
from aiguard_dagster.orchestration.retrained import RetrainedTable
from aiguard_dagster.orchestration.runs import RunTable, run_name
from aiguard_dagster.orchestration.traced import TracedTable
from aiguard_dagster.signals.error_budget import BudgetWindows
from aiguard_dagster.signals.kinds import kind_of
from aiguard_dagster.signals.measure import evaluate_drift, evaluate_tallied, failed
from aiguard_dagster.signals.measure_tallied import DAY, Reference, TooLittleError
from aiguard_dagster.signals.tallied import tally_name
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.profile import BatchProfile, Profile
from aiguard_dagster.stats.tally import merge_tallies

MOST_JUDGED = 1_000
"""Newest partitions that a rule is judged on; well below what is read back of its history."""


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
        now: datetime,
        lineages: Mapping[str, Lineage] | None = None,
    ) -> None:
        self._guard = guard
        self._partitions = partitions
        self._instance = instance
        self._registry = registry
        self._store = store
        self._profiles: dict[tuple[str, str], BatchProfile] = {}
        self._baselines: dict[str, Accepted | MeasurementError] = {}
        self._marks: dict[str, str | None] = {}
        self.champion = registry.champion()
        self.errors = 0
        self._reigns: tuple[Reign, ...] = registry.reigns()
        self._firsts: dict[tuple[object, ...], Reference] = {}
        self._batches: dict[str, list[Batch]] = {}
        self._now, self._lineages = now, lineages or {}
        self._run_tables: dict[DeltaSignal, LiveTable] = {}
        self._live: dict[str, LiveTable] = {
            name: TracedTable(
                guard=guard,
                table=name,
                source=table.traces,
                registry=registry,
                reigns=self._reigns,
                champion=self.champion,
                now=now,
            )
            for name, table in guard.tables.items()
            if table.traces
        }

    def live(self, signal: DeltaSignal) -> LiveTable | None:
        """What is counted at each tick for a signal; None where profiles are."""
        if not signal.of_runs:
            return self._live.get(signal.table)
        if signal not in self._run_tables:
            name = signal.model_dump_json(exclude={"min_samples", "min_coverage"})
            if name not in self._live:
                self._live[name] = self._of_runs(signal)
            self._run_tables[signal] = self._live[name]
        return self._run_tables[signal]

    def _of_runs(self, signal: DeltaSignal) -> LiveTable:
        steps = signal if isinstance(signal, PipelineCost) else None
        if isinstance(signal, Retraining):
            window, baseline = signal.window, signal.baseline
            steps = PipelineCost(window=window, baseline=baseline, upstream=False)
        if steps is None:
            msg = f"{signal.kind} is not measured on runs"
            raise MeasurementError(msg)
        runs = RunTable(
            signal=steps,
            instance=self._instance,
            lineage=self._lineages[signal.table],
            reigns=self._reigns,
            now=self._now,
        )
        if isinstance(signal, Retraining):
            return RetrainedTable(signal=signal, registry=self._registry, runs=runs)
        return runs

    def batches(self, signal: DeltaSignal) -> list[Batch]:
        """The batches that were counted for a signal, in event time."""
        live = self.live(signal)
        return live.batches if live else self._profiled(signal.table)

    def _profiled(self, table: str) -> list[Batch]:
        if table not in self._batches:
            found = materialized(self._instance, profile_key(self._guard, table))
            windows = [(p, window_of(self._partitions[table], p), at) for p, at in found.items()]
            known = [Batch(p, window, at) for p, window, at in windows if window]
            self._batches[table] = sorted(known, key=lambda batch: batch.window.end)
        return self._batches[table]

    def signature(self) -> str:
        """Names all inputs of all rules: when it has not changed, nothing needs judging."""
        lives = [(signal, self.live(signal)) for _, signal in delta_rules(self._guard)]
        inputs: list[object] = [self.frame]
        inputs += [[(b.key, b.mark) for b in each] for each in self._all_profiled()]
        inputs += [live.signature for _, live in lives if live]
        return _digest(inputs)

    @cached_property
    def frame(self) -> str:
        """Names all inputs of all rules but the batches."""
        mark = self._baseline_mark(self.champion) if self.champion else None
        reigns = [str(reign) for reign in self._reigns]
        return _digest([self._guard.model_dump_json(), self.champion, mark, reigns])

    def progress(self) -> Progress:
        """What is behind a tick that has found nothing left to judge."""
        marks = self._marks_of_profiles()
        return Progress(frame=self.frame, newest=max(marks, default=0), batches=len(marks))

    def goes_on_from(self, progress: Progress) -> int:
        """Up to which storage id all batches have been judged; 0 where any may need it anew.

        They do once anything else has changed, and once one of them is gone or was made again.
        """
        behind = sum(mark <= progress.newest for mark in self._marks_of_profiles())
        same = progress.frame == self.frame and behind == progress.batches
        return progress.newest if same else 0

    def _marks_of_profiles(self) -> list[int]:
        return [int(batch.mark) for each in self._all_profiled() for batch in each]

    def _all_profiled(self) -> list[list[Batch]]:
        signals = [signal for _, signal in delta_rules(self._guard)]
        tables = sorted({each.table for each in signals if self.live(each) is None})
        return [self._profiled(table) for table in tables]

    def due(self, rule: Rule, signal: DeltaSignal, *, after: int = 0) -> Iterator[Evaluation]:
        """Evaluate a rule at each partition's end whose inputs were not judged before.

        What an earlier champion was judged on stays as it is. An ``error`` is tried again, and
        told only when it has become something else.

        Args:
            rule: The rule.
            signal: What it measures.
            after: Of batches up to this storage id all is judged, so that neither they nor what
                was written before need to be read: a tick takes as long however long the history.
        """
        live = self.live(signal)
        batches = self.batches(signal)[-(live.most if live else MOST_JUDGED) :]
        if after and not live:
            first = min((b.window.end for b in batches if int(b.mark) > after), default=None)
            batches = [b for b in batches if first is not None and b.window.end >= first]
            if any(self.champion_at(b.window.end) != self.champion for b in batches):
                after = 0
        if not batches:
            return
        stored = read_evaluations(
            self._instance, check_key(self._guard, rule), after=0 if live else after
        )
        judged = {found.point.as_of: found for found in stored}
        for batch in batches:
            as_of = batch.window.end
            before = judged.get(as_of)
            if before and self.champion_at(as_of) != self.champion:
                continue
            mark = self._fingerprint(rule, signal, as_of)
            known = before if before and before.fingerprint == mark else None
            if known and known.point.verdict is not Verdict.ERROR:
                continue
            evaluation = self.evaluate_marked(rule, signal, as_of)
            self.errors += evaluation.verdict is Verdict.ERROR
            if not known or evaluation.verdict is not Verdict.ERROR:
                yield evaluation

    def evaluate_marked(self, rule: Rule, signal: DeltaSignal, as_of: datetime) -> Evaluation:
        """Judge one rule for one event time, and name the inputs."""
        reign = next((r for r in reversed(self._reigns) if r.start < as_of), None)
        return replace(
            self.evaluate(rule, signal, as_of),
            fingerprint=self._fingerprint(rule, signal, as_of),
            in_force_since=reign.start if reign else None,
        )

    def evaluate(self, rule: Rule, signal: DeltaSignal, as_of: datetime) -> Evaluation:
        """Judge one rule for one event time."""
        window = Window(start=as_of - signal.window, end=as_of)
        nothing = Measurement(value=None, n=0, window=window, as_of=as_of)
        champion = self.champion_at(as_of)
        if champion is None:
            msg = f"{self._registry.name} has no champion ({self._registry.pointer})"
            return failed(rule, nothing, MeasurementError(msg))
        accepted = self._baseline(champion)
        if isinstance(accepted, MeasurementError) and needs_baseline(rule):
            return failed(rule, nothing, accepted, subject=champion)
        held = self._in_window(signal, as_of)
        try:
            current = self._window_profiles(signal, window, held, champion)
        except AIGuardError as error:
            return failed(rule, nothing, error, subject=champion)
        if isinstance(signal, TalliedSignal):
            name = self._name(signal)
            reference = partial(self._reference, rule, signal, name, as_of)
            try:
                earlier = list(self._earlier(signal, as_of, champion))
                budget = self._budget(rule, signal, held, as_of, champion)
            except MeasurementError as error:
                return failed(rule, nothing, error, subject=champion)
            return evaluate_tallied(rule, name, current, reference, earlier=earlier, budget=budget)
        if isinstance(accepted, MeasurementError):
            return failed(rule, nothing, accepted, subject=champion)
        return evaluate_drift(rule, current, accepted.drift)

    def _earlier(
        self, signal: TalliedSignal, as_of: datetime, champion: str
    ) -> Iterator[WindowProfiles]:
        """The champion's windows before this one, newest first, for signals that look back."""
        for start in range(1, signal.looks_back // signal.window + 1):
            end = as_of - start * signal.window
            if self.champion_at(end) != champion:
                return
            window, held = Window(start=end - signal.window, end=end), self._in_window(signal, end)
            yield self._window_profiles(signal, window, held, champion)

    def _budget(
        self, rule: Rule, signal: TalliedSignal, held: list[Batch], as_of: datetime, champion: str
    ) -> BudgetWindows | None:
        """The short window of an error budget and the batches of its period, as far as they go."""
        if not isinstance(rule.limit, ErrorBudgetLimit):
            return None
        near = rule.limit.short_of(signal.window, self._every(signal))
        window = Window(start=as_of - near, end=as_of)
        newest = set(self._within(signal, window))
        return BudgetWindows(
            short=self._window_profiles(signal, window, [b for b in held if b in newest], champion),
            period=list(self._each_of(signal, rule.limit.period, as_of)),
        )

    def _each_of(
        self, signal: TalliedSignal, period: timedelta, as_of: datetime
    ) -> Iterator[WindowProfiles]:
        """The batches of a period, each with the champion of its time."""
        for batch in self._within(signal, Window(start=as_of - period, end=as_of)):
            champion = self.champion_at(batch.window.end) or ""
            with suppress(AIGuardError):
                yield self._window_profiles(signal, batch.window, [batch], champion)

    def _window_profiles(
        self, signal: DeltaSignal, window: Window, held: list[Batch], champion: str
    ) -> WindowProfiles:
        """What was counted of a window; its profiles are read here."""
        return WindowProfiles(
            window=window,
            batches=[self._profile(signal, batch.key) for batch in held],
            expected=self._expected(signal, window),
            champion=champion,
            silent=self.live(signal) is not None,
            time_zone=self._guard.tables[signal.table].time_zone,
        )

    def on_other_grids(self, rule: Rule, signal: DeltaSignal) -> list[str]:
        """The newest window's partitions whose profile is damaged or not on the champion's grid."""
        if self.live(signal) or self.champion is None:
            return []
        batches = self.batches(signal)
        if not batches:
            return []
        if isinstance(signal, TalliedSignal):
            name = self._name(signal)
            held = self._in_window(signal, batches[-1].window.end)
            lacking = [b.key for b in held if self._lacks(signal, b.key, name)]
            if not signal.on_grid:
                return lacking
            return [*lacking, *(k for k in self._off_grid(signal, held) if k not in lacking)]
        if not isinstance(rule.signal, Drift):
            return []
        return self._off_grid(signal, self._in_window(signal, batches[-1].window.end))

    def _off_grid(self, signal: DeltaSignal, held: list[Batch]) -> list[str]:
        accepted = self._baseline(self.champion or "")
        if isinstance(accepted, MeasurementError) or signal.table not in accepted.baseline.tables:
            return []
        grid_id = accepted.baseline.tables[signal.table].grid.id
        return [b.key for b in held if self._grid_id(signal, b.key) != grid_id]

    def _reference(
        self, rule: Rule, signal: TalliedSignal, name: str, as_of: datetime
    ) -> Reference | None:
        """What a window's sums are compared with; None where nothing was recorded or needed.

        Raises:
            MeasurementError: The limit needs it and it is not there, or not whole yet.
        """
        if signal.baseline is not None:
            try:
                return self._first_days(signal, signal.baseline, name, as_of)
            except TooLittleError:
                if compares(rule) or kind_of(signal).learns:
                    raise
                return None  # It would only have told why the value is what it is.
        champion = self.champion_at(as_of)
        accepted = self._baseline(champion) if champion else None
        found = accepted.tallied(signal.table, name) if isinstance(accepted, Accepted) else None
        if found is None:
            return None
        if not found.days and needs_baseline(rule):
            what = f"the baseline of v{champion} counted nothing for {rule.name}"
            hint = "record one for a new version: what a rule counts must be in it."
            raise MeasurementError(with_hint(what, hint))
        return found if found.days else None

    def _first_days(
        self, signal: TalliedSignal, length: timedelta, name: str, as_of: datetime
    ) -> Reference:
        """The champion's own first days in production, where they are over.

        Raises:
            TooLittleError: They are not over, or too many of their batches are missing.
        """
        told, champion = f"first {format_duration(length)}", self.champion_at(as_of) or ""
        window = self._first_window(signal, length, as_of)
        if window is None or as_of <= window.end:
            msg = f"the {told} of v{champion} are not over yet"
            raise TooLittleError(msg)
        key = (signal.table, name, champion, length, signal.every_version, signal.min_coverage)
        if key not in self._firsts:
            held = self._within(signal, window)
            parts = self._window_profiles(signal, window, held, champion)
            if parts.partition_coverage < signal.min_coverage:
                there = f"{parts.partition_coverage:.0%} of the partitions"
                msg = f"of the {told} of v{champion} only {there} are there"
                raise TooLittleError(msg)
            days: dict[date, list[Profile]] = {}
            for batch, profile in zip(held, parts.batches, strict=True):
                one = replace(parts, batches=[profile])
                days.setdefault(batch.window.start.date(), []).extend(one.parts_of(signal))
            tallies = [
                merge_tallies(part.tallies[name] for part in each if name in part.tallies)
                for _, each in sorted(days.items())
            ]
            every = max((batch.window.end - batch.window.start for batch in held), default=DAY)
            self._firsts[key] = Reference(
                days=[tally for tally in tallies if tally is not None],
                told=told,
                every=max(every, DAY),
                grows=True,
            )
        return self._firsts[key]

    def _first_window(
        self, signal: TalliedSignal, length: timedelta, as_of: datetime
    ) -> Window | None:
        reign = reign_that_lasted(self._reigns, self.champion_at(as_of) or "", length)
        return first_window(reign, length, self.batches(signal)) if reign else None

    def champion_at(self, as_of: datetime) -> str | None:
        """The version that was in production up to this time; before all records, today's."""
        return champion_at(self._reigns, as_of) or self.champion

    def _in_window(self, signal: DeltaSignal, as_of: datetime) -> list[Batch]:
        """The profiles in a window; where rows name no version, only the champion's own time."""
        start = as_of - signal.window
        every = isinstance(signal, TalliedSignal) and signal.every_version
        whole = isinstance(signal, Drift) or signal.of_runs or every
        if not whole and not self._guard.tables[signal.table].model_version:
            reign = next((r for r in reversed(self._reigns) if r.start < as_of), None)
            start = max(start, reign.start) if reign else start
        return self._within(signal, Window(start=start, end=as_of))

    def _within(self, signal: DeltaSignal, window: Window) -> list[Batch]:
        # Half a partition of slack, for the days that clocks make longer or shorter.
        return [
            batch
            for batch in self.batches(signal)
            if batch.window.end <= window.end
            and batch.window.start >= window.start - (batch.window.end - batch.window.start) / 2
        ]

    def _expected(self, signal: DeltaSignal, window: Window) -> int:
        partitions_def = self._partitions.get(signal.table)
        by_time = isinstance(partitions_def, dg.TimeWindowPartitionsDefinition)
        if not self.live(signal) and not by_time:
            return 1
        return max(1, round((window.end - window.start) / self._every(signal)))

    def _every(self, signal: DeltaSignal) -> timedelta:
        """How long a batch is."""
        if live := self.live(signal):
            return live.every
        newest = self.batches(signal)[-1].window
        return newest.end - newest.start

    def _fingerprint(self, rule: Rule, signal: DeltaSignal, as_of: datetime) -> str:
        champion = self.champion_at(as_of)
        mark = self._baseline_mark(champion) if champion else None
        held = [(b.key, b.mark) for b in self._in_window(signal, as_of)]
        if isinstance(signal, TalliedSignal) and signal.looks_back:
            back = Window(start=as_of - signal.window - signal.looks_back, end=as_of)
            held += [(b.key, b.mark) for b in self._within(signal, back)]
        if isinstance(rule.limit, ErrorBudgetLimit):
            whole = self._within(signal, Window(start=as_of - rule.limit.period, end=as_of))
            held += [(b.key, f"{b.mark} v{self.champion_at(b.window.end)}") for b in whole]
        if isinstance(signal, TalliedSignal) and signal.baseline:
            first = self._first_window(signal, signal.baseline, as_of)
            held += [(b.key, b.mark) for b in (self._within(signal, first) if first else [])]
        return _digest([rule.model_dump_json(), champion, mark, held])

    def _name(self, signal: TalliedSignal) -> str:
        """The name of what a signal counts."""
        if signal.of_runs:
            return run_name(signal)
        return tally_name(signal, self._guard.tables[signal.table])

    def _profile(self, signal: DeltaSignal, key: str) -> BatchProfile:
        live, table = self.live(signal), signal.table
        if live:
            return live.profile(key)
        if (table, key) not in self._profiles:
            loaded = self._store.load(profile_key(self._guard, table), key)
            self._profiles[table, key] = loaded
        return self._profiles[table, key]

    def _grid_id(self, signal: DeltaSignal, key: str) -> str | None:
        """The grid of a profile; None where it cannot be read."""
        try:
            return self._profile(signal, key).grid_id
        except MeasurementError:
            return None

    def _lacks(self, signal: DeltaSignal, key: str, name: str) -> bool:
        """Whether a profile does not hold a tally, or cannot be read."""
        try:
            parts = self._profile(signal, key).parts.values()
        except MeasurementError:
            return True
        return any(name not in part.tallies for part in parts if part.rows)

    def _baseline_mark(self, version: str) -> str | None:
        if version not in self._marks:
            self._marks[version] = baseline_mark(self._registry, version, self._guard)
        return self._marks[version]

    def _baseline(self, version: str) -> Accepted | MeasurementError:
        if version not in self._baselines:
            try:
                self._baselines[version] = load_accepted(self._registry, version, self._guard)
            except MeasurementError as error:
                self._baselines[version] = error
        return self._baselines[version]


def needs_baseline(rule: Rule) -> bool:
    """Whether a rule cannot be judged without a recorded one; an absolute limit on a metric can."""
    if isinstance(rule.signal, TalliedSignal) and rule.signal.baseline is not None:
        return False
    return isinstance(rule.signal, Drift) or compares(rule)


def compares(rule: Rule) -> bool:
    """Whether a rule's limit is told by a reference, and is neither a value nor the kind's own."""
    own = rule.limit is None and rule.signal.limits.default is not None
    return not own and not isinstance(rule.limit, AbsoluteLimit | ErrorBudgetLimit)


def _digest(inputs: object) -> str:
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
