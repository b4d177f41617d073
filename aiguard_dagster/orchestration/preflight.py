"""Before the alias moves: where to, and would that version have done better on the recent rows?

Candidates are tried in their order. One that is unfit, because it cannot serve today's rows at
all, makes way for the next one; the first that can serve is the one that is judged. A worse one
is never followed by an older one: what did worse is no reason to go further back unasked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aiguard_dagster.adapters.mlflow.models import UnfitModelError, is_gone, predict_apart
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.signatures import input_types
from aiguard_dagster.core.candidates import Candidate
from aiguard_dagster.core.decisions import Evidence
from aiguard_dagster.core.errors import ActionError, AIGuardError, MeasurementError
from aiguard_dagster.core.spec import DeltaSignal, Guard, Performance, Rule, Table
from aiguard_dagster.core.spec.signals.performance import ERROR_METRICS, SCORE_METRICS
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.core.words import first_paragraph, with_hint
from aiguard_dagster.orchestration.candidates import choose
from aiguard_dagster.orchestration.model_rows import inputs_in, labelled, rows_of, with_inputs
from aiguard_dagster.orchestration.table_reader import TableReader
from aiguard_dagster.orchestration.without_labels import estimator_of, weigh
from aiguard_dagster.signals.measure import place_of
from aiguard_dagster.stats.compare import Comparison, compare

UNANSWERED = 0.01
"""Of rows without a prediction by the candidate, the share up to which the others speak for all."""
MOST_TRIED = 5
"""Candidates that are tried in one preflight: each may take as long as ``load_within``."""
USUAL = timedelta(days=7)
"""The window where no rule names one."""
Inputs = Mapping[str, str]


class Finding(StrEnum):
    """What a preflight says of going back: ``unfit`` candidates cannot be gone back to at all."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"
    UNFIT = "unfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """Whether going back would help, in words, with the numbers behind it.

    Attributes:
        finding: The answer.
        reason: In words.
        evidence: The numbers.
        candidate: Where to go; None where there is nowhere, or where MLflow did not tell.
    """

    finding: Finding
    reason: str
    evidence: Evidence
    candidate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a preflight is about.

    Attributes:
        rule: The rule that fired; empty where a person asks.
        scored: The performance rule that versions are scored on; None without one.
        champion: The version to leave.
        wanted: The version that a person named; empty where nobody did.
        at: Event time.
    """

    rule: str
    scored: Rule | None
    champion: str
    wanted: str
    at: datetime

    @property
    def signal(self) -> Performance | None:
        """What versions are scored on."""
        found = self.scored.signal if self.scored else None
        return found if isinstance(found, Performance) else None

    def window(self, guard: Guard) -> Window:
        """The recent window: of the performance rule, or of the one that fired."""
        fired = next((each for each in guard.rules if each.name == self.rule), None)
        signal = self.signal or (fired.signal if fired else None)
        length = signal.window if isinstance(signal, DeltaSignal) else USUAL
        return Window(start=self.at - length, end=self.at)


def run_preflight(reader: TableReader, *, registry: ModelRegistry, asked: Asked) -> Preflight:
    """Choose a candidate, and say whether going back to it would help.

    Whatever MLflow, a model or a table does, there is an answer: what cannot be known is unclear.
    """
    names = {"champion": asked.champion}
    try:
        choice = choose(
            registry,
            reader.guard,
            reader.instance,
            champion=asked.champion,
            rule=asked.rule,
            wanted=asked.wanted,
        )
    except Exception as error:  # noqa: BLE001 - there is a decision to make, whatever the reason
        reason = f"it is not known what there is to go back to: {_told(error)}"
        return Preflight(finding=Finding.UNCLEAR, reason=reason, evidence=names)
    passed = [choice.told] if choice.told else []
    for candidate in choice.candidates[:MOST_TRIED]:
        found = _of_candidate(reader, registry, asked, candidate)
        if found.finding is not Finding.UNFIT:
            break
        passed.append(found.reason)
    else:
        passed += [f"v{each.version} was not tried" for each in choice.candidates[MOST_TRIED:]]
        what = f"no earlier champion of {registry.name} is left to go back to"
        if choice.is_named:
            what = f"{registry.name} cannot go back to what was named"
        reason = ": ".join([what, "; ".join(passed)]) if passed else what
        return Preflight(finding=Finding.UNFIT, reason=reason, evidence=names)
    evidence = {**found.evidence, "proven": int(candidate.proven)}
    if not passed:
        return replace(found, evidence=evidence)
    evidence["passed_over"] = "; ".join(passed)
    return replace(found, reason=f"{found.reason}. Not: {'; '.join(passed)}", evidence=evidence)


