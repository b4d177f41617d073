"""One sensor serves many guards: one that fails must not silence the others."""

from collections.abc import Callable, Sequence

import dagster as dg

from aiguard_dagster.core.spec import Guard


def for_each_guard(
    context: dg.SensorEvaluationContext, guards: Sequence[Guard], work: Callable[[Guard], None]
) -> None:
    """Do the work of a tick for each guard.

    Raises:
        dagster.Failure: It failed for all of them; for some, it is in the tick's log.
    """
    failures = []
    for guard in guards:
        try:
            work(guard)
        except Exception as error:  # noqa: BLE001 - whatever happens to one guard stays with it
            failures.append(f"{guard.name}: {type(error).__name__}: {error}")
    if failures:
        told = "; ".join(failures)
        context.log.error(told)
        if len(failures) == len(guards):
            raise dg.Failure(told)
