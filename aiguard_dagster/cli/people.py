"""``aiguard incidents``, ``approve``, ``reject`` and ``release``: what waits, and the answer."""

import json
from pathlib import Path

import click

from aiguard_dagster.cli.shared import (
    AS_JSON,
    BY,
    GUARDS,
    SOME_PATHS,
    VIA,
    WHY,
    guard_of_incident,
    named_guard,
    open_instance,
    some_guards,
    wrapped,
)
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.people import Answer, told_of
from aiguard_dagster.core.spec import Guard

INCIDENT = click.argument("incident")
RULE = click.option(
    "--rule", default="", help="The rule that asked, where several of the incident wait."
)


@click.command()
@SOME_PATHS
@click.option(
    "--recent",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Ended incidents and messages to show of each guard.",
)
@AS_JSON
def incidents(paths: tuple[Path, ...], recent: int, *, as_json: bool) -> None:
    """Show incidents, and what waits for whom.

    PATHS are guard files, or folders of them; the folder guards when none is given.
    """
    from aiguard_dagster.orchestration.clock import wall_clock
    from aiguard_dagster.orchestration.incidents import guard_incidents
    from aiguard_dagster.report.incidents import incidents_json, incidents_text

    guards, now = some_guards(paths), wall_clock()
    texts, documents = [], []
    with open_instance() as instance:
        for guard in guards:
            found = guard_incidents(instance, guard, now=now)
            ended = [view for view in found if not view.is_open][:recent]
            shown = [*(view for view in found if view.is_open), *ended]
            texts.append(incidents_text(guard, shown, now=now, wrap=wrapped))
            documents += incidents_json(guard, shown)
    click.echo(json.dumps(documents, indent=2) if as_json else "\n\n".join(texts))


@click.command()
@INCIDENT
@BY
@WHY
@RULE
@GUARDS
def approve(incident: str, by: str, why: str, rule: str, paths: tuple[Path, ...]) -> None:
    """Approve what a guard proposes in an incident."""
    guard = guard_of_incident(some_guards(paths), incident)
    _record(guard, Answer.APPROVE, by=by, why=why, incident=incident, rule=rule)


@click.command()
@INCIDENT
@BY
@WHY
@RULE
@GUARDS
def reject(incident: str, by: str, why: str, rule: str, paths: tuple[Path, ...]) -> None:
    """Reject what a guard proposes in an incident."""
    guard = guard_of_incident(some_guards(paths), incident)
    _record(guard, Answer.REJECT, by=by, why=why, incident=incident, rule=rule)


@click.command()
@click.argument("guard")
@BY
@WHY
@GUARDS
def release(guard: str, by: str, why: str, paths: tuple[Path, ...]) -> None:
    """Let go of the predictions that GUARD holds back.

    Though the cause lasts; when it is gone, the guard lets go by itself.
    """
    _record(named_guard(some_guards(paths), guard), Answer.RELEASE, by=by, why=why)


def _record(
    guard: Guard, answer: Answer, *, by: str, why: str, incident: str = "", rule: str = ""
) -> None:
    from aiguard_dagster.orchestration.clock import wall_clock
    from aiguard_dagster.orchestration.people import record_answer

    with open_instance() as instance:
        try:
            decision = record_answer(
                instance,
                guard,
                answer,
                by=by,
                why=why,
                now=wall_clock(),
                via=VIA,
                incident=incident,
                rule=rule,
            )
        except ActionError as error:
            raise click.ClickException(str(error)) from None
    click.echo(f"{decision.incident}: {told_of(decision)}")
    click.echo("The guard acts on it at the next tick of its stop-rule sensor.")
