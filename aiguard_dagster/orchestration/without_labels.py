"""A candidate beside the champion where labels are missing: distances and expected performance."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import as_frame, engine_of
from aiguard_dagster.adapters.engines.tallies import tallies_of
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.decisions import Evidence
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import EstimatedPerformance, Guard, Performance
from aiguard_dagster.core.spec.signals.performance import ERROR_METRICS, SCORE_METRICS
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.accepted import Accepted, load_accepted
from aiguard_dagster.orchestration.table_reader import TableReader
from aiguard_dagster.signals.estimated_performance import read_estimated
from aiguard_dagster.signals.estimates import interval_of
from aiguard_dagster.signals.tallied import tally_name
from aiguard_dagster.signals.unlabelled import (
    Distance,
    distance_of,
    effects_of,
    is_expected_better,
    is_nearer,
)
from aiguard_dagster.stats.estimate import Estimate
from aiguard_dagster.stats.profile import merge_all
from aiguard_dagster.stats.tally import merge_tallies

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What can be told of two versions without labels.

    Attributes:
        better: Whether the candidate is clearly better; None where that is not clear.
        told: In words.
        evidence: The numbers.
    """

    better: bool | None
    told: str
    evidence: Evidence


def weigh(
    reader: TableReader,
    registry: ModelRegistry,
    signal: Performance | None,
    window: Window,
    *,
    versions: Pair,
    inputs: Mapping[str, tuple[str, ...]],
    said: Mapping[str, pl.DataFrame],
) -> Weighed:
    """Weigh a candidate against the champion without labels; see :mod:`~.signals.unlabelled`.

    Args:
        reader: Reads the guard's tables.
        registry: The model.
        signal: The performance rule's signal, for its table and metric.
        window: The window.
        versions: The champion and the candidate.
        inputs: Each version's inputs; all that was recorded where it has no signature.
        said: Each version's rows: the champion's, with the version's own predictions or scores;
            a version that could not be asked is left out.
    """
    accepted, missing = _accepted(registry, reader.guard, versions)
    if missing:
        return Weighed(better=None, told=f"without labels: {missing}", evidence={})
    far, far_told = _distances(reader, window, versions, accepted, inputs)
    expected, expected_told = _expected(reader.guard, signal, versions, accepted, said)
    champion, candidate = versions
    answers: list[bool | None] = [None, None]
    evidence: dict[str, str | float | int | None] = {}
    if far:
        answers[0] = is_nearer(far[candidate], far[champion])
        evidence |= _numbers_of_distances(far, versions)
    estimator = estimator_of(reader.guard, signal)
    if expected and estimator:
        answers[1] = is_expected_better(
            expected[candidate],
            expected[champion],
            direction=estimator.direction,
            tolerance=estimator.tolerance,
        )
        evidence |= {"expected_metric": estimator.metric}
        evidence |= _numbers_of_estimates(expected, versions)
    better = answers[0] if answers[0] == answers[1] else None
    return Weighed(
        better=better, told=f"without labels: {far_told}; {expected_told}", evidence=evidence
    )


def _accepted(
    registry: ModelRegistry, guard: Guard, versions: Pair
) -> tuple[dict[str, Accepted], str]:
    """The baselines of both, or why there are not two."""
    found = {}
    for version in versions:
        try:
            found[version] = load_accepted(registry, version, guard)
        except MeasurementError as error:
            return {}, str(error).partition("\n")[0]
    return found, ""


def _distances(
    reader: TableReader,
    window: Window,
    versions: Pair,
    accepted: Mapping[str, Accepted],
    inputs: Mapping[str, tuple[str, ...]],
) -> tuple[dict[str, Distance], str]:
    found: dict[str, Distance] = {}
    rows: dict[str, pl.LazyFrame] = {}
    for version in versions:
        effects: dict[str, tuple[float, float]] = {}
        for name, table in accepted[version].baseline.tables.items():
            spec = reader.guard.tables.get(name)
            if spec is None or spec.prediction or spec.score or spec.traces:
                continue
            columns = [c for c in inputs[version] or table.grid.columns if c in table.grid.columns]
            if not columns:
                continue
            if name not in rows:
                rows[name] = reader.rows(name, window)
            counted = engine_of(rows[name]).profiles(Plan(table=spec, grid=table.grid))
            profile = merge_all(counted.values())
            effects |= effects_of(profile, accepted[version].drift(name), columns)
        distance = distance_of(effects)
        if distance is None:
            return {}, f"no input of v{version} is in its baseline, so no distance is known"
        found[version] = distance
    champion, candidate = (found[version] for version in versions)
    told = (
        f"inputs are {candidate.mean:.2g} sd on average from what v{versions[1]} was accepted on"
        f" (at most {candidate.largest:.2g}, {candidate.worst}), {champion.mean:.2g} from"
        f" v{versions[0]}'s (at most {champion.largest:.2g}, {champion.worst})"
    )
    return found, told


