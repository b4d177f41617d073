"""One experiment's traces, however its server lets them be counted."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from aiguard_dagster.adapters.mlflow.client import IN_A_TICK, asking, short_patience
from aiguard_dagster.adapters.mlflow.traces.asked import Asked
from aiguard_dagster.adapters.mlflow.traces.pages import EPOCH, read_pages
from aiguard_dagster.adapters.mlflow.traces.server import ServerCounts
from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.traced import TraceCounts

CANNOT_COUNT = frozenset({"ENDPOINT_NOT_FOUND", "FEATURE_DISABLED", "NOT_IMPLEMENTED"})
"""What an older server says, and one that keeps its records in files."""
MOST_KEPT = 4_000
"""Buckets that are remembered of one question."""
Kept = dict[datetime, tuple[str, TraceCounts | None]]
_kept: dict[tuple[Any, ...], Kept] = {}
"""What was counted before, with the quick counts that it was counted at: a cache of the process."""

_pages: dict[tuple[Any, ...], dict[datetime, TraceCounts]] = {}
"""What was last read by the page: it is not read again before another bucket is over."""


class TraceBook:
    """The traces of one experiment."""

    def __init__(self, tracking_uri: str, experiment: str) -> None:
        self._uri, self.experiment = tracking_uri, experiment
        self._opened: tuple[Any, str] | None = None
        self._marks: dict[Asked, dict[datetime, str] | None] = {}
        self._totals: dict[Asked, dict[datetime, int]] = {}

    def read(self, asked: Asked) -> dict[datetime, TraceCounts]:
        """The counts of each bucket that holds a trace; only what has changed is counted again.

        Raises:
            MeasurementError: There is no such experiment, or too many traces to read by the page.
            ActionError: MLflow does not answer, or not in time.
        """
        marks = self._bucket_marks(asked)
        with self._asking():
            store, experiment = self._open()
            if marks is None:
                key = (self._uri, experiment, asked)
                if key not in _pages:
                    _pages.clear()
                    _pages[key] = read_pages(store, experiment, asked)
                return _pages[key]
            question = (asked.every, asked.model, asked.pieces, asked.names)
            kept = _kept.setdefault((self._uri, experiment, *question), {})
            changed = [b for b, mark in marks.items() if b not in kept or kept[b][0] != mark]
            if changed:
                part = replace(asked, start=min(changed), end=max(changed) + asked.every)
                found = ServerCounts(store, experiment, part).read()
                inside = [bucket for bucket in marks if part.start <= bucket < part.end]
                kept.update({bucket: (marks[bucket], found.get(bucket)) for bucket in inside})
                for bucket in sorted(kept.keys() - marks.keys())[: max(0, len(kept) - MOST_KEPT)]:
                    del kept[bucket]
            counted = {bucket: kept[bucket][1] for bucket in marks}
        return {bucket: counts for bucket, counts in counted.items() if counts is not None}

    def mark(self, asked: Asked) -> str:
        """Names the traces and the feedback that are there, by two quick counts.

        It is always the same where the server cannot count: then traces are read once a bucket.

        Raises:
            MeasurementError: There is no such experiment.
            ActionError: MLflow does not answer, or not in time.
        """
        marks = self._bucket_marks(asked)
        return _digest(sorted((str(b), mark) for b, mark in marks.items())) if marks else ""

    def totals(self, asked: Asked) -> dict[datetime, int]:
        """All traces by bucket, whatever version made them; empty where the server cannot count.

        Raises:
            MeasurementError: There is no such experiment.
            ActionError: MLflow does not answer, or not in time.
        """
        self._bucket_marks(asked)
        return self._totals.get(self._whole(asked), {})

    def first(self) -> datetime | None:
        """When the oldest trace began; None where there is none.

        Raises:
            MeasurementError: There is no such experiment.
            ActionError: MLflow does not answer, or not in time.
        """
        with self._asking():
            store, experiment = self._open()
            oldest, _ = store.search_traces(
                locations=[experiment], max_results=1, order_by=["timestamp_ms ASC"]
            )
        return EPOCH + timedelta(milliseconds=oldest[0].request_time) if oldest else None

    def _bucket_marks(self, asked: Asked) -> dict[datetime, str] | None:
        """What names the content of each bucket; None where the server cannot count."""
        whole = self._whole(asked)
        if whole not in self._marks:
            with self._asking():
                self._marks[whole] = self._quick_counts(whole)
        return self._marks[whole]

    def _whole(self, asked: Asked) -> Asked:
        return replace(asked, model=None, names=False, pieces=asked.pieces & {"feedback"})

    def _quick_counts(self, asked: Asked) -> dict[datetime, str] | None:
        from mlflow.exceptions import MlflowException

        store, experiment = self._open()
        counts = ServerCounts(store, experiment, asked)
        try:
            requests = counts.requests(names=False)
        except MlflowException as error:
            if error.error_code in CANNOT_COUNT:
                return None
            raise
        feedback = counts.feedback() if asked.pieces else {}
        self._totals[asked] = {b: int(tally.total("rows")) for b, tally in requests.items()}
        return {
            bucket: _digest(
                [
                    sorted(each[bucket].groups.items())
                    for each in (requests, feedback)
                    if bucket in each
                ]
            )
            for bucket in requests
        }

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            from mlflow.tracing.client import TracingClient

            store = TracingClient(self._uri).store
            found = store.get_experiment_by_name(self.experiment)
            if found is None or found.lifecycle_stage != "active":
                what = f"MLflow at {self._uri} has no experiment {self.experiment!r}"
                raise MeasurementError(with_hint(what, "see experiment: of the source."))
            self._opened = (store, str(found.experiment_id))
        return self._opened

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with short_patience(IN_A_TICK), asking(f"count the traces of {self.experiment}"):
            yield


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
