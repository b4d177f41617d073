"""What the commands share: options, guards from files, Dagster's instance, and the width to use."""

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiguard_dagster.adapters.guard_files import load_guards, read_guards
from aiguard_dagster.core.errors import SpecError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.words import did_you_mean, with_hint

if TYPE_CHECKING:
    import dagster as dg

PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
PATH = click.argument("path", type=click.Path(path_type=Path))
SOME_PATHS = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
DEFAULT_PATHS = (Path("guards"),)
GUARDS = click.option(
    "--guards",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    default=DEFAULT_PATHS,
    show_default="guards",
    help="Guard files, or folders of them.",
)
BY = click.option(
    "--by",
    envvar="AIGUARD_USER",
    show_envvar=True,
    required=True,
    help="Who decides. It is recorded and not checked.",
)
WHY = click.option("--why", required=True, help="For what reason. It is recorded.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
TRACKING_URI = click.option(
    "--tracking-uri",
    envvar="MLFLOW_TRACKING_URI",
    show_envvar=True,
    required=True,
    help="Where MLflow is: http://… or sqlite:///….",
)
VIA = "command line"
WIDEST = 120


def only_guard(path: Path) -> Guard:
    """The one guard of a file."""
    guards = load(path)
    if len(guards) != 1:
        msg = f"{path} holds {len(guards)} guards\n\nHint: name the file of one."
        raise click.ClickException(msg)
    return guards[0]


def load(path: Path) -> tuple[Guard, ...]:
    """The guards of a path; when there are problems, tell them and end."""
    try:
        return load_guards(path)
    except SpecError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def some_guards(paths: Sequence[Path]) -> tuple[Guard, ...]:
    """The guards of files and folders, ``guards`` when none is named; problems end the command."""
    found = read_guards(paths or DEFAULT_PATHS)
    if found.problems:
        click.echo(str(SpecError(found.problems)), err=True)
        sys.exit(1)
    return tuple(guard for guard, _ in found.guards)


def guard_of_incident(guards: Sequence[Guard], incident: str) -> Guard:
    """The guard whose name an incident begins with."""
    return named_guard(guards, incident.partition(":")[0], of=f" of an incident {incident!r}")


def named_guard(guards: Sequence[Guard], name: str, *, of: str = "") -> Guard:
    """The guard of a name; no such guard ends the command with the names there are."""
    known = {guard.name: guard for guard in guards}
    if name not in known:
        hint = did_you_mean(name, known, f"the guards are {', '.join(known)}.")
        raise click.ClickException(with_hint(f"there is no guard {name!r}{of}", hint))
    return known[name]


def open_instance() -> "dg.DagsterInstance":
    """The instance of DAGSTER_HOME, where the guards' decisions are."""
    if not os.environ.get("DAGSTER_HOME"):
        hint = "set it to the folder with the dagster.yaml that your daemon uses."
        raise click.ClickException(with_hint("DAGSTER_HOME is not set", hint))
    import dagster as dg

    try:
        return dg.DagsterInstance.get()
    except Exception as error:  # storage, configuration and folder each fail in a way of their own
        hint = "see that DAGSTER_HOME is right and that its storage can be reached."
        what = f"Dagster's instance cannot be opened: {error}"
        raise click.ClickException(with_hint(what, hint)) from error


def width() -> int:
    """How wide the terminal is, up to what reads well."""
    return min(shutil.get_terminal_size().columns, WIDEST)


def wrapped(text: str, indent: str) -> str:
    """A text in lines as wide as the terminal, each after an indent; long words stay whole."""
    return textwrap.fill(
        text,
        width=width(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def minute(moment: datetime) -> str:
    """A moment as the commands print it, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M}"
