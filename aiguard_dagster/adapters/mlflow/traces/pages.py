"""Counts of traces where the server has none to give: traces are read by the page, without spans.

An MLflow before 3.8, or one that keeps its records in files, cannot count. The tallies are the same
as the server's, by the same quantiles; only the calls of one trace are not told apart.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiguard_dagster.adapters.mlflow.traces.asked import Asked
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec.sources import TRACE_VERSION
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.traced import COST, FEEDBACK, REQUESTS, TOKENS, UNFINISHED, TraceCounts
from aiguard_dagster.stats.quantile_bins import RANKS, Quantiles, quantiles_of
from aiguard_dagster.stats.tally import tally_of

PAGE = 500
MOST_PAGES = 60
"""30,000 traces, some 12 seconds: a sensor has 60."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_pages(store: Any, experiment: str, asked: Asked) -> dict[datetime, TraceCounts]:  # noqa: ANN401 - MLflow's
    """The counts of all buckets that hold a trace.

    Args:
        store: MLflow's tracking store.
        experiment: The experiment's id.
        asked: What is asked.

    Raises:
        MeasurementError: There are too many traces to be read in the time that a sensor has.
    """
    buckets: dict[datetime, list[Any]] = {}
    for trace in _traces(store, experiment, asked):
        began = EPOCH + timedelta(milliseconds=trace.request_time)
        buckets.setdefault(began - (began - EPOCH) % asked.every, []).append(trace)
    return {bucket: _counts(traces, asked) for bucket, traces in buckets.items()}


def _traces(store: Any, experiment: str, asked: Asked) -> Iterator[Any]:  # noqa: ANN401 - MLflow's
    wanted = [f"timestamp_ms >= {asked.first_ms}", f"timestamp_ms <= {asked.last_ms}"]
    if asked.model:
        wanted.append(f"metadata.`{TRACE_VERSION}` = '{asked.model}'")
    token = None
    for _ in range(MOST_PAGES):
        page, token = store.search_traces(
            locations=[experiment],
            filter_string=" AND ".join(wanted),
            max_results=PAGE,
            order_by=["timestamp_ms ASC"],
            page_token=token,
        )
        yield from page
        if not token:
            return
    what = f"the server cannot count traces, and more than {PAGE * MOST_PAGES:,} are in the window"
    hint = (
        "use an MLflow server that counts them (3.8 or newer, on a database), or a shorter window."
    )
    raise MeasurementError(with_hint(what, hint))


def _counts(traces: Sequence[Any], asked: Asked) -> TraceCounts:
    rows = [_Row(trace, names=asked.names) for trace in traces]
    pieces = asked.pieces
    feedback = [each for row in rows for each in row.feedback()] if "feedback" in pieces else []
    tokens = [row.tokens() for row in rows] if "tokens" in pieces else []
    cost = [row.cost() for row in rows] if "cost" in pieces else []
    return TraceCounts(
        requests=tally_of(REQUESTS.keys, REQUESTS.sums, [(r.name, r.status, 1) for r in rows]),
        latency=_latency(rows, names=asked.names) if "latency" in pieces else {},
        tokens=tally_of(TOKENS.keys, TOKENS.sums, tokens),
        cost=tally_of(COST.keys, COST.sums, [row for row in cost if any(row[1:])]),
        feedback=tally_of(FEEDBACK.keys, FEEDBACK.sums, feedback),
    )


def _latency(rows: "Sequence[_Row]", *, names: bool) -> dict[str, Quantiles]:
    found: dict[str, Quantiles] = {}
    ranks = [rank * 100 / 100 for rank in RANKS]  # as they come back from a server
    for name in sorted({row.name for row in rows if row.name or not names}):
        mine = [row for row in rows if row.name == name]
        known = [row.milliseconds for row in mine if row.milliseconds is not None]
        if known:
            n = sum(bool(row.status) for row in mine)
            found[name] = Quantiles(n=n, ranks=RANKS, values=quantiles_of(known, ranks).values)
    return found


class _Row:
    """What one trace tells of itself."""

    def __init__(self, trace: Any, *, names: bool) -> None:  # noqa: ANN401 - MLflow's
        state = trace.state.value
        self._trace = trace
        self.name: str = (trace.tags.get("mlflow.traceName") or "") if names else ""
        self.status: str = "" if state in UNFINISHED else state
        self.milliseconds: int | None = trace.execution_duration

    def tokens(self) -> tuple[object, ...]:
        """As :data:`TOKENS` has them."""
        usage = self._json("mlflow.trace.tokenUsage")
        told = (usage.get(name) for name in ("input_tokens", "output_tokens"))
        cached = usage.get("cache_read_input_tokens")
        return (self.name, 1, *told, cached, int("input_tokens" in usage))

    def cost(self) -> tuple[str, int, int, float]:
        """As :data:`COST` has it, with the trace in place of its calls."""
        spend = self._json("mlflow.trace.cost").get("total_cost")
        called = bool(self._json("mlflow.trace.tokenUsage")) or spend is not None
        return ("", int(called), int(spend is not None), float(spend or 0.0))

    def feedback(self) -> Iterator[tuple[object, ...]]:
        """As :data:`FEEDBACK` has it."""
        for assessment in self._trace.assessments:
            if assessment.feedback is not None and assessment.valid is not False:
                yield (assessment.name, json.dumps(assessment.feedback.value), 1)

    def _json(self, key: str) -> Mapping[str, Any]:
        try:
            found = json.loads(self._trace.trace_metadata.get(key) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
