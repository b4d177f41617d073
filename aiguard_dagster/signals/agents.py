"""What agents do for a task, and which of their steps grew."""

from collections.abc import Iterator, Mapping

from aiguard_dagster.core.spec import Agents
from aiguard_dagster.core.spec.signals.agents import SPOKEN
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.agent_counts import NAMELESS, STEPS, TASKS, count_agents
from aiguard_dagster.signals.calls import DUPLICATES
from aiguard_dagster.signals.tallied import Kind, Reading
from aiguard_dagster.stats.tally import Tally

MOST = 8
"""Steps that are named."""


def read_agents(signal: Agents, now: Tally, before: Tally | None) -> Reading:
    """The mean over tasks, or the share of tasks with many; parts tell the steps that grew.

    Coverage is the share of tasks that could be measured times the share of calls that name one.
    """
    ours, nameless = now.total("calls", counts=TASKS), now.total("calls", counts=NAMELESS)
    tasks, measured = now.total("rows", counts=TASKS), _measured(now)
    share = signal.more_than is not None
    value = now.total("over" if share else "amount", counts=TASKS) / measured if measured else None
    return Reading(
        value=value,
        n=int(measured),
        coverage=measured / tasks * ours / (ours + nameless) if measured else 0.0,
        parts=tuple(_parts(signal, now, before)) if measured else (),
        note="; ".join(_notes(now, nameless)),
        unit="share" if share else "number",
        variance=value * (1 - value) / measured if share and value is not None else None,
    )


def _notes(now: Tally, nameless: float) -> Iterator[str]:
    if not _measured(now):
        yield "no task could be measured"
    if nameless:
        yield f"{nameless:,.0f} calls name no task"
    if odd := now.total("odd", counts=TASKS):
        yield f"{odd:,.0f} calls have a depth below zero"
    if twice := now.total(DUPLICATES, counts=TASKS):
        yield f"{twice:,.0f} rows repeat a call and do not count"


def _parts(signal: Agents, now: Tally, before: Tally | None) -> Iterator[Part]:
    """Steps by what they add to a task (for the depth, by how deep they stand), worst first.

    What steps add makes up the mean, and its changes the mean's change.
    """
    here = _per_task(signal, now)
    was = _per_task(signal, before) if before is not None and _measured(before) else None
    change = {
        step: here.get(step, 0.0) - (was or {}).get(step, 0.0) for step in {**here, **(was or {})}
    }
    ranked = sorted(change, key=lambda step: (-change[step], step))
    noun = "deep" if signal.of == "depth" else f"{SPOKEN[signal.of]} a task"
    for step in [name for name in ranked if change[name]][:MOST]:
        text = f"{here.get(step, 0.0):.3g} {noun}"
        if was is not None:
            text = f"{change[step]:+.3g}: {text}, was {was.get(step, 0.0):.3g}"
        yield Part(name=step or "unnamed", value=change[step], text=text)


def _measured(tally: Tally) -> float:
    """Tasks that were measured; none where nobody made a call, for then nothing was logged."""
    return tally.total("measured", counts=TASKS) if tally.total("calls", counts=TASKS) else 0.0


def _per_task(signal: Agents, tally: Tally) -> Mapping[str, float]:
    found, tasks = {}, _measured(tally)
    for (counts, step), sums in tally.by("counts", "step").items():
        # A step is as deep as it stands on the mean of those tasks that take it.
        over = sums["rows"] if signal.of == "depth" else tasks
        if counts == STEPS and over:
            found[step] = sums["amount"] / over
    return found


AGENTS = Kind(count_agents, read_agents)
