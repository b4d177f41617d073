"""Parquet and CSV files, local or on any file system that fsspec knows."""

import re
from collections.abc import Sequence
from glob import escape, has_magic
from typing import Any

import polars as pl

from aiguard_dagster.adapters.tables.sources.predicates import in_hand
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import FileSource

UNSAFE = re.compile(r"[/\\\x00]|^\.\.?$")
"""What a partition's key must not hold where it stands in a path."""


def scan_files(source: FileSource, table: Table, partitions: Sequence[Partition]) -> pl.LazyFrame:
    """The rows of the files that hold the partitions in hand, not read yet."""
    told_apart = tells_apart(source)
    paths = paths_of(source, partitions)
    frames = [_scan(source, path, partition=told_apart) for path in paths]
    rows = pl.concat(frames, how="vertical_relaxed")
    if partitions and not told_apart:
        rows = rows.filter(in_hand(rows, source.partition_by, table, partitions))
    return rows


def tells_apart(source: FileSource) -> bool:
    """Whether the path tells partitions apart."""
    return "{" in source.path


def paths_of(source: FileSource, partitions: Sequence[Partition]) -> list[str]:
    """The paths, or patterns of them, that hold the partitions in hand."""
    if not tells_apart(source):
        return [source.path]
    return list(dict.fromkeys(_fill(source.path, partition) for partition in partitions))


def unreachable_files(source: FileSource) -> str:
    """Whether the folder before the first placeholder or star is there."""
    from fsspec.core import url_to_fs

    fixed = re.split(r"[{*?\[]", source.path, maxsplit=1)[0]
    if fixed != source.path:
        fixed = fixed.rpartition("/")[0] or "."
    filesystem, path = url_to_fs(fixed)
    where = path if "file" in filesystem.protocol else fixed
    return "" if filesystem.exists(path) else f"{where} is not there"


def _fill(template: str, partition: Partition) -> str:
    """A path for one partition; keys stand for themselves, whatever characters they hold."""
    values: dict[str, Any] = {
        name: _safe(key)
        for name, key in {**partition.dimensions, "partition": partition.key}.items()
    }
    if partition.window:
        values |= {"start": partition.window.start, "end": partition.window.end}
    return template.format(**values)


def _safe(key: str) -> str:
    if UNSAFE.search(key):
        msg = (
            f"a partition key of {len(key)} characters cannot stand in a path"
            "\n\nHint: name the column that holds the key, partition_by, instead."
        )
        raise MeasurementError(msg)
    return escape(key)


def _scan(source: FileSource, path: str, *, partition: bool) -> pl.LazyFrame:
    from fsspec.core import url_to_fs

    filesystem, inner = url_to_fs(path)
    found = sorted(filesystem.glob(inner)) if has_magic(inner) else [inner]
    found = [name for name in found if filesystem.isfile(name)]
    if not found:
        what = "the partition in hand" if partition else "the table"
        where = inner if "file" in filesystem.protocol else path
        msg = f"no file holds {what}: {where}\n\nHint: check the path; it may not be written yet."
        raise MeasurementError(msg)
    if "file" in filesystem.protocol:
        if source.kind == "csv":
            # All rows say what a column holds: the first number with a comma may come late.
            return pl.scan_csv(found, try_parse_dates=True, infer_schema_length=None, glob=False)
        return pl.scan_parquet(found, glob=False)
    import pyarrow.dataset as ds

    return pl.scan_pyarrow_dataset(ds.dataset(found, filesystem=filesystem, format=source.kind))
