"""``aiguard``: what a person asks of a guard from the command line."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiguard_dagster.adapters.guard_files import load_guards, read_guards
from aiguard_dagster.core.errors import AIGuardError, SpecError
from aiguard_dagster.core.explain import explain as explain_guard
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.spec.json_schema import guard_schema
from aiguard_dagster.core.words import did_you_mean, with_hint

if TYPE_CHECKING:
    import polars as pl

PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
PATH = click.argument("path", type=click.Path(path_type=Path))


@click.group()
@click.version_option(package_name="aiguard-dagster")
def main() -> None:
    """Guards for models in production: limits set before launch, a rollback only when it helps."""


@main.command()
@PATHS
def validate(paths: tuple[Path, ...]) -> None:
    """Check guard files, or folders of them, together; every problem is told."""
    found = read_guards(paths)
    for guard, file in found.guards:
        rules = "1 rule" if len(guard.rules) == 1 else f"{len(guard.rules)} rules"
        click.echo(f"{file}: {guard.name}: {rules}, {guard.mode}")
    if found.problems:
        click.echo(str(SpecError(found.problems)), err=True)
        sys.exit(1)


@main.command()
def schema() -> None:
    """Print the JSON Schema of guard files, for editors."""
    click.echo(json.dumps(guard_schema(), indent=2))


@main.command()
@PATH
def explain(path: Path) -> None:
    """Say in sentences what is watched, which limit, how long, who decides, what happens."""
    click.echo("\n\n".join(explain_guard(guard) for guard in _load(path)))


@main.group()
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
@click.option(
    "--tracking-uri",
    envvar="MLFLOW_TRACKING_URI",
    show_envvar=True,
    required=True,
    help="Where MLflow is: http://… or sqlite:///….",
)
def record(guard_file: Path, model_version: str, data: tuple[str, ...], tracking_uri: str) -> None:
    """Record the baseline of a model version in MLflow."""
    from polars.exceptions import PolarsError

    from aiguard_dagster.orchestration.baseline import record_baseline

    guard = _only(guard_file)
    tables = _tables(guard, data)
    try:
        found = record_baseline(
            guard, version=model_version, data=tables, tracking_uri=tracking_uri
        )
    except (AIGuardError, OSError, PolarsError) as error:
        raise click.ClickException(str(error)) from None
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in found.metrics.items())
    click.echo(f"{found.model} v{found.version}: baseline of {found.guard} recorded. {metrics}")


@main.command()
@click.argument("guard_file", type=click.Path(path_type=Path))
@click.option(
    "--model-version", help="The version whose baseline is meant; the champion's if not given."
)
@click.option(
    "--tracking-uri",
    envvar="MLFLOW_TRACKING_URI",
    show_envvar=True,
    required=True,
    help="Where MLflow is: http://… or sqlite:///….",
)
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

    guard = _only(guard_file)
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


def _only(path: Path) -> Guard:
    """The one guard of a file."""
    guards = _load(path)
    if len(guards) != 1:
        msg = f"{path} holds {len(guards)} guards\n\nHint: name the file of one."
        raise click.ClickException(msg)
    return guards[0]


def _load(path: Path) -> tuple[Guard, ...]:
    """The guards of a path; when there are problems, tell them and end."""
    try:
        return load_guards(path)
    except SpecError as error:
        click.echo(str(error), err=True)
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
