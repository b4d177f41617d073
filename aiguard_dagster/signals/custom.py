"""A function of the user's own."""

from collections.abc import Callable
from importlib import import_module
from inspect import signature
from math import isnan
from operator import attrgetter
from typing import Any

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Custom
from aiguard_dagster.core.verdicts import Measurement, Threshold
from aiguard_dagster.signals.batch import Batch, threshold


def measure_custom(signal: Custom, batch: Batch) -> tuple[Measurement, Threshold]:
    """Call the function on the table, as the IO manager loaded it, and take what it says.

    A Measurement is taken as it is. A number is the value. True, all is well, is no failure; False
    is one. None is inconclusive.

    Raises:
        MeasurementError: The function cannot be imported, or says something else.
    """
    function = _load(signal.function)
    _see_that_it_takes(function, batch.native, signal)
    said = function(batch.native, **signal.options)
    limit = threshold(signal, batch)
    if isinstance(said, Measurement):
        return said, limit
    value = _value(said, signal.function)
    note = "the function says nothing" if value is None else ""
    measurement = Measurement(value=value, n=1, window=batch.span, as_of=batch.as_of, note=note)
    return measurement, limit


def _see_that_it_takes(function: Callable[..., Any], table: object, signal: Custom) -> None:
    try:
        takes = signature(function)
    except ValueError:  # Some that are written in C do not tell.
        return
    try:
        takes.bind(table, **signal.options)
    except TypeError as error:
        msg = (
            f"{signal.function!r} cannot be called: {error}"
            f"\n\nHint: it takes {takes}; the table comes first, then the options by name."
        )
        raise MeasurementError(msg) from None


def _load(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    try:
        found = attrgetter(name)(import_module(module))
    except (ImportError, AttributeError) as error:
        msg = (
            f"the function {path!r} cannot be imported: {error}"
            "\n\nHint: it must be importable in the process that runs the checks."
        )
        raise MeasurementError(msg) from error
    if not callable(found):
        msg = f"{path!r} is a {type(found).__name__}, and no function\n\nHint: name a function."
        raise MeasurementError(msg)
    return found  # type: ignore[no-any-return]


def _value(said: Any, path: str) -> float | None:  # noqa: ANN401 - whatever the user returns
    plain = said.item() if hasattr(said, "item") and not hasattr(said, "columns") else said
    match plain:
        case None:
            return None
        case bool():
            return float(not plain)
        case int() | float():
            return None if isnan(plain) else float(plain)
        case _:
            msg = (
                f"{path!r} returned a {type(said).__name__}"
                "\n\nHint: return a Measurement, a number, or whether all is well."
            )
            raise MeasurementError(msg)
