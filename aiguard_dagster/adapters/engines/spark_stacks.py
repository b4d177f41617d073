"""Columns of a Spark frame stacked into one, and bins looked up in it.

One row a value, grouped by column and bin, is a plan whose code does not grow with the columns:
aggregates by the hundred, side by side, take minutes. The array that the values are unpacked from
is made in a step of its own. Where ``posexplode`` makes it itself, each column becomes an argument
of a Java method; from about forty on the JVM declines to compile that, and all takes six times as
long.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import polars as pl
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f
from pyspark.sql import types as t

from aiguard_dagster.stats.grid import NumericGrid

T = TypeVar("T")
AT_ONCE = 40
"""Columns in one query: Java compiles no method of more than 8,000 bytes."""
NULL, NAN, MINUS, PLUS = SPECIAL = range(-4, 0)
"""What is no finite number has the last four bins of a column's, counted from its end."""
TYPES: dict[type[Any], type[pl.DataType]] = {
    t.ByteType: pl.Int8,
    t.ShortType: pl.Int16,
    t.IntegerType: pl.Int32,
    t.LongType: pl.Int64,
    t.FloatType: pl.Float32,
    t.DoubleType: pl.Float64,
    t.BooleanType: pl.Boolean,
    t.StringType: pl.String,
}


def slices(names: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """So many at once, in order."""
    for start in range(0, len(names), size):
        yield names[start : start + size]


def stacked(
    frame: DataFrame, values: Sequence[Column], beside: Mapping[str, Column] | None = None
) -> DataFrame:
    """One row a value: the columns beside it, its column's place ``id``, and ``value``."""
    kept = beside or {}
    named = [column.alias(name) for name, column in kept.items()]
    wide = frame.select(*named, f.array(*values).alias("values"))
    return wide.select(*kept, f.posexplode("values").alias("id", "value"))


def width_of(grids: Sequence[NumericGrid]) -> int:
    """Bins that each of these columns has, in powers of two, the special ones included."""
    return 1 << max(grid.size + len(SPECIAL) - 1 for grid in grids).bit_length()


def middle_of(grid: NumericGrid) -> float:
    """About where a column's values lie."""
    return grid.edges[len(grid.edges) // 2] if grid.edges else 0.0


def binned(stack: DataFrame, grids: Sequence[NumericGrid]) -> DataFrame:
    """With ``bin``: the column's place times :func:`width_of`, and the value's bin in its grid.

    Each column's edges are a tree, and an array holds the same level of all trees: at each level a
    value goes to the left or to the right.
    """
    width, value = width_of(grids), f.col("value")
    trees = [grid.edges + (float("inf"),) * (width - 1 - len(grid.edges)) for grid in grids]
    found = stack.withColumn("bin", f.col("id"))
    step = width
    while step > 1:
        level = [edge for tree in trees for edge in tree[step // 2 - 1 :: step]]
        is_above = f.get(numbers(level), f.col("bin")) < value
        right = f.when(is_above, f.lit(1)).otherwise(f.lit(0))
        found = found.withColumn("bin", f.col("bin") * 2 + right)
        step //= 2

    def special(which: int) -> Column:
        return (f.col("id") + 1) * width + which

    own = f.when(value.isNull(), special(NULL)).when(f.isnan(value), special(NAN))
    own = own.when(value == float("-inf"), special(MINUS)).when(
        value == float("inf"), special(PLUS)
    )
    return found.withColumn("bin", own.otherwise(f.col("bin")))


def placed(stack: DataFrame, places: Sequence[Mapping[str | None, int]]) -> DataFrame:
    """With ``bin``: what each column's mapping has for the text, or for None; null has none.

    Counted by text first: to look up each row would take longer than to count it.
    """
    known = [
        {"id": place, "value": text, "bin": found}
        for place, column in enumerate(places)
        for text, found in column.items()
        if text is not None
    ]
    schema = "array<struct<id:int,value:string,bin:int>>"
    parsed = f.explode(f.from_json(f.lit(json.dumps(known)), schema)).alias("known")
    lookup = f.broadcast(stack.sparkSession.range(1).select(parsed).select("known.*"))
    unseen = f.get(_wholes([column[None] for column in places]), f.col("id"))
    found = f.when(f.col("value").isNotNull(), f.coalesce(f.col("bin"), unseen))
    return stack.join(lookup, ["id", "value"], "left").withColumn("bin", found)


def bin_of(value: Column, edges: Sequence[float]) -> Column:
    """The bin of a value that is known, found by halving; for one column at a time."""

    def among(low: int, high: int) -> Column:
        if low == high:
            return f.lit(low)
        middle = (low + high) // 2
        is_below = value <= f.lit(edges[middle])
        return f.when(is_below, among(low, middle)).otherwise(among(middle + 1, high))

    return among(0, len(edges))


def finite(value: Column) -> Column:
    """The value where it is a finite number, else null."""
    return f.when(~f.isnan(value) & (f.abs(value) < f.lit(float("inf"))), value)


def collected(frame: DataFrame) -> pl.DataFrame:
    """What a query told, as a frame in this process."""
    if hasattr(frame, "toArrow"):
        return pl.DataFrame(pl.from_arrow(frame.toArrow()))
    schema = {field.name: _polars_type(field.dataType) for field in frame.schema.fields}
    return pl.DataFrame([row.asDict() for row in frame.collect()], schema=schema)


def rows_of(frame: DataFrame) -> list[dict[str, Any]]:
    """What a query told, as rows."""
    return collected(frame).to_dicts()


def _polars_type(kind: t.DataType) -> pl.DataType | type[pl.DataType]:
    match kind:
        case t.DecimalType():
            return pl.Decimal(kind.precision, kind.scale)
        case t.ArrayType():
            return pl.List(_polars_type(kind.elementType))
        case _:
            return TYPES[type(kind)]


def numbers(values: Sequence[float]) -> Column:
    """A constant array; literals would take a call to Java each."""
    text = ",".join(repr(float(value)).replace("inf", "Infinity") for value in values)
    return f.split(f.lit(text), ",").cast("array<double>")


def _wholes(values: Sequence[int]) -> Column:
    return f.split(f.lit(",".join(map(str, values))), ",").cast("array<int>")
