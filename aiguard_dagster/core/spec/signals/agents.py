"""Agents: how much do they do for a task?"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.errors import FINE
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal, TracePiece
from aiguard_dagster.core.spoken import bound, span

Of = Literal["calls", "tools", "loops", "depth", "failures"]
SPOKEN: dict[Of, str] = {
    "calls": "calls",
    "tools": "tool calls",
    "loops": "repeated calls",
    "depth": "levels of calls within calls",
    "failures": "failed calls",
}
NEEDS: dict[Of, tuple[str, ...]] = {
    "calls": (),
    "tools": ("tool",),
    "loops": ("step or tool",),
    "depth": ("depth",),
    "failures": ("status",),
}


class Agents(TalliedSignal):
    """Calls, tool calls, loops, depth or failures of a task, or the share of tasks with many."""

    layer: ClassVar[Layer] = Layer.USE
    counted: ClassVar[str] = "tasks"
    traced: ClassVar[frozenset[TracePiece]] = frozenset({"requests", "calls"})
    kind: Literal["agents"] = "agents"
    table: str = "predictions"
    """One of the guard's tables; its rows are calls."""
    of: Of = "calls"
    """What is counted of a task (of a request, where the table names no tasks): ``calls``; calls of
    ``tools``; ``loops``, calls that repeat an earlier call of the same step and tool; ``depth``,
    the level of its deepest call; ``failures``, calls whose status is not fine."""
    more_than: Annotated[int, Field(ge=0, strict=True)] | None = None
    """With it the value is the share of tasks that have more than so many; without, their mean."""
    fine: Columns = FINE
    """What the status of a call says that is no failure."""

    @property
    def limits(self) -> Limits:
        """A number or a share, relative to the baseline's, or a budget."""
        share = self.more_than is not None
        value = "a share of tasks such as 2%" if share else "a number"
        choices = f"above_baseline, false_alarm_every, or {value}"
        events = "tasks" if share else ""
        return Limits(relative=True, budget=True, share=share, events=events, choices=choices)

    @property
    def subject(self) -> str:
        """What is counted."""
        if self.more_than is not None:
            return f"the share of tasks with more than {self.more_than:,} {SPOKEN[self.of]}"
        return f"the number of {SPOKEN[self.of]}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Calls with times, and which task each is for."""
        return ("time", "task or request", *NEEDS[self.of])

    @property
    def roles(self) -> tuple[str, ...]:
        """Those, and what tells calls apart."""
        return ("time", "task", "request", "step", "tool", "depth", "status")

    @property
    def counted_by(self) -> dict[str, Any]:
        """What is counted, and which tasks have too many."""
        return {"of": self.of, "more_than": self.more_than, "fine": self.fine}

    @property
    def needs_of_traces(self) -> tuple[str, ...]:
        """Spans have a type, a name and a status, and a trace is a task."""
        return ("time",)

    def off_traces(self, *, by_version: bool) -> Iterator[Found]:
        """What is about the calls of a single task: a server counts those of all tasks together."""
        del by_version
        rows = "use a table of rows for it."
        why = {"loops": "which of one task repeat", "depth": "how deep they stand"}
        if self.of in why:
            what = f"of traces calls are counted by name and type, and not {why[self.of]}"
            yield ("of", what, f"choose calls, tools or failures, or {rows}")
        if self.more_than is not None:
            what = "of traces the calls of all tasks are counted together, and not those of each"
            yield ("more_than", what, f"leave it out for the mean, or {rows}")
        if self.fine != FINE:
            what = "a span has failed where its status is ERROR"
            yield ("fine", what, "leave it out.")

    def problems(self) -> Iterator[Found]:
        """What is fine is asked of failures only."""
        if self.of != "failures" and self.fine != FINE:
            yield ("fine", "only failures are told by their status", "take it out.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        last = f"Over the last {span(self.window)}"
        if self.more_than is not None:
            near = bound(limit, "at most", share=True)
            many = f"more than {self.more_than:,} {SPOKEN[self.of]}"
            return f"{last}, the share of tasks in {asset} with {many} must be {near}"
        what = f"the mean number of {SPOKEN[self.of]} of a task in {asset}"
        return f"{last}, {what} must be {bound(limit, 'at most')}"
