"""A training asset as days of new versions: from the registry, MLflow's runs and Dagster's."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from aiguard_dagster.adapters.mlflow.new_versions import new_versions
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.core.errors import AIGuardError
from aiguard_dagster.core.spec import Retraining
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.orchestration.batches import Batch, content_mark
from aiguard_dagster.orchestration.runs import DAY, MOST_JUDGED, RunTable, day_of, profile_of
from aiguard_dagster.signals.retraining import NewVersion, compared, tally_of_versions
from aiguard_dagster.stats.profile import BatchProfile


@dataclass(frozen=True, kw_only=True)
class RetrainedTable:
    """One training asset.

    Attributes:
        signal: What is measured.
        registry: Where the versions are.
        runs: The steps of the training asset, by day.
    """

    signal: Retraining
    registry: ModelRegistry
    runs: RunTable

    every = DAY
    most = MOST_JUDGED

    @cached_property
    def batches(self) -> list[Batch]:
        """The days that are over, in time order; but the newest where nothing can be read."""
        if isinstance(self._profiles, AIGuardError):
            end = day_of(self.runs.now)
            return [Batch("unreadable", Window(start=end - DAY, end=end), "unreadable")]
        return [
            Batch(day.isoformat(), Window(start=day, end=day + DAY), content_mark(profile))
            for day, profile in sorted(self._profiles.items())
        ]

    def profile(self, key: str) -> BatchProfile:
        """What was counted on one day.

        Raises:
            AIGuardError: The versions cannot be read.
        """
        if isinstance(self._profiles, AIGuardError):
            raise self._profiles
        return self._profiles[datetime.fromisoformat(key)]

    @cached_property
    def signature(self) -> str:
        """Names all that can be counted now."""
        return str([(batch.key, batch.mark) for batch in self.batches])

    @cached_property
    def _profiles(self) -> dict[datetime, BatchProfile] | AIGuardError:
        """By day; or why they cannot be had, which is asked once."""
        try:
            versions = new_versions(self.registry, self.signal.metric)
        except AIGuardError as error:
            return error
        outcomes = compared(self.signal, versions, self.runs.reigns)
        made: dict[datetime, list[NewVersion]] = {}
        for version in versions:
            made.setdefault(day_of(version.made), []).append(version)
        found = {}
        for day in self.runs.days_from(min([*made, *self.runs.days])):
            steps, unread = self.runs.days.get(day, ([], 0))
            tally = tally_of_versions(made.get(day, []), outcomes, steps, days=1.0, unread=unread)
            found[day] = profile_of(self.signal, tally)
        return found
