"""Tables of traces: the tracking server counts them at each tick, and nothing is materialised."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.traces import Asked, TraceBook, logged_model_of
from aiguard_dagster.core.champions import Reign
from aiguard_dagster.core.errors import AIGuardError
from aiguard_dagster.core.spec import ErrorBudgetLimit, Guard, TalliedSignal
from aiguard_dagster.core.spec.sources import TraceSource
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.asked import tallies_asked
from aiguard_dagster.orchestration.batches import Batch, content_mark, last_end
from aiguard_dagster.orchestration.first_days import spans_looked_at
from aiguard_dagster.signals.traced import TraceCounts, tally_of_traces
from aiguard_dagster.stats.profile import UNKNOWN_VERSION, BatchProfile, Profile
from aiguard_dagster.stats.tally import Tally

DAY = timedelta(days=1)
MOST_DAYS = 400
"""Newest days of a version that a baseline is recorded of."""
MOST_JUDGED = 48
"""Newest buckets that a rule is judged on, and judged anew when traces or feedback come late."""


def last_whole(source: TraceSource, now: datetime) -> datetime:
    """Where the newest bucket ends that is over.

    >>> hours = TraceSource(kind="traces", experiment="assistant")
    >>> last_whole(hours, datetime(2026, 1, 1, 12, 59, tzinfo=UTC)).hour
    12
    """
    return last_end(now, source.every)


@dataclass(frozen=True, kw_only=True)
class TracedTable:
    """One table of traces as batches with profiles.

    Attributes:
        guard: The guard.
        table: Its name for the table.
        source: Where the traces are.
        registry: Where the versions are whose traces count.
        reigns: Which version was in production when.
        champion: The version that is now.
        now: The time.
    """

    guard: Guard
    table: str
    source: TraceSource
    registry: ModelRegistry
    reigns: Sequence[Reign]
    champion: str | None
    now: datetime

    most = MOST_JUDGED

    @property
    def every(self) -> timedelta:
        """How long a bucket is."""
        return self.source.every

    @cached_property
    def batches(self) -> list[Batch]:
        """The buckets that are over, in time order; but the newest where nothing can be read."""
        if isinstance(self._profiles, AIGuardError):
            return [Batch(_key(self._end - self.source.every), self._bucket(), "unreadable")]
        return [
            Batch(
                _key(start),
                Window(start=start, end=start + self.source.every),
                content_mark(profile),
            )
            for start, profile in sorted(self._profiles.items())
        ]

    def profile(self, key: str) -> BatchProfile:
        """What was counted in one bucket.

        Raises:
            AIGuardError: The traces cannot be read.
        """
        if isinstance(self._profiles, AIGuardError):
            raise self._profiles
        return self._profiles[datetime.fromisoformat(key)]

    @cached_property
    def signature(self) -> str:
        """Names all that can be counted now."""
        try:
            marks = [
                self._book.mark(self._asked(window, None, self._signals.values()))
                for window in self._windows
            ]
        except AIGuardError:
            return "unreadable"
        return " ".join([self._end.isoformat(), *marks])

    @property
    def _end(self) -> datetime:
        return last_whole(self.source, self.now)

    def _bucket(self) -> Window:
        return Window(start=self._end - self.source.every, end=self._end)

    @cached_property
    def _book(self) -> TraceBook:
        return TraceBook(self.registry.client.tracking_uri, self.source.experiment)

    @cached_property
    def _signals(self) -> dict[str, TalliedSignal]:
        return tallies_asked(self.guard, self.table)

    @cached_property
    def _windows(self) -> list[Window]:
        """The spans that rules look at: the newest, and the champions' first days."""
        rules = [rule for rule in self.guard.rules if rule.signal.table == self.table]
        mine = [rule.signal for rule in rules if isinstance(rule.signal, TalliedSignal)]
        limits = [rule.limit for rule in rules]
        periods = [limit.period for limit in limits if isinstance(limit, ErrorBudgetLimit)]
        longest = max((*(signal.window for signal in mine), *periods), default=self.source.every)
        start = self._end - MOST_JUDGED * self.source.every - longest
        recent = Window(start=start, end=self._end)
        lengths = [signal.baseline for signal in mine if signal.baseline is not None]
        return spans_looked_at(recent, self.reigns, lengths, every=self.source.every)

    @cached_property
    def _versions(self) -> list[str | None]:
        """The versions that were in production; None stands for whichever it was."""
        if not self.source.by_version:
            return [None]
        start = self._windows[-1].start
        known = [r.version for r in self.reigns if r.end is None or r.end > start]
        return list(dict.fromkeys([*known, *([self.champion] if self.champion else [])]))

    @cached_property
    def _profiles(self) -> "dict[datetime, BatchProfile] | AIGuardError":
        """By the start of their bucket; or why they cannot be had, which is asked once."""
        try:
            return self._read()
        except AIGuardError as error:
            return error

    def days(self, version: str) -> dict[date, Profile]:
        """All that a version's traces tell, by day, of the newest days.

        Raises:
            AIGuardError: The traces cannot be read.
        """
        first = self._book.first()
        if first is None:
            return {}
        end = last_end(self.now, DAY) + DAY
        start = max(last_end(first, DAY), end - MOST_DAYS * DAY)
        mine = version if self.source.by_version else None
        found = self._of_version(mine, Window(start=start, end=end), every=DAY)
        return {bucket.date(): profile for bucket, profile in sorted(found.items())}

    def _read(self) -> dict[datetime, BatchProfile]:
        parts: dict[datetime, dict[str, Profile]] = {}
        first = self._book.first()
        begun = last_whole(self.source, first) if first else self._end
        for window in self._windows:
            start = max(window.start, min(begun, window.end - self.source.every))
            span = Window(start=start, end=window.end)
            for place in range(round((span.end - span.start) / self.source.every)):
                parts.setdefault(span.start + place * self.source.every, {})
            for version in self._versions:
                for bucket, profile in self._of_champion(version, span).items():
                    parts[bucket][version or ""] = profile
            if self.source.by_version:
                for bucket, rows in self._book.totals(self._asked(span, None, ())).items():
                    others = rows - sum(part.rows for part in parts[bucket].values())
                    if others > 0:
                        parts[bucket][UNKNOWN_VERSION] = Profile(
                            rows=others, first=None, last=None, columns={}
                        )
        return {bucket: BatchProfile(grid_id="", parts=found) for bucket, found in parts.items()}

    def _of_champion(self, version: str | None, window: Window) -> dict[datetime, Profile]:
        """One version's traces; an earlier champion that is gone, or unnamed, only has none."""
        try:
            return self._of_version(version, window)
        except AIGuardError:
            if version in {None, self.champion}:
                raise
            return {}

    def _of_version(
        self, version: str | None, window: Window, *, every: timedelta | None = None
    ) -> dict[datetime, Profile]:
        model = logged_model_of(self.registry.version(version)) if version else None
        rows: dict[datetime, int] = {}
        tallies: dict[datetime, dict[str, Tally]] = {}
        for names in (False, True):
            mine = {n: s for n, s in self._signals.items() if s.by_trace_name == names}
            if not mine:
                continue
            counts = self._book.read(
                self._asked(window, model, mine.values(), names=names, every=every)
            )
            for bucket, found in counts.items():
                rows[bucket] = found.rows
                tallies.setdefault(bucket, {}).update(_tallies(mine, found, bucket))
        return {
            bucket: Profile(rows=n, first=None, last=None, columns={}, tallies=tallies[bucket])
            for bucket, n in rows.items()
        }

    def _asked(
        self,
        window: Window,
        model: str | None,
        signals: Iterable[TalliedSignal],
        *,
        names: bool = False,
        every: timedelta | None = None,
    ) -> Asked:
        pieces = frozenset(piece for signal in signals for piece in signal.traced)
        return Asked(
            start=window.start,
            end=window.end,
            every=every or self.source.every,
            model=model,
            pieces=pieces,
            names=names,
        )


def _tallies(
    signals: Mapping[str, TalliedSignal], counts: TraceCounts, bucket: datetime
) -> dict[str, Tally]:
    return {name: tally_of_traces(signal, counts, bucket) for name, signal in signals.items()}


def _key(start: datetime) -> str:
    return start.isoformat()
