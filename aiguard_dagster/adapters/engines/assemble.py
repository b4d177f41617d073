"""Profiles from what an engine's queries told, the same for every engine."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import polars as pl

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.stats.grid import SCORE_EDGES, CategoryGrid, NumericGrid
from aiguard_dagster.stats.profile import ColumnProfile, Outcomes, Profile, Residuals

MICROSECOND = 1e-6
"""Seconds. Ages are multiplied by it, as polars does where it is told to divide by a million."""
Row = Mapping[str, Any]
Key = str
"""The name of a part."""
Grouped = Mapping[Key, Sequence[Row]]
"""Rows of one grouped query, by part."""


def profiles_of(
    plan: Plan,
    rows: Mapping[Key, Row],
    *,
    texts: Mapping[str, Grouped],
    residuals: Mapping[str, Grouped],
    pairs: Grouped,
) -> dict[Key, Profile]:
    """The profiles of a batch's parts.

    Args:
        plan: What was counted.
        rows: Aggregates of each part: ``rows``, ``first``, ``last``, ``labelled``, ``measurable``,
            ``absolute``, ``squared``, ``signed``, ``priced``, ``spend``, and ``z0`` and on for the
            products; of a column ``x`` of numbers ``x/nulls``, ``x/nans``, ``x/minus``, ``x/plus``,
            ``x/lowest``, ``x/highest``, ``x/mean``, ``x/var``, and ``x/0`` and on for the rows at
            most at each edge. What may be left out is nothing, or 0.
        texts: Of each column of categories, the bin ``value`` and its ``rows``, nulls left out.
        residuals: By the column, the bin ``value``, its ``rows``, ``sum`` and ``square``.
        pairs: ``label`` and predicted ``value`` as text, ``place`` of the score, and ``rows``.
    """
    return {
        part: _profile(
            plan,
            row,
            {name: found.get(part, []) for name, found in texts.items()},
            {name: found.get(part, []) for name, found in residuals.items()},
            pairs.get(part, []),
        )
        for part, row in sorted(rows.items())
    }


def time_of_days(table: Table) -> str:
    """The column that says of which day a row is.

    Raises:
        MeasurementError: The table has none.
    """
    if not table.time:
        msg = "a baseline needs the table's time column\n\nHint: declare time: in the guard."
        raise MeasurementError(msg)
    return table.time


def by_part(rows: Sequence[Row]) -> dict[Key, list[Row]]:
    """The rows of a grouped query, by their ``part``."""
    parts: dict[Key, list[Row]] = {}
    for row in rows:
        parts.setdefault(row["part"], []).append(row)
    return parts


def places_of(grid: CategoryGrid) -> dict[str | None, int]:
    """The bin of each category that is known, and under None of all that are not."""
    places: dict[str | None, int] = {known: k for k, known in enumerate(grid.categories)}
    places |= dict.fromkeys(grid.others, len(grid.categories))
    return {**places, None: len(grid.categories) + 1}


def pairs_of(found: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows by ``label`` and prediction ``said`` as text, whatever types they came in."""
    label = read_as(pl.col("label"), found.schema["label"], found.schema["said"])
    return found.select(
        "part", "place", "rows", value=pl.col("said").cast(pl.String), label=label
    ).to_dicts()


