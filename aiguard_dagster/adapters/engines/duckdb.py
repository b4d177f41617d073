"""Profiles by DuckDB: one scan for the numbers, and one for each column of categories.

Columns are renamed first, so that no name of the user's stands in a query.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import polars as pl
from duckdb import CaseExpression as Case
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from duckdb import DuckDBPyRelation, Expression
from duckdb import FunctionExpression as Function
from duckdb.sqltypes import BIGINT, DATE, DOUBLE, VARCHAR

from aiguard_dagster.adapters.engines.assemble import (
    Grouped,
    Key,
    Row,
    by_part,
    is_strange,
    pairs_of,
    places_of,
    profiles_of,
    time_of_days,
)
from aiguard_dagster.adapters.engines.engine import (
    SAMPLE,
    UNKNOWN_VERSION,
    Categories,
    Family,
    Plan,
    require,
)
from aiguard_dagster.adapters.engines.zones import spans_of
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import (
    DISTINCT,
    KNOWN,
    LEVELS,
    SCORE_EDGES,
    CategoryGrid,
    JointGrid,
    NumericGrid,
    Reading,
    Spread,
)
from aiguard_dagster.stats.profile import Profile

ROWS = "aiguard rows"
"""What the relation is called, so that a column named ``*`` is no star."""
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, as all times here
MICROSECONDS = 1_000_000
FAR = 1e4
"""Variances of the squared distance from the middle of the grid, from which on the spread is
summed anew: four of sixteen digits are lost there."""
EVENLY = 10_000
"""Values of a sample that are looked at first."""
FLOATS = {"float", "double"}
NUMBER = r"[+-]?(([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|(?i:nan|inf|infinity))"
"""Text that is a number; DuckDB itself would also take ``1_000`` and spaces."""
NULLS_LAST = (Constant("ASC"), Constant("NULLS LAST"))
FAMILIES: dict[str, Family] = {
    **dict.fromkeys(["tinyint", "smallint", "integer", "bigint", "hugeint"], "number"),
    **dict.fromkeys(["utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"], "number"),
    **dict.fromkeys(["float", "double", "decimal"], "number"),
    "boolean": "truth",
    **dict.fromkeys(["varchar", "enum", "uuid", "null"], "text"),
    **dict.fromkeys(["date", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"], "time"),
    "timestamp with time zone": "time",
}


class DuckDBEngine:
    """A relation of the user's DuckDB; its connection is only read by."""

    def __init__(self, relation: DuckDBPyRelation) -> None:
        self._relation = relation.set_alias(ROWS)
        self._types = {
            name: str(dtype.id)
            for name, dtype in zip(relation.columns, relation.types, strict=True)
        }
        self._extremes: dict[str, tuple[int, int]] = {}

    def families(self) -> Mapping[str, Family]:
        """What each column holds, in the table's order."""
        return {name: FAMILIES.get(kind, "other") for name, kind in self._types.items()}

    def spreads(self, readings: Mapping[str, Reading], table: Table) -> Mapping[str, Spread | None]:
        """The spread of columns, from rows taken evenly over the table."""
        if not readings:
            return {}
        values = [finite(self.number(name, kind, table)) for name, kind in readings.items()]
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
            sample = self._sample([self.text(name)])
            values = sample.filter(Column("v0").isnotnull())
            counts = values.aggregate([Column("v0"), Function("count_star").alias("rows")], "v0")
            whole = counts.aggregate([Function("sum", Column("rows")), Function("count_star")])
            rows, distinct = whole.fetchall()[0]
            top = counts.order("rows DESC, v0").limit(KNOWN).fetchall()
            found[name] = Categories(counts=dict(top), values=int(rows or 0), distinct=distinct)
        return found

    def profiles(self, plan: Plan) -> Mapping[Key, Profile]:
        """Count the rows, in parts."""
        require(plan.named, list(self._types))
        return _Count(self, plan).profiles()

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
                return age.cast(DOUBLE) / Constant(float(MICROSECONDS))
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
        require([name], list(self._types))
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

    def _sample(self, values: Sequence[Expression]) -> DuckDBPyRelation:
        """At most so many rows, every so many-th; the values are called ``v0``, ``v1`` and on."""
        whole = self.select({f"v{place}": value for place, value in enumerate(values)})
        rows = self._relation.aggregate([Function("count_star")]).fetchall()[0][0]
        step = -(-rows // SAMPLE)
        if step <= 1:
            return whole
        counted = whole.row_number("over ()", "*")
        place = Column(counted.columns[-1])
        evenly = counted.filter(place % Constant(step) == Constant(0))
        return evenly.select(*map(Column, whole.columns))


class _Count:
    """One batch being counted: the queries, and what they told."""

    def __init__(self, engine: DuckDBEngine, plan: Plan) -> None:
        self._engine, self._plan = engine, plan
        self._part = {"part": engine.part(plan)}

    def profiles(self) -> dict[Key, Profile]:
        columns = self._plan.grid.columns
        numbers = {name: grid for name, grid in columns.items() if isinstance(grid, NumericGrid)}
        rows = self._aggregated(numbers)
        if self._plan.grid.joint:
            rows = _joined(rows, self._products(self._plan.grid.joint))
        strange = {
            name: grid
            for name, grid in numbers.items()
            if any(is_strange(row, name) or _is_far(row, name) for row in rows.values())
        }
        if strange:
            rows = _joined(rows, self._finite_only(strange))
        pairs = self._plan.classes and self._plan.table.label and self._plan.table.prediction
        return profiles_of(
            self._plan,
            rows,
            texts={
                name: self._texts(name, grid)
                for name, grid in columns.items()
                if isinstance(grid, CategoryGrid)
            },
            residuals={name: self._by_bin(name) for name in self._plan.residuals},
            pairs=self._pairs() if pairs else {},
        )

    def _asked(
        self,
        columns: Mapping[str, Expression],
        aggregates: Mapping[str, Expression],
        *keys: str,
        known: str | None = None,
    ) -> list[dict[str, Any]]:
        """Aggregates of columns by part and keys, of the rows where one column is known."""
        found = self._engine.select({**self._part, **columns})
        if known:
            found = found.filter(Column(known).isnotnull())
        names = ["part", *keys]
        told = found.aggregate([*map(Column, names), *aggregates.values()], ", ".join(names))
        return [dict(zip([*names, *aggregates], row, strict=True)) for row in told.fetchall()]

    def _aggregated(self, grids: Mapping[str, NumericGrid]) -> dict[Key, Row]:
        """What is told of the whole, and per column what is cheap, and right if all is finite."""
        columns, aggregates = self._whole()
        for place, (name, grid) in enumerate(grids.items()):
            value, middle = Column(f"v{place}"), _middle(grid)
            far = value - Constant(middle)
            columns[f"v{place}"] = self._number(name, grid)
            aggregates |= {
                f"{name}/known": Function("count", value),
                f"{name}/lowest": Function("min", value),
                f"{name}/highest": Function("max", value),
                f"{name}/sum": Function("sum", far),
                f"{name}/square": Function("sum", far * far),
                f"{name}/bins": _bins(value, grid),
            }
        rows: dict[Key, Row] = {}
        for row in self._asked(columns, aggregates):
            row.update({name: _moment(row[name]) for name in ("first", "last") if name in row})
            for name, grid in grids.items():
                row.update(_moments(row, name, _middle(grid)) | _below(row, name, grid))
            if row["rows"]:
                rows[row["part"]] = row
        return rows

    def _whole(self) -> tuple[dict[str, Expression], dict[str, Expression]]:
        table, engine = self._plan.table, self._engine
        columns: dict[str, Expression] = {}
        aggregates = {"rows": Function("count_star")}
        if table.time:
            columns["time"] = engine.time(table.time, table)
            aggregates["first"] = Function("min", Column("time"))
            aggregates["last"] = Function("max", Column("time"))
        if table.prediction and table.label:
            error = Column("error")
            said, label = self._value(table.prediction), self._value(table.label)
            columns["error"] = finite(engine.number("", "error", table))
            columns["labelled"] = Case(said.isnotnull() & label.isnotnull(), Constant(1))
            aggregates |= {
                "labelled": Function("count", Column("labelled")),
                "measurable": Function("count", error),
                "absolute": Function("sum", Function("abs", error)),
                "squared": Function("sum", error * error),
                "signed": Function("sum", error),
            }
        if table.cost:
            columns["cost"] = finite(engine.as_number(table.cost))
            aggregates["priced"] = Function("count", Column("cost"))
            aggregates["spend"] = Function("sum", Column("cost"))
        return columns, aggregates

    def _finite_only(self, grids: Mapping[str, NumericGrid]) -> list[dict[str, Any]]:
        """A second look at the columns that hold NaN or infinities, or lie far from their grid."""
        columns: dict[str, Expression] = {}
        aggregates = {"rows": Function("count_star")}
        for place, (name, grid) in enumerate(grids.items()):
            value, usual = Column(f"v{place}"), Column(f"f{place}")
            columns[f"v{place}"] = self._number(name, grid)
            columns[f"f{place}"] = finite(columns[f"v{place}"])
            infinite = {"minus": float("-inf"), "plus": float("inf")}
            aggregates |= {
                f"{name}/known": Function("count", value),
                f"{name}/nans": Function("count_if", Function("isnan", value)),
                f"{name}/lowest": Function("min", usual),
                f"{name}/highest": Function("max", usual),
                f"{name}/mean": Function("avg", usual),
                # As the variance, but without an error where it is infinite.
                f"{name}/var": Function("covar_pop", usual, usual),
                f"{name}/bins": _bins(Case(~Function("isnan", value), value), grid),
            }
            for which, number in infinite.items():
                aggregates[f"{name}/{which}"] = Function("count_if", value == Constant(number))
        found = self._asked(columns, aggregates)
        for row in found:
            for name, grid in grids.items():
                row.update(_below(row, name, grid))
        return found

    def _products(self, joint: JointGrid) -> list[dict[str, Any]]:
        columns, scaled = {}, []
        for place, name in enumerate(joint.columns):
            value = self._engine.as_number(name) - Constant(joint.centres[place])
            value = value / Constant(joint.scales[place])
            known = value.isnotnull() & ~Function("isnan", value)
            cut = Function("greatest", Function("least", value, Constant(3.0)), Constant(-3.0))
            columns[f"v{place}"] = Case(known, cut).otherwise(Constant(0.0))
            scaled.append(Column(f"v{place}"))
        pairs = [a * b for place, a in enumerate(scaled) for b in scaled[: place + 1]]
        sums = {f"z{k}": Function("sum", value) for k, value in enumerate([*pairs, *scaled])}
        return self._asked(columns, sums)

    def _texts(self, name: str, grid: CategoryGrid) -> Grouped:
        """Rows by bin; the unseen are counted together where they are: there may be millions."""
        text = self._engine.text(name)
        columns = {"known": text.isnotnull(), "text": _if_known(text, grid)}
        rows = self._asked(columns, {"rows": Function("count_star")}, "known", "text")
        places = places_of(grid)
        return by_part([{**row, "value": places[row["text"]]} for row in rows if row["known"]])

    def _by_bin(self, name: str) -> Grouped:
        """Sums of label minus prediction, by the bins of one column."""
        table, grid = self._plan.table, self._plan.grid.columns[name]
        label = self._engine.as_number(table.label or "")
        said = self._engine.as_number(table.score or table.prediction or "")
        places: Mapping[Any, int]
        match grid:
            case NumericGrid():
                value = self._number(name, grid)
                known, place = value.isnotnull() & ~Function("isnan", value), _place(value, grid)
                places = {place: place for place in range(grid.size)}
            case CategoryGrid():
                value = self._engine.text(name)
                known, place = value.isnotnull(), _if_known(value, grid)
                places = places_of(grid)
        residual = Column("residual")
        rows = self._asked(
            {"known": known, "place": place, "residual": finite(label - said)},
            {
                "rows": Function("count_star"),
                "sum": Function("sum", residual),
                "square": Function("sum", residual * residual),
            },
            "known",
            "place",
            known="residual",
        )
        return by_part(
            [{**row, "value": places[row["place"]] if row["known"] else grid.size} for row in rows]
        )

    def _pairs(self) -> Grouped:
        """Rows by label, prediction and bin of the score."""
        table = self._plan.table
        place: Expression = Constant(None)
        if table.score:
            score = self._engine.as_number(table.score)
            place = Case(Function("isfinite", score), _place(score, NumericGrid(SCORE_EDGES)))
        columns = {
            **self._part,
            "said": self._value(table.prediction or ""),
            "label": self._value(table.label or ""),
            "place": place.cast(BIGINT),
        }
        rows = self._engine.select(columns).filter(Column("said").isnotnull())
        keys = ["part", "said", "label", "place"]
        counts = rows.aggregate(
            [*map(Column, keys), Function("count_star").alias("rows")], ", ".join(keys)
        )
        return by_part(pairs_of(pl.DataFrame(counts.pl())))

    def _number(self, name: str, grid: NumericGrid) -> Expression:
        return self._engine.number(name, grid.reading, self._plan.table)

    def _value(self, name: str) -> Expression:
        """A column in which NaN, like null, means that the value is not known."""
        value = named(name)
        is_known = ~Function("isnan", value)
        return Case(is_known, value) if self._engine.is_float(name) else value


def named(name: str) -> Expression:
    """A column by its very name."""
    return Column(ROWS, name)


def finite(value: Expression) -> Expression:
    """The value where it is a finite number, else null."""
    return Case(Function("isfinite", value), value)


def or_else(value: Expression, text: str) -> Expression:
    """The value, or a text where it is null."""
    return duckdb.CoalesceOperator(value, Constant(text))


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


def _middle(grid: NumericGrid) -> float:
    """About where the values lie, so that no digits are lost in the sum of their squares."""
    return grid.edges[len(grid.edges) // 2] if grid.edges else 0.0


def _bins(value: Expression, grid: NumericGrid) -> Expression:
    """Rows in each bin, the last left out."""
    if not grid.edges:
        return Constant(None)
    edges = Constant(list(grid.edges))
    return Function("map_values", Function("histogram", value, edges))


def _below(row: Row, name: str, grid: NumericGrid) -> dict[str, int]:
    found, sofar = {f"{name}/nulls": row["rows"] - row[f"{name}/known"]}, 0
    bins = row[f"{name}/bins"] or [0] * len(grid.edges)
    for place, count in enumerate(bins[: len(grid.edges)]):
        sofar += count
        found[f"{name}/{place}"] = sofar
    return found


def _moments(row: Row, name: str, middle: float) -> dict[str, float | None]:
    rows = row[f"{name}/known"]
    if not rows:
        return {f"{name}/mean": None, f"{name}/var": None}
    mean = row[f"{name}/sum"] / rows
    var = max(0.0, row[f"{name}/square"] / rows - mean * mean)
    return {f"{name}/mean": middle + mean, f"{name}/var": var, f"{name}/far": mean}


def _is_far(row: Row, name: str) -> bool:
    """Whether the spread is a small difference of large sums."""
    return bool(row[f"{name}/known"]) and row[f"{name}/far"] ** 2 > FAR * row[f"{name}/var"]


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else EPOCH + timedelta(microseconds=micros)


def _joined(rows: Mapping[Key, Row], more: Sequence[Row]) -> dict[Key, Row]:
    told = {row["part"]: row for row in more}
    return {part: {**row, **told.get(part, {})} for part, row in rows.items()}


def _if_known(text: Expression, grid: CategoryGrid) -> Expression:
    """The text where the grid knows it, else null."""
    known = [Constant(name) for name in grid.known] or [Constant(None)]
    return Case(text.isin(*known), text)


def _place(value: Expression, grid: NumericGrid) -> Expression:
    """The bin of a value that is known, found by halving."""

    def among(low: int, high: int) -> Expression:
        if low == high:
            return Constant(low)
        middle = (low + high) // 2
        is_below = value <= Constant(grid.edges[middle])
        return Case(is_below, among(low, middle)).otherwise(among(middle + 1, high))

    return among(0, len(grid.edges))
