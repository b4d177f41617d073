"""What a tracking server counts of traces, and how the kinds' own sums are made of it."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from aiguard_dagster.core.spec import (
    Agents,
    Cost,
    Errors,
    Hallucination,
    Latency,
    TalliedSignal,
    Tokens,
    Trust,
)
from aiguard_dagster.signals.agent_counts import KEYS as AGENT_KEYS
from aiguard_dagster.signals.agent_counts import STEPS, TASKS
from aiguard_dagster.signals.agent_counts import SUMS as AGENT_SUMS
from aiguard_dagster.signals.calls import UNNAMED
from aiguard_dagster.signals.cost_counts import BILLED, UNKNOWN
from aiguard_dagster.signals.cost_counts import KEYS as COST_KEYS
from aiguard_dagster.signals.cost_counts import REQUESTS as REQUESTS_OF_COST
from aiguard_dagster.signals.cost_counts import SUMS as COST_SUMS
from aiguard_dagster.signals.errors import outcome_of
from aiguard_dagster.signals.hallucination import SUMS as JUDGED_SUMS
from aiguard_dagster.signals.log_places import NEGATIVE, ZERO
from aiguard_dagster.signals.moments import START
from aiguard_dagster.signals.tallied import segments
from aiguard_dagster.signals.token_counts import KEYS as TOKEN_KEYS
from aiguard_dagster.signals.token_counts import OF_CALLS
from aiguard_dagster.signals.token_counts import SUMS as TOKEN_SUMS
from aiguard_dagster.signals.trust_ratings import count_ratings
from aiguard_dagster.stats.quantile_bins import Quantiles, bins_of
from aiguard_dagster.stats.tally import Tally, fold, tally_of

DAY_LENGTH = timedelta(days=1)
DOLLARS = "USD"
"""MLflow prices calls in nothing else."""
UNFINISHED = frozenset({"IN_PROGRESS", "STATE_UNSPECIFIED"})
"""States of a trace that has no outcome yet."""
REQUESTS = Tally(keys=("template", "status"), sums=("rows",))
TOKENS = Tally(
    keys=("template",),
    sums=("rows", "input_tokens", "output_tokens", "cached_tokens", "with_tokens"),
)
COST = Tally(keys=("served_by",), sums=("calls", "priced", "spend"))
FEEDBACK = Tally(keys=("assessment", "value"), sums=("rows",))
CALLS = Tally(keys=("type", "span", "status"), sums=("calls",))
MODEL_SPANS = frozenset({"LLM", "CHAT_MODEL", "EMBEDDING"})
"""Types of spans that are calls to models."""
TOOL_SPANS = frozenset({"TOOL"})
"""Types of spans that are calls of tools."""
FAILED_SPAN = "ERROR"
"""The status of a call that failed; a span that sets none has met no error."""


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
        calls: Calls to models and of tools by the type, name and status of their spans; None where
            only whole traces can be read.
    """

    requests: Tally = REQUESTS
    latency: Mapping[str, Quantiles] = field(default_factory=dict)
    tokens: Tally = TOKENS
    cost: Tally = COST
    feedback: Tally = FEEDBACK
    calls: Tally | None = None

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


def tokens_of(signal: Tokens, counts: TraceCounts) -> Tally:
    """As :func:`~aiguard_dagster.signals.token_counts.count_tokens` gives them: a trace is a call.

    Nobody knows how many traces tell what they read from a cache where none has read anything.
    """
    del signal
    rows = []
    for (name,), sums in counts.tokens.by("template").items():
        told, into, out = sums["with_tokens"], sums["input_tokens"], sums["output_tokens"]
        held = sums["cached_tokens"]
        mine = {
            "rows": sums["rows"],
            "input": into,
            "has_input": told,
            "output": out,
            "has_output": told,
            "total": into + out,
            "has_total": told,
            "cached": held,
            "cacheable": into if held else 0.0,
            "has_cached": told if held else 0.0,
        }
        who = (OF_CALLS, name, UNNAMED, UNNAMED)
        rows.append((*who, *(mine.get(each, 0.0) for each in TOKEN_SUMS)))
    return tally_of(TOKEN_KEYS, TOKEN_SUMS, rows)


