"""Base of the kinds that are measured from sums by group."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from aiguard_dagster.core.durations import format_duration, parse_duration
from aiguard_dagster.core.spec.signals.base import DeltaSignal, Found
from aiguard_dagster.core.words import shown, with_hint

FIRST_PATTERN = r"^\s*first\s+\d+(?:\.\d+)?\s*[smhdw]\s*$"


def _first(value: object) -> timedelta:
    """Reads ``first 14d``."""
    if isinstance(value, timedelta):
        return value
    word, _, rest = value.strip().partition(" ") if isinstance(value, str) else ("", "", "")
    if word != "first":
        what = f"{shown(value)} is no baseline"
        hint = (
            "write how long the champion's own first days are, such as first 14d, or leave it out."
        )
        raise ValueError(with_hint(what, hint))
    return parse_duration(rest)


def _not_zero(value: timedelta) -> timedelta:
    if not value:
        raise ValueError(with_hint("first 0s is nothing", "write a time such as first 14d."))
    return value


FirstDays = Annotated[
    timedelta,
    BeforeValidator(_first),
    AfterValidator(_not_zero),
    PlainSerializer(lambda value: f"first {format_duration(value)}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": FIRST_PATTERN}),
]


TracePiece = Literal["requests", "latency", "tokens", "cost", "feedback", "calls"]
"""What a tracking server can be asked to count of traces."""

Counts = Literal["rows", "runs"]
"""What is counted: the rows of a table, or the runs that made it."""


class TalliedSignal(DeltaSignal):
    """Base of the kinds that are measured from sums by group, counted once a batch."""

    counts: ClassVar[Counts] = "rows"
    traced: ClassVar[frozenset[TracePiece]] = frozenset()
    """What must be counted of traces to measure it; empty where traces cannot tell."""

    baseline: FirstDays | None = None
    """``first 14d`` compares with the champion's own first days in production, where they are the
    only honest reference; with what was recorded at its acceptance when left out."""

    @property
    def by_trace_name(self) -> bool:
        """Whether traces must be told apart by their names."""
        return bool(getattr(self, "by", None))

    def off_traces(self, *, by_version: bool) -> Iterator[Found]:
        """What of it traces cannot tell: path below the signal, what is wrong, hint."""
        del by_version
        return iter(())

    @property
    def needs_of_traces(self) -> tuple[str, ...]:
        """As ``needs``, where the table is traces."""
        return self.needs

    def off_rows(self) -> Iterator[Found]:
        """What of it only traces can tell: path below the signal, what is wrong, hint."""
        return iter(())

    @property
    def of_runs(self) -> bool:
        """Whether it looks at the runs that made a table, and at nothing in it."""
        return self.counts == "runs"

    @property
    def roles(self) -> tuple[str, ...]:
        """The fields of its table, such as ``cost``, that it counts where the table names them."""
        return self.needs

    @property
    def counted_by(self) -> dict[str, Any]:
        """The options that decide what is counted; rules that agree in them share one count."""
        return {}

    @property
    def every_version(self) -> bool:
        """Whether rows of all versions count, as in a bill, and not the champion's alone."""
        return False

    @property
    def count_name(self) -> str:
        """Names what is counted; kinds that count the same thing share one count."""
        return self.kind

    @property
    def on_grid(self) -> bool:
        """Whether it is counted on the grid of the champion's baseline, and so by its bins."""
        return False

    @property
    def looks_back(self) -> timedelta:
        """How much before the window is read, to check earlier values by what came later."""
        return timedelta(0)
