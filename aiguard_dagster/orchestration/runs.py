"""Tables as the runs that made them: counted from the event log, and no row is read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import dagster as dg

from aiguard_dagster.adapters.dagster.history import first_planned, planned_runs
from aiguard_dagster.adapters.dagster.steps import StepLog
from aiguard_dagster.core.champions import Reign
from aiguard_dagster.core.spec import PipelineCost, TalliedSignal
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.batches import Batch, content_mark, last_end
from aiguard_dagster.orchestration.first_days import spans_looked_at
from aiguard_dagster.orchestration.lineage import Lineage
from aiguard_dagster.signals.pipeline_cost import Step, tally_of_steps
from aiguard_dagster.stats.profile import BatchProfile, Profile
from aiguard_dagster.stats.tally import Tally

DAY = timedelta(days=1)
MOST_JUDGED = 14
"""Newest days that a rule is judged on."""


@dataclass(frozen=True, kw_only=True)
class RunTable:
    """One asset as days of the runs that made it.

    Attributes:
        signal: What is measured.
        instance: Whose event log it is.
        lineage: The ops that count.
        reigns: Which version was in production when.
        now: The time.
    """

    signal: PipelineCost
    instance: dg.DagsterInstance
    lineage: Lineage
    reigns: Sequence[Reign]
    now: datetime

    every = DAY
    most = MOST_JUDGED

    @cached_property
    def batches(self) -> list[Batch]:
        """The days that are over, in time order."""
        return [
            Batch(day.isoformat(), Window(start=day, end=day + DAY), content_mark(profile))
            for day, profile in sorted(self._profiles.items())
        ]

    def profile(self, key: str) -> BatchProfile:
        """What was counted on one day."""
        return self._profiles[datetime.fromisoformat(key)]

    @cached_property
    def signature(self) -> str:
        """Names all that can be counted now."""
        return f"{self._end} {len(self._runs)} {content_mark(*self._profiles.values())}"

    @property
    def _end(self) -> datetime:
        return day_of(self.now)

    @cached_property
    def _makers(self) -> Mapping[str, str]:
        return self.lineage.only(upstream=self.signal.upstream)

    @cached_property
    def _spans(self) -> list[Window]:
        """The days that rules look at: the newest, and the champions' first."""
        start = self._end - MOST_JUDGED * DAY - self.signal.window
        recent, first = Window(start=start, end=self._end), self.signal.baseline
        return spans_looked_at(recent, self.reigns, [first] if first else [], every=DAY)

    def days_from(self, begun: datetime) -> list[datetime]:
        """The days that rules look at, from one on."""
        return [
            day
            for span in self._spans
            for place in range(round((span.end - span.start) / DAY))
            if (day := span.start + place * DAY) >= begun
        ]

    @cached_property
    def _assets(self) -> list[dg.AssetKey]:
        return [dg.AssetKey.from_user_string(key) for key in dict.fromkeys(self._makers.values())]

    @cached_property
    def _runs(self) -> dict[str, datetime]:
        """The runs that were to make one of the assets, the newest first."""
        found: dict[str, datetime] = {}
        for key in self._assets:
            for span in self._spans:
                found |= planned_runs(
                    self.instance, key, after=span.start - DAY, before=span.end + DAY
                )
        return dict(sorted(found.items(), key=lambda each: each[1], reverse=True))

    @cached_property
    def days(self) -> dict[datetime, tuple[list[Step], int]]:
        """The steps of each day, and how many of its runs were not read yet.

        Before the first run of all nothing is known; between two runs nothing happened.
        """
        log = StepLog(self.instance, self._makers)
        steps: dict[datetime, list[Step]] = {}
        for step in log.steps(self._runs):
            steps.setdefault(day_of(step.ended), []).append(step)
        unread = Counter(day_of(self._runs[run]) for run in log.unread)
        begun = min([*steps, *unread, self._end - DAY])
        if begun > self._spans[0].start:
            planned = [first_planned(self.instance, key) for key in self._assets]
            begun = min([begun, *(day_of(at) for at in planned if at)])
        return {day: (steps.get(day, []), unread[day]) for day in self.days_from(begun)}

    @cached_property
    def _profiles(self) -> dict[datetime, BatchProfile]:
        return {day: self._profile(steps, unread) for day, (steps, unread) in self.days.items()}

    def _profile(self, steps: Sequence[Step], unread: int) -> BatchProfile:
        """One day; a row that is always there, for a day without runs is known too."""
        tally = tally_of_steps(steps, own=self.lineage.own, days=1.0, unread=unread)
        return profile_of(self.signal, tally)


def day_of(moment: datetime) -> datetime:
    """The start of a day, in UTC."""
    return last_end(moment, DAY)


def profile_of(signal: TalliedSignal, tally: Tally) -> BatchProfile:
    """What was counted of one day, as one row."""
    part = Profile(rows=1, first=None, last=None, columns={}, tallies={run_name(signal): tally})
    return BatchProfile(grid_id="", parts={"": part})


def run_name(signal: TalliedSignal) -> str:
    """Names what is counted of runs."""
    return f"{signal.kind}-of-runs"
