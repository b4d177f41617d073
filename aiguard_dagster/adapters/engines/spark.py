"""Profiles by Spark, classic or over Spark Connect: only aggregates leave it.

Columns are renamed first, so that no name of the user's stands in a query. Aggregates by the
hundred in one query collapse, so columns are stacked: see ``spark_stacks``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as f
from pyspark.sql import types as t

from aiguard_dagster.adapters.engines.assemble import MICROSECOND, Key, time_of_days
from aiguard_dagster.adapters.engines.engine import (
    SAMPLE,
    Categories,
    Family,
    Plan,
    require,
)
from aiguard_dagster.adapters.engines.spark_count import Count
from aiguard_dagster.adapters.engines.spark_stacks import finite, rows_of, slices, stacked
from aiguard_dagster.adapters.engines.zones import spans_of
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import DISTINCT, KNOWN, LEVELS, Reading, Spread
from aiguard_dagster.stats.profile import UNKNOWN_VERSION, Profile

SORTED_AT_ONCE = 10
"""Columns whose sample is sorted in one query: their values are in an executor's memory."""
SAFELY = 0.98
"""Of the rows wanted, what is asked for: Spark draws each row by itself, and may draw more."""
SECONDS = 1_000_000
"""Microseconds in one."""
DAY = 86_400 * SECONDS
LONGEST = 9.2e18
NUMBER = r"\A([+-]?(([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|(?i:inf|infinity))|(?i:nan))\z"
"""Text that is a number; Spark itself would also take spaces and ``1.5d``."""
FLOATS = (t.FloatType, t.DoubleType)
LOCAL_TIMES = (t.TimestampNTZType, t.DateType)
FAMILIES: tuple[tuple[tuple[type[Any], ...], Family], ...] = (
    ((t.NumericType,), "number"),
    ((t.BooleanType,), "truth"),
    ((t.StringType, t.CharType, t.VarcharType, t.NullType), "text"),
    ((t.TimestampType, *LOCAL_TIMES), "time"),
)


