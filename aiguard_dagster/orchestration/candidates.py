"""Where a rollback of this guard may go, from the registry and from what the rules have said."""

import dagster as dg

from aiguard_dagster.adapters.dagster.history import read_evaluations
from aiguard_dagster.adapters.mlflow import quarantine
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.candidates import Choice, Served, last_known_good, named_target
from aiguard_dagster.core.decide import patience_of
from aiguard_dagster.core.lifecycle import episodes
from aiguard_dagster.core.spec import Action, DeltaSignal, Guard, Rule
from aiguard_dagster.core.spec.policy import Target
from aiguard_dagster.core.spec.signals.base import Layer
from aiguard_dagster.orchestration.keys import check_key


def choose(
    registry: ModelRegistry,
    guard: Guard,
    instance: dg.DagsterInstance,
    *,
    champion: str,
    rule: str,
    wanted: str,
) -> Choice:
    """The candidates for a rollback, best first.

    Args:
        registry: The model.
        guard: The guard, whose ``rollback.to`` says where to go.
        instance: Keeps the verdicts.
        champion: The version to leave.
        rule: The rule that fired; empty where a person asks.
        wanted: The version that a person named; empty where nobody did.

    Raises:
        ActionError: MLflow does not answer.
    """
    versions = {version.version: version for version in registry.versions()}
    barred = {number for number, version in versions.items() if quarantine.is_barred(version)}
    to = guard.rollback.to
    if wanted or isinstance(to, Target):
        target: str | None = wanted
        told = "to_version"
        if not wanted and isinstance(to, Target):
            target = to.version or registry.bearer(to.alias or "")
            place = f"alias: {to.alias}" if to.alias else f"version: {to.version}"
            told = f"rollback.to: {{{place}}}"
        return named_target(target, told=told, current=champion, known=versions, barred=barred)
    return last_known_good(
        registry.reigns(),
        [served(instance, guard, each) for each in guard.rules if judges_versions(each)],
        current=champion,
        rule=rule,
        known=versions,
        barred=barred,
    )


def judges_versions(rule: Rule) -> bool:
    """Whether a rule judges the model over a window, and so tells a good version from a bad one."""
    is_asked = rule.action is Action.ROLLBACK or rule.signal.layer is Layer.MODEL
    return is_asked and isinstance(rule.signal, DeltaSignal) and not rule.signal.judges_data


def served(instance: dg.DagsterInstance, guard: Guard, rule: Rule) -> Served:
    """What a rule has said so far."""
    points = [each.point for each in read_evaluations(instance, check_key(guard, rule))]
    return Served(
        rule=rule.name, points=points, episodes=episodes(points, patience_of(guard, rule))
    )
