"""One experiment's traces, however its server lets them be counted."""

import hashlib
import json
from collections.abc import Callable, Iterator
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
MOST_KEPT = 32
_kept: dict[tuple[Any, ...], dict[datetime, TraceCounts]] = {}


class TraceBook:
    """The traces of one experiment."""

    def __init__(self, tracking_uri: str, experiment: str) -> None:
        self._uri, self.experiment = tracking_uri, experiment
        self._opened: tuple[Any, str] | None = None
        self._counts: bool | None = None
        self._marks: dict[Asked, str] = {}
        self._totals: dict[Asked, dict[datetime, int]] = {}

    def read(self, asked: Asked) -> dict[datetime, TraceCounts]:
        """The counts of each bucket that holds a trace; kept while nothing new has come.

        Raises:
            MeasurementError: There is no such experiment, or too many traces to read by the page.
            ActionError: MLflow does not answer, or not in time.
        """
        mark = self.mark(asked)
        with self._asking():
            store, experiment = self._open()
            key = (self._uri, experiment, asked, mark)
            if key not in _kept:
                count = ServerCounts(store, experiment, asked).read
                found = count() if self._can_count else read_pages(store, experiment, asked)
                while len(_kept) >= MOST_KEPT:
                    del _kept[next(iter(_kept))]
                _kept[key] = found
            return _kept[key]

    def mark(self, asked: Asked) -> str:
        """Names the traces and the feedback that are there, by two quick counts.

        It is always the same where the server cannot count: then traces are read once a bucket.

        Raises:
            MeasurementError: There is no such experiment.
            ActionError: MLflow does not answer, or not in time.
        """
        whole = self._whole(asked)
        if whole not in self._marks:
            with self._asking():
                self._marks[whole] = self._quick_counts(whole)
        return self._marks[whole]

    def totals(self, asked: Asked) -> dict[datetime, int]:
        """All traces by bucket, whatever version made them; empty where the server cannot count.

        Raises:
            MeasurementError: There is no such experiment.
            ActionError: MLflow does not answer, or not in time.
        """
        self.mark(asked)
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

    @property
    def _can_count(self) -> bool:
        return self._counts is not False

    def _whole(self, asked: Asked) -> Asked:
        return replace(asked, model=None, names=False, pieces=asked.pieces & {"feedback"})

    def _quick_counts(self, asked: Asked) -> str:
        store, experiment = self._open()
        counts = ServerCounts(store, experiment, asked)
        asks: list[Callable[[], Any]] = [lambda: counts.requests(names=False)]
        asks += [counts.feedback] if asked.pieces else []
        try:
            found = [ask() for ask in asks]
        except Exception as error:
            if getattr(error, "error_code", "") in CANNOT_COUNT:
                self._counts = False
                return ""
            raise
        self._counts = True
        self._totals[asked] = {b: int(tally.total("rows")) for b, tally in found[0].items()}
        told = [
            sorted((str(bucket), sorted(tally.groups.items())) for bucket, tally in each.items())
            for each in found
        ]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

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
