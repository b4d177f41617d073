"""The columns of a DuckDB relation as numbers, texts and times, by the user's very names."""

from collections.abc import Mapping

import duckdb
from duckdb import CaseExpression as Case
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from duckdb import DuckDBPyRelation, Expression
from duckdb import FunctionExpression as Function
from duckdb.sqltypes import BIGINT, DATE, DOUBLE, VARCHAR

from aiguard_dagster.adapters.engines.assemble import MICROSECOND, time_of_days
from aiguard_dagster.adapters.engines.engine import Family, Plan, require
from aiguard_dagster.adapters.engines.zones import spans_of
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import Reading
from aiguard_dagster.stats.profile import UNKNOWN_VERSION

ROWS = "aiguard rows"
"""What the relation is called, so that a column named ``*`` is no star."""
MICROSECONDS = 1_000_000
FLOATS = {"float", "double"}
NUMBER = r"[+-]?(([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|(?i:nan|inf|infinity))"
"""Text that is a number; DuckDB itself would also take ``1_000`` and spaces."""
FAMILIES: dict[str, Family] = {
    **dict.fromkeys(["tinyint", "smallint", "integer", "bigint", "hugeint"], "number"),
    **dict.fromkeys(["utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"], "number"),
    **dict.fromkeys(["float", "double", "decimal"], "number"),
    "boolean": "truth",
    **dict.fromkeys(["varchar", "enum", "uuid", "null"], "text"),
    **dict.fromkeys(["date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"], "time"),
    "timestamp with time zone": "time",
}


class Columns:
    """What is asked of a relation, column by column; its connection is only read by."""

    def __init__(self, relation: DuckDBPyRelation) -> None:
        self._relation = relation.set_alias(ROWS)
        self._types = {
            name: str(dtype.id)
            for name, dtype in zip(relation.columns, relation.types, strict=True)
        }
        self._extremes: dict[str, tuple[int, int]] = {}

    @property
    def names(self) -> list[str]:
        """All of them, in the table's order."""
        return list(self._types)

    def select(self, columns: Mapping[str, Expression]) -> DuckDBPyRelation:
        """Columns by our names for them; the one place where the user's are read."""
        return self._relation.select(*[value.alias(name) for name, value in columns.items()])

    def is_float(self, name: str) -> bool:
        """Whether a column may hold NaN."""
        return self._types[name] in FLOATS

    def family(self, name: str) -> Family:
        """What a column holds; a column that is gone holds nothing that could be counted."""
        return FAMILIES.get(self._types.get(name, ""), "other")

    def as_number(self, name: str) -> Expression:
        """A column as a number; null where there is none."""
        match self.family(name):
            case "number" | "truth":
                return named(name).cast(DOUBLE)
            case "text":
                text = named(name).cast(VARCHAR)
                is_number = Function("regexp_full_match", text, Constant(NUMBER))
                return Case(is_number, text.cast(DOUBLE))
            case _:
                return Constant(None).cast(DOUBLE)

    def number(self, name: str, reading: Reading, table: Table) -> Expression:
        """What is counted of a column, as a number; null where there is none."""
        match reading, self.family(name):
            case "error", _:
                return self.as_number(table.prediction or "") - self.as_number(table.label or "")
            case "number", _:
                return self.as_number(name)
            case "length", "number" | "truth" | "text" | "time":
                return Function("length", self.text(name)).cast(DOUBLE)
            case "age", "time" if table.time:
                age = self.time(table.time, table) - self.time(name, table)
                return age.cast(DOUBLE) * Constant(MICROSECOND)
            case _:
                return Constant(None).cast(DOUBLE)

    def text(self, name: str) -> Expression:
        """A column as text that is compared to the letter; null where there is none."""
        value = Constant(None) if self.family(name) == "other" else named(name)
        return value.cast(VARCHAR).collate("binary")

    def time(self, name: str, table: Table) -> Expression:
        """A time column in microseconds since 1970, UTC.

        Raises:
            MeasurementError: The column is gone, or holds no times.
        """
        require([name], self.names)
        kind = self._types[name]
        if self.family(name) != "time":
            msg = f"the time column {name!r} holds {kind}, not times"
            raise MeasurementError(msg)
        local = Function("epoch_us", named(name))
        if kind.endswith("zone") or table.time_zone == "UTC":
            return local
        if name not in self._extremes:
            ends = [Function("min", local), Function("max", local)]
            lowest, highest = self._relation.aggregate(ends).fetchall()[0]
            self._extremes[name] = (lowest or 0, highest or 0)
        lowest, highest = self._extremes[name]
        *spans, last = spans_of(table.time_zone, lowest // MICROSECONDS, highest // MICROSECONDS)
        found = local - Constant((last.offset or 0) * MICROSECONDS)
        for span in reversed(spans):
            moment = Constant(None).cast(BIGINT)
            if span.offset is not None:
                moment = local - Constant(span.offset * MICROSECONDS)
            until = Constant((span.until or 0) * MICROSECONDS)
            found = Case(local < until, moment).otherwise(found)
        return found

    def part(self, plan: Plan) -> Expression:
        """The part that a row belongs to."""
        table = plan.table
        if plan.by == "day":
            time = Function("make_timestamp", self.time(time_of_days(table), table))
            return or_else(time.cast(DATE).cast(VARCHAR), "")
        if not table.model_version:
            return Constant("")
        value = named(table.model_version)
        if self.is_float(table.model_version):
            fits = Function("abs", value.cast(DOUBLE)) < Constant(9.2e18)
            value = Case(fits, Function("trunc", value).cast(BIGINT))
        return or_else(value.cast(VARCHAR).collate("binary"), UNKNOWN_VERSION)


def named(name: str) -> Expression:
    """A column by its very name."""
    return Column(ROWS, name)


def finite(value: Expression) -> Expression:
    """The value where it is a finite number, else null."""
    return Case(Function("isfinite", value), value)


def or_else(value: Expression, text: str) -> Expression:
    """The value, or a text where it is null."""
    return duckdb.CoalesceOperator(value, Constant(text))
