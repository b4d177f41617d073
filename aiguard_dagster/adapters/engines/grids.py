"""Choosing a grid from the data that a version was accepted on, whatever engine holds it."""

from collections.abc import Mapping, Sequence

from aiguard_dagster.adapters.engines.engine import Categories, Engine, Family, require
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.signals.drift import MOST_JOINT
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.stats.grid import (
    CATEGORIES,
    LOG_EDGES,
    ColumnGrid,
    Grid,
    NumericGrid,
    Reading,
    category_grid,
    joint_grid,
    numeric_grid,
)

MOSTLY = 0.5
"""Text whose values are mostly distinct, and mostly not among the frequent ones, is free text."""
READINGS: dict[Family, Reading] = {"number": "number", "text": "length", "time": "age"}


def choose_grid(
    engine: Engine,
    table: Table,
    *,
    also: Sequence[str] = (),
    joint: Sequence[str] | None = None,
) -> Grid:
    """Choose a grid from the data that a version was accepted on.

    Numbers are cut at quantiles, text and truths are counted by value, free text by its length,
    times by how far they lie before the row's own. Latencies and costs have a grid that is the same
    for all. Of a table of predictions, the prediction, the score, the label and the error are
    counted; of any other, all columns but those that only name or time a row.

    Args:
        engine: The data.
        table: What its columns mean.
        also: Further columns to count of a table of predictions.
        joint: Columns to watch together; all numbers where it is empty, none where it is None.

    Raises:
        MeasurementError: A column that the guard names is gone, or too many would be watched
            together because none is named.
    """
    families = engine.families()
    named = (table.prediction, table.label, table.score, table.latency, table.cost, *also)
    error = error_name(table)
    require([name for name in named if name and name != error], list(families))
    counted = _counted(families, table, also)
    texts = engine.categories([n for n in counted if families[n] in {"text", "truth"}])
    readings = {
        name: READINGS[families[name]]
        for name in counted
        if name not in texts or _is_free_text(texts[name])
    }
    if error and _are_numbers(families, table):
        readings[error] = "error"
    numbers = [name for name in joint or readings if readings.get(name) == "number"]
    if joint is not None and not joint:
        _require_few(numbers)
    spreads = engine.spreads(readings, table)
    columns: dict[str, ColumnGrid] = {}
    for name in [*counted, *([error] if error in readings else [])]:
        if name in readings:
            columns[name] = numeric_grid(spreads[name], reading=readings[name])
        else:
            columns[name] = category_grid(texts[name].counts)
    columns |= {name: NumericGrid(LOG_EDGES) for name in (table.latency, table.cost) if name}
    watched = None if joint is None else joint_grid({name: spreads[name] for name in numbers})
    return Grid(columns, watched)


def error_name(table: Table) -> str:
    """What the difference of prediction and label is called among the columns."""
    if not table.prediction or not table.label:
        return ""
    return f"{table.prediction} - {table.label}"


def late_columns(table: Table) -> tuple[str, ...]:
    """Columns of the grid whose values come after their rows."""
    return tuple(name for name in (table.label, error_name(table)) if name)


def outcome_columns(table: Table) -> tuple[str, ...]:
    """Columns of the grid that tell what came of a prediction, not what it was made from."""
    return (*late_columns(table), *(name for name in (table.latency, table.cost) if name))


def _counted(families: Mapping[str, Family], table: Table, also: Sequence[str]) -> list[str]:
    if table.prediction:
        wanted = dict.fromkeys([table.prediction, table.score, table.label, *also])
        own = {table.latency, table.cost}
        return [
            name
            for name in wanted
            if name and name not in own and families.get(name, "other") != "other"
        ]
    meta = {table.time, table.label, table.model_version, table.cost, table.latency, *table.key}
    meta |= {table.user, table.request}  # Of people only hashes are kept.
    return [
        name
        for name, family in families.items()
        if name not in meta and (family != "other") and (family != "time" or table.time)
    ]


def _require_few(numbers: Sequence[str]) -> None:
    if len(numbers) > MOST_JOINT:
        pairs = len(numbers) * (len(numbers) + 1) // 2
        what = f"{len(numbers)} columns of numbers together are {pairs:,} products a row"
        hint = f"name at most {MOST_JOINT} in columns, those that belong together."
        raise MeasurementError(with_hint(what, hint))


def _is_free_text(found: Categories) -> bool:
    frequent = sorted(found.counts.values(), reverse=True)[:CATEGORIES]
    return (
        found.distinct > CATEGORIES
        and found.distinct > found.values * MOSTLY
        and sum(frequent) < found.values * MOSTLY
    )


def _are_numbers(families: Mapping[str, Family], table: Table) -> bool:
    return all(families.get(name or "") == "number" for name in (table.prediction, table.label))
