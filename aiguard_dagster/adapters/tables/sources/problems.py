"""What is wrong with a source by its declaration, told at load; nothing is connected to."""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from string import Formatter

from aiguard_dagster.core.spec import Table
from aiguard_dagster.core.spec.sources import (
    DuckDBSource,
    FileSource,
    RowSource,
    SparkSource,
    SQLSource,
)
from aiguard_dagster.core.words import did_you_mean

Found = tuple[str, str, str]
"""Path below the source, what is wrong, hint."""
DRIVERS = {"duckdb": "duckdb", "spark": "pyspark"}
"""Module that an engine needs, by the extra that installs it."""


def find_source_problems(
    source: RowSource, table: Table, *, dimensions: Sequence[str], has_time: bool, partitioned: bool
) -> list[Found]:
    """What is wrong between a source, its table and the asset's partitions.

    Args:
        source: As declared.
        table: The table that it is of.
        dimensions: The names of the partitions' dimensions, where there are several.
        has_time: Whether one of them is time.
        partitioned: Whether there are partitions at all.
    """
    found = [*_installed(source)]
    told_apart = False
    match source:
        case FileSource():
            placeholders = _placeholders(source.path)
            known = {"partition", *dimensions} | ({"start", "end"} if has_time else set())
            known = known if partitioned else set()
            for name in placeholders:
                if name is None:
                    hint = "double the braces that stand for themselves."
                    found.append(("path", "its braces do not match", hint))
                elif name not in known:
                    choices = ", ".join(sorted(known)) or "none: the asset has no partitions"
                    hint = did_you_mean(name, known, f"the choices are {choices}.")
                    found.append(("path", f"nothing is called {name!r} here", hint))
            told_apart = bool(placeholders)
        case SQLSource():
            found += _address(source)
        case DuckDBSource() | SparkSource():
            pass
    if partitioned and not told_apart:
        found += _apart(source, table, dimensions, has_time=has_time)
    return found


def _installed(source: RowSource) -> Iterator[Found]:
    module = DRIVERS.get(source.kind)
    if module and find_spec(module) is None:
        hint = f'pip install "aiguard-dagster[{source.kind}]".'
        yield ("kind", f"{source.kind} needs {module}, which is not installed", hint)


def _placeholders(path: str) -> list[str | None]:
    try:
        return [name for _, name, _, _ in Formatter().parse(path) if name is not None]
    except ValueError:
        return [None]


def _address(source: SQLSource) -> Iterator[Found]:
    import sqlalchemy as sa

    if source.url_env is not None and not os.environ.get(source.url_env):
        what = f"the environment variable {source.url_env} is not set"
        yield ("url_env", what, "set it to the database's URL where Dagster loads this project.")
        return
    place = "url" if source.url else "url_env"
    try:
        url = sa.make_url(source.url or os.environ[source.url_env or ""])
    except sa.exc.ArgumentError:
        yield (place, "it is no URL of a database", "write dialect+driver://user@host/database.")
        return
    if source.url and url.password:
        yield ("url", "a password stands in it", "put the URL into the environment: url_env.")
    try:
        url.get_dialect()().import_dbapi()
    except Exception as error:  # noqa: BLE001 - whatever a dialect raises when it is not there
        what = f"the driver of {url.drivername} cannot be loaded: {type(error).__name__}"
        yield (place, what, "install it beside Dagster, or name another, such as +psycopg2.")


def _apart(
    source: RowSource, table: Table, dimensions: Sequence[str], *, has_time: bool
) -> Iterator[Found]:
    """How the rows of a partition are told from those of others."""
    by = source.partition_by
    if isinstance(by, dict):
        unknown = [name for name in by if name not in dimensions]
        missing = [name for name in dimensions if name not in by]
        if unknown:
            known = ", ".join(dimensions) or "none: it has but one, so give a column alone"
            hint = did_you_mean(unknown[0], dimensions, f"the dimensions are {known}.")
            yield ("partition_by", f"there is no dimension {unknown[0]!r}", hint)
        elif missing:
            yield ("partition_by", f"no column is named for {missing[0]!r}", "add it.")
    elif by is None and (dimensions or not has_time or table.time is None):
        what = "nothing tells one partition's rows from another's"
        hint = "give partition_by"
        hint += ", or a placeholder in the path." if isinstance(source, FileSource) else "."
        yield ("partition_by", what, hint)