def _of_candidate(
    reader: TableReader, registry: ModelRegistry, asked: Asked, candidate: Candidate
) -> Preflight:
    """Whether one candidate can serve, and whether it would have done better."""
    version = candidate.version
    try:
        found = _Trial(reader, registry, asked, version).run()
    except UnfitModelError as error:
        finding, reason = Finding.UNFIT, f"v{version} cannot serve: {_told(error)}"
        found = Preflight(finding=finding, reason=reason, evidence={})
    except Exception as error:  # noqa: BLE001 - it is not known, whatever the reason
        finding, reason = Finding.UNCLEAR, f"v{version} could not be scored: {_told(error)}"
        found = Preflight(finding=finding, reason=reason, evidence={})
    return replace(
        found,
        reason=f"{found.reason}. v{version} {candidate.why}",
        evidence={"champion": asked.champion, "candidate": version, **found.evidence},
        candidate=version,
    )


def _told(error: Exception) -> str:
    """What was raised, without words that may quote rows."""
    return first_paragraph(str(error)) if isinstance(error, AIGuardError) else place_of(error)


class _Trial:
    """One candidate, tried on the rows of the recent window."""

    def __init__(
        self, reader: TableReader, registry: ModelRegistry, asked: Asked, candidate: str
    ) -> None:
        self._reader, self._registry, self._asked = reader, registry, asked
        self._candidate = candidate
        self._guard = reader.guard
        self._window = asked.window(reader.guard)
        self._signal = asked.signal

    def run(self) -> Preflight:
        """Try it: its signature, then loading and predicting, then its predictions."""
        wanted = self._inputs(self._candidate)
        before = self._inputs(self._asked.champion, is_needed=False)
        table = self._table_name()
        if table is None:
            predict_apart(
                self._registry, self._candidate, None, within=self._guard.rollback.load_within
            )
            why = f"{self._guard.name} has no performance rule to score v{self._candidate} on"
            return self._without_labels(wanted, before, None, None, why)
        rows = self._rows(table, wanted, before)
        said = self._predict(table, rows, wanted)
        if self._signal is None:
            why = f"{self._guard.name} has no performance rule to score v{self._candidate} on"
            return self._without_labels(wanted, before, rows, said, why)
        compared = self._compare(self._signal, rows, said)
        if compared is not None and compared.n >= self._signal.min_samples:
            return self._verdict(compared)
        n = compared.n if compared else 0
        least = self._signal.min_samples
        why = f"only {n} of {least} labelled rows to score v{self._candidate} on"
        return self._without_labels(wanted, before, rows, said, why, n=n)

    def _inputs(self, version: str, *, is_needed: bool = True) -> Inputs:
        """The inputs of a version and their types; empty where no signature names them.

        Raises:
            UnfitModelError: Its files are gone.
            ActionError: MLflow does not answer.
        """
        try:
            return input_types(self._registry, version)
        except ActionError as error:
            if is_needed and is_gone(error):
                raise UnfitModelError(str(error)) from error
            if is_needed:
                raise
        except Exception:  # noqa: BLE001 - no signature, or none that can be read: loading will tell
            return {}
        return {}

    def _table_name(self) -> str | None:
        """The table of predictions: of what is scored, or of what is expected."""
        if self._signal is not None:
            return self._signal.table
        estimator = estimator_of(self._guard, None)
        return estimator.table if estimator else None

    def _rows(self, name: str, wanted: Inputs, before: Inputs) -> pl.DataFrame:
        """The champion's rows: those with labels if they are enough, else all."""
        table = self._guard.tables[name]
        rows = rows_of(self._reader.rows(name, self._window), table, self._asked.champion)
        if self._signal is not None:
            known = labelled(rows, (table.label, _told_by(table, self._signal)))
            if known.select(pl.len()).collect().item() >= self._signal.min_samples:
                rows = known
        return with_inputs(self._reader, name, rows, self._window, wanted=wanted, before=before)

    def _predict(self, name: str, rows: pl.DataFrame, wanted: Inputs) -> NDArray[np.generic] | None:
        """What the candidate says of the rows; None where there are none."""
        inputs = inputs_in(rows, wanted, self._guard.tables[name])
        frame = rows.select(inputs).to_pandas() if rows.height else None
        within = self._guard.rollback.load_within
        try:
            said = predict_apart(self._registry, self._candidate, frame, within=within)
        except UnfitModelError as error:
            if wanted or "cannot predict" not in str(error):
                raise
            what = f"{_told(error)}; and no signature says what it takes"
            raise MeasurementError(what) from error
        return said if rows.height else None

    def _compare(
        self, signal: Performance, rows: pl.DataFrame, said: NDArray[np.generic] | None
    ) -> Comparison | None:
        """Both versions on the rows whose outcome is known."""
        table = self._guard.tables[signal.table]
        told = _told_by(table, signal)
        known = rows.select(
            pl.col(table.label or "").is_not_null() & pl.col(told or "").is_not_null()
        ).to_series()
        if said is None or not known.any():
            return None
        mine = rows.filter(known)
        scores = signal.metric in SCORE_METRICS
        theirs = (scores_of(said, signal.metric) if scores else _flat(said))[known.to_numpy()]
        require_answers(theirs, self._candidate)
        return compare(
            signal.metric,
            signal.direction,
            label=positives_of(mine, table, signal) if scores else _values(mine, table.label),
            champion=_values(mine, told),
            candidate=theirs,
            quantile=signal.quantile or 0.5,
        )

    def _verdict(self, found: Comparison) -> Preflight:
        champion, candidate = self._asked.champion, self._candidate
        start, end = self._window.start, self._window.end
        told = (
            f"{found.metric} from {start:%Y-%m-%d} to {end:%Y-%m-%d} (n={found.n:,}):"
            f" v{champion} {found.champion:.4g}, v{candidate} {found.candidate:.4g}"
        )
        evidence: Evidence = {
            "metric": found.metric,
            "champion_error": found.champion,
            "candidate_error": found.candidate,
            "improvement_low": found.low,
            "improvement_high": found.high,
            "n": found.n,
            "window_start": start.isoformat(),
            "window_end": end.isoformat(),
        }
        finding, says = Finding.UNCLEAR, "no clear difference"
        if found.better:
            finding, says = Finding.BETTER, "better"
        elif found.high < 0:
            finding, says = Finding.WORSE, "going back would be worse"
        return Preflight(finding=finding, reason=f"{told}: {says}", evidence=evidence)

    def _without_labels(
        self,
        wanted: Inputs,
        before: Inputs,
        rows: pl.DataFrame | None,
        said: NDArray[np.generic] | None,
        why: str,
        *,
        n: int = 0,
    ) -> Preflight:
        champion, candidate = self._asked.champion, self._candidate
        theirs: dict[str, pl.DataFrame] = {}
        if rows is not None and said is not None:
            theirs = {champion: rows, candidate: self._as_said(rows, said)}
        found = weigh(
            self._reader,
            self._registry,
            self._signal,
            self._window,
            versions=(champion, candidate),
            inputs={champion: tuple(before), candidate: tuple(wanted)},
            said=theirs,
        )
        finding, says = {
            True: (Finding.BETTER, "better"),
            False: (Finding.WORSE, "going back would be worse"),
            None: (Finding.UNCLEAR, "not clear whether it would be better"),
        }[found.better]
        evidence: Evidence = {
            **found.evidence,
            "n": n,
            "window_start": self._window.start.isoformat(),
            "window_end": self._window.end.isoformat(),
        }
        reason = f"{why}; {found.told}: {says}"
        return Preflight(finding=finding, reason=reason, evidence=evidence)

    def _as_said(self, rows: pl.DataFrame, said: NDArray[np.generic]) -> pl.DataFrame:
        """The rows as if the candidate had made them, as far as an expectation needs it."""
        estimator = estimator_of(self._guard, self._signal)
        if estimator is None:
            return rows
        table = self._guard.tables[estimator.table]
        if estimator.metric in ERROR_METRICS:
            values, column = _flat(said), table.prediction
        else:
            values, column = scores_of(said, estimator.metric), table.score
        require_answers(values, self._candidate)
        return rows.with_columns(pl.Series(column or "", values))


