"""One sensor serves many guards: one that fails neither silences nor delays the others."""

from collections.abc import Callable, Sequence

import dagster as dg

from aiguard_dagster.core.spec import Guard
from aiguard_dagster.orchestration.agenda import Agenda


def for_each_guard(
    context: dg.SensorEvaluationContext,
    agenda: Agenda,
    guards: Sequence[Guard],
    work: Callable[[Guard], None],
) -> None:
    """Do the work of a tick for each guard while there is time; the next tick goes on.

    Raises:
        dagster.Failure: It failed for all of them; for some, it is in the tick's log.
    """
    failures = []
    looked = 0
    for guard in agenda.oldest_first(guards):
        if looked and not agenda.has_time():
            agenda.put_off(guard)
            continue
        looked += 1
        try:
            work(guard)
        except Exception as error:  # noqa: BLE001 - whatever happens to one guard stays with it
            failures.append(f"{guard.name}: {type(error).__name__}: {error}")
            agenda.failed(guard)
    if failures:
        told = "; ".join(failures)
        context.log.error(told)
        if len(failures) == len(guards):
            raise dg.Failure(told)  # It forgets whose turn it was, so only where all had theirs.
