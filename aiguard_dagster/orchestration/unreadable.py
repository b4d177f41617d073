"""What is said of rules on traces while MLflow does not answer at all."""

from datetime import datetime

import dagster as dg

from aiguard_dagster.adapters.dagster.history import read_evaluations
from aiguard_dagster.core.errors import AIGuardError
from aiguard_dagster.core.spec import Guard, Rule
from aiguard_dagster.core.verdicts import Evaluation, Measurement, Window
from aiguard_dagster.orchestration.keys import check_key, delta_rules
from aiguard_dagster.orchestration.traced import last_whole
from aiguard_dagster.signals.measure import failed

MOST_READ = 50
"""Newest evaluations among which one for the same time is looked for."""


def unreadable(
    instance: dg.DagsterInstance, guard: Guard, error: AIGuardError, *, now: datetime
) -> list[tuple[Rule, Evaluation]]:
    """Evaluations of rules on traces while MLflow does not answer, once for each span of time."""
    unread = []
    for rule, signal in delta_rules(guard):
        source = guard.tables[signal.table].traces
        if source is None:
            continue
        end = last_whole(source, now)
        stored = read_evaluations(instance, check_key(guard, rule), most=MOST_READ)
        if any(each.point.as_of >= end for each in stored):
            continue
        window = Window(start=end - signal.window, end=end)
        nothing = Measurement(value=None, n=0, window=window, as_of=end)
        unread.append((rule, failed(rule, nothing, error)))
    return unread
