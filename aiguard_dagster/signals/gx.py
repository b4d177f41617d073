"""Great Expectations at work: a suite from where it is kept, on the engine that has the rows.

Its validator is used without a data context. A context is a global of the process, which would
take the place of one that the user has made, and SQL datasources in it open connections of their
own instead of using the engine at hand.
"""

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.resources import files
from operator import attrgetter
from pathlib import Path
from threading import RLock
from typing import Any

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import did_you_mean, shown
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.pandas_rows import pandas_rows

Configuration = Any
Result = Any


_one_at_a_time = RLock()
"""What is silenced below is the process's, and must be given back as it was."""


@contextmanager
def _quietly() -> Iterator[None]:
    """Great Expectations without reports to its makers, deprecations, and rows in its log."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    log = logging.getLogger("great_expectations")
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level = log.level
        log.setLevel(logging.CRITICAL + 1)  # it logs queries that failed with the values in them
        try:
            yield
        finally:
            log.setLevel(level)


def load_suite(suite: str | Sequence[Mapping[str, Any]]) -> list[Configuration]:
    """The expectations of a suite, each checked to be one.

    Args:
        suite: A JSON file, an import path, or the expectations themselves.

    Raises:
        MeasurementError: It cannot be had, or holds something that is no expectation.
    """
    with _quietly():
        if not isinstance(suite, str):
            return _configurations(suite, "suite")
        if not suite.endswith(".json"):
            return _imported(suite)
        return _configurations(_read(suite), suite)


def _read(path: str) -> Any:  # noqa: ANN401 - whatever the JSON holds
    package, colon, inside = path.rpartition(":")
    try:
        place = files(package).joinpath(inside) if colon else Path(path)
        document = json.loads(place.read_text(encoding="utf-8"))
    except (ModuleNotFoundError, FileNotFoundError, NotADirectoryError) as error:
        where = f"package {package}" if colon else f"the working directory, {Path.cwd()}"
        msg = (
            f"there is no suite {inside} in {where}"
            "\n\nHint: package:folder/suite.json does not depend on where the process was started."
        )
        raise MeasurementError(msg) from error
    except (ValueError, OSError) as error:
        msg = f"the suite {path} cannot be read as JSON: {error}"
        raise MeasurementError(msg) from error
    return document.get("expectations") if isinstance(document, dict) else document


def _imported(path: str) -> list[Configuration]:
    from great_expectations import ExpectationSuite
    from great_expectations.expectations.expectation import Expectation

    module, _, name = path.partition(":")
    try:
        found = attrgetter(name)(import_module(module))
    except (ImportError, AttributeError) as error:
        msg = f"the suite {path!r} cannot be imported: {error}"
        raise MeasurementError(msg) from error
    kept = found.expectations if isinstance(found, ExpectationSuite) else found
    if isinstance(kept, list | tuple) and kept and all(isinstance(e, Expectation) for e in kept):
        return [each.configuration for each in kept]
    msg = (
        f"{path} is a {type(found).__name__} without expectations"
        "\n\nHint: name an ExpectationSuite, or a list of gx.expectations."
    )
    raise MeasurementError(msg)


def _configurations(found: Any, where: str) -> list[Configuration]:  # noqa: ANN401 - checked here
    """Great Expectations itself skips a type that it does not know, and says so in its log only."""
    if not isinstance(found, list | tuple) or not found:
        msg = f"{where} holds no expectations\n\nHint: a suite is {{expectations: [...]}}."
        raise MeasurementError(msg)
    return [_configuration(each, f"{where}[{number}]") for number, each in enumerate(found)]


def _configuration(item: Any, where: str) -> Configuration:  # noqa: ANN401 - checked here
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.registry import (
        list_registered_expectation_implementations,
    )

    known = list_registered_expectation_implementations()
    kind = item.get("type") if isinstance(item, Mapping) else None
    if kind not in known:
        hint = "import the module that defines it in the guarded project, if it is your own."
        old = isinstance(item, Mapping) and "expectation_type" in item
        what = "has expectation_type, which GX 1 calls type" if old else f"{shown(kind)} is unknown"
        msg = f"{where}: the expectation {what}\n\nHint: {did_you_mean(kind, known, hint)}"
        raise MeasurementError(msg)
    try:
        return ExpectationConfiguration(**item).to_domain_obj().configuration
    except (TypeError, ValueError) as error:
        msg = f"{where}: {kind} is not written as it should be: {_complaints(error)}"
        raise MeasurementError(msg) from error


def _complaints(error: Exception) -> str:
    if not hasattr(error, "errors"):
        return str(error)
    told = ((".".join(map(str, each["loc"])), each["msg"]) for each in error.errors())
    return "; ".join(f"{place}: {what}" for place, what in told)


def validate(
    batch: Batch, suite: Sequence[Configuration], result_format: Mapping[str, Any]
) -> list[Result]:
    """Evaluate a suite where the rows are: on Spark, in a SQL database, else on pandas."""
    with _quietly():
        from great_expectations.core.batch import Batch as Rows
        from great_expectations.validator.validator import Validator

        engine, data = _engine(batch)
        validator = Validator(execution_engine=engine, batches=[Rows(data=data)])
        validator.metrics_calculator.show_progress_bars = False
        runtime = {"result_format": dict(result_format)}
        return list(validator.graph_validate(list(suite), runtime_configuration=runtime))


def _engine(batch: Batch) -> tuple[Any, Any]:
    """Great Expectations' engine for these rows, and the rows as it wants them."""
    from great_expectations.execution_engine import PandasExecutionEngine, SparkDFExecutionEngine

    if batch.frame.implementation.is_spark_like():
        # Not persisted: the frame is the user's, and nobody would take it from memory again.
        engine = SparkDFExecutionEngine(persist=False, force_reuse_spark_context=True)
        return engine, batch.frame.to_native()
    if hasattr(batch.native, "engine") and hasattr(batch.native, "table_name"):
        return _in_database(batch.native)
    return PandasExecutionEngine(), pandas_rows(batch)


def _in_database(source: Any) -> tuple[Any, Any]:  # noqa: ANN401 - an engine, a table, a clause
    """The table, or its part under a clause, by connections like the user's; nothing is written.

    Great Expectations disposes of the engine that it was given, so it is given one of its own.
    """
    import sqlalchemy as sa
    from great_expectations.execution_engine import SqlAlchemyExecutionEngine
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData

    table = sa.table(source.table_name, schema=source.schema)
    rows: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(table)
    if source.where is not None:
        rows = rows.where(_unbound(source.where))
    own = sa.create_engine(source.engine.url, pool=source.engine.pool.recreate())
    engine = SqlAlchemyExecutionEngine(engine=own, create_temp_table=False)
    data = SqlAlchemyBatchData(
        engine,
        selectable=rows,
        create_temp_table=False,
        source_table_name=source.table_name,
        source_schema_name=source.schema,
    )
    return engine, data


def _unbound(clause: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's own
    """The clause without the table of its columns, which would be joined to the one at hand."""
    import sqlalchemy as sa
    from sqlalchemy.sql.visitors import replacement_traverse

    def bare(element: Any, **_: Any) -> Any:  # noqa: ANN401 - as SQLAlchemy calls it
        bound = isinstance(element, sa.ColumnClause) and element.table is not None
        return sa.column(element.name, element.type) if bound else None

    return replacement_traverse(clause, {}, bare)
