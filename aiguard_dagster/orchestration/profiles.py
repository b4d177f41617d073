"""The profile asset: one pass over each new partition, after which no row is read again."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from aiguard_dagster.core.errors import AIGuardError, MeasurementError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.asked import plan_of
from aiguard_dagster.orchestration.assets import KnownAsset
from aiguard_dagster.orchestration.engines import ProfileEngine
from aiguard_dagster.orchestration.keys import profile_key
from aiguard_dagster.orchestration.loading import Deferred, build_row_manager
from aiguard_dagster.orchestration.partitions import in_hand
from aiguard_dagster.orchestration.quiet import quiet
from aiguard_dagster.orchestration.resources import MLflowResource, ResourceKeys

if TYPE_CHECKING:
    from aiguard_dagster.stats.grid import Grid


def build_profile_asset(
    *, guard: Guard, table: str, asset: KnownAsset, keys: ResourceKeys
) -> dg.AssetsDefinition:
    """The asset that holds the profiles of one table, a partition each."""
    spec, manager = guard.tables[table], asset.input_manager_key
    own = spec.source is None

    def profile(context: dg.AssetExecutionContext, **rows: Deferred) -> Any:  # noqa: ANN401 - Dagster would check the class of the output
        from aiguard_dagster.stats.profile import BatchProfile

        grid = current_grid(guard, table, context, getattr(context.resources, keys.mlflow))
        partitions = in_hand(context.op_execution_context, asset.partitions_def)
        try:
            engine: ProfileEngine = getattr(context.resources, keys.engine)
            plan = plan_of(guard, table, grid)
            parts = engine.profiles(asset, rows.get("rows"), partitions or (), plan)
            context.add_output_metadata({"engine": engine.kind})
            return BatchProfile(grid_id=grid.id, parts=parts)
        except MeasurementError as error:
            # The user's job must not fail by it: no rows lower the coverage, which is never ok.
            context.log.warning("nothing was profiled: %s", error)
            return BatchProfile(grid_id=grid.id, parts={})

    with quiet():
        return dg.asset(
            key=profile_key(guard, table),
            ins={"rows": dg.AssetIn(asset.key, input_manager_key=manager)} if own else None,
            deps=None if own else [asset.key],
            partitions_def=asset.partitions_def,
            io_manager_key=keys.profiles,
            required_resource_keys={keys.mlflow, keys.engine},
            resource_defs={manager: build_row_manager(asset.io_manager_key)} if own else {},
            group_name=guard.name,
            kinds={"aiguard"},
            description=f"Counts of {spec.asset} on the grid of {guard.name}'s baseline.",
        )(profile)


def current_grid(
    guard: Guard, table: str, context: dg.AssetExecutionContext, mlflow: MLflowResource
) -> "Grid":
    """The grid of the champion's baseline; an empty one, with a warning, while there is none."""
    from aiguard_dagster.orchestration.accepted import load_accepted
    from aiguard_dagster.stats.grid import Grid

    try:
        registry = mlflow.registry(guard)
        champion = registry.champion()
        if champion is not None:
            return load_accepted(registry, champion, guard).baseline.table(table).grid
        context.log.warning("no champion yet: rows are counted, columns are not")
    except AIGuardError as error:
        context.log.warning("rows are counted, columns are not: %s", error)
    return Grid()
