"""``aiguard baseline`` and ``calibrate``: what a version was accepted on, and its limits."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiguard_dagster.cli.shared import TRACKING_URI, only_guard
from aiguard_dagster.core.errors import AIGuardError
from aiguard_dagster.core.spec import Action, Guard
from aiguard_dagster.core.words import did_you_mean, with_hint

if TYPE_CHECKING:
    import polars as pl


@click.group()
def baseline() -> None:
    """What a model version was accepted on."""


@baseline.command()
@click.argument("guard_file", type=click.Path(path_type=Path))
@click.option("--model-version", required=True, help="The registered model's version.")
@click.option(
    "--data",
    "data",
    multiple=True,
    metavar="[TABLE=]FILE",
    help="Parquet or CSV that the version was accepted on; once for each table of the guard."
    " Without TABLE= it is the guard's first table. Traces need none.",
)
@TRACKING_URI
def record(guard_file: Path, model_version: str, data: tuple[str, ...], tracking_uri: str) -> None:
    """Record the baseline of a model version in MLflow."""
    from polars.exceptions import PolarsError

    from aiguard_dagster.orchestration.baseline import inputs_without_table, record_baseline

    guard = only_guard(guard_file)
    tables = _tables(guard, data)
    try:
        found = record_baseline(
            guard, version=model_version, data=tables, tracking_uri=tracking_uri
        )
    except (AIGuardError, OSError, PolarsError) as error:
        raise click.ClickException(str(error)) from None
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in found.metrics.items())
    click.echo(f"{found.model} v{found.version}: baseline of {found.guard} recorded. {metrics}")
    lacking = inputs_without_table(guard, model_version, tables, tracking_uri=tracking_uri)
    if lacking and any(rule.action is Action.ROLLBACK for rule in guard.rules):
        click.echo(
            f"No table has {', '.join(lacking)}, which v{found.version} takes: a rollback could not"
            " try it on recent rows. Declare the asset that holds them as a table of the guard."
        )


@click.command()
@click.argument("guard_file", type=click.Path(path_type=Path))
@click.option(
    "--model-version", help="The version whose baseline is meant; the champion's if not given."
)
@TRACKING_URI
@click.option(
    "--plot",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder to draw into: how strange the baseline's own windows were, and the limit.",
)
def calibrate(
    guard_file: Path, model_version: str | None, tracking_uri: str, plot: Path | None
) -> None:
    """Tell what each rule's limit is on a baseline, the budget it meets, and what it would see."""
    from aiguard_dagster.orchestration.baseline import baseline_of
    from aiguard_dagster.report.calibration import plots, report
    from aiguard_dagster.signals.calibrated import calibrate_guard

    guard = only_guard(guard_file)
    try:
        accepted = baseline_of(guard, tracking_uri=tracking_uri, version=model_version)
        found = calibrate_guard(guard, accepted)
    except AIGuardError as error:
        raise click.ClickException(str(error)) from None
    click.echo(report(guard, accepted.version, found))
    if plot is not None:
        plot.mkdir(parents=True, exist_ok=True)
        for name, drawing in plots(found).items():
            file = plot / f"{name}.svg"
            file.write_text(drawing, encoding="utf-8")
            click.echo(f"drawn: {file}")
    if any(each.problem for each in found):
        sys.exit(1)


def _tables(guard: Guard, data: Sequence[str]) -> "dict[str, pl.LazyFrame]":
    """What ``--data`` names, by table; every name is checked before a file is read."""
    files: dict[str, str] = {}
    for item in data:
        name, separator, file = item.partition("=")
        if not separator:
            name, file = next(iter(guard.tables)), item
        if name not in guard.tables:
            hint = f"the declared tables are {', '.join(guard.tables)}."
            hint = did_you_mean(name, guard.tables, hint)
            raise _misused(item, f"{guard.name} declares no table {name!r}", hint)
        if name in files:
            hint = "give one file a table, as TABLE=FILE."
            raise _misused(item, f"the table {name!r} has a file already, {files[name]}", hint)
        files[name] = file
    return {name: _rows(file) for name, file in files.items()}


def _rows(file: str) -> "pl.LazyFrame":
    """The rows of a file; what polars says of bad ones is left out, for it quotes them."""
    import polars as pl

    csv = file.lower().endswith(".csv")
    try:
        if csv:
            # All rows say what a column holds: the first number with a comma may come late.
            read = pl.scan_csv(file, try_parse_dates=True, infer_schema_length=None)
            return read.collect().lazy()
        rows = pl.scan_parquet(file)
        rows.collect_schema()
    except FileNotFoundError:
        raise _misused(file, "there is no such file", "check the path.") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        what = f"cannot be read as {'CSV' if csv else 'Parquet'} ({type(error).__name__})"
        raise _misused(file, what, "give Parquet, or CSV in a file named .csv.") from None
    return rows  # Not read yet: there may be more than fits into memory.


def _misused(item: str, what: str, hint: str) -> click.ClickException:
    return click.ClickException(with_hint(f"--data {item}: {what}", hint))