def _expected(
    guard: Guard,
    signal: Performance | None,
    versions: Pair,
    accepted: Mapping[str, Accepted],
    said: Mapping[str, pl.DataFrame],
) -> tuple[dict[str, Estimate], str]:
    estimator = estimator_of(guard, signal)
    if estimator is None:
        return {}, "no rule of kind estimated_performance, so nothing is expected of either"
    found: dict[str, Estimate] = {}
    for version in versions:
        if version not in said:
            return {}, f"v{version} could not be asked, so nothing is expected of it"
        estimate, why = estimate_of_rows(guard, estimator, said[version], accepted[version])
        if estimate is None:
            return {}, f"no {estimator.metric} can be expected of v{version}: {why}"
        found[version] = estimate
    champion, candidate = (found[version] for version in versions)
    told = (
        f"expected {estimator.metric} {candidate.value:.4g} ({candidate.low:.4g} to"
        f" {candidate.high:.4g}) of v{versions[1]}, {champion.value:.4g} ({champion.low:.4g} to"
        f" {champion.high:.4g}) of v{versions[0]}"
    )
    return found, told


def estimator_of(guard: Guard, signal: Performance | None) -> EstimatedPerformance | None:
    """What tells the expected performance: a rule of the guard, or the performance rule's scores.

    Of metrics of classes none is expected: a candidate gives scores or classes, and not both.
    """
    table = signal.table if signal else None
    known = [
        rule.signal
        for rule in guard.rules
        if isinstance(rule.signal, EstimatedPerformance)
        and rule.signal.metric in ERROR_METRICS | SCORE_METRICS
        and table in {None, rule.signal.table}
    ]
    same = [each for each in known if signal and each.metric == signal.metric]
    if known:
        return (same or known)[0]
    if signal is None or signal.metric not in SCORE_METRICS:
        return None
    shared = {"table", "metric", "positive", "score_of", "by", "window", "min_samples"}
    return EstimatedPerformance.model_validate(signal.model_dump(include=shared))


def estimate_of_rows(
    guard: Guard, estimator: EstimatedPerformance, rows: pl.DataFrame, accepted: Accepted
) -> tuple[Estimate | None, str]:
    """What a version's metric will be on rows that hold its own predictions; or why none is told.

    Args:
        guard: The guard.
        estimator: The metric.
        rows: The rows.
        accepted: The version's baseline, from which it is learned how such rows come true.
    """
    table = guard.tables[estimator.table]
    name = tally_name(estimator, table)
    reference = accepted.tallied(estimator.table, name)
    if reference is None or reference.total is None:
        return None, "its baseline counted nothing to learn from"
    grid = accepted.baseline.table(estimator.table).grid
    plan = Plan(table=table, grid=grid, tallies={name: estimator})
    counted = tallies_of(as_frame(rows), rows, plan)
    now = merge_tallies(tallies[name] for tallies in counted.values())
    if now is None:
        return None, "there are no rows"
    reading = read_estimated(estimator, now, reference.total)
    if reading.n < estimator.min_samples or reading.coverage < estimator.min_coverage:
        return None, reading.note or f"{reading.n:,} rows can be told of"
    return interval_of(estimator, now, reference.total), "it is not defined on these rows"


def _numbers_of_distances(far: Mapping[str, Distance], versions: Pair) -> Evidence:
    numbers: dict[str, float | int] = {}
    for who, version in zip(("champion", "candidate"), versions, strict=True):
        numbers |= {
            f"{who}_distance": far[version].mean,
            f"{who}_distance_largest": far[version].largest,
            f"{who}_distance_noise": far[version].noise,
            f"{who}_inputs": far[version].inputs,
        }
    return numbers


def _numbers_of_estimates(expected: Mapping[str, Estimate], versions: Pair) -> Evidence:
    numbers: dict[str, float] = {}
    for who, version in zip(("champion", "candidate"), versions, strict=True):
        numbers |= {
            f"{who}_expected": expected[version].value,
            f"{who}_expected_low": expected[version].low,
            f"{who}_expected_high": expected[version].high,
        }
    return numbers
