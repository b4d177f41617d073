"""From a window's sums and the baseline's to a measurement, for all kinds that are tallied."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import (
    AbsoluteLimit,
    BaselineLimit,
    ErrorBudgetLimit,
    FalseAlarmLimit,
    Limit,
    TalliedSignal,
    resolve_limit,
)
from aiguard_dagster.core.verdicts import Measurement, Threshold, Window
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.error_budget import BudgetWindows, SeenOfBudget, burned
from aiguard_dagster.signals.kinds import kind_of
from aiguard_dagster.signals.tallied import Reading, Seen
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.budget import FEWEST_WINDOWS, budget_limit
from aiguard_dagster.stats.profile import UNKNOWN_VERSION, Profile
from aiguard_dagster.stats.tally import Tally, merge_tallies

DAY = timedelta(days=1)
DIGITS = 12
"""Significant digits of a value, and of its limit."""


class TooLittleError(MeasurementError):
    """What a window is compared with is not whole yet: that is inconclusive, and no error."""


@dataclass(frozen=True, kw_only=True)  # Slots would leave no place for what is derived.
class Reference:
    """What a window's sums are compared with; what is derived from it is derived once.

    Attributes:
        days: Sums of each day, in time order.
        told: What messages call it.
        every: How long a day of it is: longer where batches are.
        grows: Whether more of it may come yet, such as labels that are late.
    """

    days: Sequence[Tally]
    told: str
    every: timedelta = DAY
    grows: bool = False

    def values(self, signal: TalliedSignal, span: int) -> list[float | None]:
        """The values of all its windows of so many days; see :func:`windows_of`."""
        key = f"values of {span} of {signal.model_dump_json()}"
        if key not in self.memo:
            self.memo[key] = list(windows_of(signal, self, span))
        found: list[float | None] = self.memo[key]
        return found

    @cached_property
    def memo(self) -> dict[str, Any]:
        """What was derived from the days, by a name for it."""
        return {}

    @cached_property
    def total(self) -> Tally | None:
        """The sum of all days."""
        return merge_tallies(self.days)


def reference_of(days: Sequence[Profile], name: str, *, told: str) -> Reference:
    """What daily profiles hold of one tally; a day that lacks it holds nothing."""
    return Reference(days=[d.tallies[name] for d in days if name in d.tallies], told=told)


def measure_tallied(
    signal: TalliedSignal,
    limit: Limit | None,
    name: str,
    current: WindowProfiles,
    reference: Reference | None,
    *,
    earlier: Sequence[WindowProfiles] = (),
    budget: BudgetWindows | None = None,
) -> tuple[Measurement, Threshold]:
    """Measure a window.

    Coverage is the share of partitions there times the share of their rows that could be measured.

    Args:
        signal: What is asked.
        limit: The rule's limit; the kind's own where it has none.
        name: The tally's name.
        current: The window's profiles.
        reference: What to compare with; None where the limit does not need it.
        earlier: Earlier windows, newest first, for signals that look back.
        budget: The other windows of an error budget; None for other limits.

    Raises:
        MeasurementError: The limit needs a reference, and there is none that can be read; a
            TooLittleError where that may come yet.
    """
    parts = [part for part in current.parts_of(signal) if name in part.tallies]
    total = _sums(signal, current, name)
    before = reference.total if reference else None
    kind = kind_of(signal)
    found = _read(signal, total, before, current) if total is not None else _nothing(current)
    if kind.look is not None and total is not None:
        seen = Seen(
            now=total,
            as_of=current.window.end,
            batches=[(part.last, part.tallies[name]) for part in parts if part.rows],
            earlier=[tally for each in earlier if (tally := _sums(signal, each, name)) is not None],
            before=before,
            days=reference.days if reference else (),
            versions=_by_version(current, name),
            memo=reference.memo if reference else {},
        )
        found = kind.look(signal, found, seen)
    measurement = Measurement(
        value=None if found.value is None else _steady(found.value),
        n=found.n,
        window=current.window,
        as_of=current.window.end,
        coverage=current.partition_coverage * found.coverage * _counted(signal, [current], name),
        parts=found.parts,
        note=found.note,
        interval=found.interval,
    )
    if isinstance(limit, ErrorBudgetLimit):
        return _burned(signal, limit, name, measurement, budget)
    try:
        threshold = threshold_of(signal, limit, found, reference, share=_held(signal, current))
    except MeasurementError as error:
        if reference is None or not reference.grows:
            raise
        raise TooLittleError(str(error)) from None
    return measurement, replace(threshold, value=_steady(threshold.value))


def _counted(signal: TalliedSignal, windows: Sequence[WindowProfiles], name: str) -> float:
    """The share of the rows there that were counted."""
    held = [part for each in windows for part in each.parts_of(signal)]
    rows = sum(part.rows for part in held)
    counted = sum(part.rows for part in held if name in part.tallies)
    return counted / rows if rows else 0.0


def _burned(
    signal: TalliedSignal,
    limit: ErrorBudgetLimit,
    name: str,
    long: Measurement,
    budget: BudgetWindows | None,
) -> tuple[Measurement, Threshold]:
    """An error budget, whose other windows are read as the long one is."""
    if budget is None:
        msg = "an error budget is measured over several windows, and only one is at hand"
        raise MeasurementError(msg)
    near = budget.short
    return burned(
        signal,
        limit,
        long,
        _seen(signal, name, [near], near.window),
        _seen(signal, name, budget.period, Window(start=long.as_of - limit.period, end=long.as_of)),
        near=near.window.end - near.window.start,
    )


def _seen(
    signal: TalliedSignal, name: str, held: Sequence[WindowProfiles], window: Window
) -> SeenOfBudget:
    """The sums of several windows; each covers its share of the whole."""
    total = merge_tallies(
        tally for each in held if (tally := _sums(signal, each, name)) is not None
    )
    if total is None:
        return SeenOfBudget(value=None, n=0, coverage=0.0)
    found = kind_of(signal).read(signal, total, None)
    whole = window.end - window.start
    there = sum(
        each.partition_coverage * ((each.window.end - each.window.start) / whole) for each in held
    )
    return SeenOfBudget(
        value=None if found.value is None else _steady(found.value),
        n=found.n,
        coverage=min(1.0, _steady(there)) * found.coverage * _counted(signal, held, name),
        interval=found.interval,
    )


def _steady(value: float) -> float:
    """A value without the digits that depend on the order in which floats were summed.

    What lies on its limit must not cross it.
    """
    return float(f"{value:.{DIGITS}g}")


def _read(
    signal: TalliedSignal, now: Tally, before: Tally | None, current: WindowProfiles
) -> Reading:
    kind = kind_of(signal)
    if kind.read_window is not None:
        return kind.read_window(signal, now, before, current)
    return kind.read(signal, now, before)


def _held(signal: TalliedSignal, current: WindowProfiles) -> float:
    """The share of the window that holds rows to judge: after a release there are but few days."""
    return 1.0 if signal.every_version or current.silent else current.champion_coverage


def threshold_of(
    signal: TalliedSignal,
    limit: Limit | None,
    found: Reading,
    reference: Reference | None,
    *,
    share: float = 1.0,
) -> Threshold:
    """The limit in force.

    Args:
        signal: What is asked.
        limit: The rule's limit; the kind's own where it has none.
        found: What was read.
        reference: What to compare with; None where the limit does not need it.
        share: How much of the window was there: a budget is for windows so long.

    Raises:
        MeasurementError: It needs a reference, and there is none that can be read.
    """
    match limit:
        case None if signal.limits.default is not None:
            return Threshold(
                value=signal.limits.default, direction=signal.direction, unit=found.unit
            )
        case AbsoluteLimit():
            return Threshold(value=limit.value, direction=signal.direction, unit=found.unit)
        case BaselineLimit() if reference is not None:
            total = reference.total
            kind = kind_of(signal)
            known = total if kind.learns else None
            usual = kind.read(signal, total, known) if total else None
            if usual is not None and reference.grows:
                _require_enough(signal, usual, reference)
            value = usual.value if usual else None
            threshold = resolve_limit(limit, direction=signal.direction, baseline=value)
            if threshold is None:
                raise MeasurementError(_no_value(signal, reference))
            return Threshold(
                value=threshold.value,
                direction=threshold.direction,
                source=threshold.source.replace("baseline", reference.told),
                unit=found.unit,
            )
        case FalseAlarmLimit() if reference is not None:
            return _calibrated(signal, limit, found, reference, share)
        case _:
            msg = f"{signal.kind} takes {signal.limits.choices}"
            raise MeasurementError(msg)


def _require_enough(signal: TalliedSignal, usual: Reading, reference: Reference) -> None:
    """Raise unless a reference that grows holds by now what a window must."""
    if usual.n < signal.min_samples:
        msg = f"the {reference.told} hold {usual.n:,} of {signal.min_samples:,} {signal.counted}"
        raise TooLittleError(msg)
    if usual.coverage < signal.min_coverage:
        share = f"{usual.coverage:.0%} of {signal.min_coverage:.0%} coverage needed"
        msg = f"the {reference.told} have only {share}"
        raise TooLittleError(msg)


def _calibrated(
    signal: TalliedSignal,
    limit: FalseAlarmLimit,
    found: Reading,
    reference: Reference,
    share: float,
) -> Threshold:
    day = reference.every
    span, whole = (max(1, round(signal.window / day * part)) for part in (share, 1.0))
    values = reference.values(signal, span)
    if sum(value is not None for value in values) < FEWEST_WINDOWS * span:
        span, values = whole, reference.values(signal, whole)  # Days alone hold too few samples.
    if not any(value is not None for value in values):
        raise MeasurementError(_no_value(signal, reference))
    every = limit.false_alarm_every
    budget = budget_limit(
        [float("nan") if value is None else value for value in values],
        span=span,
        every=every / day,
        high=signal.direction == "high",
    )
    days, supported = (round(found * day / DAY) for found in (budget.days, budget.supported))
    source = f"one false alarm in {format_duration(every)}, from {days} days of baseline"
    if every > budget.supported * day:
        source += f", which support one in {supported}d: beyond, it is extrapolated"
    return Threshold(value=budget.limit, direction=signal.direction, source=source, unit=found.unit)


def windows_of(signal: TalliedSignal, reference: Reference, span: int) -> Iterator[float | None]:
    """The values of all windows of so many days, in time order; None where there is too little."""
    kind, days = kind_of(signal), reference.days
    known = reference.total if kind.learns else None
    for start in range(len(days) - span + 1):
        total = merge_tallies(days[start : start + span])
        found = kind.read(signal, total, known) if total else None
        enough = found and found.n >= signal.min_samples and found.coverage >= signal.min_coverage
        yield found.value if found and enough else None


def _no_value(signal: TalliedSignal, reference: Reference) -> str:
    what = f"{reference.told} holds no {signal.subject}"
    hint = f"record it on data that has {' and '.join(signal.needs)}, or give a value as the limit."
    return with_hint(what, hint)


def _sums(signal: TalliedSignal, current: WindowProfiles, name: str) -> Tally | None:
    parts = current.parts_of(signal)
    return merge_tallies(part.tallies[name] for part in parts if name in part.tallies)


def _by_version(current: WindowProfiles, name: str) -> dict[str, Tally]:
    found: dict[str, list[Tally]] = {}
    for batch in current.batches:
        for version, part in batch.parts.items():
            if version != UNKNOWN_VERSION and name in part.tallies:
                found.setdefault(version, []).append(part.tallies[name])
    merged = {version: merge_tallies(tallies) for version, tallies in found.items()}
    return {version: tally for version, tally in merged.items() if tally is not None}


def _nothing(current: WindowProfiles) -> Reading:
    others = any(part.rows for batch in current.batches for part in batch.parts.values())
    note = f"no row of v{current.champion} in the window" if others else "no rows in the window"
    return Reading(value=None, n=0, note=note)
