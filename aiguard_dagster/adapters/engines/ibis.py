"""Profiles by a warehouse that ibis knows: Postgres, Snowflake, BigQuery and others.

Only what all of them can say is asked: sums of truths, some hundred in a query, and groups.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from math import floor
from operator import or_
from typing import Any

import ibis
import ibis.expr.types as ir
import polars as pl

from aiguard_dagster.adapters.engines.assemble import (
    MICROSECOND,
    Grouped,
    Key,
    Row,
    by_part,
    pairs_of,
    places_of,
    profiles_of,
    time_of_days,
)
from aiguard_dagster.adapters.engines.engine import (
    SAMPLE,
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
from aiguard_dagster.stats.profile import UNKNOWN_VERSION, Profile

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC, as all times here
OLDEST, NEWEST = datetime(1, 1, 2), datetime(9999, 12, 30)  # noqa: DTZ001
"""Times beyond, such as Postgres' infinity, are nothing that a clock shows."""
MICROSECONDS = 1_000_000
DAY = 86_400 * MICROSECONDS
ENDS = ("first", "last")
MOST = 300
"""Aggregates in one query; Postgres allows 1,664."""
MODEST = 1e-150, 1e150
"""What is nearer to zero is summed as 0, what is farther is not: Postgres refuses a result that is
too large or too small for a float."""
LARGEST = 1.7976931348623157e308
"""NaN is above it in Postgres, and beside it in BigQuery: it is never at most this."""
NUMBER = (
    "^[+-]?(([0-9]{1,200}([.][0-9]{0,200})?|[.][0-9]{1,200})([eE][+-]?[0-9]{1,2})?"
    "|[nN][aA][nN]|[iI][nN][fF]([iI][nN][iI][tT][yY])?)$"
)
"""Text that every engine reads as a number, and none refuses as too large."""


Aggregates = dict[str, ir.Value]
Asked = tuple[dict[str, ir.Value], Aggregates]
"""Columns by our names for them, and what is asked of them, by what it is called."""