class SparkEngine:
    """A Spark frame; nothing of it is kept, and no rows are taken from it."""

    def __init__(self, frame: DataFrame) -> None:
        fields = frame.schema.fields
        self._types = {field.name: field.dataType for field in fields}
        self._places = {field.name: f"c{place}" for place, field in enumerate(fields)}
        self._frame = frame.toDF(*[f"c{place}" for place in range(len(fields))])
        self._extremes: dict[str, tuple[int, int]] = {}

    def families(self) -> Mapping[str, Family]:
        """What each column holds, in the table's order."""
        return {name: self.family(name) for name in self._types}

    def spreads(self, readings: Mapping[str, Reading], table: Table) -> Mapping[str, Spread | None]:
        """The spread of columns, from rows drawn at random."""
        found: dict[str, Spread | None] = dict.fromkeys(readings)
        sample = self._sample() if readings else self._frame
        for names in slices(list(readings), SORTED_AT_ONCE):
            values = [finite(self.number(name, readings[name], table)) for name in names]
            known = stacked(sample, values).where(f.col("value").isNotNull())
            ordered = known.groupBy("id").agg(f.sort_array(f.collect_list("value")).alias("all"))
            found |= {names[row["id"]]: _spread(row) for row in rows_of(_told(ordered))}
        return found

    def categories(self, names: Sequence[str]) -> Mapping[str, Categories]:
        """The most frequent values, from rows drawn at random."""
        found = {name: Categories(counts={}, values=0, distinct=0) for name in names}
        sample = self._sample() if names else self._frame
        for some in slices(names):
            texts = stacked(sample, [self.text(name) for name in some])
            known = texts.where(f.col("value").isNotNull())
            counts = known.groupBy("id", "value").agg(f.count("value").alias("rows"))
            same = Window.partitionBy("id")
            ranked = counts.select(
                "*",
                f.row_number().over(same.orderBy(f.desc("rows"), "value")).alias("rank"),
                f.sum("rows").over(same).alias("values"),
                f.count("value").over(same).alias("distinct"),
            )
            top: dict[int, list[dict[str, Any]]] = {}
            for row in rows_of(ranked.where(f.col("rank") <= KNOWN)):
                top.setdefault(row["id"], []).append(row)
            for place, rows in top.items():
                found[some[place]] = Categories(
                    counts={row["value"]: row["rows"] for row in rows},
                    values=rows[0]["values"],
                    distinct=rows[0]["distinct"],
                )
        return found

    def profiles(self, plan: Plan) -> Mapping[Key, Profile]:
        """Count the rows, in parts."""
        require(plan.named, list(self._types))
        return Count(self, plan).profiles()

    @property
    def frame(self) -> DataFrame:
        """The rows, with columns by our names for them."""
        return self._frame

    def family(self, name: str) -> Family:
        """What a column holds; a column that is gone holds nothing that could be counted."""
        kind = self._types.get(name)
        return next((family for types, family in FAMILIES if isinstance(kind, types)), "other")

    def named(self, name: str) -> Column:
        """A column by its very name."""
        return f.col(self._places[name])

    def known(self, name: str) -> Column:
        """A column in which NaN, like null, means that the value is not known."""
        if isinstance(self._types[name], FLOATS):
            return f.when(~f.isnan(self.named(name)), self.named(name))
        # Of text, the cast sheds a collation.
        return self.text(name) if self.family(name) == "text" else self.named(name)

    def as_number(self, name: str) -> Column:
        """A column as a number; null where there is none."""
        match self.family(name):
            case "number" | "truth":
                return self.named(name).cast("double")
            case "text":
                text = self.named(name).cast("string")
                return f.when(text.rlike(NUMBER), text.cast("double"))
            case _:
                return f.lit(None).cast("double")

    def number(self, name: str, reading: Reading, table: Table) -> Column:
        """What is counted of a column, as a number; null where there is none."""
        match reading, self.family(name):
            case "error", _:
                return self.as_number(table.prediction or "") - self.as_number(table.label or "")
            case "number", _:
                return self.as_number(name)
            case "length", "number" | "truth" | "text" | "time":
                return f.length(self.text(name)).cast("double")
            case "age", "time" if table.time:
                age = self.time(table.time, table) - self.time(name, table)
                return age.cast("double") * f.lit(MICROSECOND)
            case _:
                return f.lit(None).cast("double")

    def text(self, name: str) -> Column:
        """A column as text that is compared to the letter; null where there is none."""
        value = f.lit(None) if self.family(name) == "other" else self.named(name)
        return value.cast("string")

    def time(self, name: str, table: Table) -> Column:
        """A time column in microseconds since 1970, UTC, whatever the session's time zone.

        Raises:
            MeasurementError: The column is gone, or holds no times.
        """
        require([name], list(self._types))
        if self.family(name) != "time":
            msg = f"the time column {name!r} holds {self._types[name].simpleString()}, not times"
            raise MeasurementError(msg)
        micros = self._micros(name)
        if not isinstance(self._types[name], LOCAL_TIMES) or table.time_zone == "UTC":
            return micros
        if name not in self._extremes:
            ends = self._frame.agg(f.min(micros).alias("low"), f.max(micros).alias("high"))
            row = rows_of(ends)[0]
            self._extremes[name] = (row["low"] or 0, row["high"] or 0)
        lowest, highest = self._extremes[name]
        *spans, last = spans_of(table.time_zone, lowest // SECONDS, highest // SECONDS)
        found = micros - f.lit((last.offset or 0) * SECONDS)
        for span in reversed(spans):
            moment = f.lit(None).cast("bigint")
            if span.offset is not None:
                moment = micros - f.lit(span.offset * SECONDS)
            found = f.when(micros < f.lit((span.until or 0) * SECONDS), moment).otherwise(found)
        return found

    def part(self, plan: Plan) -> Column | None:
        """The part that a row belongs to, days as days since 1970; None where all are one."""
        table = plan.table
        if plan.by == "day":
            time = self.time(time_of_days(table), table)
            return ((time - f.pmod(time, f.lit(DAY))) / f.lit(DAY)).cast("int")
        if not table.model_version:
            return None
        value = self.named(table.model_version)
        if isinstance(self._types[table.model_version], FLOATS):
            value = f.when(f.abs(value.cast("double")) < f.lit(LONGEST), value.cast("bigint"))
        return f.coalesce(value.cast("string"), f.lit(UNKNOWN_VERSION))

    def _micros(self, name: str) -> Column:
        """Microseconds since 1970 of the clock that the column was read from."""
        match self._types[name]:
            case t.DateType():
                return f.unix_date(self.named(name)).cast("bigint") * f.lit(DAY)
            case t.TimestampNTZType():
                since = self.named(name) - f.lit("1970-01-01").cast("timestamp_ntz")
                seconds = since.cast("interval second").cast("decimal(20,6)")
                return (seconds * f.lit(SECONDS)).cast("bigint")
            case _:
                return f.unix_micros(self.named(name))

    def _sample(self) -> DataFrame:
        rows = self._frame.count()
        return self._frame if rows <= SAMPLE else self._frame.sample(SAFELY * SAMPLE / rows, seed=0)


def _told(ordered: DataFrame) -> DataFrame:
    """Of each sorted array the values at the quantiles, and its first distinct ones."""
    every = f.col("all")
    last = (f.size(every) - 1).cast("double")
    ends = f.array(*map(f.lit, [0.0, *LEVELS, 1.0]))
    cuts = f.transform(ends, lambda level: f.get(every, f.floor(last * level).cast("int")))
    few = f.slice(f.array_distinct(every), 1, DISTINCT + 1)
    return ordered.select("id", cuts.alias("cuts"), few.alias("few"))


def _spread(row: Mapping[str, Any]) -> Spread:
    lowest, *cuts, highest = row["cuts"]
    distinct = tuple(dict.fromkeys(row["few"]))
    return Spread(
        lowest=lowest,
        highest=highest,
        cuts=tuple(cuts),
        distinct=distinct if len(distinct) <= DISTINCT else (),
    )