def cost_of(signal: Cost, counts: TraceCounts, bucket: datetime) -> Tally:
    """As :func:`~aiguard_dagster.signals.cost_counts.count_cost` gives them, in US dollars.

    Calls are steps: which of them were made again is not counted, and neither is which model the
    tokens are of.
    """
    del signal
    day, steps = str((bucket - START) // DAY_LENGTH), counts.cost.total("calls")
    of_requests = {"rows": counts.rows, "requests": counts.rows, "steps": steps}
    groups = [(day, "", "", REQUESTS_OF_COST, of_requests)]
    for (model,), sums in counts.cost.by("served_by").items():
        name, priced = model or UNNAMED, sums["priced"]
        groups += [
            (day, name, DOLLARS, BILLED, {"rows": priced, "spend": sums["spend"]}),
            (day, name, DOLLARS, UNKNOWN, {"rows": sums["calls"] - priced}),
        ]
    rows = [
        (*keys, *(mine.get(each, 0.0) for each in COST_SUMS))
        for *keys, mine in groups
        if any(mine.values())
    ]
    return tally_of(COST_KEYS, COST_SUMS, rows)


def hallucination_of(signal: Hallucination, counts: TraceCounts) -> Tally:
    """As :func:`~aiguard_dagster.signals.hallucination.count_hallucination` gives them.

    The verdict is an assessment's name. Several valid ones of one name on one trace count each.
    """
    found = dict.fromkeys(JUDGED_SUMS, 0.0)
    found["rows"] = float(counts.rows)
    for (name, value), (rows,) in counts.feedback.groups.items():
        if name == signal.verdict:
            found[_meaning(signal, value)] += rows
    return tally_of(("judge",), JUDGED_SUMS, [("", *found.values())])


def trust_of(signal: Trust, counts: TraceCounts) -> Tally:
    """What the ratings of one name say; see :mod:`~aiguard_dagster.signals.trust_ratings`."""
    return count_ratings(signal, counts.rows, counts.feedback)


def agents_of(signal: Agents, counts: TraceCounts) -> Tally:
    """As :func:`~aiguard_dagster.signals.agent_counts.count_agents` gives them: a trace is a task.

    Tasks that go on are not measured, nor are any where only whole traces can be read. Nobody knows
    how many tasks take a step, so a step's rows are its calls.
    """
    steps: dict[str, tuple[float, float]] = {}
    for (kind, name, status), (calls,) in counts.calls.groups.items() if counts.calls else ():
        what = "tool" if kind in TOOL_SPANS else "model"
        step = f"{what} {name or UNNAMED}"
        counted = (
            status == FAILED_SPAN
            if signal.of == "failures"
            else signal.of == "calls" or what == "tool"
        )
        number, amount = steps.get(step, (0, 0))
        steps[step] = (number + calls, amount + calls * counted)
    whole = counts.rows - counts.requests.total("rows", status="") if counts.calls else 0.0
    tasks = {
        "rows": counts.rows,
        "calls": sum(number for number, _ in steps.values()),
        "measured": whole,
        "amount": sum(amount for _, amount in steps.values()),
    }
    groups = [(TASKS, "", tasks)] + [
        (STEPS, step, {"rows": number, "calls": number, "measured": number, "amount": amount})
        for step, (number, amount) in steps.items()
    ]
    rows = [(*keys, *(sums.get(each, 0) for each in AGENT_SUMS)) for *keys, sums in groups]
    return fold(tally_of(AGENT_KEYS, AGENT_SUMS, rows), apart=("counts",))


def _meaning(signal: Hallucination, text: str) -> str:
    """What an assessment's value says, which is written as JSON."""
    value = json.loads(text)
    if value is None:
        return "failed"
    if signal.of_scores:
        if isinstance(value, str | bool | list | dict) or not math.isfinite(value):
            return "strange"
        low = signal.below is not None and value < signal.below
        high = signal.above is not None and value > signal.above
        return "wrong" if low or high else "right"
    word = (value if isinstance(value, str) else json.dumps(value)).lower()
    meanings: tuple[Literal["wrong", "right", "failed"], ...] = ("wrong", "right", "failed")
    return next((each for each in meanings if word in signal.words(each)), "strange")


TRACED: Mapping[type[TalliedSignal], Callable[[Any, TraceCounts], Tally]] = {
    Agents: agents_of,
    Errors: errors_of,
    Hallucination: hallucination_of,
    Latency: latency_of,
    Tokens: tokens_of,
    Trust: trust_of,
}


def tally_of_traces(signal: TalliedSignal, counts: TraceCounts, bucket: datetime) -> Tally:
    """A kind's own sums, as its counter gives them for a table of rows.

    Args:
        signal: The kind.
        counts: What was counted of traces.
        bucket: When the span of time began that they are of.
    """
    if isinstance(signal, Cost):
        return cost_of(signal, counts, bucket)
    return TRACED[type(signal)](signal, counts)
