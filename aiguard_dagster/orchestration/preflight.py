"""Before the alias moves: would the candidate have done better on the recent rows?"""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import dagster as dg
import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiguard_dagster.adapters.mlflow.models import LoadedModel, load_model
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.tables.frames import as_lazy
from aiguard_dagster.adapters.tables.sources import open_source
from aiguard_dagster.adapters.tables.times import utc, version_text
from aiguard_dagster.core.decisions import Evidence
from aiguard_dagster.core.errors import AIGuardError, MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Guard, Performance, Rule, Table
from aiguard_dagster.core.spec.signals.performance import SCORE_METRICS
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.orchestration.partitions import Partitions, partition_of, time_partitions
from aiguard_dagster.signals.measure import place_of
from aiguard_dagster.stats.compare import Comparison, compare


class Finding(StrEnum):
    """What a preflight says of going back: ``unfit`` candidates cannot be gone back to at all."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Whether going back would help, in words, with the numbers behind it."""

    finding: Finding
    reason: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReader:
    """Reads a guard's tables through the user's own IO managers.

    Attributes:
        guard: The guard.
        tables: The user's definitions, which know how each asset is loaded.
        partitions: How each table is partitioned.
        instance: The Dagster instance, which knows the partitions that exist.
    """

    guard: Guard
    tables: dg.Definitions
    partitions: dict[str, Partitions]
    instance: dg.DagsterInstance

    def rows(self, name: str, window: Window) -> pl.LazyFrame:
        """The rows of a table inside a window; only the partitions that overlap it are read.

        Raises:
            MeasurementError: There is no such partition, or its value is no table.
        """
        table, partitions_def = self.guard.tables[name], self.partitions[name]
        if partitions_def is None:
            frames = [self._load(table, None)]
        else:
            frames = [
                self._load(table, partition)
                for key in self._partition_keys(table, partitions_def, window)
                if overlaps((partition := partition_of(partitions_def, key)).window, window)
            ]
        if not frames:
            msg = f"no partition of {table.asset} between {window.start} and {window.end}"
            raise MeasurementError(msg)
        rows = pl.concat(frames, how="diagonal_relaxed")
        if not table.time:
            return rows
        time = utc(rows, table.time, table.time_zone)
        start, end = window.start.replace(tzinfo=None), window.end.replace(tzinfo=None)
        return rows.filter((time >= start) & (time < end))

    def _partition_keys(
        self, table: Table, partitions_def: dg.PartitionsDefinition[str], window: Window
    ) -> Iterable[str]:
        times = time_partitions(partitions_def)
        if table.source is not None and times is partitions_def:
            # Dagster may not know what was written there.
            return times.get_partition_keys_in_time_window(dg.TimeWindow(window.start, window.end))
        return self.instance.get_materialized_partitions(dg.AssetKey(list(table.asset_path)))

    def _load(self, table: Table, partition: Partition | None) -> pl.LazyFrame:
        if table.row_source is not None:
            opened = open_source(table.row_source, table, (partition,) if partition else ())
            return as_lazy(opened.frame.to_native())
        key = dg.AssetKey(list(table.asset_path))
        if partition is None:
            return as_lazy(self.tables.load_asset_value(key, instance=self.instance))
        return as_lazy(
            self.tables.load_asset_value(key, instance=self.instance, partition_key=partition.key)
        )


def overlaps(partition: Window | None, window: Window) -> bool:
    """Whether a partition holds rows of the window."""
    return partition is not None and partition.start < window.end and partition.end > window.start


def score_candidate(
    reader: TableReader,
    *,
    registry: ModelRegistry,
    rule: Rule | None,
    champion: str,
    candidate: str,
    at: datetime,
) -> Preflight:
    """Score the candidate on the rows of the failing window, beside what the champion said.

    Anything that keeps it from being scored leaves it unclear whether going back would help.
    """
    names = {"champion": champion, "candidate": candidate}
    if rule is None or not isinstance(rule.signal, Performance):
        reason = f"{reader.guard.name} has no performance rule to score v{candidate} on"
        return Preflight(finding=Finding.UNCLEAR, reason=reason, evidence=names)
    signal = rule.signal
    window = Window(start=at - signal.window, end=at)
    table = reader.guard.tables[signal.table]
    scores = signal.metric in SCORE_METRICS
    told = table.score if scores else table.prediction
    try:
        with tempfile.TemporaryDirectory() as folder:
            try:
                model = load_model(registry, candidate, folder=folder)
            except AIGuardError as error:
                reason = f"v{candidate} could not be loaded: {error}"
                return Preflight(finding=Finding.UNFIT, reason=reason, evidence=names)
            rows_of = reader.rows(signal.table, window)
            labelled = _labelled(rows_of, table, champion, (table.label, told))
            rows = _with_inputs(reader, signal.table, labelled, model, window)
            said = model.predict(rows.select(model.inputs or rows.columns).to_pandas())
        found = compare(
            signal.metric,
            signal.direction,
            label=positives_of(rows, table, signal) if scores else _values(rows, table.label),
            champion=_values(rows, told),
            candidate=scores_of(said, signal.metric) if scores else said,
            quantile=signal.quantile or 0.5,
        )
    except Exception as error:  # noqa: BLE001 - it is not known, whatever the reason
        told = str(error) if isinstance(error, AIGuardError) else place_of(error)
        reason = f"v{candidate} could not be scored: {told}"
        return Preflight(finding=Finding.UNCLEAR, reason=reason, evidence=names)
    if found is None or found.n < signal.min_samples:
        n = found.n if found else 0
        reason = f"only {n} of {signal.min_samples} labelled rows to score v{candidate} on"
        return Preflight(finding=Finding.UNCLEAR, reason=reason, evidence={**names, "n": n})
    return _verdict(found, champion, candidate, window)


