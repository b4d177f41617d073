"""The rows of an asset in a run, by the user's own IO manager; what cannot be had is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from aiguard_dagster.core.errors import MeasurementError

if TYPE_CHECKING:
    import narwhals as nw

HINT = (
    "\n\nHint: its IO manager must give a pandas, polars or pyarrow table; an asset that writes its"
    " own table and returns nothing has no value to check."
)


@dataclass(frozen=True, slots=True)
class NotLoaded:
    """In place of an asset's value: why there is none."""

    reason: str


def row_manager_key(io_manager_key: str) -> str:
    """The resource key of :func:`build_row_manager`."""
    return f"aiguard_rows_by_{io_manager_key}"


def build_row_manager(io_manager_key: str) -> dg.InputManagerDefinition:
    """Loads by another IO manager, and hands on a failure as a value: no step fails by it.

    The loader's own message is left out: it may quote rows.
    """

    @dg.input_manager(required_resource_keys={io_manager_key})
    def rows(context: dg.InputContext) -> Any:  # noqa: ANN401 - whatever the IO manager gives
        try:
            return getattr(context.resources, io_manager_key).load_input(context)
        except Exception as error:  # noqa: BLE001 - whatever the user's IO manager raises
            name = context.asset_key.to_user_string()
            return NotLoaded(f"{name} cannot be loaded: {type(error).__name__}{HINT}")

    return rows


def as_frame(value: Any) -> "nw.LazyFrame[Any]":  # noqa: ANN401 - whatever the IO manager gave
    """An asset's value as one lazy frame; a mapping of partitions is put together.

    Raises:
        MeasurementError: It could not be loaded, or is no table.
    """
    import narwhals as nw

    if isinstance(value, NotLoaded):
        raise MeasurementError(value.reason)
    if isinstance(value, Mapping) and value:
        return nw.concat([as_frame(part) for part in value.values()], how="vertical")
    try:
        return nw.from_native(value).lazy()  # type: ignore[no-any-return]
    except TypeError:
        kind = f"{type(value).__module__}.{type(value).__name__}"
        msg = f"the asset's value is a {kind}, which is no table{HINT}"
        raise MeasurementError(msg) from None
