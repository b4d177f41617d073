"""Profiles by polars: one pass over the rows, whatever the number of columns and bins."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import (
    CATEGORIES,
    CategoryGrid,
    ColumnGrid,
    Grid,
    NumericGrid,
    category_grid,
    numeric_grid,
)
from aiguard_dagster.stats.profile import BatchProfile, ColumnProfile, Outcomes, Profile

Row = dict[str, Any]
MOSTLY_DISTINCT = 0.5
"""Text columns with more distinct values than this share of the rows are left out."""
UNKNOWN_VERSION = "unknown"
SAMPLE = 200_000
"""Rows that edges are chosen from, taken evenly over the baseline."""


def profiled_columns(frame: pl.LazyFrame, table: Table) -> tuple[str, ...]:
    """The columns worth comparing: the prediction where there is one, else every feature."""
    if table.prediction:
        return (table.prediction,)
    meta = {table.time, table.label, table.model_version, table.cost, *table.key}
    schema = frame.collect_schema()
    return tuple(
        name for name, dtype in schema.items() if name not in meta and _is_countable(dtype)
    )


def _is_countable(dtype: pl.DataType) -> bool:
    return not (dtype.is_temporal() or dtype.is_nested() or dtype in {pl.Binary, pl.Object})


def _named(name: str) -> pl.Expr:
    """A column by its very name; ``pl.col`` reads ``*`` and ``^…$`` as patterns."""
    return pl.selectors.by_name(name).as_expr()


def choose_grid(frame: pl.LazyFrame, table: Table) -> Grid:
    """Choose a grid from the data that a version was accepted on."""
    schema = frame.collect_schema()
    _require(frame, [table.prediction])
    names = [name for name in profiled_columns(frame, table) if _is_countable(schema[name])]
    rows = int(frame.select(pl.len()).collect().item())
    step = max(1, rows // SAMPLE)
    sample = frame.select(_named(name).gather_every(step) for name in names).collect()
    columns: dict[str, ColumnGrid] = {}
    for name in names:
        values = sample.get_column(name).alias("value")
        if values.dtype.is_numeric():
            columns[name] = numeric_grid(values.cast(pl.Float64).drop_nulls().to_numpy())
        else:
            counts = values.cast(pl.String).drop_nulls().value_counts(name="rows")
            if counts.height > CATEGORIES and counts.height > len(values) * MOSTLY_DISTINCT:
                continue  # Names and ids: no shares to compare, and not ours to store.
            columns[name] = category_grid(dict(counts.iter_rows()))
    return Grid(columns)


def profile_table(
    frame: pl.LazyFrame, table: Table, grid: Grid, *, confusion: bool = False
) -> BatchProfile:
    """Profile one batch on a grid, by the version that made the predictions.

    Args:
        frame: The batch.
        table: What its columns mean.
        grid: The grid of the baseline.
        confusion: Count label against prediction, for classification metrics.

    Columns of the grid that are gone, and values of another type, count as nulls: drift will tell.

    Raises:
        MeasurementError: A column that the guard names is gone from the batch.
    """
    group = version_text(frame, table.model_version) if table.model_version else pl.lit("")
    return BatchProfile(
        grid_id=grid.id, parts=_profile_groups(frame, table, grid, group, confusion=confusion)
    )


def version_text(frame: pl.LazyFrame, column: str) -> pl.Expr:
    """The version column as MLflow writes versions: 2 and 2.0 are ``"2"``, a null is unknown."""
    _require(frame, [column])
    value = _named(column)
    if frame.collect_schema()[column].is_float():
        value = value.cast(pl.Int64, strict=False)
    return value.cast(pl.String).fill_null(UNKNOWN_VERSION)


def profile_days(
    frame: pl.LazyFrame, table: Table, grid: Grid, *, confusion: bool = False
) -> dict[str, Profile]:
    """Profile each day (UTC) of a table by its time column; keys are ISO dates, in order.

    Raises:
        MeasurementError: A column that the guard names is gone from the table.
    """
    if not table.time:
        msg = "a baseline needs the table's time column\n\nHint: declare time: in the guard."
        raise MeasurementError(msg)
    day = utc(frame, table.time, table.time_zone).dt.date().cast(pl.String).fill_null("")
    return _profile_groups(frame, table, grid, day, confusion=confusion)


def utc(frame: pl.LazyFrame, column: str, time_zone: str = "UTC") -> pl.Expr:
    """A time column in UTC; naive values are UTC already, dates start at midnight.

    Raises:
        MeasurementError: The column is gone, or holds no times.
    """
    schema = frame.collect_schema()
    if column not in schema:
        msg = f"columns are gone: {column}\n\nHint: the table has {', '.join(schema.names())}."
        raise MeasurementError(msg)
    match schema[column]:
        case pl.Datetime(time_zone=str()):
            return _named(column).dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        case pl.Datetime():
            return _local(_named(column), time_zone)
        case pl.Date():
            return _local(_named(column).cast(pl.Datetime("us")), time_zone)
        case other:
            msg = f"the time column {column!r} holds {other}, not times"
            raise MeasurementError(msg)


def _local(time: pl.Expr, time_zone: str) -> pl.Expr:
    """Naive times of a zone in UTC: the earlier of two, the next one where there is none."""
    if time_zone == "UTC":
        return time

    def moment(value: pl.Expr) -> pl.Expr:
        return value.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")

    found = pl.coalesce(moment(time), moment(time.dt.offset_by("1h")))
    return found.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _profile_groups(
    frame: pl.LazyFrame, table: Table, grid: Grid, group: pl.Expr, *, confusion: bool
) -> dict[str, Profile]:
    _require(frame, [table.time, table.prediction, table.label, table.model_version, table.cost])
    schema = frame.collect_schema()
    gone = [n for n in grid.columns if n not in schema or not _is_countable(schema[n])]
    frame = frame.with_columns(pl.lit(None).alias(name) for name in gone)
    group = group.alias("group")
    aggregates = [pl.len().alias("rows"), *_time_range(frame, table), *_outcomes(frame, table)]
    for position, (name, column) in enumerate(grid.columns.items()):
        aggregates += _column(name, column, f"c{position}")
    queries = [frame.group_by(group).agg(aggregates)]
    if confusion and table.label and table.prediction:
        queries.append(_confusion(frame, table, group))
    found = pl.collect_all(queries)
    counted: dict[str, dict[tuple[str, str], int]] = {}
    for pair in found[1].iter_rows(named=True) if len(found) > 1 else ():
        counted.setdefault(pair["group"], {})[pair["label"], pair["said"]] = pair["rows"]
    rows = sorted(found[0].iter_rows(named=True), key=lambda row: str(row["group"]))
    return {row["group"]: _profile(row, grid, counted.get(row["group"], {})) for row in rows}


def _require(frame: pl.LazyFrame, names: Sequence[str | None]) -> None:
    present = frame.collect_schema().names()
    gone = sorted({name for name in names if name} - set(present))
    if gone:
        msg = f"columns are gone: {', '.join(gone)}\n\nHint: the table has {', '.join(present)}."
        raise MeasurementError(msg)


def _time_range(frame: pl.LazyFrame, table: Table) -> list[pl.Expr]:
    if not table.time:
        return []
    time = utc(frame, table.time, table.time_zone)
    return [time.min().alias("first"), time.max().alias("last")]


def _value(frame: pl.LazyFrame, name: str) -> pl.Expr:
    """A column in which NaN, like null, means that the value is not known."""
    value = _named(name)
    return value.fill_nan(None) if frame.collect_schema()[name].is_float() else value


def _outcomes(frame: pl.LazyFrame, table: Table) -> list[pl.Expr]:
    aggregates: list[pl.Expr] = []
    if table.prediction and table.label:
        said, label = _value(frame, table.prediction), _value(frame, table.label)
        error = said.cast(pl.Float64, strict=False) - label.cast(pl.Float64, strict=False)
        error = error.filter(error.is_finite())
        aggregates += [
            (said.is_not_null() & label.is_not_null()).sum().alias("labelled"),
            error.len().alias("measurable"),
            error.abs().sum().alias("absolute"),
            (error * error).sum().alias("squared"),
            error.sum().alias("signed"),
        ]
    if table.cost:
        cost = _named(table.cost).cast(pl.Float64, strict=False)
        usable = cost.filter(cost.is_finite())
        aggregates += [usable.len().alias("priced"), usable.sum().alias("spend")]
    return aggregates


def _column(name: str, grid: ColumnGrid, short: str) -> list[pl.Expr]:
    match grid:
        case NumericGrid():
            value = _named(name).cast(pl.Float64, strict=False)
            finite = value.filter(value.is_finite())
            known = value.is_not_null() & value.is_not_nan()
            below = [
                (known & (value <= edge)).sum().alias(f"{short}_{i}")
                for i, edge in enumerate(grid.edges)
            ]
            return [
                (~known).sum().alias(f"{short}_nulls"),
                value.is_infinite().sum().alias(f"{short}_infinite"),
                finite.min().alias(f"{short}_lowest"),
                finite.max().alias(f"{short}_highest"),
                finite.mean().alias(f"{short}_mean"),
                finite.var(ddof=0).alias(f"{short}_var"),
                *below,
            ]
        case CategoryGrid():
            text = _named(name).cast(pl.String)
            return [
                text.is_null().sum().alias(f"{short}_nulls"),
                *(
                    (text == category).sum().alias(f"{short}_{i}")
                    for i, category in enumerate(grid.categories)
                ),
            ]


def _confusion(frame: pl.LazyFrame, table: Table, group: pl.Expr) -> pl.LazyFrame:
    prediction = table.prediction or ""
    said = _value(frame, prediction)
    # 1 and 1.0 are one class: labels are read in the type of the predictions.
    label = _value(frame, table.label or "")
    label = label.cast(frame.collect_schema()[prediction], strict=False)
    return (
        frame.filter(label.is_not_null() & said.is_not_null())
        .group_by(group, label.cast(pl.String).alias("label"), said.cast(pl.String).alias("said"))
        .agg(pl.len().alias("rows"))
    )


def _profile(row: Row, grid: Grid, confusion: dict[tuple[str, str], int]) -> Profile:
    measurable = row.get("measurable", 0)
    return Profile(
        rows=row["rows"],
        first=_utc(row.get("first")),
        last=_utc(row.get("last")),
        columns={
            name: _column_profile(row, column, f"c{position}")
            for position, (name, column) in enumerate(grid.columns.items())
        },
        outcomes=Outcomes(
            labelled=row.get("labelled", 0) if confusion else measurable,
            absolute=row.get("absolute") or 0.0,
            squared=row.get("squared") or 0.0,
            signed=row.get("signed") or 0.0,
            confusion=confusion,
            priced=row.get("priced", 0),
            spend=row.get("spend") or 0.0,
        ),
    )


def _column_profile(row: Row, grid: ColumnGrid, short: str) -> ColumnProfile:
    nulls = row[f"{short}_nulls"]
    match grid:
        case NumericGrid():
            known = row["rows"] - nulls
            below = [0, *(row[f"{short}_{i}"] for i in range(len(grid.edges))), known]
            infinite = row[f"{short}_infinite"]
            return ColumnProfile(
                rows=row["rows"],
                nulls=nulls,
                infinite=infinite,
                counts=tuple(np.diff(below).tolist()),
                lowest=row[f"{short}_lowest"],
                highest=row[f"{short}_highest"],
                mean=row[f"{short}_mean"] or 0.0,
                spread=(row[f"{short}_var"] or 0.0) * (known - infinite),
            )
        case CategoryGrid():
            named = [row[f"{short}_{i}"] for i in range(len(grid.categories))]
            other = row["rows"] - nulls - sum(named)
            return ColumnProfile(rows=row["rows"], nulls=nulls, infinite=0, counts=(*named, other))


def _utc(value: object) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC)
