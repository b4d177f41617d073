"""What was recorded with a model version when it was accepted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.calibration import DriftLimits, calibrate
from aiguard_dagster.stats.distance import bins_with_nulls
from aiguard_dagster.stats.grid import Grid, grid_from_json, grid_to_json
from aiguard_dagster.stats.profile import Profile, merge_all
from aiguard_dagster.stats.profile_json import profile_from_json, profile_to_json

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBaseline:
    """One table of the baseline.

    Attributes:
        grid: The grid that this table's batches are counted on.
        days: Profiles by ISO date (UTC), in time order.
        types: Short type name by column, all columns of the table, in their order.
    """

    grid: Grid
    days: Mapping[str, Profile]
    types: Mapping[str, str]

    @property
    def total(self) -> Profile:
        """The profile of the whole baseline."""
        return merge_all(self.days.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The profile and the metric values recorded with a model version.

    Attributes:
        guard: The guard's name.
        model: The registered model's name.
        version: The version it speaks of.
        recorded_at: When it was recorded.
        tables: By the guard's table names.
        metrics: Performance metrics on the accepted data, by name.
        cost_per_1000: Spend per 1,000 predictions; None where none had a price.
    """

    guard: str
    model: str
    version: str
    recorded_at: datetime
    tables: Mapping[str, TableBaseline]
    metrics: Mapping[str, float]
    cost_per_1000: float | None

    def table(self, name: str) -> TableBaseline:
        """One table's baseline.

        Raises:
            MeasurementError: The table was not recorded.
        """
        if name not in self.tables:
            known = ", ".join(self.tables) or "none"
            msg = (
                f"the baseline of {self.model} v{self.version} has no table {name!r}, only {known}"
            )
            raise MeasurementError(msg)
        return self.tables[name]


def baseline_to_json(baseline: Baseline) -> dict[str, Any]:
    """The baseline as plain JSON values."""
    return {
        "format": FORMAT,
        "guard": baseline.guard,
        "model": baseline.model,
        "version": baseline.version,
        "recorded_at": baseline.recorded_at.isoformat(),
        "metrics": dict(baseline.metrics),
        "cost_per_1000": baseline.cost_per_1000,
        "tables": {
            name: {
                "grid": grid_to_json(table.grid),
                "days": {day: profile_to_json(profile) for day, profile in table.days.items()},
                "types": [list(pair) for pair in table.types.items()],  # JSON keys get sorted
            }
            for name, table in baseline.tables.items()
        },
    }


def baseline_from_json(document: Mapping[str, Any]) -> Baseline:
    """The inverse of :func:`baseline_to_json`.

    Raises:
        MeasurementError: The document is no baseline of a format known here.
    """
    if document.get("format") != FORMAT:
        msg = f"baseline of format {document.get('format')!r}; this version reads {FORMAT}"
        raise MeasurementError(msg)
    try:
        return Baseline(
            guard=document["guard"],
            model=document["model"],
            version=document["version"],
            recorded_at=datetime.fromisoformat(document["recorded_at"]),
            metrics=document["metrics"],
            cost_per_1000=document["cost_per_1000"],
            tables={
                name: TableBaseline(
                    grid=grid_from_json(table["grid"]),
                    days={d: profile_from_json(p) for d, p in sorted(table["days"].items())},
                    types=dict(table.get("types", {})),
                )
                for name, table in document["tables"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"not a whole baseline: {error!r}"
        raise MeasurementError(msg) from error


class DriftReference:
    """A table's baseline made ready for drift: counts by column, and calibrated limits."""

    def __init__(self, table: TableBaseline) -> None:
        self.grid = table.grid
        self.total = table.total
        profiles = [profile for profile in table.days.values() if profile.rows]
        self._daily = {
            name: np.vstack([bins_with_nulls(profile.columns[name]) for profile in profiles])
            for name in table.grid.columns
            if profiles
        }
        self.limits = lru_cache(maxsize=32)(self._limits)

    def _limits(
        self, columns: tuple[str, ...], window: timedelta, days: int, false_alarm_every: timedelta
    ) -> DriftLimits:
        """Limits by column for one false alarm in this time over these columns together.

        Args:
            columns: The columns that are compared.
            window: The window's length.
            days: Days of it that are there: fewer days wander further, weekdays unevenly.
            false_alarm_every: The budget.

        Raises:
            MeasurementError: The baseline is too short for the budget.
        """
        return calibrate(
            {name: self._daily[name] for name in columns},
            span=max(1, days),
            windows_per_alarm=false_alarm_every / window,
        )
