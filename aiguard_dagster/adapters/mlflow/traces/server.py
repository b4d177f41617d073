"""Counts of traces by the tracking server, which reads no spans out: one query for each count."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

from aiguard_dagster.adapters.mlflow.traces.asked import Asked
from aiguard_dagster.core.spec.sources import TRACE_VERSION
from aiguard_dagster.signals.traced import (
    CALLS,
    COST,
    FEEDBACK,
    MODEL_SPANS,
    REQUESTS,
    TOKENS,
    TOOL_SPANS,
    UNFINISHED,
    TraceCounts,
)
from aiguard_dagster.stats.quantile_bins import RANKS, Quantiles
from aiguard_dagster.stats.tally import Tally, tally_of

MOST_POINTS = 20_000
"""Points that one query may bring; a server gives no second page, so more are asked for by halves.
"""
ROUNDING = 1e-9
"""What is left of amounts that add up to nothing."""
CALL_SPANS = MODEL_SPANS | TOOL_SPANS
Points = list[tuple[datetime, Mapping[str, str], Mapping[str, float]]]
"""Bucket, dimensions, values by aggregation."""


class ServerCounts:
    """One question's answers, from ``POST /api/3.0/mlflow/traces/metrics``."""

    def __init__(self, store: Any, experiment: str, asked: Asked) -> None:  # noqa: ANN401 - MLflow's
        self._store, self._experiment, self._asked = store, experiment, asked

    def read(self) -> dict[datetime, TraceCounts]:
        """The counts of all buckets that hold a trace."""
        names = self._asked.names
        requests = self.requests(names=names)
        found = {bucket: TraceCounts(requests=tally) for bucket, tally in requests.items()}
        pieces = self._asked.pieces
        if "latency" in pieces:
            _put(found, latency=self._latency(requests, names=names))
        if "tokens" in pieces:
            _put(found, tokens=self._tokens(requests, names=names))
        if "cost" in pieces:
            _put(found, cost=self._cost())
        if "feedback" in pieces:
            _put(found, feedback=self.feedback())
        if "calls" in pieces:
            _put(found, calls=dict.fromkeys(requests, CALLS) | self._calls())
        return found

    def requests(self, *, names: bool) -> dict[datetime, Tally]:
        """Traces by name and status."""
        rows: dict[datetime, list[tuple[object, ...]]] = {}
        for bucket, by, values in self._points("TRACES", "trace_count", ["trace_status"]):
            status = _status(by["trace_status"])
            rows.setdefault(bucket, []).append(("", status, values["COUNT"]))
        # Traces without a name are in no answer that is by names: what the others leave is theirs.
        dimensions = ["trace_name", "trace_status"]
        named = self._points("TRACES", "trace_count", dimensions) if names else ()
        for bucket, by, values in named:
            status, count = _status(by["trace_status"]), values["COUNT"]
            rows.setdefault(bucket, []).append((by["trace_name"], status, count))
            rows[bucket].append(("", status, -count))
        return {bucket: _without_none(_tally(REQUESTS, each)) for bucket, each in rows.items()}

    def _latency(
        self, requests: Mapping[datetime, Tally], *, names: bool
    ) -> dict[datetime, dict[str, Quantiles]]:
        percentiles = [rank * 100 for rank in RANKS[1:-1]]  # The ends are quicker to get.
        found: dict[datetime, dict[str, Quantiles]] = {}
        dimensions = ["trace_name"] if names else []
        for bucket, by, values in self._points("TRACES", "latency", dimensions, percentiles):
            name = by.get("trace_name", "")
            n = finished(requests.get(bucket, REQUESTS), name if names else None)
            inner = [values[f"P{percentile}"] for percentile in percentiles]
            known = (values["MIN"], *inner, values["MAX"])
            found.setdefault(bucket, {})[name] = Quantiles(n=n, ranks=RANKS, values=known)
        return found

    def _tokens(self, requests: Mapping[datetime, Tally], *, names: bool) -> dict[datetime, Tally]:
        rows: dict[datetime, list[tuple[object, ...]]] = {}
        for bucket, tally in requests.items():
            for (name,), sums in tally.by("template").items():
                rows.setdefault(bucket, []).append((name, sums["rows"], 0, 0, 0, 0))
        metrics = ("input_tokens", "output_tokens", "cache_read_input_tokens")
        for place, metric in enumerate(metrics):
            for dimensions in ([], ["trace_name"]) if names else ([],):
                for bucket, by, values in self._points("TRACES", metric, dimensions, "mean"):
                    told = [0.0, 0.0, 0.0, how_many(values) if place == 0 else 0]
                    told[place] = values["SUM"]
                    rows.setdefault(bucket, []).append((by.get("trace_name", ""), 0, *told))
                    if by:  # As above: what the names leave is of those without one.
                        rows[bucket].append(("", 0, *(-value for value in told)))
        return {bucket: _without_none(_tally(TOKENS, each)) for bucket, each in rows.items()}

    def _cost(self) -> dict[datetime, Tally]:
        """Calls that name their model, those that do not, and what was paid for."""
        rows: dict[datetime, list[tuple[object, ...]]] = {}
        for bucket, by, values in self._points("SPANS", "span_count", ["span_type"]):
            if by["span_type"] in MODEL_SPANS:
                rows.setdefault(bucket, []).append(("", values["COUNT"], 0, 0.0))
        named = ["span_type", "span_model_name"]
        for bucket, by, values in self._points("SPANS", "span_count", named):
            mine = rows.setdefault(bucket, [])
            mine.append((by["span_model_name"], values["COUNT"], 0, 0.0))
            if by["span_type"] in MODEL_SPANS:
                mine.append(("", -values["COUNT"], 0, 0.0))
        free: dict[tuple[datetime, str], bool] = {}
        for bucket, _, values in self._points("SPANS", "total_cost", [], "mean"):
            rows.setdefault(bucket, []).append(("", 0, how_many(values), values["SUM"]))
        for bucket, by, values in self._points("SPANS", "total_cost", ["span_model_name"], "mean"):
            model, priced, spend = by["span_model_name"], how_many(values), values["SUM"]
            free[bucket, model] = not spend
            rows.setdefault(bucket, []).extend(
                [(model, 0, priced, spend), ("", 0, -priced, -spend)]
            )
        found = {bucket: _tally(COST, each) for bucket, each in rows.items()}
        return {
            bucket: _without_none(_all_free(tally, bucket, free)) for bucket, tally in found.items()
        }

    def _calls(self) -> dict[datetime, Tally]:
        """Calls to models and of tools by type, name and status."""
        rows: dict[datetime, list[tuple[object, ...]]] = {}
        of_type = ["span_type", "span_status"]
        for bucket, by, values in self._points("SPANS", "span_count", of_type):
            if by["span_type"] in CALL_SPANS:
                row = (by["span_type"], "", by["span_status"], values["COUNT"])
                rows.setdefault(bucket, []).append(row)
        # Names may be so many that an answer does not hold them all: what they leave has none.
        for bucket, by, values in self._points("SPANS", "span_count", ["span_name", *of_type]):
            if by["span_type"] in CALL_SPANS:
                kind, status, count = by["span_type"], by["span_status"], values["COUNT"]
                rows.setdefault(bucket, []).append((kind, by["span_name"], status, count))
                rows[bucket].append((kind, "", status, -count))
        return {bucket: _without_none(_tally(CALLS, each)) for bucket, each in rows.items()}

    def feedback(self) -> dict[datetime, Tally]:
        """Valid feedback by name and value."""
        rows: dict[datetime, list[tuple[object, ...]]] = {}
        by_value = ["assessment_name", "assessment_value"]
        more = ["assessment.type = 'feedback'"]
        for bucket, by, values in self._points(
            "ASSESSMENTS", "assessment_count", by_value, filters=more
        ):
            row = (by["assessment_name"], by["assessment_value"], values["COUNT"])
            rows.setdefault(bucket, []).append(row)
        return {bucket: _tally(FEEDBACK, each) for bucket, each in rows.items()}

    def _points(
        self,
        view: str,
        metric: str,
        dimensions: Sequence[str],
        what: Sequence[float] | str = "count",
        *,
        filters: Sequence[str] = (),
    ) -> Points:
        asked = self._asked
        mine = [f"trace.metadata.`{TRACE_VERSION}` = '{asked.model}'"] if asked.model else []
        query = partial(
            self._store.query_trace_metrics,
            [self._experiment],
            _view(view),
            metric,
            _aggregations(what),
            dimensions=list(dimensions),
            filters=[*mine, *filters],
            time_interval_seconds=int(asked.every.total_seconds()),
            max_results=MOST_POINTS,
        )
        return list(self._ask(query, asked.first_ms, asked.last_ms))

    def _ask(
        self, query: Callable[..., Any], first: int, last: int
    ) -> Iterator[tuple[datetime, Mapping[str, str], Mapping[str, float]]]:
        points = query(start_time_ms=first, end_time_ms=last)
        size = int(self._asked.every.total_seconds()) * 1_000
        buckets = (last + 1 - first) // size
        if len(points) >= MOST_POINTS and buckets > 1:
            middle = first + buckets // 2 * size
            for low, high in pairwise((first, middle, last + 1)):
                yield from self._ask(query, low, high - 1)
            return
        for point in points:
            by = dict(point.dimensions)
            bucket = datetime.fromisoformat(by.pop("time_bucket")).astimezone(UTC)
            yield bucket, by, dict(point.values)