def _verdict(found: Comparison, champion: str, candidate: str, window: Window) -> Preflight:
    metric = found.metric
    told = (
        f"{metric} from {window.start:%Y-%m-%d} to {window.end:%Y-%m-%d} (n={found.n:,}):"
        f" v{champion} {found.champion:.4g}, v{candidate} {found.candidate:.4g}"
    )
    evidence: dict[str, str | float | int | None] = {
        "metric": metric,
        "champion": champion,
        "champion_error": found.champion,
        "candidate": candidate,
        "candidate_error": found.candidate,
        "improvement_low": found.low,
        "improvement_high": found.high,
        "n": found.n,
        "window_start": window.start.isoformat(),
        "window_end": window.end.isoformat(),
    }
    finding, says = Finding.UNCLEAR, "no clear difference"
    if found.better:
        finding, says = Finding.BETTER, "better"
    elif found.high < 0:
        finding, says = Finding.WORSE, "going back would be worse"
    return Preflight(finding=finding, reason=f"{told}: {says}", evidence=evidence)


def _labelled(
    rows: pl.LazyFrame, table: Table, champion: str, known: Sequence[str | None]
) -> pl.LazyFrame:
    """The champion's rows whose outcome is known."""
    if table.model_version:
        rows = rows.filter(version_text(rows, table.model_version) == champion)
    return rows.filter([pl.col(name or "").is_not_null() for name in known])


def _with_inputs(
    reader: TableReader, name: str, rows: pl.LazyFrame, model: LoadedModel, window: Window
) -> pl.DataFrame:
    """The rows with the model's inputs, looked for in the guard's other tables, in time order."""
    table = reader.guard.tables[name]
    missing = set(model.inputs) - set(rows.collect_schema().names())
    for other_name, other in reader.guard.tables.items():
        if not missing or other_name == name or other.traces:
            continue
        features = reader.rows(other_name, window)
        there = missing & set(features.collect_schema().names())
        if there:
            rows = _join(rows, table, features, other, sorted(there))
            missing -= there
    if missing:
        msg = f"its inputs {', '.join(sorted(missing))} are in none of the guard's tables"
        raise MeasurementError(msg)
    return rows.sort(utc(rows, table.time or "", table.time_zone)).collect()


def _join(
    rows: pl.LazyFrame, table: Table, features: pl.LazyFrame, other: Table, wanted: list[str]
) -> pl.LazyFrame:
    keys = other.row_key
    if not keys or len(keys) != len(table.row_key):
        msg = "predictions and features have no key in common\n\nHint: declare key: on both tables."
        raise MeasurementError(msg)
    if features.select(pl.struct(keys).is_duplicated().any()).collect().item():
        msg = f"{', '.join(keys)} names several rows of {other.asset}\n\nHint: declare key:."
        raise MeasurementError(msg)
    mine = [_join_key(rows, name).alias(f"__key{i}") for i, name in enumerate(table.row_key)]
    theirs = [_join_key(features, name).alias(f"__key{i}") for i, name in enumerate(keys)]
    on = [f"__key{i}" for i in range(len(keys))]
    joined = rows.with_columns(mine).join(features.select(*theirs, *wanted), on=on, how="inner")
    return joined.drop(on)


def _join_key(rows: pl.LazyFrame, name: str) -> pl.Expr:
    """A key that meets its like: times in UTC and microseconds, all else as text."""
    if rows.collect_schema()[name].is_temporal():
        return utc(rows, name).cast(pl.Datetime("us"))
    return pl.col(name).cast(pl.String)


def positives_of(rows: pl.DataFrame, table: Table, signal: Performance) -> NDArray[np.generic]:
    """Whether each label is the positive class."""
    label = rows.get_column(table.label or "")
    if label.dtype.is_numeric() or label.dtype == pl.Boolean:
        return (label.cast(pl.Float64) == float(signal.positive_label)).cast(pl.Float64).to_numpy()
    return (label.cast(pl.String) == signal.positive_label).cast(pl.Float64).to_numpy()


def scores_of(said: object, metric: str) -> NDArray[np.generic]:
    """The candidate's scores: what it gives, or the last column, that of the positive class.

    Raises:
        MeasurementError: It gives classes.
    """
    found = np.asarray(said)
    found = found[:, -1] if found.ndim > 1 else found
    is_number = np.issubdtype(found.dtype, np.number)
    if not is_number or not ((found >= 0) & (found <= 1)).all() or not np.mod(found, 1).any():
        what = f"it predicts classes, and {metric} is of scores"
        hint = "log it to predict probabilities, or add a performance rule on accuracy."
        raise MeasurementError(with_hint(what, hint))
    return found


def _values(rows: pl.DataFrame, column: str | None) -> NDArray[np.generic]:
    return rows.get_column(column or "").to_numpy()
