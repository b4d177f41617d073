"""One batch being counted by Spark: the queries, and what they told."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import polars as pl
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as f

from aiguard_dagster.adapters.engines.assemble import (
    Grouped,
    Key,
    Row,
    by_part,
    pairs_of,
    places_of,
    profiles_of,
)
from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.spark_stacks import (
    MINUS,
    NAN,
    NULL,
    PLUS,
    SPECIAL,
    bin_of,
    binned,
    collected,
    finite,
    middle_of,
    numbers,
    placed,
    slices,
    stacked,
    width_of,
)
from aiguard_dagster.stats.grid import SCORE_EDGES, CategoryGrid, JointGrid, NumericGrid
from aiguard_dagster.stats.profile import Profile

if TYPE_CHECKING:
    from aiguard_dagster.adapters.engines.spark import SparkEngine

BLOCK = 8
"""Columns a side of a block of products: 64 sums are one query; of 200, Java compiles none."""
MOMENTS = ("lowest", "highest", "mean", "var")
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, as all times here


class Count:
    """The queries that one plan needs, one after the other."""

    def __init__(self, engine: "SparkEngine", plan: Plan) -> None:
        self._engine, self._plan = engine, plan
        part = engine.part(plan)
        self._part = {} if part is None else {"part": part}
        columns = plan.grid.columns
        self._numbers = {n: grid for n, grid in columns.items() if isinstance(grid, NumericGrid)}
        self._texts = {n: grid for n, grid in columns.items() if isinstance(grid, CategoryGrid)}

    def profiles(self) -> dict[Key, Profile]:
        """The profiles of all parts."""
        rows = {row["part"]: row for row in self._whole() if row["rows"]}
        if not rows:
            return {}
        told = [self._columns(names) for names in slices(list(self._numbers))]
        for found in [*told, *self._products(self._plan.grid.joint)]:
            for part, more in found.items():
                rows[part].update(more)
        pairs = self._plan.classes and self._plan.table.label and self._plan.table.prediction
        return profiles_of(
            self._plan,
            rows,
            texts=self._categories(),
            residuals=self._residuals(),
            pairs=self._pairs() if pairs else {},
        )

    # What is asked.

    def _selected(self, columns: Mapping[str, Column]) -> DataFrame:
        named = {**self._part, **columns}
        return self._engine.frame.select(*[column.alias(name) for name, column in named.items()])

    def _told(self, frame: DataFrame, aggregates: Mapping[str, Column], *by: str) -> pl.DataFrame:
        """Aggregates by part and other keys; the parts are named as the profiles name them."""
        named = [column.alias(name) for name, column in aggregates.items()]
        found = collected(frame.groupBy(*self._part, *by).agg(*named))
        if not self._part:
            return found.with_columns(part=pl.lit(""))
        part = pl.col("part").cast(pl.Date) if self._plan.by == "day" else pl.col("part")
        return found.with_columns(part=part.cast(pl.String).fill_null(""))

    def _whole(self) -> list[dict[str, Any]]:
        engine, table = self._engine, self._plan.table
        columns: dict[str, Column] = {}
        aggregates = {"rows": f.count(f.lit(1))}
        if table.time:
            columns["time"] = engine.time(table.time, table)
            aggregates |= {"first": f.min("time"), "last": f.max("time")}
        if table.prediction and table.label:
            said, label = engine.known(table.prediction), engine.known(table.label)
            columns["error"] = finite(engine.number("", "error", table))
            columns["labelled"] = f.when(said.isNotNull() & label.isNotNull(), f.lit(1))
            aggregates |= {
                "labelled": f.count("labelled"),
                "measurable": f.count("error"),
                "absolute": f.sum(f.abs("error")),
                "squared": f.sum(f.col("error") * f.col("error")),
                "signed": f.sum("error"),
            }
        if table.cost:
            columns["cost"] = finite(engine.as_number(table.cost))
            aggregates |= {"priced": f.count("cost"), "spend": f.sum("cost")}
        told = self._told(self._selected(columns), aggregates).to_dicts()
        times = [name for name in ("first", "last") if name in aggregates]
        return [{**row, **{name: _moment(row[name]) for name in times}} for row in told]

    def _columns(self, names: Sequence[str]) -> Mapping[Key, Row]:
        """Counts, extremes and moments of columns of numbers."""
        # Spark's mean is a plain sum: from the grid's middle on, no digits are lost far from zero.
        middles = [middle_of(self._numbers[name]) for name in names]
        off = f.col("value") - f.get(numbers(middles), f.col("id"))
        aggregates = {
            "rows": f.count(f.lit(1)),
            "lowest": f.min("value"),
            "highest": f.max("value"),
            "mean": f.avg(off),
            "var": f.var_pop(off),
        }
        told = self._by_number(names, aggregates)
        return _columns_of(told, dict(zip(names, middles, strict=True)), self._numbers)

    def _categories(self) -> dict[str, Grouped]:
        """Rows by bin; the unseen are counted together where they are: there may be millions."""
        found: dict[str, Grouped] = {}
        for names in slices(list(self._texts)):
            told = self._by_text(names, {"rows": f.count(f.lit(1))})
            found |= _by_column(names, told, lambda _, row: row["bin"])
        return found

    def _residuals(self) -> dict[str, Grouped]:
        """Sums of label minus prediction, by the bins of some columns."""
        table, asked = self._plan.table, self._plan.residuals
        label = self._engine.as_number(table.label or "")
        said = self._engine.as_number(table.score or table.prediction or "")
        residual = finite(label - said)
        sums = {
            "rows": f.count("beside"),
            "sum": f.sum("beside"),
            "square": f.sum(f.col("beside") * f.col("beside")),
        }
        found: dict[str, Grouped] = {}
        for names in slices([name for name in asked if name in self._numbers]):
            told = self._by_number(names, sums, residual)
            found |= _by_column(names, told, self._place)
        for names in slices([name for name in asked if name in self._texts]):
            told = self._by_text(names, sums, residual)
            found |= _by_column(names, told, self._place)
        return found

    def _by_number(
        self,
        names: Sequence[str],
        aggregates: Mapping[str, Column],
        beside: Column | None = None,
    ) -> pl.DataFrame:
        """Aggregates by column of numbers ``id`` and ``bin``, the last four the special ones."""
        grids = [self._numbers[name] for name in names]
        values = [
            self._engine.number(name, grid.reading, self._plan.table)
            for name, grid in zip(names, grids, strict=True)
        ]
        told = self._told(binned(self._stacked(values, beside), grids), aggregates, "bin")
        width = width_of(grids)
        place = pl.col("bin") % width
        is_special = place >= width - len(SPECIAL)
        return told.with_columns(
            id=pl.col("bin") // width,
            bin=pl.when(is_special).then(place - width).otherwise(place),
        )

    def _by_text(
        self,
        names: Sequence[str],
        aggregates: Mapping[str, Column],
        beside: Column | None = None,
    ) -> pl.DataFrame:
        """Sums by column of categories ``id`` and ``bin``; null has no bin."""
        stack = self._stacked([self._engine.text(name) for name in names], beside)
        named = [column.alias(f"{name}_") for name, column in aggregates.items()]
        by_text = stack.groupBy(*self._part, "id", "value").agg(*named)
        bins = placed(by_text, [places_of(self._texts[name]) for name in names])
        return self._told(bins, {name: f.sum(f"{name}_") for name in aggregates}, "id", "bin")

    def _stacked(self, values: Sequence[Column], beside: Column | None) -> DataFrame:
        if beside is None:
            return stacked(self._engine.frame, values, self._part)
        found = stacked(self._engine.frame, values, {**self._part, "beside": beside})
        return found.where(f.col("beside").isNotNull())

    def _pairs(self) -> Grouped:
        """Rows by label, prediction and bin of the score."""
        table, engine = self._plan.table, self._engine
        place = f.lit(None).cast("int")
        if table.score:
            score = engine.as_number(table.score)
            place = f.when(finite(score).isNotNull(), bin_of(score, SCORE_EDGES))
        columns = {
            "said": engine.known(table.prediction or ""),
            "label": engine.known(table.label or ""),
            "place": place,
        }
        known = self._selected(columns).where(f.col("said").isNotNull())
        return by_part(pairs_of(self._told(known, {"rows": f.count(f.lit(1))}, *columns)))

    def _products(self, joint: JointGrid | None) -> Sequence[Mapping[Key, Row]]:
        """Sums of products, a block of columns by another in each query."""
        if joint is None:
            return []
        scaled = []
        for name, centre, scale in zip(joint.columns, joint.centres, joint.scales, strict=True):
            value = (self._engine.as_number(name) - f.lit(centre)) / f.lit(scale)
            cut = f.greatest(f.least(value, f.lit(3.0)), f.lit(-3.0))
            scaled.append(f.when(value.isNull() | f.isnan(value), f.lit(0.0)).otherwise(cut))
        found, order = [], range(len(scaled))
        for rows in slices(order, BLOCK):
            for columns in slices(order[: rows[-1] + 1], BLOCK):
                used = {place: f"v{place}" for place in sorted({*rows, *columns})}
                sums = {
                    f"z{a * (a + 1) // 2 + b}": f.sum(f.col(used[a]) * f.col(used[b]))
                    for a in rows
                    for b in columns
                    if b <= a
                }
                if rows == columns:
                    after = len(order) * (len(order) + 1) // 2
                    sums |= {f"z{after + a}": f.sum(used[a]) for a in rows}
                frame = self._selected({name: scaled[place] for place, name in used.items()})
                found.append({row["part"]: row for row in self._told(frame, sums).to_dicts()})
        return found

    # What was told.

    def _place(self, name: str, row: Row) -> int:
        """The bin of a row's sums; what has no value has the one after the last."""
        size = self._plan.grid.columns[name].size
        special: Mapping[Any, int] = {
            None: size,
            NULL: size,
            NAN: size,
            MINUS: 0,
            PLUS: size - 1,
        }
        return special.get(row["bin"], row["bin"])


