"""Failures of a pandera schema."""

from collections import Counter
from importlib import import_module
from operator import attrgetter
from typing import Any

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Pandera
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.signals.batch import Batch

MOST_PARTS = 10


def measure_pandera(signal: Pandera, batch: Batch) -> tuple[Measurement, Threshold]:
    """Count the failures of a ``DataFrameModel`` or ``DataFrameSchema``; 0 is the limit.

    The rows are checked, not only the schema: pandera checks a lazy polars frame by its schema
    alone, so the frame is collected first. No value of the user's is kept, only counts.

    Raises:
        MeasurementError: The schema cannot be imported, or pandera cannot check this table.
    """
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    schema = _load(signal.schema_)
    rows = batch.frame.collect().to_native()
    if "polars" in type(schema).__module__:
        rows = nw.from_native(rows).to_polars()
    elif "pandas" in type(schema).__module__:
        rows = nw.from_native(rows).to_pandas()
    everything = ValidationDepth.SCHEMA_AND_DATA
    failures: Counter[tuple[str, str]] = Counter()
    try:
        # pandera can be turned off by environment variables; a guard cannot.
        with config_context(validation_enabled=True, validation_depth=everything):
            schema.validate(rows, lazy=True)
    except SchemaErrors as error:
        cases = nw.from_native(error.failure_cases)
        for column, check in zip(cases["column"].to_list(), cases["check"].to_list(), strict=True):
            failures[str(column), str(check)] += 1
    parts = tuple(
        Part(name=column, value=count, text=f"{check}: {count:,} failed")
        for (column, check), count in failures.most_common(MOST_PARTS)
    )
    measurement = Measurement(
        value=float(failures.total()),
        n=len(rows),
        window=batch.span,
        as_of=batch.as_of,
        parts=parts,
        note="" if len(rows) else "no rows",
    )
    return measurement, Threshold(value=0, direction="high")


def _load(path: str) -> Any:  # noqa: ANN401 - pandera has a schema class an engine
    """Import ``package.module:Name`` and take its schema."""
    module, _, name = path.partition(":")
    try:
        found = attrgetter(name)(import_module(module))
    except (ImportError, AttributeError) as error:
        msg = f"pandera schema {path!r} cannot be imported: {error}"
        raise MeasurementError(msg) from error
    return found.to_schema() if hasattr(found, "to_schema") else found
