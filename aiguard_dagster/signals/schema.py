"""Columns that are gone, renamed, retyped, null, out of order or unexpected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import narwhals as nw

from aiguard_dagster.core.columns import UNKNOWN, Takes, out_of_order, renamed, same_type
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.model_inputs import holds_as_flags, holds_nulls, is_optional, takes
from aiguard_dagster.core.spec import Schema
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold, Verdict
from aiguard_dagster.signals.batch import Batch, column
from aiguard_dagster.signals.columns import count_missing
from aiguard_dagster.signals.types import column_types, exact_type_name, type_name

__all__ = ["measure_schema", "type_name"]

MOST_PARTS = 10
MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expected:
    """What the columns are held against.

    Attributes:
        types: Type by name, in order.
        takes: When a type is right.
        full: Columns that may hold no null.
        exact: Whether the types have widths and zones.
    """

    types: Mapping[str, str]
    takes: Takes = same_type
    full: frozenset[str] = frozenset()
    exact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The columns of the batch.

    Attributes:
        types: Type by name, in order; with widths and zones where those are expected.
        short: Type by name, in order, without them.
        rows: Rows.
        nulls: Values that are null or NaN, by name, where they were counted.
        typeless: Columns whose type says nothing, for they are in memory and hold no value.
    """

    types: Mapping[str, str]
    short: Mapping[str, str]
    rows: int
    nulls: Mapping[str, int]
    typeless: frozenset[str]


def measure_schema(signal: Schema, batch: Batch) -> tuple[Measurement, Threshold]:
    """Count the columns that differ from what they are held against; 0 is the limit.

    A column that is gone counts whatever the number of rows; a table of no rows is never ok. In
    memory a column without a value has no type: pandas and CSV readers only guess one. Where that
    is true of all columns the batch is inconclusive.

    ``previous`` compares with the newest earlier batch that was ok, or with the first one; the
    first itself is inconclusive.

    Raises:
        MeasurementError: The champion has no baseline, or no signature that names columns.
        ActionError: MLflow does not answer.
    """
    expected = _expected(signal, batch)
    found = _found(batch, expected)
    faults = _faults(signal, batch, expected, found) if expected else {}
    unjudged = _unjudged(expected, found) if expected else []
    judged = bool(faults) or not expected or len(unjudged) < len(expected.types)
    parts = [Part(name=name, value=1, text="; ".join(texts)) for name, texts in faults.items()]
    measurement = Measurement(
        value=float(len(parts)) if expected and judged else None,
        n=found.rows or len(parts),
        window=batch.span,
        as_of=batch.as_of,
        coverage=1 - len(unjudged) / max(1, len(expected.types)) if expected else 1.0,
        parts=tuple(parts[:MOST_PARTS]),
        note=_note(expected, found, unjudged, len(parts)),
        facts=_facts(found, expected if signal.compared_with == "previous" else None),
    )
    return measurement, Threshold(value=0, direction="high")


def _expected(signal: Schema, batch: Batch) -> _Expected | None:
    """What the columns are held against; None where there is no earlier batch."""
    match signal.compared_with:
        case "declared":
            columns = signal.columns or {}
            return _Expected(
                types={name: column.type for name, column in columns.items()},
                full=frozenset(name for name, each in columns.items() if not each.nullable),
            )
        case "baseline":
            return _Expected(types=batch.accepted().types)
        case "previous":
            earlier = [point for point in batch.past() if point.as_of < batch.as_of]
            return _previous(earlier)
        case "signature":
            wanted = batch.signature()
            full = frozenset(name for name, each in wanted.items() if not holds_nulls(each))
            return _Expected(types=wanted, takes=takes, full=full, exact=True)
        case _:
            assert_never(signal.compared_with)


def _previous(earlier: Sequence[Point]) -> _Expected | None:
    """The newest batch that was ok; before there is one, the first that had rows."""
    shown = sorted((p for p in earlier if p.n and "columns" in p.facts), key=lambda p: p.as_of)
    sound = [point for point in shown if point.verdict is Verdict.OK]
    first = [point for point in shown if point.verdict is Verdict.INCONCLUSIVE]
    for point in (*sound[-1:], *first[:1]):
        types = point.facts["columns"]
        return _Expected(types={name: types[name] for name in point.facts["order"]})
    return None


