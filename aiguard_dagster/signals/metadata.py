"""What the asset's definition leaves out, and columns that it declares wrongly."""

from collections.abc import Iterator, Mapping
from typing import assert_never

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Metadata
from aiguard_dagster.core.spec.signals.metadata import Described
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.signals.batch import Asset, Batch
from aiguard_dagster.signals.types import column_types, type_name

MOST_PARTS = 20
TYPES: Mapping[str, tuple[str, ...]] = {
    "int": ("int", "integer", "bigint", "smallint", "tinyint", "long", "short", "uint"),
    "float": ("float", "double", "real", "number", "numeric", "double precision"),
    "decimal": ("decimal", "numeric", "number"),
    "string": ("str", "string", "varchar", "text", "char", "object", "category", "utf8"),
    "boolean": ("bool", "boolean"),
    "timestamp": ("timestamp", "datetime", "timestamptz", "timestamp_ntz"),
    "date": ("date",),
}
"""Names that people and databases give to a type, by our own short name for it."""


def measure_metadata(signal: Metadata, batch: Batch) -> tuple[Measurement, Threshold]:
    """Count what is missing from the asset's definition, and columns that are not as declared.

    Raises:
        MeasurementError: Nothing is known of the asset.
    """
    if batch.asset is None:
        msg = "nothing is known of the asset's definition"
        raise MeasurementError(msg)
    looked_at = len(signal.require) + len(signal.tags)
    parts = [part for thing in signal.require for part in _missing(thing, batch.asset)]
    parts += [
        Part(name=f"tag {name}", value=1, text="not set")
        for name in signal.tags
        if name not in batch.asset.tags
    ]
    if "columns" in signal.require and batch.asset.columns:
        looked_at += len(batch.asset.columns)
        held = {name: type_name(dtype) for name, dtype in column_types(batch.frame).items()}
        parts += _disagreeing(batch.asset.columns, held)
    measurement = Measurement(
        value=float(len(parts)),
        n=looked_at,
        window=batch.span,
        as_of=batch.as_of,
        parts=tuple(parts[:MOST_PARTS]),
    )
    return measurement, Threshold(value=0, direction="high")


def _missing(thing: Described, asset: Asset) -> Iterator[Part]:
    match thing:
        case "owner":
            there = bool(asset.owners)
        case "description":
            there = bool(asset.description.strip())
        case "tags":
            there = bool(asset.tags)
        case "columns":
            there = bool(asset.columns)
        case "column_descriptions":
            bare = [name for name in asset.columns if name not in asset.descriptions]
            if bare:
                yield from (Part(name=name, value=1, text="not described") for name in bare)
                return
            there = bool(asset.columns)
        case "lineage":
            there = bool(asset.upstream)
        case _:
            assert_never(thing)
    if not there:
        yield Part(name=thing.replace("_", " "), value=1, text="not declared")


def _disagreeing(declared: Mapping[str, str], found: Mapping[str, str | None]) -> Iterator[Part]:
    for name, wanted in declared.items():
        if name not in found:
            yield Part(name=name, value=1, text="declared, and not in the rows")
            continue
        held = found[name]
        meant = _short_names(wanted)
        if held is not None and meant and held not in meant:
            yield Part(name=name, value=1, text=f"declared {wanted}, and holds {held}")


def _short_names(declared: str) -> set[str]:
    """What a declared type may mean here; empty where its name says nothing to us."""
    bare = declared.lower().partition("(")[0].partition("[")[0].strip().rstrip("0123456789")
    return {short for short, names in TYPES.items() if bare in names or declared == short}
