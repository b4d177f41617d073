"""Profiles by polars: each column is read once, lazily and streaming, whatever the rows."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import polars as pl

from aiguard_dagster.adapters.engines.assemble import (
    MICROSECOND,
    Key,
    Row,
    by_part,
    is_strange,
    places_of,
    profiles_of,
    read_as,
    time_of_days,
)
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
from aiguard_dagster.adapters.tables.times import named, utc, version_text
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import (
    KNOWN,
    SCORE_EDGES,
    CategoryGrid,
    JointGrid,
    NumericGrid,
    Reading,
    Spread,
    spread_of,
)
from aiguard_dagster.stats.profile import Profile


class PolarsEngine:
    """A lazy frame in this process."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame
        self._schema = frame.collect_schema()

    def families(self) -> Mapping[str, Family]:
        """What each column holds, in the table's order."""
        return {name: _family(dtype) for name, dtype in self._schema.items()}

    def spreads(self, readings: Mapping[str, Reading], table: Table) -> Mapping[str, Spread | None]:
        """The spread of columns, from rows taken evenly over the table."""
        numbers = [
            self._number(name, reading, table).alias(name) for name, reading in readings.items()
        ]
        sample = self._sample.select(numbers).collect(engine="streaming")
        # polars reads a name such as ^x$ as a pattern, even one of a column at hand.
        values = {name: sample.get_column(name).alias("value") for name in readings}
        return {name: spread_of(found.drop_nulls().to_numpy()) for name, found in values.items()}

    def categories(self, names: Sequence[str]) -> Mapping[str, Categories]:
        """The most frequent values, from rows taken evenly over the table."""
        texts = [named(name).cast(pl.String).alias(name) for name in names]
        sample = self._sample.select(texts).collect(engine="streaming")
        found = {}
        for name in names:
            counts = sample.get_column(name).alias("value").drop_nulls().value_counts(name="rows")
            top = counts.sort(["rows", "value"], descending=[True, False]).head(KNOWN)
            found[name] = Categories(
                counts=dict(top.iter_rows()),
                values=int(counts["rows"].sum()),
                distinct=counts.height,
            )
        return found

    def profiles(self, plan: Plan) -> Mapping[Key, Profile]:
        """Count the rows, in parts."""
        require(plan.named, self._schema.names())
        return _Count(self, plan).profiles()

    @cached_property
    def _sample(self) -> pl.LazyFrame:
        """At most so many rows, taken evenly over the table."""
        rows = int(self._frame.select(pl.len()).collect(engine="streaming").item())
        if rows <= SAMPLE:
            return self._frame
        place = "place"
        while place in self._schema:
            place += "_"
        turned = pl.col(place).cast(pl.Int64) % AROUND * GOLDEN % AROUND
        taken = self._frame.with_row_index(place).filter(turned < turn_of(rows, SAMPLE))
        return taken.drop(place)

    def _number(self, name: str, reading: Reading, table: Table) -> pl.Expr:
        """What is counted of a column, as a number; null where there is none."""
        match reading:
            case "error":
                return _as_number(table.prediction or "") - _as_number(table.label or "")
            case _ if not self.holds(name):
                return pl.lit(None, dtype=pl.Float64)
            case "number":
                return _as_number(name)
            case "length":
                return named(name).cast(pl.String).str.len_chars().cast(pl.Float64)
            case "age" if self._schema[name].is_temporal() and table.time:
                row = utc(self._frame, table.time, table.time_zone)
                age = row - utc(self._frame, name, table.time_zone)
                return age.dt.total_microseconds().cast(pl.Float64) * MICROSECOND
            case _:
                return pl.lit(None, dtype=pl.Float64)

    def holds(self, name: str) -> bool:
        """Whether there is such a column, of values that can be counted."""
        return name in self._schema and _family(self._schema[name]) != "other"

    def part(self, plan: Plan) -> pl.Expr | None:
        """The part that a row belongs to; None where all belong to one."""
        table = plan.table
        if plan.by == "day":
            day = utc(self._frame, time_of_days(table), table.time_zone).dt.date()
            return day.cast(pl.String).fill_null("")
        return version_text(self._frame, table.model_version) if table.model_version else None