def _by_column(
    names: Sequence[str], told: pl.DataFrame, place: Callable[[str, Row], int | None]
) -> dict[str, Grouped]:
    found: dict[str, list[Row]] = {name: [] for name in names}
    for row in told.iter_rows(named=True):
        name = names[row["id"]]
        value = place(name, row)
        if value is not None:
            found[name].append({**row, "value": value})
    return {name: by_part(rows) for name, rows in found.items()}


def _columns_of(
    told: pl.DataFrame, middles: Mapping[str, float], grids: Mapping[str, NumericGrid]
) -> dict[Key, dict[str, Any]]:
    """Of each part, what is told of each column: counts up to each edge, extremes and moments."""
    names = list(middles)
    counts: dict[tuple[Key, int], dict[int, int]] = {}
    for part, place, which, rows in told.select("part", "id", "bin", "rows").iter_rows():
        counts.setdefault((part, place), {})[which] = rows
    found: dict[Key, dict[str, Any]] = {part: {} for part, _ in counts}
    for (part, place), bins in counts.items():
        name = names[place]
        below = accumulate(bins.get(which, 0) for which in range(len(grids[name].edges)))
        minus = bins.get(MINUS, 0)
        found[part] |= {f"{name}/{edge}": minus + rows for edge, rows in enumerate(below)}
        found[part] |= {
            f"{name}/nulls": bins.get(NULL, 0),
            f"{name}/nans": bins.get(NAN, 0),
            f"{name}/minus": minus,
            f"{name}/plus": bins.get(PLUS, 0),
            **dict.fromkeys([f"{name}/{which}" for which in MOMENTS]),
        }
    for row in _moments(told.filter(pl.col("bin") >= 0)).iter_rows(named=True):
        name = names[row["id"]]
        moments = {**row, "mean": middles[name] + row["mean"]}
        found[row["part"]] |= {f"{name}/{which}": moments[which] for which in MOMENTS}
    return found


def _moments(told: pl.DataFrame) -> pl.DataFrame:
    """Of each part and column, from those of its bins; after Chan, Golub and LeVeque (1979)."""
    rows, mean = pl.col("rows"), pl.col("mean")
    middle = mean.first() + ((mean - mean.first()) * rows).sum() / rows.sum()
    # A square beyond all numbers is told as NaN by Spark 3.5.
    var = pl.col("var").fill_nan(float("inf"))
    spread = (var * rows).sum() + ((mean - middle) ** 2 * rows).sum()
    return told.group_by("part", "id").agg(
        lowest=pl.col("lowest").min(),
        highest=pl.col("highest").max(),
        mean=middle,
        var=spread / rows.sum(),
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else EPOCH + timedelta(microseconds=micros)
