"""What a project's asset graph says of the assets under guard."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from aiguard_dagster.adapters.dagster.history import last_materialised, materialized
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.loading import Deferred, row_manager_key
from aiguard_dagster.orchestration.partitions import (
    Partitions,
    partition_of,
    time_partitions,
)

if TYPE_CHECKING:
    from aiguard_dagster.adapters.tables.rows import Rows
    from aiguard_dagster.signals.batch import Asset


logger = logging.getLogger("aiguard_dagster")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAsset:
    """One asset of the project, and the table it is.

    Attributes:
        table: What the guard says of it.
        key: Its key.
        partitions_def: Its partitions.
        io_manager_key: The resource that loads it.
        exists: Whether the project has it; a table with a source need not be an asset.
        is_external: Whether Dagster does not materialise it.
        declared: What its definition says.
    """

    table: Table
    key: dg.AssetKey
    partitions_def: Partitions
    io_manager_key: str
    exists: bool
    is_external: bool
    declared: dg.AssetSpec

    @property
    def input_manager_key(self) -> str:
        """The resource that loads its rows when they are asked for."""
        return row_manager_key(self.io_manager_key)


def know(graph: Any, table: Table) -> KnownAsset:  # noqa: ANN401 - Dagster's asset graph
    """Look up the asset of a table."""
    key = dg.AssetKey(list(table.asset_path))
    if not graph.has(key):
        return KnownAsset(
            table=table,
            key=key,
            partitions_def=None,
            io_manager_key="io_manager",
            exists=False,
            is_external=True,
            declared=dg.AssetSpec(key),
        )
    node = graph.get(key)
    return KnownAsset(
        table=table,
        key=key,
        partitions_def=node.partitions_def,
        io_manager_key=str(node.assets_def.get_io_manager_key_for_asset_key(key)),
        exists=True,
        is_external=not node.is_executable,
        declared=node.to_asset_spec(),
    )


def as_defined(asset: KnownAsset, definition: dg.AssetsDefinition) -> KnownAsset:
    """What its spec alone does not say: by what it is loaded, and whether Dagster makes it."""
    return replace(
        asset,
        io_manager_key=str(definition.get_io_manager_key_for_asset_key(asset.key)),
        is_external=not definition.is_executable,
    )


def read_rows(
    asset: KnownAsset, deferred: Deferred | None, partitions: Sequence[Partition] | None
) -> "Rows":
    """The rows of the partitions in hand, by the IO manager or from the declared source.

    Raises:
        MeasurementError: They cannot be had, or are no table.
    """
    from aiguard_dagster.adapters.tables.rows import open_rows
    from aiguard_dagster.adapters.tables.sources import open_source

    if asset.table.row_source is not None:
        return open_source(asset.table.row_source, asset.table, partitions or ())
    if deferred is None:
        msg = f"{asset.key.to_user_string()} has no value here"
        raise MeasurementError(msg)
    return open_rows(deferred.load())


def tell_unreachable(assets: Iterable[KnownAsset]) -> None:
    """Warn, once a source, of those that cannot be reached now; their checks will be errors."""
    asked = set()
    for asset in assets:
        source = asset.table.row_source
        if source is None or source.model_dump_json() in asked:
            continue
        from aiguard_dagster.adapters.tables.sources import unreachable

        asked.add(source.model_dump_json())
        if why := unreachable(source):
            logger.warning(
                "the %s source of %s cannot be reached: %s. Until it can, its checks give the"
                " verdict error.",
                source.kind,
                asset.key.to_user_string(),
                why,
            )


def asset_facts(asset: KnownAsset, instance: dg.DagsterInstance) -> "Asset":
    """What signals may ask of the asset."""
    from aiguard_dagster.signals.batch import Asset

    declared = asset.declared
    columns = _column_schema(declared.metadata)
    return Asset(
        key=asset.key.to_user_string(),
        owners=tuple(str(owner) for owner in declared.owners),
        description=declared.description or "",
        tags=dict(declared.tags),
        columns={column.name: column.type for column in columns},
        descriptions={c.name: c.description for c in columns if c.description},
        upstream=tuple(sorted(dep.asset_key.to_user_string() for dep in declared.deps)),
        last_materialised=lambda: last_materialised(instance, asset.key),
        partition_ends=(
            (lambda window: _partition_ends(asset, instance, window))
            if time_partitions(asset.partitions_def)
            else None
        ),
    )


def _column_schema(metadata: Mapping[str, Any]) -> Sequence[dg.TableColumn]:
    found = metadata.get("dagster/column_schema")
    schema = getattr(found, "schema", found)
    return schema.columns if isinstance(schema, dg.TableSchema) else ()


def _partition_ends(
    asset: KnownAsset, instance: dg.DagsterInstance, window: Window
) -> tuple[Sequence[datetime], Sequence[datetime]]:
    """Ends of the materialised time partitions that end in a window, and of all that are due."""
    times = time_partitions(asset.partitions_def)
    if asset.partitions_def is None or times is None:
        return (), ()
    span = dg.TimeWindow(window.start, window.end)
    ends = {
        times.time_window_for_partition_key(key).end.astimezone(UTC)
        for key in times.get_partition_keys_in_time_window(span)
    }
    done = {
        found.window.end
        for key in materialized(instance, asset.key)
        if (found := partition_of(asset.partitions_def, key)).window
    }
    due = sorted(end for end in ends if window.start < end <= window.end)
    return [end for end in due if end in done], due
