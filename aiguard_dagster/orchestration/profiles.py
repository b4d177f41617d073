"""The profile asset: one pass over each new partition, after which no row is read again."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from aiguard_dagster.adapters.mlflow.baselines import MissingBaselineError
from aiguard_dagster.core.spec import Guard, Performance
from aiguard_dagster.orchestration.keys import profile_key, table_key
from aiguard_dagster.orchestration.resources import MLFLOW, PROFILES, MLflowResource

if TYPE_CHECKING:
    from aiguard_dagster.stats.grid import Grid

CLASSIFICATION = frozenset({"accuracy", "precision", "recall", "f1"})


def build_profile_asset(
    *, guard: Guard, table: str, partitions_def: dg.PartitionsDefinition[str] | None
) -> dg.AssetsDefinition:
    """The asset that holds the profiles of one table, a partition each."""
    spec = guard.tables[table]

    @dg.asset(
        key=profile_key(guard, table),
        ins={"rows": dg.AssetIn(table_key(guard, table))},
        partitions_def=partitions_def,
        io_manager_key=PROFILES,
        required_resource_keys={MLFLOW},
        group_name=guard.name,
        kinds={"aiguard"},
        description=f"Counts of {spec.asset} on the grid of {guard.name}'s baseline.",
    )
    def profile(
        context: dg.AssetExecutionContext,
        rows: Any,  # noqa: ANN401 - the user's own table
    ) -> Any:  # noqa: ANN401 - Dagster would check the class of the output
        from aiguard_dagster.adapters.tables.frames import as_lazy
        from aiguard_dagster.adapters.tables.profiling import profile_table

        grid = current_grid(guard, table, getattr(context.resources, MLFLOW))
        if not grid.columns:
            context.log.warning("no baseline yet: rows are counted, columns are not")
        confusion = needs_confusion(guard, table)
        return profile_table(as_lazy(rows), spec, grid, confusion=confusion)

    return profile


def needs_confusion(guard: Guard, table: str) -> bool:
    """Whether a rule on this table measures a classification metric."""
    signals = [rule.signal for rule in guard.rules]
    return any(
        isinstance(s, Performance) and s.table == table and s.metric in CLASSIFICATION
        for s in signals
    )


def current_grid(guard: Guard, table: str, mlflow: MLflowResource) -> "Grid":
    """The grid of the champion's baseline; an empty one while there is none."""
    from aiguard_dagster.orchestration.accepted import load_accepted
    from aiguard_dagster.stats.grid import Grid

    registry = mlflow.registry(guard)
    champion = registry.champion()
    if champion is None:
        return Grid()
    try:
        baseline = load_accepted(registry, champion, guard).baseline
    except MissingBaselineError:
        return Grid()
    found = baseline.tables.get(table)
    return found.grid if found else Grid()
