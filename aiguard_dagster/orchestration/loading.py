"""The rows of an asset in a run, by the user's own IO manager; what cannot be had is told."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import dagster as dg

from aiguard_dagster.core.errors import MeasurementError

HINT = (
    "\n\nHint: its IO manager must give a table; an asset that writes its own table and returns"
    " nothing has no value to check: declare a source for it."
)


@dataclass(frozen=True, slots=True)
class Deferred:
    """An asset's value that is loaded when a check asks for it."""

    load: Callable[[], object]


def row_manager_key(io_manager_key: str) -> str:
    """The resource key of :func:`build_row_manager`."""
    return f"aiguard_rows_by_{io_manager_key}"


@cache  # Dagster merges definitions that hold the very same resource.
def build_row_manager(io_manager_key: str) -> dg.InputManagerDefinition:
    """Loads by another IO manager, when asked; a failure is a MeasurementError and fails no step.

    The loader's own message is left out: it may quote rows.
    """

    @dg.input_manager(required_resource_keys={io_manager_key})
    def rows(context: dg.InputContext) -> Deferred:
        def load() -> object:
            try:
                return getattr(context.resources, io_manager_key).load_input(context)
            except Exception as error:  # noqa: BLE001 - whatever the user's IO manager raises
                name = context.asset_key.to_user_string()
                msg = f"{name} cannot be loaded: {type(error).__name__}{HINT}"
                raise MeasurementError(msg) from None

        return Deferred(load)

    return rows