def _told_by(table: Table, signal: Performance) -> str | None:
    """The column of what the champion said."""
    return table.score if signal.metric in SCORE_METRICS else table.prediction


def require_answers(said: NDArray[np.generic], version: str) -> None:
    """Raise where a candidate has no answer for many rows: the others would be its best ones."""
    if not np.issubdtype(said.dtype, np.floating):
        return
    none = int((~np.isfinite(said)).sum())
    if none > UNANSWERED * len(said):
        msg = f"v{version} gives no number for {none:,} of {len(said):,} rows"
        raise MeasurementError(msg)


def _flat(said: NDArray[np.generic]) -> NDArray[np.generic]:
    """One value a row.

    Raises:
        MeasurementError: There are more.
    """
    if said.ndim > 1:
        msg = f"it gives {said.shape[1]} values a row, and one is scored"
        raise MeasurementError(msg)
    return said


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
    found: NDArray[Any] = np.asarray(said)
    found = found[:, -1] if found.ndim > 1 else found
    is_number = np.issubdtype(found.dtype, np.number)
    if not is_number or not ((found >= 0) & (found <= 1)).all() or not np.mod(found, 1).any():
        what = f"it predicts classes, and {metric} is of scores"
        hint = "log it to predict probabilities, or add a performance rule on accuracy."
        raise MeasurementError(with_hint(what, hint))
    return found


def _values(rows: pl.DataFrame, column: str | None) -> NDArray[np.generic]:
    return rows.get_column(column or "").to_numpy()