def read_as(label: pl.Expr, own: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """Labels as text, read in the type of the predictions: 1 and 1.0 are one class."""
    if isinstance(own, pl.Categorical | pl.Enum):
        label, own = label.cast(pl.String), pl.String()
    if own == pl.Boolean and wanted.is_decimal():
        label = label.cast(pl.Int64)
    is_read = (
        (wanted.is_numeric() and (own.is_numeric() or own in {pl.Boolean, pl.String}))
        or (wanted == pl.Boolean and own.is_numeric())
        or (wanted.is_temporal() and own.is_temporal())
    )
    return (label.cast(wanted, strict=False) if is_read else label).cast(pl.String)


def is_strange(row: Row, name: str) -> bool:
    """Whether a column's moments say that it holds NaN or infinities."""
    told = (row[f"{name}/mean"], row[f"{name}/lowest"], row[f"{name}/highest"])
    return any(value is not None and not abs(value) < float("inf") for value in told)


def _profile(
    plan: Plan,
    row: Row,
    texts: Mapping[str, Sequence[Row]],
    residuals: Mapping[str, Sequence[Row]],
    pairs: Sequence[Row],
) -> Profile:
    columns = {}
    for name, grid in plan.grid.columns.items():
        match grid:
            case NumericGrid():
                columns[name] = _number_profile(row, name, grid)
            case CategoryGrid():
                columns[name] = _text_profile(row["rows"], grid, texts[name])
    confusion: dict[tuple[str, str], int] = {}
    scores: dict[tuple[str, str], list[int]] = {}
    for pair in pairs:
        key = (pair["label"] or "", pair["value"])
        if pair["label"] is not None:
            confusion[key] = confusion.get(key, 0) + pair["rows"]
        if pair["place"] is not None:
            counts = scores.setdefault(key, [0] * (len(SCORE_EDGES) + 1))
            counts[pair["place"]] += pair["rows"]
    joint = plan.grid.joint
    width = len(joint.columns) if joint else 0
    return Profile(
        rows=row["rows"],
        first=_aware(row.get("first")),
        last=_aware(row.get("last")),
        columns=columns,
        outcomes=Outcomes(
            labelled=row.get("labelled", 0) if confusion else row.get("measurable", 0),
            measurable=row.get("measurable", 0),
            absolute=row.get("absolute") or 0.0,
            squared=row.get("squared") or 0.0,
            signed=row.get("signed") or 0.0,
            confusion=confusion,
            scores={key: tuple(counts) for key, counts in scores.items()},
            priced=row.get("priced", 0),
            spend=row.get("spend") or 0.0,
        ),
        residuals={
            name: _residuals(plan.grid.columns[name].size, found)
            for name, found in residuals.items()
        },
        products=tuple(row[f"z{k}"] for k in range(width * (width + 1) // 2 + width)),
    )


def _number_profile(row: Row, name: str, grid: NumericGrid) -> ColumnProfile:
    nulls, nans = row[f"{name}/nulls"], row.get(f"{name}/nans", 0)
    minus, plus = row.get(f"{name}/minus", 0), row.get(f"{name}/plus", 0)
    known = row["rows"] - nulls - nans
    below = [0, *(row[f"{name}/{place}"] for place in range(len(grid.edges))), known]
    finite = known - minus - plus
    return ColumnProfile(
        rows=row["rows"],
        counts=tuple(after - before for before, after in pairwise(below)),
        nulls=nulls,
        nans=nans,
        minus_infinite=minus,
        plus_infinite=plus,
        lowest=row[f"{name}/lowest"] if finite else None,
        highest=row[f"{name}/highest"] if finite else None,
        mean=row[f"{name}/mean"] or 0.0 if finite else 0.0,
        spread=(row[f"{name}/var"] or 0.0) * finite,
    )


def _text_profile(rows: int, grid: CategoryGrid, found: Sequence[Row]) -> ColumnProfile:
    counts = [0] * grid.size
    for row in found:
        counts[row["value"]] += row["rows"]
    return ColumnProfile(rows=rows, counts=tuple(counts), nulls=rows - sum(counts))


def _residuals(bins: int, found: Sequence[Row]) -> Residuals:
    rows, sums, squares = [0] * (bins + 1), [0.0] * (bins + 1), [0.0] * (bins + 1)
    for row in found:
        place = row["value"]
        rows[place] += row["rows"]
        sums[place] += row["sum"]
        squares[place] += row["square"]
    return Residuals(rows=tuple(rows), sums=tuple(sums), squares=tuple(squares))


def _aware(value: object) -> datetime | None:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else None
