"""One batch counted by DuckDB: the queries, and what they told."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import sqrt
from typing import Any

import polars as pl
from duckdb import CaseExpression as Case
from duckdb import ColumnExpression as Column
from duckdb import ConstantExpression as Constant
from duckdb import Expression
from duckdb import FunctionExpression as Function
from duckdb.sqltypes import BIGINT

from aiguard_dagster.adapters.engines.assemble import (
    Grouped,
    Key,
    Row,
    by_part,
    is_strange,
    pairs_of,
    places_of,
    profiles_of,
)
from aiguard_dagster.adapters.engines.duckdb_columns import Columns, finite, named
from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.stats.grid import SCORE_EDGES, CategoryGrid, JointGrid, NumericGrid
from aiguard_dagster.stats.profile import Profile

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, as all times here
FAR = 100
"""Standard deviations from the middle of the grid, from which on the spread is summed anew: four of
sixteen digits are lost there."""


class Count:
    """One batch being counted."""

    def __init__(self, columns: Columns, plan: Plan) -> None:
        self._columns, self._plan = columns, plan
        self._part = {"part": columns.part(plan)}

    def profiles(self) -> dict[Key, Profile]:
        """The profiles of its parts."""
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
        found = self._columns.select({**self._part, **columns})
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
        table, values = self._plan.table, self._columns
        columns: dict[str, Expression] = {}
        aggregates = {"rows": Function("count_star")}
        if table.time:
            columns["time"] = values.time(table.time, table)
            aggregates["first"] = Function("min", Column("time"))
            aggregates["last"] = Function("max", Column("time"))
        if table.prediction and table.label:
            error = Column("error")
            said, label = self._value(table.prediction), self._value(table.label)
            columns["error"] = finite(values.number("", "error", table))
            columns["labelled"] = Case(said.isnotnull() & label.isnotnull(), Constant(1))
            aggregates |= {
                "labelled": Function("count", Column("labelled")),
                "measurable": Function("count", error),
                "absolute": Function("sum", Function("abs", error)),
                "squared": Function("sum", error * error),
                "signed": Function("sum", error),
            }
        if table.cost:
            columns["cost"] = finite(values.as_number(table.cost))
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
                f"{name}/nans": Function("count", Case(Function("isnan", value), Constant(1))),
                f"{name}/lowest": Function("min", usual),
                f"{name}/highest": Function("max", usual),
                f"{name}/mean": Function("avg", usual),
                # As the variance, but without an error where it is infinite.
                f"{name}/var": Function("covar_pop", usual, usual),
                f"{name}/bins": _bins(Case(~Function("isnan", value), value), grid),
            }
            for which, number in infinite.items():
                is_it = Case(value == Constant(number), Constant(1))
                aggregates[f"{name}/{which}"] = Function("count", is_it)
        found = self._asked(columns, aggregates)
        for row in found:
            for name, grid in grids.items():
                row.update(_below(row, name, grid))
        return found

    def _products(self, joint: JointGrid) -> list[dict[str, Any]]:
        columns, scaled = {}, []
        for place, name in enumerate(joint.columns):
            value = self._columns.as_number(name) - Constant(joint.centres[place])
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
        text = self._columns.text(name)
        columns = {"known": text.isnotnull(), "text": _if_known(text, grid)}
        rows = self._asked(columns, {"rows": Function("count_star")}, "known", "text")
        places = places_of(grid)
        return by_part([{**row, "value": places[row["text"]]} for row in rows if row["known"]])

    def _by_bin(self, name: str) -> Grouped:
        """Sums of label minus prediction, by the bins of one column."""
        table, grid = self._plan.table, self._plan.grid.columns[name]
        label = self._columns.as_number(table.label or "")
        said = self._columns.as_number(table.score or table.prediction or "")
        places: Mapping[Any, int]
        match grid:
            case NumericGrid():
                value = self._number(name, grid)
                known, place = value.isnotnull() & ~Function("isnan", value), _place(value, grid)
                places = {place: place for place in range(grid.size)}
            case CategoryGrid():
                value = self._columns.text(name)
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
            score = self._columns.as_number(table.score)
            place = Case(Function("isfinite", score), _place(score, NumericGrid(SCORE_EDGES)))
        columns = {
            **self._part,
            "said": self._value(table.prediction or ""),
            "label": self._value(table.label or ""),
            "place": place.cast(BIGINT),
        }
        rows = self._columns.select(columns).filter(Column("said").isnotnull())
        keys = ["part", "said", "label", "place"]
        counts = rows.aggregate(
            [*map(Column, keys), Function("count_star").alias("rows")], ", ".join(keys)
        )
        return by_part(pairs_of(pl.DataFrame(counts.pl())))

    def _number(self, name: str, grid: NumericGrid) -> Expression:
        return self._columns.number(name, grid.reading, self._plan.table)

    def _value(self, name: str) -> Expression:
        """A column in which NaN, like null, means that the value is not known."""
        if self._columns.family(name) == "text":
            return self._columns.text(name)
        value = named(name)
        is_known = ~Function("isnan", value)
        return Case(is_known, value) if self._columns.is_float(name) else value


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
    return bool(row[f"{name}/known"]) and abs(row[f"{name}/far"]) > FAR * sqrt(row[f"{name}/var"])


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
