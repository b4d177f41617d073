"""What the rules of a guard ask of the profiles of one table."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiguard_dagster.core.spec import Drift, Guard, OutOfDistribution, TalliedSignal

if TYPE_CHECKING:
    from aiguard_dagster.adapters.engines.engine import Plan
    from aiguard_dagster.stats.grid import Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be counted beyond the columns of every profile.

    Attributes:
        columns: Columns that rules name, whatever the table is.
        residuals: Columns by whose bins residuals are summed.
        joint: Columns that are watched together; all numbers where it is empty, none where None.
        outside: Whether rows are told that lie outside what the baseline held.
        far: Whether they are told by how far out they lie, of several columns together.
    """

    columns: tuple[str, ...]
    residuals: tuple[str, ...]
    joint: tuple[str, ...] | None
    outside: bool
    far: bool


def asked_of(guard: Guard, table: str) -> Asked:
    """Gather what the rules on a table need."""
    spec = guard.tables[table]
    signals = [rule.signal for rule in guard.rules if rule.signal.table == table]
    drifts = [signal for signal in signals if isinstance(signal, Drift)]
    by_default = tuple(name for name in (spec.score or spec.prediction,) if name)
    outside = [signal for signal in signals if isinstance(signal, OutOfDistribution)]
    watched: list[Drift | OutOfDistribution] = [*drifts, *outside]
    joint = [signal.columns or () for signal in watched if signal.of == "joint"]
    return Asked(
        columns=_once(c for signal in watched for c in signal.columns or ()),
        residuals=_once(
            c for signal in drifts if signal.of == "concept" for c in signal.columns or by_default
        ),
        joint=None
        if not joint
        else ()
        if () in joint
        else _once(c for each in joint for c in each),
        outside=bool(outside),
        far=any(signal.of == "joint" for signal in outside),
    )


def plan_of(guard: Guard, table: str, grid: "Grid") -> "Plan":
    """What to count of a batch."""
    from aiguard_dagster.adapters.engines.engine import Plan

    asked = asked_of(guard, table)
    return Plan(
        table=guard.tables[table],
        grid=grid,
        residuals=tuple(name for name in asked.residuals if name in grid.columns),
        tallies=tallies_asked(guard, table),
        guard=guard.name,
    )


def tallies_asked(guard: Guard, table: str) -> dict[str, TalliedSignal]:
    """The signals on a table that are counted in groups, one for each different count."""
    from aiguard_dagster.signals.tallied import tally_name

    spec = guard.tables[table]
    signals = (rule.signal for rule in guard.rules if rule.signal.table == table)
    return {
        tally_name(s, spec): s for s in signals if isinstance(s, TalliedSignal) and not s.of_runs
    }


def _once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