class _Count:
    """One batch being counted: the queries of all columns, run together, and what they told."""

    def __init__(self, engine: PolarsEngine, plan: Plan) -> None:
        self._engine, self._plan = engine, plan
        self._frame, self._schema = engine._frame, engine._schema  # noqa: SLF001 - its own helper
        self._part = engine.part(plan)

    def profiles(self) -> dict[Key, Profile]:
        numbers = {n: g for n, g in self._plan.grid.columns.items() if isinstance(g, NumericGrid)}
        texts = {n: g for n, g in self._plan.grid.columns.items() if isinstance(g, CategoryGrid)}
        queries = [self._aggregated([*self._whole(), *self._numbers(numbers)])]
        queries += [self._counted(self._text(name, grid)) for name, grid in texts.items()]
        queries += [self._by_bin(name) for name in self._plan.residuals]
        pairs = self._plan.classes and self._plan.table.label and self._plan.table.prediction
        if pairs:
            queries.append(self._pairs())
        joint = self._plan.grid.joint
        products = [self._products(joint)] if joint and joint.columns else []
        main, *others = pl.collect_all([*queries, *products], engine="streaming")
        rows = self._by_part(main, *others[len(others) - len(products) :])
        others = others[: len(others) - len(products)]
        strange = self._not_finite(rows, numbers)
        again = self._finite_only(strange) if strange else {}
        counted = [by_part(found.to_dicts()) for found in others]
        return profiles_of(
            self._plan,
            {part: {**row, **again.get(part, {})} for part, row in rows.items()},
            texts=dict(zip(texts, counted, strict=False)),
            residuals=dict(zip(self._plan.residuals, counted[len(texts) :], strict=False)),
            pairs=counted[-1] if pairs else {},
        )

    # What is asked.

    def _aggregated(self, aggregates: Sequence[pl.Expr]) -> pl.LazyFrame:
        if self._part is None:
            return self._frame.select(aggregates)
        return self._frame.group_by(self._part.alias("part")).agg(aggregates)

    def _counted(self, value: pl.Expr) -> pl.LazyFrame:
        """Rows by part and value, of the rows that have a value."""
        if self._part is None:  # A key that is the same for all rows is not free.
            values = self._frame.select(value=value).drop_nulls()
            counted = values.group_by("value").agg(pl.len().alias("rows"))
            return counted.with_columns(pl.lit("").alias("part"))
        return self._keyed(value=value).group_by("part", "value").agg(pl.len().alias("rows"))

    def _keyed(self, **columns: pl.Expr) -> pl.LazyFrame:
        part = pl.lit("") if self._part is None else self._part
        return self._frame.select(part.alias("part"), **columns).drop_nulls("value")

    def _whole(self) -> list[pl.Expr]:
        table = self._plan.table
        found = [pl.len().alias("rows")]
        if table.time:
            time = utc(self._frame, table.time, table.time_zone)
            found += [time.min().alias("first"), time.max().alias("last")]
        if table.prediction and table.label:
            said, label = self._value(table.prediction), self._value(table.label)
            error = _as_number(table.prediction) - _as_number(table.label)
            error = error.filter(error.is_finite())
            found += [
                (said.is_not_null() & label.is_not_null()).sum().alias("labelled"),
                error.len().alias("measurable"),
                error.abs().sum().alias("absolute"),
                (error * error).sum().alias("squared"),
                error.sum().alias("signed"),
            ]
        if table.cost:
            cost = _as_number(table.cost)
            usable = cost.filter(cost.is_finite())
            found += [usable.len().alias("priced"), usable.sum().alias("spend")]
        return found

    def _numbers(self, grids: Mapping[str, NumericGrid]) -> Iterable[pl.Expr]:
        """Per column what is cheap, and right unless some values are not finite."""
        for name, grid in grids.items():
            value = self._engine._number(name, grid.reading, self._plan.table)  # noqa: SLF001
            # A column that is gone is a single null, so nulls are what is left of the rows.
            yield (pl.len() - value.count()).alias(f"{name}/nulls")
            yield from _moments(name, value)
            for place, edge in enumerate(grid.edges):
                yield (value <= edge).sum().alias(f"{name}/{place}")

    def _not_finite(
        self, rows: Mapping[Key, Row], grids: Mapping[str, NumericGrid]
    ) -> dict[str, NumericGrid]:
        return {
            name: grid
            for name, grid in grids.items()
            if any(is_strange(row, name) for row in rows.values())
        }

    def _finite_only(self, grids: Mapping[str, NumericGrid]) -> dict[Key, Row]:
        """A second look at the columns that hold NaN or infinities."""
        found = [pl.len().alias("rows")]
        for name, grid in grids.items():
            value = self._engine._number(name, grid.reading, self._plan.table)  # noqa: SLF001
            found += [
                value.is_nan().sum().alias(f"{name}/nans"),
                (value == float("-inf")).sum().alias(f"{name}/minus"),
                (value == float("inf")).sum().alias(f"{name}/plus"),
                *_moments(name, value.filter(value.is_finite())),
            ]
        return self._by_part(self._aggregated(found).collect(engine="streaming"))

    def _text(self, name: str, grid: CategoryGrid) -> pl.Expr:
        if not self._engine.holds(name):
            return pl.lit(None, dtype=pl.String)
        text = named(name).cast(pl.String)
        # The unseen are counted together where they are: there may be millions.
        place = places_of(grid)
        unseen = place.pop(None)
        known = pl.Series(list(place), dtype=pl.String)
        return pl.when(text.is_not_null()).then(
            text.replace_strict(known, list(place.values()), default=unseen, return_dtype=pl.UInt16)
            if place
            else pl.lit(unseen, dtype=pl.UInt16)
        )

    def _by_bin(self, name: str) -> pl.LazyFrame:
        """Sums of label minus prediction, by the bins of one column."""
        table, grid = self._plan.table, self._plan.grid.columns[name]
        residual = _as_number(table.label or "") - _as_number(table.score or table.prediction or "")
        match grid:
            case NumericGrid():
                value = self._engine._number(name, grid.reading, table)  # noqa: SLF001
                above = [(value > edge).cast(pl.UInt16) for edge in grid.edges]
                known = value.is_not_null() & value.is_not_nan()
                place: pl.Expr = pl.when(known).then(pl.sum_horizontal(above))
            case CategoryGrid():
                place = self._text(name, grid)
        keyed = self._keyed(value=place.fill_null(grid.size), residual=residual)
        return (
            keyed.filter(pl.col("residual").is_finite())
            .group_by("part", "value")
            .agg(
                pl.len().alias("rows"),
                pl.col("residual").sum().alias("sum"),
                (pl.col("residual") ** 2).sum().alias("square"),
            )
        )

    def _pairs(self) -> pl.LazyFrame:
        """Rows by label, prediction and bin of the score."""
        table = self._plan.table
        said = self._value(table.prediction or "")
        types = self._schema[table.label or ""], self._schema[table.prediction or ""]
        label = read_as(self._value(table.label or ""), *types)
        place = pl.lit(None, dtype=pl.UInt16)
        if table.score:
            score = _as_number(table.score)
            above = [(score > edge).cast(pl.UInt16) for edge in SCORE_EDGES]
            place = pl.when(score.is_finite()).then(pl.sum_horizontal(above))
        keyed = self._keyed(value=said.cast(pl.String), label=label, place=place)
        return keyed.group_by("part", "value", "label", "place").agg(pl.len().alias("rows"))

    def _products(self, joint: JointGrid) -> pl.LazyFrame:
        """Sums of products; the columns are scaled first, once, and not for each pair."""
        scaled: list[pl.Expr] = []
        for name, centre, scale in zip(joint.columns, joint.centres, joint.scales, strict=True):
            value = self._engine._number(name, "number", self._plan.table)  # noqa: SLF001
            cut = ((value - centre) / scale).clip(-3, 3)
            scaled.append(cut.fill_nan(0.0).fill_null(0.0).alias(f"scaled{len(scaled)}"))
        part = pl.lit("") if self._part is None else self._part
        frame = self._frame.select(*scaled, part.alias("part"))
        names = [pl.col(f"scaled{place}") for place in range(len(scaled))]
        pairs = [a * b for place, a in enumerate(names) for b in names[: place + 1]]
        sums = [value.sum().alias(f"z{place}") for place, value in enumerate([*pairs, *names])]
        if self._part is None:
            return frame.select(pl.len().alias("rows"), *sums)
        return frame.group_by("part").agg(pl.len().alias("rows"), *sums)

    def _value(self, name: str) -> pl.Expr:
        """A column in which NaN, like null, means that the value is not known."""
        return named(name).fill_nan(None) if self._schema[name].is_float() else named(name)

    # What was told.

    def _by_part(self, *found: pl.DataFrame) -> dict[Key, Row]:
        rows: dict[Key, dict[str, Any]] = {}
        for each in found:
            for row in each.iter_rows(named=True):
                if row["rows"]:
                    rows.setdefault(row.get("part", ""), {}).update(row)
        return dict(rows)


def _family(dtype: pl.DataType) -> Family:
    match dtype:
        case _ if dtype.is_numeric():
            return "number"
        case pl.Boolean():
            return "truth"
        case pl.String() | pl.Categorical() | pl.Enum():
            return "text"
        case pl.Datetime() | pl.Date():
            return "time"
        case pl.Null():
            return "text"
        case _:
            return "other"


def _as_number(name: str) -> pl.Expr:
    return named(name).cast(pl.Float64, strict=False)


def _moments(name: str, value: pl.Expr) -> list[pl.Expr]:
    return [
        value.min().alias(f"{name}/lowest"),
        value.max().alias(f"{name}/highest"),
        value.mean().alias(f"{name}/mean"),
        value.var(ddof=0).alias(f"{name}/var"),
    ]
