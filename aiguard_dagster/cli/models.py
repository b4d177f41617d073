"""``aiguard history`` and ``quarantine``: a model's past, and versions that are barred."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from aiguard_dagster.cli.shared import (
    AS_JSON,
    BY,
    GUARDS,
    SOME_PATHS,
    TRACKING_URI,
    VIA,
    WHY,
    minute,
    open_instance,
    some_guards,
    wrapped,
)
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.words import did_you_mean, with_hint

if TYPE_CHECKING:
    from aiguard_dagster.adapters.mlflow.registry import ModelRegistry


@click.command()
@click.argument("model")
@SOME_PATHS
@TRACKING_URI
@AS_JSON
def history(model: str, paths: tuple[Path, ...], tracking_uri: str, *, as_json: bool) -> None:
    """Tell who was champion of MODEL, when and why.

    With who put it there, and all rollbacks, refusals, proposals and answers.

    PATHS are guard files, or folders of them; the folder guards when none is given.
    """
    from aiguard_dagster.orchestration.model_history import model_history
    from aiguard_dagster.report.model_history import history_json, history_text

    guard = _guard_of(some_guards(paths), model)
    with open_instance() as instance:
        try:
            found = model_history(instance, guard, _registry(guard, tracking_uri))
        except ActionError as error:
            raise click.ClickException(str(error)) from None
    told = history_json(found) if as_json else None
    click.echo(json.dumps(told, indent=2) if told else history_text(found, wrap=wrapped))


@click.group()
def quarantine() -> None:
    """Model versions that are barred from production."""


@quarantine.command("list")
@SOME_PATHS
@TRACKING_URI
@AS_JSON
def list_(paths: tuple[Path, ...], tracking_uri: str, *, as_json: bool) -> None:
    """List the versions in quarantine: since when, by whom and why."""
    from aiguard_dagster.adapters.mlflow.quarantine import quarantine_record

    documents = []
    for guard in some_guards(paths):
        if guard.model is None:
            continue
        try:
            versions = _registry(guard, tracking_uri).versions()
            records = [(each.version, quarantine_record(each)) for each in versions]
        except ActionError as error:
            raise click.ClickException(str(error)) from None
        documents += [
            {
                "model": guard.model.name,
                "version": version,
                "since": record.at,
                "by": record.by,
                "reason": record.reason,
            }
            for version, record in records
            if record is not None and record.lifted is None
        ]
    if as_json:
        click.echo(json.dumps(documents, indent=2))
        return
    for each in documents:
        since = str(each["since"])[:16].replace("T", " ")
        click.echo(f"{each['model']} v{each['version']}  since {since} UTC, by {each['by']}")
        click.echo(wrapped(str(each["reason"]), "    "))
    if not documents:
        click.echo("no version is in quarantine")


@quarantine.command()
@click.argument("model")
@click.argument("version")
@BY
@WHY
@GUARDS
@TRACKING_URI
def lift(
    *, model: str, version: str, by: str, why: str, paths: tuple[Path, ...], tracking_uri: str
) -> None:
    """Let VERSION of MODEL become champion again."""
    from aiguard_dagster.orchestration.clock import wall_clock
    from aiguard_dagster.orchestration.people import lift_quarantine

    guard = _guard_of(some_guards(paths), model)
    with open_instance() as instance:
        try:
            decision = lift_quarantine(
                instance,
                guard,
                _registry(guard, tracking_uri),
                version=version.removeprefix("v"),
                by=by,
                why=why,
                now=wall_clock(),
                via=VIA,
            )
        except ActionError as error:
            raise click.ClickException(str(error)) from None
    when = f"{minute(decision.at)} UTC"
    click.echo(f"{model} v{decision.evidence['version']}: quarantine lifted by {decision.actor}")
    click.echo(wrapped(f"{when}: {decision.reason}", "    "))


def _guard_of(guards: Sequence[Guard], model: str) -> Guard:
    """The guard of a registered model."""
    known = {guard.model.name: guard for guard in guards if guard.model is not None}
    if model not in known:
        listed = f"the guarded models are {', '.join(known)}." if known else "no guard has a model."
        hint = did_you_mean(model, known, listed)
        raise click.ClickException(with_hint(f"no guard has a model {model!r}", hint))
    return known[model]


def _registry(guard: Guard, tracking_uri: str) -> "ModelRegistry":
    from aiguard_dagster.orchestration.resources import MLflowResource

    return MLflowResource(tracking_uri=tracking_uri).registry(guard)
