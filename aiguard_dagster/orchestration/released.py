"""Whether a person has let predictions flow though a rule is in breach."""

from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.history import read_decisions, read_evaluations
from aiguard_dagster.core.decide import situation
from aiguard_dagster.core.decide.holds import hold_marks, lasting_holds
from aiguard_dagster.core.decisions import GUARD, DecisionKind
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.spec import Guard, Rule
from aiguard_dagster.core.verdicts import Evaluation
from aiguard_dagster.orchestration.keys import check_key, guard_key


def is_released(
    instance: dg.DagsterInstance, guard: Guard, rule: Rule, evaluation: Evaluation, *, now: datetime
) -> bool:
    """Whether the breach that a new verdict belongs to was let go by a person.

    It then no longer stops the run; a new breach, after the rule was ``ok``, does.

    Args:
        instance: The Dagster instance.
        guard: The guard.
        rule: The rule.
        evaluation: Its new verdict, a breach, which is not on record yet.
        now: The time of the wall.
    """
    decisions = read_decisions(instance, guard_key(guard))
    last = hold_marks(decisions)[-1:]
    if not last or last[0].kind is not DecisionKind.RELEASE or last[0].actor == GUARD:
        return False
    measured = evaluation.measurement
    new = Point(
        as_of=measured.as_of,
        start=measured.window.start if measured.window else measured.as_of,
        verdict=evaluation.verdict,
        series=evaluation.series,
        reason=evaluation.reason,
    )
    known = [stored.point for stored in read_evaluations(instance, check_key(guard, rule))]
    seen = situation(guard, {rule.name: [*known, new]}, decisions, now=now)
    lasts = any(each.ended is None and each.fired for each in seen.found[rule.name])
    return lasts and not any(rule.name in span.causes for span in lasting_holds(seen))
