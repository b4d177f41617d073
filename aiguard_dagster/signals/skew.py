"""Features at inference against those of training, for the same keys."""

from collections.abc import Sequence

import polars as pl

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Skew
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.signals.batch import Batch, require, threshold
from aiguard_dagster.signals.columns import Family, family_of, plain, type_of

MOST_PARTS = 10


def measure_skew(signal: Skew, batch: Batch) -> tuple[Measurement, Threshold]:
    """Measure the share of rows, 0 to 1, that differ from the reference in the worst column.

    Rows are matched by key; those that the reference lacks lower the coverage. Null and NaN equal
    each other and nothing else. The compared columns of both tables come here for it.

    Raises:
        MeasurementError: A column is gone, a key names several rows, or no column is in both.
    """
    reference = batch.other(signal.reference)
    keys = signal.keys or batch.table.row_key
    columns = signal.columns or _common(keys, batch, reference)
    if not keys or not columns:
        msg = "skew needs keys and columns that both tables have\n\nHint: name keys and columns."
        raise MeasurementError(msg)
    ours = _rows(batch, keys, columns, "here")
    theirs = _rows(reference, keys, columns, "in the reference")
    on = [f"k{at}" for at in range(len(keys))]
    matched = ours.join(theirs, on=on, how="inner", suffix="_ref", nulls_equal=True)
    parts = [
        part
        for at, name in enumerate(columns)
        if (part := _column(matched, at, name, _kinds(name, batch, reference), signal.tolerance))
    ]
    parts.sort(key=lambda part: -part.value)
    measurement = Measurement(
        value=(parts[0].value if parts else 0.0) if matched.height else None,
        n=matched.height,
        window=batch.span,
        as_of=batch.as_of,
        coverage=matched.height / ours.height if ours.height else 0.0,
        parts=tuple(parts[:MOST_PARTS]),
        note="" if matched.height else "no row is in both tables",
    )
    return measurement, threshold(signal, batch, "share")


def _common(keys: Sequence[str], batch: Batch, reference: Batch) -> tuple[str, ...]:
    theirs = set(reference.schema)
    return tuple(n for n in batch.schema if n in theirs and n not in keys)


def _rows(batch: Batch, keys: Sequence[str], columns: Sequence[str], where: str) -> pl.DataFrame:
    require(batch, *keys, *columns)
    parts = [plain(batch, name).alias(f"k{at}") for at, name in enumerate(keys)]
    parts += [plain(batch, name).alias(f"c{at}") for at, name in enumerate(columns)]
    rows = batch.frame.select(*parts).collect().to_polars()
    repeated = rows.height - rows.select(f"k{at}" for at in range(len(keys))).n_unique()
    if repeated:
        msg = f"{repeated:,} rows {where} share a key\n\nHint: name keys that tell rows apart."
        raise MeasurementError(msg)
    return rows


def _kinds(name: str, batch: Batch, reference: Batch) -> tuple[Family, Family]:
    return family_of(type_of(batch, name)), family_of(type_of(reference, name))


def _column(
    rows: pl.DataFrame, at: int, name: str, kinds: tuple[Family, Family], tolerance: float
) -> Part | None:
    """How often, and how, one column differs; None where it never does."""
    kind, their_kind = kinds
    if kind != their_kind:
        return Part(name=name, value=1.0, text=f"{kind} here, {their_kind} in the reference")
    mine, other = pl.col(f"c{at}"), pl.col(f"c{at}_ref")
    if kind == "numbers":
        mine, other = mine.cast(pl.Float64), other.cast(pl.Float64)
        near = (mine - other).abs() <= tolerance * pl.max_horizontal(mine.abs(), other.abs())
        same = (mine == other) | (near & mine.is_finite() & other.is_finite())
    else:
        same = mine == other
    gone, come = mine.is_null() & other.is_not_null(), mine.is_not_null() & other.is_null()
    differs = (~same).fill_null(value=False) | gone | come
    asked = [
        pl.len().alias("rows"),
        differs.sum().alias("differ"),
        gone.sum().alias("gone"),
        come.sum().alias("come"),
    ]
    if kind == "numbers":
        shift = (mine - other).filter(differs & mine.is_finite() & other.is_finite())
        ratio = (mine / other).filter(differs & mine.is_finite() & other.is_finite() & (other != 0))
        asked += [shift.median().alias("shift"), ratio.median().alias("ratio")]
    found = rows.select(asked).row(0, named=True)
    if not found["differ"]:
        return None
    text = f"{found['differ']:,} of {found['rows']:,} rows"
    if found["gone"]:
        text += f", {found['gone']:,} null only here"
    if found["come"]:
        text += f", {found['come']:,} null only in the reference"
    if found.get("shift") is not None:
        text += f", median difference {found['shift']:+.4g}"
    if found.get("ratio") is not None:
        text += f", median ratio {found['ratio']:.4g}"
    return Part(name=name, value=found["differ"] / found["rows"], text=text)
