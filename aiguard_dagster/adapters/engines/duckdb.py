"""Profiles by DuckDB: one scan for the numbers, and one for each column of categories.

Columns are renamed first, so that no name of the user's stands in a query.
"""

from collections.abc import Mapping, Sequence

from duckdb import CaseExpression as Case
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from duckdb import DuckDBPyRelation, Expression
from duckdb import FunctionExpression as Function
from duckdb.sqltypes import BIGINT, DOUBLE

from aiguard_dagster.adapters.engines.assemble import Key
from aiguard_dagster.adapters.engines.duckdb_columns import Columns, finite
from aiguard_dagster.adapters.engines.duckdb_count import Count
from aiguard_dagster.adapters.engines.engine import (
    AROUND,
    GOLDEN,
    SAMPLE,
    Categories,
    Family,
    Plan,
    require,
    turn_of,
)
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import DISTINCT, KNOWN, LEVELS, Reading, Spread
from aiguard_dagster.stats.profile import Profile

EVENLY = 10_000
"""Values of a sample that are looked at first."""
NULLS_LAST = (Constant("ASC"), Constant("NULLS LAST"))


class DuckDBEngine:
    """A relation of the user's DuckDB."""

    def __init__(self, relation: DuckDBPyRelation) -> None:
        self._columns = Columns(relation)

    def families(self) -> Mapping[str, Family]:
        """What each column holds, in the table's order."""
        return {name: self._columns.family(name) for name in self._columns.names}

    def spreads(self, readings: Mapping[str, Reading], table: Table) -> Mapping[str, Spread | None]:
        """The spread of columns, from rows taken evenly over the table."""
        if not readings:
            return {}
        values = [
            finite(self._columns.number(name, kind, table)) for name, kind in readings.items()
        ]
        sample = self._sample(values)
        columns = [Column(name) for name in sample.columns]
        lists = [Function("list_sort", Function("list", c), *NULLS_LAST) for c in columns]
        counts = [Function("count", column) for column in columns]
        ordered = sample.aggregate(
            [value.alias(f"x{place}") for place, value in enumerate([*lists, *counts])]
        )
        told = []
        for place in range(len(columns)):
            ascending, count = Column(f"x{place}"), Column(f"x{len(columns) + place}")
            told += [count, *_told(ascending, count)]
        found = ordered.select(*told).fetchall()[0]
        return {
            name: _spread(*found[3 * place : 3 * place + 3]) for place, name in enumerate(readings)
        }

    def categories(self, names: Sequence[str]) -> Mapping[str, Categories]:
        """The most frequent values, from rows taken evenly over the table."""
        found = {}
        for name in names:
            sample = self._sample([self._columns.text(name)])
            values = sample.filter(Column("v0").isnotnull())
            counts = values.aggregate([Column("v0"), Function("count_star").alias("rows")], "v0")
            whole = counts.aggregate([Function("sum", Column("rows")), Function("count_star")])
            rows, distinct = whole.fetchall()[0]
            top = counts.order("rows DESC, v0").limit(KNOWN).fetchall()
            found[name] = Categories(counts=dict(top), values=int(rows or 0), distinct=distinct)
        return found

    def profiles(self, plan: Plan) -> Mapping[Key, Profile]:
        """Count the rows, in parts."""
        require(plan.named, self._columns.names)
        return Count(self._columns, plan).profiles()

    def _sample(self, values: Sequence[Expression]) -> DuckDBPyRelation:
        """At most so many rows, taken evenly; the values are called ``v0``, ``v1`` and on."""
        whole = self._columns.select({f"v{place}": value for place, value in enumerate(values)})
        rows = whole.aggregate([Function("count_star")]).fetchall()[0][0]
        if rows <= SAMPLE:
            return whole
        counted = whole.row_number("over ()", "*")
        place = Column(counted.columns[-1])
        turned = (place - Constant(1)) % Constant(AROUND) * Constant(GOLDEN) % Constant(AROUND)
        evenly = counted.filter(turned < Constant(turn_of(rows, SAMPLE)))
        return evenly.select(*map(Column, whole.columns))


def _told(ordered: Expression, count: Expression) -> tuple[Expression, Expression]:
    """Of a sorted list the values at the quantiles, and its first distinct ones."""
    last = (count - Constant(1)).cast(DOUBLE)
    ends = [Constant(0.0), *map(Constant, LEVELS), Constant(1.0)]
    places = [Function("floor", last * level).cast(BIGINT) + Constant(1) for level in ends]
    cuts = Function("list_select", ordered, Function("list_value", *places))
    # Some of many values tell that they are not few, at a tenth of the time.
    step = Function("ceil", (count + Constant(1)) / Constant(EVENLY)).cast(BIGINT)
    some = Function("list_distinct", Function("list_slice", ordered, Constant(1), count, step))
    few = Function("list_sort", Function("list_distinct", ordered))
    few = Function("list_slice", few, Constant(1), Constant(DISTINCT + 1))
    return cuts, Case(Function("len", some) <= Constant(DISTINCT), few)


def _spread(count: int, ends: Sequence[float], few: Sequence[float] | None) -> Spread | None:
    if not count:
        return None
    lowest, *cuts, highest = ends
    distinct = tuple(dict.fromkeys(few or ()))
    return Spread(
        lowest=lowest,
        highest=highest,
        cuts=tuple(cuts),
        distinct=distinct if len(distinct) <= DISTINCT else (),
    )
