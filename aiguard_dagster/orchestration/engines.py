"""Where tables are profiled: a resource, so that a run moves to Spark without a word elsewhere."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg

from aiguard_dagster.core.errors import AIGuardError, MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.orchestration.assets import KnownAsset
from aiguard_dagster.orchestration.loading import Deferred

if TYPE_CHECKING:
    from aiguard_dagster.adapters.engines.engine import Plan
    from aiguard_dagster.stats.profile import Profile

ENGINE = "aiguard_engine"


class ProfileEngine(dg.ConfigurableResource[None]):
    """What counts the rows of a table.

    A table is counted by what holds it: a Spark frame on Spark, a DuckDB relation in DuckDB, an
    ibis table in its warehouse, all else by polars in the run's own process. Parquet files of a
    declared source can be read by any of them, so there the choice is free; the counts are the
    same.
    """

    kind: Literal["own", "duckdb", "spark"] = "own"
    """What reads parquet files: ``own`` is polars, streaming, in the run's process."""
    spark_remote: str | None = None
    """A Spark Connect address, such as ``sc://spark:15002``; the active session when left out."""

    def profiles(
        self,
        asset: KnownAsset,
        deferred: Deferred | None,
        partitions: Sequence[Partition],
        plan: "Plan",
    ) -> Mapping[str, "Profile"]:
        """Count the partitions in hand of a table, where they are.

        Raises:
            MeasurementError: They cannot be had, are no table, or cannot be read. Engines' own
                messages are left out: they may quote rows.
        """
        from aiguard_dagster.adapters.engines.open import profiles_of_table

        try:
            return profiles_of_table(self.open(asset, deferred, partitions), plan)
        except AIGuardError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the engine raises once it reads
            msg = (
                f"{asset.key.to_user_string()} cannot be read: {type(error).__name__}"
                "\n\nHint: read all of it once where it is stored, to see why."
            )
            raise MeasurementError(msg) from None

    def open(
        self, asset: KnownAsset, deferred: Deferred | None, partitions: Sequence[Partition]
    ) -> Any:  # noqa: ANN401 - whatever table it is
        """The partitions in hand of a table, where they are; nothing is read yet.

        Raises:
            MeasurementError: They cannot be had, or are no table.
        """
        from aiguard_dagster.adapters.tables.rows import together
        from aiguard_dagster.adapters.tables.sources import scan_source

        source = asset.table.row_source
        if source is not None:
            remote = self.spark_remote
            return scan_source(source, asset.table, partitions, engine=self.kind, remote=remote)
        if deferred is None:
            msg = f"{asset.key.to_user_string()} has no value here"
            raise MeasurementError(msg)
        return together(deferred.load())
