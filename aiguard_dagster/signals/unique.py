"""Rows that share a key."""

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Unique
from aiguard_dagster.core.spoken import joined
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.signals.batch import Batch, column, require, threshold
from aiguard_dagster.signals.columns import count, known


def measure_unique(signal: Unique, batch: Batch) -> tuple[Measurement, Threshold]:
    """Measure the share of rows whose key another row has too, 0 to 1, counted exactly.

    All rows of a repeated key count, the first one too. No value is a value of its own: two rows
    whose keys lack the same part and agree in the others share a key. A batch of no rows is
    inconclusive.

    Raises:
        MeasurementError: No columns are named, one is gone, or the limit is not an absolute share.
    """
    columns = signal.columns or batch.table.row_key
    if not columns:
        msg = "unique needs a key\n\nHint: name columns: in the rule, or declare key: in the guard."
        raise MeasurementError(msg)
    require(batch, *columns)
    names = [f"k{position}" for position in range(len(columns))]
    parts = [_part(batch, name).alias(k) for k, name in zip(names, columns, strict=True)]
    keys = batch.frame.select(*parts).group_by(names).agg(nw.len().alias("n"))
    rows_of_key, shared = nw.col("n"), nw.col("n") > 1
    lacking = nw.any_horizontal(*(nw.col(k).is_null() for k in names), ignore_nulls=False)
    found = keys.select(
        rows=rows_of_key.sum(),
        most=rows_of_key.max(),
        keys=count(batch, shared),
        sharing=nw.when(shared).then(rows_of_key).otherwise(nw.lit(0)).sum(),
        lacking=nw.when(shared & lacking).then(rows_of_key).otherwise(nw.lit(0)).sum(),
    )
    rows, most, again, sharing, gaps = (int(number or 0) for number in found.collect().row(0))
    text = f"{_counted(again, 'key')} on {sharing:,} of {rows:,} rows, one on {most:,}"
    if gaps:
        text += f"; {gaps:,} of these rows lack a part of their key"
    share = sharing / rows if rows else None
    measurement = Measurement(
        value=share,
        n=rows,
        window=batch.span,
        as_of=batch.as_of,
        parts=(Part(name=joined(columns), value=share, text=text),) if share else (),
        note="" if rows else "no rows",
    )
    return measurement, threshold(signal, batch, "share")


def _part(batch: Batch, name: str) -> nw.Expr:
    """One part of the key; NaN is no value."""
    value = column(batch, name)
    if batch.schema[name].is_float():
        return nw.when(known(batch, name)).then(value)
    return value


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
