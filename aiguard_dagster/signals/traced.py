"""What a tracking server counts of traces, and how the kinds' own sums are made of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiguard_dagster.core.spec import Errors, Latency, TalliedSignal
from aiguard_dagster.signals.errors import outcome_of
from aiguard_dagster.signals.log_places import NEGATIVE, ZERO
from aiguard_dagster.signals.tallied import segments
from aiguard_dagster.stats.quantile_bins import Quantiles, bins_of
from aiguard_dagster.stats.tally import Tally

UNFINISHED = frozenset({"IN_PROGRESS", "STATE_UNSPECIFIED"})
"""States of a trace that has no outcome yet."""
REQUESTS = Tally(keys=("template", "status"), sums=("rows",))
TOKENS = Tally(
    keys=("template",),
    sums=("rows", "input_tokens", "output_tokens", "cached_tokens", "with_tokens"),
)
COST = Tally(keys=("served_by",), sums=("calls", "priced", "spend"))
FEEDBACK = Tally(keys=("assessment", "value"), sums=("rows",))


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceCounts:
    """What was counted of one version's traces in one span of time.

    What was not asked for is empty. A key that is empty stands for what has none.

    Attributes:
        requests: Traces by their name and status; a trace that is not finished has no status.
        latency: Quantiles of the milliseconds that finished traces took, by their name, or under
            an empty name for all.
        tokens: Sums by the traces' name; ``with_tokens`` is how many tell their tokens.
        cost: By the model that answered: ``calls`` to models, those of them that are ``priced``,
            and their ``spend`` in US dollars. Where only whole traces can be read, those that tell
            their tokens stand for the calls, and the model is empty.
        feedback: Valid assessments by their name and value as JSON; ``null`` is a judge's failure.
    """

    requests: Tally = REQUESTS
    latency: Mapping[str, Quantiles] = field(default_factory=dict)
    tokens: Tally = TOKENS
    cost: Tally = COST
    feedback: Tally = FEEDBACK

    @property
    def rows(self) -> int:
        """All traces."""
        return int(self.requests.total("rows"))


def errors_of(signal: Errors, counts: TraceCounts) -> Tally:
    """As :func:`~aiguard_dagster.signals.errors.count_errors` gives them."""
    keys = ("outcome", "status", *segments(signal.by))
    groups: dict[tuple[str, ...], tuple[float, ...]] = {}
    for (name, status), (rows,) in counts.requests.groups.items():
        own = (outcome_of(signal, status), status)
        group = (*own, name) if signal.by else own
        groups[group] = (groups.get(group, (0,))[0] + rows,)
    return Tally(keys=keys, sums=("rows",), groups=groups)


def latency_of(signal: Latency, counts: TraceCounts) -> Tally:
    """As :func:`~aiguard_dagster.signals.latency.count_latency` gives them.

    Of traces that are not finished, and of those without a name where names are told apart, nobody
    knows how long they took.
    """
    keys = (*segments(signal.by), "place")
    groups: dict[tuple[str, ...], tuple[float, ...]] = {}
    for name, quantiles in counts.latency.items():
        segment = (name,) if signal.by else ()
        negative = quantiles.at_most(-1)
        zero = quantiles.at_most(0) - negative
        late = quantiles.n - quantiles.at_most(signal.objective) if signal.objective else 0
        for place, rows in (
            *((key, rows) for key, rows in ((NEGATIVE, negative), (ZERO, zero)) if rows),
            *(
                (str(place), rows)
                for place, rows in sorted(bins_of(quantiles).items(), reverse=True)
            ),
        ):
            over = min(late, rows)
            groups[*segment, place] = (rows, 0 if place in {NEGATIVE, ZERO} else over)
            late -= 0 if place in {NEGATIVE, ZERO} else over
    timed = sum(quantiles.n for quantiles in counts.latency.values())
    if counts.rows > timed:
        groups[*("" for _ in segments(signal.by)), ""] = (counts.rows - timed, 0)
    return Tally(keys=keys, sums=("rows", "late"), groups=groups)


TRACED: Mapping[type[TalliedSignal], Callable[[Any, TraceCounts], Tally]] = {
    Errors: errors_of,
    Latency: latency_of,
}


def tally_of_traces(signal: TalliedSignal, counts: TraceCounts) -> Tally:
    """A kind's own sums, as its counter gives them for a table of rows."""
    return TRACED[type(signal)](signal, counts)
