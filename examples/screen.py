"""What the demos have in common on the screen."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.home import prepare_home

Result = dict[str, Any]


def demo(
    example: str,
    help_: str,
    play: Callable[[Console], Result],
    show: Callable[[Console, Result], None],
) -> click.Command:
    """A command that plays an example in a folder of its own, and shows what happened."""

    @click.command(help=help_)
    @click.option("--json", "file", type=click.Path(path_type=Path), help="Write all of it here.")
    def main(file: Path | None) -> None:
        started = time.perf_counter()
        prepare_home(example)
        console = Console(width=max(100, min(Console().width, 160)))
        result = play(console)
        result["seconds"] = round(time.perf_counter() - started, 1)
        show(console, result)
        took = f"{result['seconds']:.0f} s."
        console.print(f"{took} The same history in Dagster's UI: [bold]make ui[/]")
        if file:
            file.write_text(json.dumps(result, indent=1) + "\n")
            console.print(f"All of it as JSON: {file}")

    return main


def progress(console: Console) -> Progress:
    """A bar of days, which goes away where somebody sees it."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=not sys.stdout.isatty(),
    )


def table(title: str, *columns: str, **options: Any) -> Table:  # noqa: ANN401 - as rich takes them
    """A table as wide as the screen, whose last column says why."""
    found = Table(title=title, title_justify="left", expand=True, **options)
    for name in columns:
        found.add_column(name, no_wrap=True)
    found.add_column("why", ratio=1)
    return found
