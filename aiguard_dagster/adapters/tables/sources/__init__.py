"""Rows from declared sources."""

from collections.abc import Sequence

from aiguard_dagster.adapters.tables.rows import Rows
from aiguard_dagster.core.partition import Partition
from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import Source


def open_source(source: Source, table: Table, partitions: Sequence[Partition]) -> Rows:
    raise NotImplementedError


def find_source_problems(
    source: Source, table: Table, *, dimensions: Sequence[str], has_time: bool, partitioned: bool
) -> list[tuple[str, str, str]]:
    return []


def unreachable(source: Source) -> str:
    return ""
