"""The champion's rows in a window, with the inputs that another version would have been given."""

from collections.abc import Mapping, Sequence

import narwhals as nw
import polars as pl

from aiguard_dagster.adapters.mlflow.models import UnfitModelError
from aiguard_dagster.adapters.tables.times import utc, version_text
from aiguard_dagster.core.columns import UNKNOWN
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.model_inputs import OPTIONAL, holds_nulls, misfits, takes
from aiguard_dagster.core.spec import Guard, Table
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.table_reader import TableReader
from aiguard_dagster.signals.types import exact_type_name

MOST_ROWS = 200_000
"""Rows of a window that a candidate is asked about; of more, a random sample."""
DTYPES: Mapping[str, pl.DataType] = {
    "boolean": pl.Boolean(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "string": pl.String(),
    "timestamp": pl.Datetime("us"),
}


def rows_of(rows: pl.LazyFrame, table: Table, champion: str) -> pl.LazyFrame:
    """The champion's rows; all of a table that does not say which version made them."""
    if not table.model_version:
        return rows
    return rows.filter(version_text(rows, table.model_version) == champion)


def labelled(rows: pl.LazyFrame, known: Sequence[str | None]) -> pl.LazyFrame:
    """The rows whose outcome and prediction are known."""
    return rows.filter([pl.col(name or "").is_not_null() for name in known])


def with_inputs(
    reader: TableReader,
    name: str,
    rows: pl.LazyFrame,
    window: Window,
    *,
    wanted: Mapping[str, str],
    before: Mapping[str, str],
) -> pl.DataFrame:
    """The rows with a model's inputs, looked for in the guard's other tables, in time order.

    Inputs have the types that the model wants. Rows in which one is null that cannot be are left
    out, and of very many rows a random sample is taken.

    Args:
        reader: Reads the guard's tables.
        name: The table of the rows.
        rows: The rows.
        window: The window that they are from.
        wanted: The model's inputs and their types; empty where it has no signature.
        before: The champion's inputs and their types, likewise.

    Raises:
        UnfitModelError: An input is in none of the tables, or of a type that it does not take.
        MeasurementError: A table cannot be read, or has no key in common with the rows.
    """
    table = reader.guard.tables[name]
    missing = set(wanted) - set(rows.collect_schema().names())
    for other_name, other in reader.guard.tables.items():
        if not missing or other_name == name or other.traces:
            continue
        features = reader.rows(other_name, window)
        there = missing & set(features.collect_schema().names())
        if there:
            rows = _join(rows, table, features, other, sorted(there))
            missing -= there
    frame = rows.sort(utc(rows, table.time or "", table.time_zone)).collect()
    _require(frame, wanted, before, reader.guard)
    full = [n for n, kind in wanted.items() if n in frame.columns and not holds_nulls(kind)]
    frame = _typed(frame, wanted).drop_nulls(full or [])
    if frame.height <= MOST_ROWS:
        return frame
    return frame.with_row_index("__place").sample(MOST_ROWS, seed=0).sort("__place").drop("__place")


def inputs_in(frame: pl.DataFrame, wanted: Mapping[str, str], table: Table) -> list[str]:
    """The model's inputs among the columns, in the signature's order.

    Where it has no signature, all columns but those that tell what came of a row.
    """
    if wanted:
        return [name for name in wanted if name in frame.columns]
    outcomes = {table.label, table.prediction, table.score}
    return [name for name in frame.columns if name not in outcomes]


def _require(
    frame: pl.DataFrame, wanted: Mapping[str, str], before: Mapping[str, str], guard: Guard
) -> None:
    types = _types(frame)
    flags = [
        name
        for name in wanted
        if types.get(name) == "int64" and frame.get_column(name).drop_nulls().is_in([0, 1]).all()
    ]
    wrong = misfits(wanted, types, before=before, flags=flags)
    if wrong:
        known = ", ".join(guard.tables)
        msg = (
            f"its inputs are not what the guard's tables ({known}) hold today: {'; '.join(wrong)}."
            " If another asset holds them, declare it as a table of the guard"
        )
        raise UnfitModelError(msg)


def _types(frame: pl.DataFrame) -> dict[str, str]:
    schema = nw.from_native(frame).schema
    return {name: exact_type_name(dtype) for name, dtype in schema.items()}


def _typed(frame: pl.DataFrame, wanted: Mapping[str, str]) -> pl.DataFrame:
    """Columns as the signature types them, where MLflow would not convert them itself."""
    types = _types(frame)
    casts = [
        frame.get_column(name).cast(DTYPES[kind.removesuffix(OPTIONAL)])
        for name, kind in wanted.items()
        if name in types
        and kind.removesuffix(OPTIONAL) in DTYPES
        and (types[name] == UNKNOWN or not takes(kind, types[name]))
    ]
    return frame.with_columns(casts)


def _join(
    rows: pl.LazyFrame, table: Table, features: pl.LazyFrame, other: Table, wanted: list[str]
) -> pl.LazyFrame:
    keys = other.row_key
    both = f"declare the same key: on {table.asset} and on {other.asset}"
    if not keys or len(keys) != len(table.row_key) or (other.key is None) != (table.key is None):
        told = " and ".join(
            f"{', '.join(each.row_key) or 'no column'} names the rows of {each.asset}"
            for each in (table, other)
        )
        msg = f"the tables have no key in common ({told}): {both}"
        raise MeasurementError(msg)
    if features.select(pl.struct(keys).is_duplicated().any()).collect().item():
        msg = f"{', '.join(keys)} names several rows of {other.asset}: {both}"
        raise MeasurementError(msg)
    for here, there in zip(table.row_key, keys, strict=True):
        times = [s.collect_schema()[n].is_temporal() for s, n in ((rows, here), (features, there))]
        if times[0] is not times[1]:
            msg = f"{here} of {table.asset} and {there} of {other.asset} are not alike: {both}"
            raise MeasurementError(msg)
    mine = [_join_key(rows, name).alias(f"__key{i}") for i, name in enumerate(table.row_key)]
    theirs = [_join_key(features, name).alias(f"__key{i}") for i, name in enumerate(keys)]
    on = [f"__key{i}" for i in range(len(keys))]
    joined = rows.with_columns(mine).join(features.select(*theirs, *wanted), on=on, how="inner")
    return joined.drop(on)


def _join_key(rows: pl.LazyFrame, name: str) -> pl.Expr:
    """A key that meets its like: times in UTC and microseconds, all else as text."""
    if rows.collect_schema()[name].is_temporal():
        return utc(rows, name).cast(pl.Datetime("us"))
    return pl.col(name).cast(pl.String)
