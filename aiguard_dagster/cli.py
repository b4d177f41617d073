"""``aiguard``: what a person asks of a guard from the command line."""

import json
import sys
from pathlib import Path

import click

from aiguard_dagster.adapters.guard_files import load_guards, read_guards
from aiguard_dagster.core.errors import AIGuardError, SpecError
from aiguard_dagster.core.explain import explain as explain_guard
from aiguard_dagster.core.spec.json_schema import guard_schema

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
    try:
        guards = load_guards(path)
    except SpecError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    click.echo("\n\n".join(explain_guard(guard) for guard in guards))


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
    required=True,
    metavar="[TABLE=]FILE",
    help="Parquet or CSV that the version was accepted on; once for each table of the guard.",
)
@click.option("--tracking-uri", envvar="MLFLOW_TRACKING_URI", required=True)
def record(guard_file: Path, model_version: str, data: tuple[str, ...], tracking_uri: str) -> None:
    """Record the baseline of a model version in MLflow."""
    import polars as pl

    from aiguard_dagster.orchestration.baseline import record_baseline

    try:
        guards = load_guards(guard_file)
        if len(guards) != 1:
            msg = f"{guard_file} holds {len(guards)} guards; name the file of one"
            raise click.ClickException(msg)
        tables = {}
        for item in data:
            name, separator, file = item.partition("=")
            if not separator:
                name, file = next(iter(guards[0].tables)), item
            read = pl.scan_csv if file.endswith(".csv") else pl.scan_parquet
            tables[name] = read(file).collect().lazy()
        found = record_baseline(
            guards[0], version=model_version, data=tables, tracking_uri=tracking_uri
        )
    except (AIGuardError, OSError, pl.exceptions.PolarsError) as error:
        raise click.ClickException(str(error)) from None
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in found.metrics.items())
    click.echo(f"{found.model} v{found.version}: baseline of {found.guard} recorded. {metrics}")
