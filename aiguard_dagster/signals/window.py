"""What a delta signal is given: the sum of a window's profiles, and how much of it was there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiguard_dagster.core.spec import TalliedSignal
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.stats.profile import BatchProfile, Profile, merge_all


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowProfiles:
    """The profiles of one table in one window.

    Attributes:
        window: The span of event time; its end is the ``as_of``.
        batches: The profiles that exist.
        expected: Partitions that the window holds.
        champion: The version in production.
        silent: Whether a batch without rows is there all the same: nobody made a request.
        time_zone: Whose clock the table's naive times follow.
    """

    window: Window
    batches: Sequence[BatchProfile]
    expected: int
    champion: str
    silent: bool = False
    time_zone: str = "UTC"

    @property
    def partition_coverage(self) -> float:
        """The share of the window's partitions that have a profile with rows."""
        filled = sum(
            self.silent or any(part.rows for part in batch.parts.values()) for batch in self.batches
        )
        # Clocks that change put one partition more into a window than its length would hold.
        return min(1.0, filled / self.expected) if self.expected else 0.0

    def champion_parts(self) -> list[Profile]:
        """What was counted of the champion's rows, batch by batch; see :meth:`champion_profile`."""
        return [
            part
            for batch in self.batches
            for version, part in batch.parts.items()
            if version in {self.champion, ""}
        ]

    @property
    def champion_coverage(self) -> float:
        """The share of the window's partitions that have rows of the champion.

        After it changed, the new one has made only the newest of them.
        """
        mine = {self.champion, ""}
        filled = sum(
            any(part.rows for version, part in batch.parts.items() if version in mine)
            for batch in self.batches
        )
        return min(1.0, filled / self.expected) if self.expected else 0.0

    def parts_of(self, signal: TalliedSignal) -> list[Profile]:
        """What was counted of the rows that a signal speaks of: the champion's, or all."""
        if not signal.every_version:
            return self.champion_parts()
        return [part for batch in self.batches for part in batch.parts.values()]

    def champion_profile(self) -> Profile:
        """All that was counted of the champion's rows, or of all where none names a version.

        Raises:
            MeasurementError: The profiles are on grids of different columns.
        """
        return merge_all(replace(part, tallies={}) for part in self.champion_parts())

    def champion_rows(self) -> Profile:
        """The rows that the champion predicted; tables that name no version count whole.

        Only rows and outcomes are summed, which need no common grid.
        """
        return merge_all(
            replace(part, columns={}, residuals={}, products=(), tallies={})
            for part in self.champion_parts()
        )
