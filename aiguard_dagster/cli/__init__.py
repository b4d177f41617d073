"""``aiguard``: what a person asks of a guard, or tells it, from the command line."""

import click

from aiguard_dagster.cli.baselines import baseline, calibrate
from aiguard_dagster.cli.guards import explain, schema, validate
from aiguard_dagster.cli.models import history, quarantine
from aiguard_dagster.cli.people import approve, incidents, reject, release


@click.group()
@click.version_option(package_name="aiguard-dagster")
def main() -> None:
    """Guards for models in production: limits set before launch, a rollback only when it helps."""


COMMANDS = (
    validate,
    schema,
    explain,
    baseline,
    calibrate,
    incidents,
    approve,
    reject,
    release,
    quarantine,
    history,
)
for command in COMMANDS:
    main.add_command(command)
