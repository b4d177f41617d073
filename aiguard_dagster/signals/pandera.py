"""Failures of a pandera schema."""

import copy
import re
import traceback
import warnings
from collections.abc import Iterator
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Pandera
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.core.words import shown
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.pandas_rows import pandas_rows

MOST_PARTS = 10
MOST_VALUES = 5
UNSUPPORTED = {
    "ibis": "pandera.ibis lets duplicates pass that unique=True should find",
    "pyspark": "pandera.pyspark does not run with pandas 3, and is many times slower than the rest",
}
HINT = "\n\nHint: write it with pandera.polars or pandera.pandas"
ON_COLUMNS = {
    "COLUMN_NOT_IN_DATAFRAME": "gone",
    "COLUMN_NOT_IN_SCHEMA": "not expected",
    "COLUMN_NOT_ORDERED": "out of order",
}
"""Failures whose failing case is the name of a column."""


class _Failure(NamedTuple):
    """One check of one column that failed."""

    column: str
    check: str
    rows: int
    examples: tuple[object, ...] = ()


def measure_pandera(signal: Pandera, batch: Batch) -> tuple[Measurement, Threshold]:
    """Count the failures of a ``DataFrameModel`` or ``DataFrameSchema``; 0 is the limit.

    The rows are checked, not only the schema: pandera checks a lazy polars frame by its schema
    alone, so the frame is collected first. Of the user's values only counts are kept, and a few of
    them where ``show_values`` is on.

    Raises:
        MeasurementError: The schema cannot be imported or is of a kind that is not supported, or
            none but checks that crash failed.
    """
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors, SchemaWarning

    schema, kind = _load(signal.schema_)
    rows = _rows(batch, kind, schema)
    everything = ValidationDepth.SCHEMA_AND_DATA
    failures: list[_Failure] = []
    crashes: list[_Failure] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", SchemaWarning)  # they quote rows, so they are only counted
        try:
            # pandera can be turned off by environment variables; a guard cannot.
            with config_context(validation_enabled=True, validation_depth=everything):
                _strict(schema).validate(rows, lazy=True)
        except SchemaErrors as error:
            for each in error.schema_errors:
                found = crashes if each.reason_code.name == "CHECK_ERROR" else failures
                found.append(_failure(each))
    only_warn = sum(issubclass(each.category, SchemaWarning) for each in warned)
    if crashes and not failures:
        msg = f"{signal.schema_} cannot check these rows: {_told(crashes[0])}"
        raise MeasurementError(msg)
    failures.sort(key=lambda failure: -failure.rows)
    parts = [
        Part(name=each.column, value=each.rows, text=_told(each, show=signal.show_values))
        for each in (*failures, *crashes)
    ]
    measurement = Measurement(
        value=float(sum(failure.rows for failure in failures)),
        n=len(rows),
        window=batch.span,
        as_of=batch.as_of,
        parts=tuple(parts[:MOST_PARTS]),
        note=_note(schema, len(rows), only_warn, len(parts) - MOST_PARTS),
    )
    return measurement, Threshold(value=0, direction="high")


def _load(path: str) -> tuple[Any, str]:
    """Import ``package.module:Name``; the schema, and the library whose frames it checks."""
    module, _, name = path.partition(":")
    try:
        found = attrgetter(name)(import_module(module))
    except (ImportError, AttributeError) as error:
        places = [
            Path(frame.filename).parts[-2:] for frame in traceback.extract_tb(error.__traceback__)
        ]
        if ("pandera", "pyspark.py") in places:
            raise _unsupported(path, "pyspark") from error
        msg = f"pandera schema {path!r} cannot be imported: {error}"
        raise MeasurementError(msg) from error
    schema = found.to_schema() if hasattr(found, "to_schema") else found
    modules = "\n".join(base.__module__ for base in type(schema).__mro__)
    kinds = re.findall(r"^pandera\.api\.(\w+)\.", modules, re.MULTILINE)
    if not kinds or not hasattr(schema, "columns"):
        kind = type(found).__name__
        msg = f"{path} is a {kind}, no pandera DataFrameModel or DataFrameSchema{HINT}."
        raise MeasurementError(msg)
    if kinds[0] not in {"pandas", "polars"}:
        raise _unsupported(path, kinds[0])
    return schema, kinds[0]