def _found(batch: Batch, expected: _Expected | None) -> _Found:
    dtypes = column_types(batch.frame)
    in_memory = batch.frame.implementation.is_polars()
    types = short = {name: type_name(dtype) for name, dtype in dtypes.items()}
    if expected and expected.exact:
        types = {name: exact_type_name(each, zones=in_memory) for name, each in dtypes.items()}
    full = expected.full if expected else frozenset()
    doubtful = _without_a_first_value(batch) if in_memory else set()
    counted = [name for name in types if name in full or name in doubtful]
    rows, nulls = count_missing(batch, counted)
    empty = frozenset(name for name in nulls if in_memory and nulls[name] >= rows)
    return _Found(types=types, short=short, rows=rows, nulls=nulls, typeless=empty)


def _faults(
    signal: Schema, batch: Batch, expected: _Expected, found: _Found
) -> dict[str, list[str]]:
    """What is wrong by column: those expected in their order, then those that were not."""
    missing = {name: kind for name, kind in expected.types.items() if name not in found.types}
    new = {name: kind for name, kind in found.types.items() if name not in expected.types}
    pairs = renamed(missing, new, expected.takes)
    faults: dict[str, list[str]] = {}
    for name, wanted in expected.types.items():
        if name in pairs:
            faults[name] = [f"gone; renamed to {pairs[name]}?"]
        elif name not in found.types:
            faults[name] = [] if expected.exact and is_optional(wanted) else ["gone"]
        else:
            faults[name] = [
                *_wrong_type(batch, expected, found, name),
                *_wrong_nulls(expected, found, name),
            ]
    if not signal.allow_extra:
        faults |= {name: ["not expected"] for name in new if name not in pairs.values()}
    if signal.ordered:
        names = {fresh: old for old, fresh in pairs.items()}
        shown = [names.get(name, name) for name in found.types]
        for name in out_of_order(list(expected.types), shown):
            faults[name] = [*faults[name], "out of order"]
    return {name: texts for name, texts in faults.items() if texts}


def _wrong_type(batch: Batch, expected: _Expected, found: _Found, name: str) -> list[str]:
    wanted, kind = expected.types[name], found.types[name]
    if name in found.typeless or expected.takes(wanted, kind):
        return []
    if not expected.exact:
        return [f"{kind}, not {wanted}"]
    if holds_as_flags(wanted, kind) and _only_flags(batch, name):
        return []
    return [f"{kind}, which MLflow will not convert to {wanted}"]


def _only_flags(batch: Batch, name: str) -> bool:
    other = (~column(batch, name).is_in([0, 1])).cast(nw.Int64).sum().alias("c0")
    return not batch.frame.select(other).collect().item()


def _without_a_first_value(batch: Batch) -> set[str]:
    """Columns that may have no value at all; one look at the first row spares most of them."""
    first = batch.frame.head(1).collect().rows(named=True)
    row = first[0] if first else {}
    return {name for name in batch.schema if row.get(name) is None or row[name] != row[name]}


def _wrong_nulls(expected: _Expected, found: _Found, name: str) -> list[str]:
    nulls = found.nulls.get(name, 0)
    if name not in expected.full or not nulls:
        return []
    told = f"{nulls:,} null" if nulls == 1 else f"{nulls:,} nulls"
    return [f"{told}, which {expected.types[name]} cannot hold" if expected.exact else told]


def _unjudged(expected: _Expected, found: _Found) -> list[str]:
    """Columns that are there and whose type contradicts nothing, for it is not known."""
    return [
        name
        for name, wanted in expected.types.items()
        if name in found.types
        and wanted != "any"
        and (
            found.types[name] == UNKNOWN
            or (name in found.typeless and not expected.takes(wanted, found.types[name]))
        )
    ]


def _note(
    expected: _Expected | None, found: _Found, unjudged: Sequence[str], different: int
) -> str:
    if not found.rows and not different:
        return "no rows"
    if expected is None:
        return "the first batch: there is none before it to compare with"
    notes = []
    if unjudged:
        more = f" and {len(unjudged) - MOST_NAMED} more" if len(unjudged) > MOST_NAMED else ""
        notes.append(f"type unknown, no value tells it: {', '.join(unjudged[:MOST_NAMED])}{more}")
    if different > MOST_PARTS:
        notes.append(f"{different - MOST_PARTS} more columns differ")
    return "; ".join(notes)


def _facts(found: _Found, before: _Expected | None) -> dict[str, object]:
    """The columns for later batches to compare with; a type that is not known is handed on."""
    known = before.types if before else {}
    types = {
        name: known.get(name, UNKNOWN) if name in found.typeless else kind
        for name, kind in found.short.items()
    }
    return {"columns": types, "order": list(types)}
