"""A baseline and windows of real rows, made as a user's guard makes them, without Dagster."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from aiguard_dagster.adapters.engines.grids import choose_grid, late_columns, outcome_columns
from aiguard_dagster.adapters.engines.open import engine_of, profiles_of_table
from aiguard_dagster.core.spec import DeltaSignal, Guard, Rule, TalliedSignal
from aiguard_dagster.core.verdicts import Evaluation, Verdict, Window
from aiguard_dagster.orchestration.asked import asked_of, plan_of
from aiguard_dagster.signals.baseline import Baseline, TableBaseline
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.signals.measure import evaluate_drift, evaluate_tallied
from aiguard_dagster.signals.measure_tallied import reference_of
from aiguard_dagster.signals.tallied import tally_name
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.profile import BatchProfile
from benchmarks.alarms.judging import episodes

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What one rule said of each day after the baseline.

    Attributes:
        rule: What it is called in tables.
        span: Days in a window.
        said: By the day that a window ends with, in order.
    """

    rule: str
    span: int
    said: dict[date, Evaluation]

    @cached_property
    def breaches(self) -> list[date]:
        """Days whose window was a breach."""
        return [day for day, found in self.said.items() if found.verdict is Verdict.BREACH]

    def alarms(self, days: Sequence[date]) -> int:
        """Episodes among breaches on some days."""
        return episodes([day.toordinal() for day in days], self.span)

    @property
    def unjudged(self) -> str:
        """How many windows could not be judged, and why the last of them could not."""
        unknown = {Verdict.INCONCLUSIVE, Verdict.ERROR}
        found = [each.reason for each in self.said.values() if each.verdict in unknown]
        return f"{len(found)} not judged ({found[-1].partition(chr(10))[0]})" if found else ""

    def words(self, day: date) -> str:
        """When it was, how much of the limit, and what moved most."""
        found = self.said[day]
        if not found.measurement.parts:
            return f"{day}: {found.reason}"
        worst = found.measurement.parts[0]
        told = f"n={found.measurement.n:,}, {worst.name}: {worst.text}"
        return f"{day}: {told}"


class Guarded:
    """The tables of one guard, with a baseline and the days after it."""

    def __init__(self, guard: Guard, tables: dict[str, pl.DataFrame], *, accepted: int) -> None:
        """Record the baseline and count the rest.

        Args:
            guard: Whose rules are judged; it names no model version.
            tables: Rows by the guard's tables, all of them.
            accepted: The first so many days are the baseline.
        """
        self.guard = guard
        self._days: dict[str, dict[date, BatchProfile]] = {}
        found: dict[str, TableBaseline] = {}
        for name, rows in tables.items():
            spec, asked = guard.tables[name], asked_of(guard, name)
            day = pl.col(spec.time or "").dt.date()
            days = rows.select(day.alias("day")).to_series().unique().sort().to_list()
            before = engine_of(rows.filter(day < days[accepted]))
            grid = choose_grid(before, spec, also=asked.columns, joint=asked.joint)
            plan = replace(plan_of(guard, name, grid), by="day")
            table = TableBaseline(
                grid=grid,
                days=profiles_of_table(rows.filter(day < days[accepted]), plan),
                types={},
                late=late_columns(spec),
                outcomes=outcome_columns(spec),
            )
            found[name] = table
            after = profiles_of_table(rows.filter(day >= days[accepted]), plan)
            self._days[name] = {
                date.fromisoformat(key): BatchProfile(grid_id=grid.id, parts={"": profile})
                for key, profile in after.items()
            }
        self.baseline = Baseline(
            guard=guard.name,
            model="model",
            version="1",
            recorded_at=datetime(2000, 1, 1, tzinfo=UTC),
            tables=found,
            metrics={},
        )
        self._reference = {name: DriftReference(table) for name, table in found.items()}

    def watch(self, rule: str) -> Watched:
        """Judge one rule at the end of each day, from the first whole window on."""
        spec = next(each for each in self.guard.rules if each.name == rule)
        if not isinstance(spec.signal, DeltaSignal):
            raise TypeError(rule)
        days, window = self._days[spec.signal.table], spec.signal.window
        span = max(1, round(window / DAY))
        first, said = min(days), {}
        for day in days:
            if day < first + (span - 1) * DAY:
                continue
            end = datetime(day.year, day.month, day.day, tzinfo=UTC) + DAY
            held = [days[d] for k in range(span) if (d := day - k * DAY) in days]
            current = WindowProfiles(
                window=Window(start=end - window, end=end),
                batches=held,
                expected=span,
                champion="1",
            )
            said[day] = self._judge(spec, current)
        return Watched(rule=rule, span=span, said=said)

    def _judge(self, rule: Rule, current: WindowProfiles) -> Evaluation:
        signal = rule.signal
        if not isinstance(signal, TalliedSignal):
            return evaluate_drift(rule, current, self._reference.__getitem__)
        name = tally_name(signal, self.guard.tables[signal.table])
        before = list(self.baseline.table(signal.table).days.values())
        reference = reference_of(before, name, told="baseline")
        return evaluate_tallied(rule, name, current, lambda: reference)


def guard_of(tables: dict[str, Any], rules: dict[str, tuple[dict[str, Any], Any]]) -> Guard:
    """A guard from its tables and, by name, its rules' signal and limit."""
    return Guard.model_validate(
        {
            "name": "alarms",
            "owner": "team:bench",
            "model": {"name": "model"},
            "tables": tables,
            "rules": [
                {"name": name, "signal": signal, "limit": limit, "action": "notify"}
                for name, (signal, limit) in rules.items()
            ],
        }
    )