def _unsupported(path: str, kind: str) -> MeasurementError:
    why = UNSUPPORTED.get(kind, "only polars and pandas frames are checked")
    msg = f"{path} is a pandera.{kind} schema, which is not supported: {why}{HINT}"
    return MeasurementError(f"{msg}; on Spark and in warehouses kind: expectations runs in place.")


def _rows(batch: Batch, kind: str, schema: Any) -> Any:  # noqa: ANN401 - a pandas or polars frame
    """The rows as the schema's own kind of frame; pandera chokes on an index that repeats."""
    if kind == "polars":
        return batch.frame.collect().to_polars()
    return pandas_rows(batch, keep_index=schema.index is not None)


def _strict(schema: Any) -> Any:  # noqa: ANN401 - pandera has a schema class an engine
    """The schema as one that finds failures: ``drop_invalid_rows`` would drop them silently."""
    pieces = [schema, *schema.columns.values()]
    if not any(getattr(piece, "drop_invalid_rows", False) for piece in pieces):
        return schema
    strict = copy.deepcopy(schema)
    for piece in (strict, *strict.columns.values()):
        piece.drop_invalid_rows = False
    return strict


def _failure(error: Any) -> _Failure:  # noqa: ANN401 - pandera's SchemaError
    """One of pandera's errors, with the rows that it is about counted and not kept."""
    reason, cases = error.reason_code.name, error.failure_cases
    check = str(getattr(error.check, "error", None) or getattr(error.check, "name", error.check))
    if reason in ON_COLUMNS:
        return _Failure(str(cases), ON_COLUMNS[reason], 1)
    on_column = type(error.schema).__name__ not in {"DataFrameSchema", "DataFrameModel"}
    column = str(error.schema.name) if on_column and error.schema.name is not None else "the table"
    if reason == "CHECK_ERROR":
        return _Failure(column, f"{check} raised {_class_name(str(cases))}", 0)
    if not hasattr(cases, "columns"):
        return _Failure(column, check, 1)
    return _Failure(column, check, _count(cases), tuple(_values(cases)))


def _class_name(text: str) -> str:
    """The class in ``KeyError("…")``; what follows may quote rows."""
    name = text.partition("(")[0]
    return name if name.isidentifier() else "an exception"


def _count(cases: Any) -> int:  # noqa: ANN401 - a pandas or polars frame
    """Failing rows: pandas tells a row that fails a check of the table once a column."""
    by_cell = {"column", "index", "failure_case"} <= set(cases.columns)
    return int(cases["index"].nunique()) if by_cell else len(cases)


def _values(cases: Any) -> Iterator[object]:  # noqa: ANN401 - a pandas or polars frame
    few = cases.head(MOST_VALUES)
    if "failure_case" in few.columns:
        yield from few["failure_case"].tolist()
    elif hasattr(few, "rows"):
        yield from (row[0] if len(row) == 1 else str(row) for row in few.rows())


def _told(failure: _Failure, *, show: bool = False) -> str:
    if failure.rows == 0 or failure.check in ON_COLUMNS.values():
        return failure.check
    told = f"{failure.check}: {failure.rows:,} failed"
    if show and failure.examples:
        return f"{told}, such as {', '.join(shown(value) for value in failure.examples)}"
    return told


def _note(schema: Any, rows: int, only_warn: int, more: int) -> str:  # noqa: ANN401
    pieces = [schema, *schema.columns.values(), getattr(schema, "index", None)]
    changes = {
        "coerce": any(getattr(piece, "coerce", False) for piece in pieces),
        "parsers": any(getattr(piece, "parsers", None) for piece in pieces),
        "default": any(getattr(piece, "default", None) is not None for piece in pieces),
        "add_missing_columns": getattr(schema, "add_missing_columns", False),
    }
    ways = ", ".join(way for way, there in changes.items() if there)
    notes = [
        "no rows" if not rows else "",
        f"the schema changes the rows before it checks them: {ways}" if ways else "",
        f"{only_warn} failed that only warn" if only_warn else "",
        f"{more} more checks failed" if more > 0 else "",
    ]
    return "; ".join(note for note in notes if note)
