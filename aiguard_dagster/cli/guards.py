"""``aiguard validate``, ``schema`` and ``explain``: what is written in guard files."""

import json
import sys
from pathlib import Path

import click

from aiguard_dagster.adapters.guard_files import read_guards
from aiguard_dagster.cli.shared import PATH, PATHS, load
from aiguard_dagster.core.errors import SpecError
from aiguard_dagster.core.explain import explain as explain_guard
from aiguard_dagster.core.spec.json_schema import guard_schema


@click.command()
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


@click.command()
def schema() -> None:
    """Print the JSON Schema of guard files, for editors."""
    click.echo(json.dumps(guard_schema(), indent=2))


@click.command()
@PATH
def explain(path: Path) -> None:
    """Say in sentences what is watched, which limit, how long, who decides, what happens."""
    click.echo("\n\n".join(explain_guard(guard) for guard in load(path)))