def _view(name: str) -> Any:  # noqa: ANN401 - MLflow's
    from mlflow.entities.trace_metrics import MetricViewType

    return MetricViewType(name)


def _aggregations(what: Sequence[float] | str) -> list[Any]:
    from mlflow.entities.trace_metrics import AggregationType, MetricAggregation

    if not isinstance(what, str):
        ends = [MetricAggregation(AggregationType(name)) for name in ("MIN", "MAX")]
        return ends + [MetricAggregation(AggregationType.PERCENTILE, each) for each in what]
    names = ["COUNT"] if what == "count" else ["SUM", "AVG"]
    return [MetricAggregation(AggregationType(name)) for name in names]


def finished(requests: Tally, name: str | None) -> int:
    """How many traces have an outcome; of one name, where one is given."""
    where = {} if name is None else {"template": name}
    return int(requests.total("rows", **where) - requests.total("rows", status="", **where))


def how_many(values: Mapping[str, float]) -> int:
    """How many values make a sum, by their mean; of zeros nobody can tell, and none are counted."""
    return round(values["SUM"] / values["AVG"]) if values["AVG"] else 0


def _status(status: str) -> str:
    return "" if status in UNFINISHED else status


def _tally(like: Tally, rows: Sequence[tuple[object, ...]]) -> Tally:
    return tally_of(like.keys, like.sums, rows)


def _without_none(tally: Tally) -> Tally:
    """Without the groups that came to nothing."""
    groups = {group: sums for group, sums in tally.groups.items() if max(map(abs, sums)) > ROUNDING}
    return replace(tally, groups=groups)


def _all_free(tally: Tally, bucket: datetime, free: Mapping[tuple[datetime, str], bool]) -> Tally:
    """A model whose calls all cost nothing is priced, at nothing."""
    groups = {
        group: (calls, calls if free.get((bucket, group[0])) else min(priced, calls), spend)
        for group, (calls, priced, spend) in tally.groups.items()
    }
    return replace(tally, groups=groups)


def _put(found: dict[datetime, TraceCounts], **pieces: Mapping[datetime, Any]) -> None:
    for name, by_bucket in pieces.items():
        for bucket, piece in by_bucket.items():
            found[bucket] = replace(found.get(bucket, TraceCounts()), **{name: piece})