class IbisEngine:
    """A table of a warehouse; ibis has set its session's time zone to UTC."""

    def __init__(self, table: ir.Table) -> None:
        self._table = table
        self._types = dict(table.schema().items())
        self._extremes: dict[str, tuple[int, int]] = {}

    def families(self) -> Mapping[str, Family]:
        """What each column holds, in the table's order."""
        return {name: self.family(name) for name in self._types}

    def spreads(self, readings: Mapping[str, Reading], table: Table) -> Mapping[str, Spread | None]:
        """The spread of columns, from rows taken at random."""
        sample = self._sample()
        return {
            name: self._spread(sample.select(v=finite(self.number(name, reading, table))))
            for name, reading in readings.items()
        }

    def categories(self, names: Sequence[str]) -> Mapping[str, Categories]:
        """The most frequent values, from rows taken at random."""
        sample, found = self._sample(), {}
        for name in names:
            values = sample.select(v=self.text(name)).filter(ibis._.v.notnull())
            counts = values.group_by("v").aggregate(n=ibis._.count())
            whole = counts.mutate(values=ibis._.n.sum().over(), distinct=ibis._.count().over())
            top = self.ask(whole.order_by([ibis.desc("n"), "v"]).limit(KNOWN))
            found[name] = Categories(
                counts={row["v"]: row["n"] for row in top},
                values=top[0]["values"] if top else 0,
                distinct=top[0]["distinct"] if top else 0,
            )
        return found

    def profiles(self, plan: Plan) -> Mapping[Key, Profile]:
        """Count the rows, in parts."""
        require(plan.named, list(self._types))
        return _Count(self, plan).profiles()

    def ask(self, query: ir.Table) -> list[dict[str, Any]]:
        """The rows that a query tells; all queries go this way."""
        return self.frame(query).to_dicts()

    def frame(self, query: ir.Table) -> pl.DataFrame:
        """The same, in the types that they have there."""
        return pl.DataFrame(pl.from_arrow(query.to_pyarrow()))

    def select(self, columns: Mapping[str, ir.Value]) -> ir.Table:
        """Columns by our names for them."""
        return self._table.select(**columns)

    def family(self, name: str) -> Family:
        """What a column holds; a column that is gone holds nothing that could be counted."""
        match self._types.get(name):
            case None:
                return "other"
            case kind if kind.is_numeric():
                return "number"
            case kind if kind.is_boolean():
                return "truth"
            case kind if kind.is_string() or kind.is_uuid() or kind.is_null():
                return "text"
            case kind if kind.is_timestamp() or kind.is_date():
                return "time"
            case _:
                return "other"

    def known(self, name: str) -> ir.Value:
        """A column in which NaN, like null, means that the value is not known."""
        value = self._table[name]
        if self._types[name].is_floating():
            return ibis.cases((~value.isnan(), value))
        return value

    def as_number(self, name: str) -> ir.Value:
        """A column as a number; null where there is none."""
        match self.family(name):
            case "number":
                return self._table[name].cast("float64")
            case "truth":
                value = self._table[name]
                return ibis.cases((value, double(1.0)), (~value, double(0.0)))
            case "text":
                text = self.text(name)
                return ibis.cases((text.re_search(NUMBER), text)).cast("float64")
            case _:
                return ibis.null("float64")

    def number(self, name: str, reading: Reading, table: Table) -> ir.Value:
        """What is counted of a column, as a number; null where there is none."""
        match reading, self.family(name):
            case "error", _:
                return self.as_number(table.prediction or "") - self.as_number(table.label or "")
            case "number", _:
                return self.as_number(name)
            case "length", "number" | "truth" | "text" | "time":
                return self.text(name).length().cast("float64")
            case "age", "time" if table.time:
                age = self.time(table.time, table) - self.time(name, table)
                return age.cast("float64") * double(MICROSECOND)
            case _:
                return ibis.null("float64")

    def text(self, name: str) -> ir.Value:
        """A column as text; null where there is none."""
        match self.family(name):
            case "other":
                return ibis.null("string")
            case "truth":
                value = self._table[name]
                return ibis.cases((value, "true"), (~value, "false"))
            case _:
                return self._table[name].cast("string")

    def time(self, name: str, table: Table) -> ir.Value:
        """A time column in microseconds since 1970, UTC.

        Raises:
            MeasurementError: The column is gone, or holds no times.
        """
        require([name], list(self._types))
        kind, value = self._types[name], self._table[name]
        if self.family(name) != "time":
            msg = f"the time column {name!r} holds {kind}, not times"
            raise MeasurementError(msg)
        if kind.is_timestamp() and kind.timezone:
            shown = (value >= moment(OLDEST, kind)) & (value <= moment(NEWEST, kind))
            value = ibis.cases((shown, value))
            within = (value.microsecond().cast("int64") + MICROSECONDS) % MICROSECONDS
            return value.truncate("s").epoch_seconds().cast("int64") * MICROSECONDS + within
        value = value.cast("timestamp") if kind.is_date() else value
        shown = (value >= moment(OLDEST)) & (value <= moment(NEWEST))
        local = ibis.cases((shown, value)).delta(moment(EPOCH), unit="microsecond")
        return local if table.time_zone == "UTC" else self._in_utc(name, local, table.time_zone)

    def _in_utc(self, name: str, local: ir.Value, time_zone: str) -> ir.Value:
        if name not in self._extremes:
            (ends,) = self.ask(
                self.select({"v": local}).aggregate(a=ibis._.v.min(), b=ibis._.v.max())
            )
            self._extremes[name] = (int(ends["a"] or 0), int(ends["b"] or 0))
        lowest, highest = (end // MICROSECONDS for end in self._extremes[name])
        *spans, last = spans_of(time_zone, lowest, highest)
        cases = [
            (
                local < (span.until or 0) * MICROSECONDS,
                ibis.null("int64") if span.offset is None else local - span.offset * MICROSECONDS,
            )
            for span in spans
        ]
        late = local - (last.offset or 0) * MICROSECONDS
        return ibis.cases(*cases, else_=late) if cases else late

    def part(self, plan: Plan) -> ir.Value:
        """The part that a row belongs to: a text, or the number of the day."""
        table = plan.table
        if plan.by == "day":
            time = self.time(time_of_days(table), table)
            return (time.cast("float64") / double(float(DAY))).floor().cast("int64")
        name = table.model_version
        if not name:
            return ibis.literal("")
        if not self._types[name].is_floating():
            return self.text(name).fill_null(UNKNOWN_VERSION)
        value = self._table[name].cast("float64")
        value = ibis.cases((value.abs() < double(9.2e18), value))
        whole = ibis.ifelse(value < double(0.0), value.ceil(), value.floor())
        return whole.cast("int64").cast("string").fill_null(UNKNOWN_VERSION)

    def _sample(self) -> ir.Table:
        (found,) = self.ask(self._table.aggregate(n=self._table.count()))
        if found["n"] <= SAMPLE:
            return self._table
        return self._table.filter(ibis.random() < double(0.98 * SAMPLE / found["n"]))

    def _spread(self, sample: ir.Table) -> Spread | None:
        values = sample.filter(ibis._.v.notnull())
        ranked = values.mutate(place=ibis.row_number().over(order_by="v"), n=ibis._.count().over())
        last = (ranked.n - 1).cast("float64")
        wanted = [ranked.place == (last * double(q)).floor().cast("int64") for q in (*LEVELS, 1.0)]
        found = self.ask(ranked.filter(reduce(or_, [ranked.place == 0, *wanted])))
        if not found:
            return None
        held = {row["place"]: row["v"] for row in found}
        last_place = found[0]["n"] - 1
        distinct = [row["v"] for row in self.ask(values.distinct().limit(DISTINCT + 1))]
        return Spread(
            lowest=held[0],
            highest=held[last_place],
            cuts=tuple(held[floor(last_place * level)] for level in LEVELS),
            distinct=tuple(sorted(distinct)) if len(distinct) <= DISTINCT else (),
        )


class _Count:
    """One batch being counted: the queries, and what they told."""

    def __init__(self, engine: IbisEngine, plan: Plan) -> None:
        self._engine, self._plan = engine, plan
        self._part = engine.part(plan)

    def profiles(self) -> dict[Key, Profile]:
        columns, table = self._plan.grid.columns, self._plan.table
        return profiles_of(
            self._plan,
            self._rows(),
            texts={
                name: self._texts(name, grid)
                for name, grid in columns.items()
                if isinstance(grid, CategoryGrid)
            },
            residuals={name: self._by_bin(name) for name in self._plan.residuals},
            pairs=self._pairs() if self._plan.classes and table.label and table.prediction else {},
        )

    def _rows(self) -> dict[Key, Row]:
        """The aggregates of the parts."""
        asked = [self._whole(), *self._numbers(), *self._products()]
        parts: dict[Key, dict[str, Any]] = {}
        for columns, aggregates in _together(asked):
            for row in self._asked(columns, aggregates):
                parts.setdefault(row["part"], {}).update(row)
        for row in parts.values():
            row.update({name: _moment(row.get(name)) for name in ENDS})
        return dict(parts)

    def _query(
        self,
        columns: Mapping[str, ir.Value],
        aggregates: Aggregates,
        *keys: str,
        known: str | None = None,
    ) -> ir.Table:
        """Aggregates of columns by part and keys, of the rows where one column is known."""
        rows = self._engine.select({"part": self._part, **columns})
        if known:
            rows = rows.filter(rows[known].notnull())
        # Names of ours: the user's may be too long.
        values = {f"a{place}": value for place, value in enumerate(aggregates.values())}
        return rows.group_by(["part", *keys]).aggregate(**values)

    def _asked(
        self, columns: Mapping[str, ir.Value], aggregates: Aggregates, *keys: str, **options: str
    ) -> list[dict[str, Any]]:
        """What such a query tells; a sum of nothing is 0."""
        names = ["part", *keys, *aggregates]
        found = []
        for told in self._engine.ask(self._query(columns, aggregates, *keys, **options)):
            row = dict(zip(names, told.values(), strict=True))
            zeros = {name: 0 for name in aggregates if row[name] is None and name not in ENDS}
            found.append({**row, **zeros, "part": self._part_name(row["part"])})
        return found

    def _part_name(self, part: str | int | None) -> Key:
        if isinstance(part, int):
            return str((EPOCH + timedelta(days=part)).date())
        return part or ""

    def _whole(self) -> Asked:
        table, engine = self._plan.table, self._engine
        columns: dict[str, ir.Value] = {}
        aggregates: Aggregates = {"rows": ibis._.count()}
        if table.time:
            columns["time"] = engine.time(table.time, table)
            aggregates |= {"first": ibis._.time.min(), "last": ibis._.time.max()}
        if table.prediction and table.label:
            said, label = engine.known(table.prediction), engine.known(table.label)
            columns["labelled"] = said.notnull() & label.notnull()
            columns["error"] = modest(engine.number("", "error", table))
            error = ibis._.error
            aggregates |= {
                "labelled": ibis._.labelled.sum(),
                "measurable": error.count(),
                "absolute": error.abs().sum(),
                "squared": (error * error).sum(),
                "signed": error.sum(),
            }
        if table.cost:
            columns["cost"] = modest(engine.as_number(table.cost))
            aggregates |= {"priced": ibis._.cost.count(), "spend": ibis._.cost.sum()}
        return columns, aggregates

    def _numbers(self) -> Iterator[Asked]:
        for place, (name, grid) in enumerate(self._plan.grid.columns.items()):
            if not isinstance(grid, NumericGrid):
                continue
            value, usual, summed = (ibis._[f"{kind}{place}"] for kind in "vfm")
            number = self._engine.number(name, grid.reading, self._plan.table)
            aggregates = {
                f"{name}/nulls": value.isnull().sum(),
                f"{name}/nans": value.isnan().sum(),
                f"{name}/minus": (value == double(float("-inf"))).sum(),
                f"{name}/plus": (value == double(float("inf"))).sum(),
                f"{name}/lowest": usual.min(),
                f"{name}/highest": usual.max(),
                f"{name}/mean": summed.mean(),
                f"{name}/var": summed.var(how="pop"),
            }
            for k, edge in enumerate(grid.edges):
                aggregates[f"{name}/{k}"] = (value <= double(edge)).sum()
            columns = {"v": number, "f": finite(number), "m": modest(number)}
            yield {f"{kind}{place}": value for kind, value in columns.items()}, aggregates

    def _products(self) -> Iterator[Asked]:
        joint = self._plan.grid.joint or JointGrid((), (), ())
        columns = {}
        for place, name in enumerate(joint.columns):
            value, centre, scale = (
                self._engine.as_number(name),
                joint.centres[place],
                joint.scales[place],
            )
            columns[f"z{place}"] = ibis.cases(
                (value.isnull() | value.isnan(), double(0.0)),
                (value >= double(centre + 3 * scale), double(3.0)),
                (value <= double(centre - 3 * scale), double(-3.0)),
                else_=modest((value - double(centre)) / double(scale)),
            )
        scaled = [ibis._[name] for name in columns]
        pairs = [a * b for place, a in enumerate(scaled) for b in scaled[: place + 1]]
        for place, value in enumerate([*pairs, *scaled]):
            yield columns, {f"z{place}": value.sum()}

    def _texts(self, name: str, grid: CategoryGrid) -> Grouped:
        """Rows by bin; the unseen are counted together where they are: there may be millions."""
        text = self._engine.text(name)
        columns = {"known": text.notnull(), "text": _if_known(text, grid)}
        rows = self._asked(columns, {"rows": ibis._.count()}, "known", "text")
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
                value = self._engine.number(name, grid.reading, table)
                known, place = value.notnull() & ~value.isnan(), _place(value, grid)
                places = {place: place for place in range(grid.size)}
            case CategoryGrid():
                value = self._engine.text(name)
                known, place = value.notnull(), _if_known(value, grid)
                places = places_of(grid)
        residual = ibis._.residual
        rows = self._asked(
            {"known": known.fill_null(False), "place": place, "residual": modest(label - said)},
            {"rows": ibis._.count(), "sum": residual.sum(), "square": (residual * residual).sum()},
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
        place = ibis.null("int64")
        if table.score:
            score = self._engine.as_number(table.score)
            place = ibis.cases((_is_finite(score), _place(score, NumericGrid(SCORE_EDGES))))
        columns = {
            "said": self._engine.known(table.prediction or ""),
            "label": self._engine.known(table.label or ""),
            "place": place,
        }
        query = self._query(
            columns, {"rows": ibis._.count()}, "said", "label", "place", known="said"
        )
        rows = pairs_of(self._engine.frame(query.rename(rows="a0")))
        return by_part([{**row, "part": self._part_name(row["part"])} for row in rows])


def double(value: float) -> ir.Value:
    """A number that arrives to the last digit; some engines read bare ones as decimals."""
    return ibis.literal(repr(value)).cast("float64")


def finite(value: ir.Value) -> ir.Value:
    """The value where it is a finite number, else null."""
    return ibis.cases((_is_finite(value), value))


def modest(value: ir.Value) -> ir.Value:
    """The value where no engine fails to square it, else null."""
    near, far = map(double, MODEST)
    return ibis.cases((value.abs() < near, double(0.0)), (value.abs() <= far, value))


def moment(time: datetime, kind: Any = "timestamp") -> ir.Value:  # noqa: ANN401 - ibis' own
    """A time as a constant."""
    return ibis.literal(time.replace(tzinfo=UTC) if kind != "timestamp" else time, kind)


def _is_finite(value: ir.Value) -> ir.Value:
    return (value >= double(-LARGEST)) & (value <= double(LARGEST))


def _together(asked: Iterable[Asked]) -> Iterator[Asked]:
    """Queries put together, as long as they ask not too much."""
    columns: dict[str, ir.Value] = {}
    aggregates: dict[str, ir.Value] = {}
    for some, more in asked:
        if aggregates and len(aggregates) + len(more) > MOST:
            yield columns, aggregates
            columns, aggregates = {}, {}
        columns, aggregates = {**columns, **some}, {**aggregates, **more}
    yield columns, aggregates


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else EPOCH + timedelta(microseconds=int(micros))


def _if_known(text: ir.Value, grid: CategoryGrid) -> ir.Value:
    """The text where the grid knows it, else null."""
    return ibis.cases((text.isin(grid.known), text)) if grid.known else ibis.null("string")


def _place(value: ir.Value, grid: NumericGrid) -> ir.Value:
    """The bin of a value that is known, found by halving."""

    def among(low: int, high: int) -> ir.Value:
        if low == high:
            return ibis.literal(low, "int64")
        middle = (low + high) // 2
        is_below = value <= double(grid.edges[middle])
        return ibis.ifelse(is_below, among(low, middle), among(middle + 1, high))

    return among(0, len(grid.edges))
