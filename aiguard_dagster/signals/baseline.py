"""What was recorded with a model version when it was accepted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.grid import Grid, grid_from_json, grid_to_json
from aiguard_dagster.stats.profile import Profile, merge_all
from aiguard_dagster.stats.profile_json import profile_from_json, profile_to_json

FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class TableBaseline:
    """One table of the baseline.

    Attributes:
        grid: The grid that this table's batches are counted on.
        days: Profiles by ISO date (UTC), in time order.
        types: Short type name by column, all columns of the table, in their order.
        late: Columns whose values come after their rows: the label, and the error.
        outcomes: Those and latency and cost: what drift does not look at unless it is asked to.
    """

    grid: Grid
    days: Mapping[str, Profile]
    types: Mapping[str, str]
    late: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()

    @cached_property
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
    """

    guard: str
    model: str
    version: str
    recorded_at: datetime
    tables: Mapping[str, TableBaseline]
    metrics: Mapping[str, float]

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
        "tables": {
            name: {
                "grid": grid_to_json(table.grid),
                "days": {day: profile_to_json(profile) for day, profile in table.days.items()},
                "types": [list(pair) for pair in table.types.items()],  # JSON keys get sorted
                "late": list(table.late),
                "outcomes": list(table.outcomes),
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
            tables={
                name: TableBaseline(
                    grid=grid_from_json(table["grid"]),
                    days={d: profile_from_json(p) for d, p in sorted(table["days"].items())},
                    types=dict(table["types"]),
                    late=tuple(table["late"]),
                    outcomes=tuple(table["outcomes"]),
                )
                for name, table in document["tables"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"not a whole baseline: {error!r}"
        raise MeasurementError(msg) from error
