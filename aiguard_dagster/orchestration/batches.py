"""What rules that compare windows are judged on: batches of a table, in event time."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.stats.profile import BatchProfile

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Batch(NamedTuple):
    """One batch that was counted.

    Attributes:
        key: Its partition; of traces, when it began.
        window: The span of event time that it holds.
        mark: What tells this content from an earlier one: the storage id of its profile, or a
            digest of what was counted.
    """

    key: str
    window: Window
    mark: int | str


class LiveTable(Protocol):
    """A table that is counted at each tick, where it is, and not by runs of ours."""

    @property
    def batches(self) -> list[Batch]:
        """The batches that are over, in time order."""

    @property
    def signature(self) -> str:
        """Names all that can be counted now."""

    @property
    def every(self) -> timedelta:
        """How long a batch is."""

    @property
    def most(self) -> int:
        """The newest batches that a rule is judged on."""

    def profile(self, key: str) -> BatchProfile:
        """What was counted of one batch.

        Raises:
            AIGuardError: It cannot be had.
        """


def last_end(moment: datetime, every: timedelta) -> datetime:
    """Where the newest batch ends that is over, of batches in UTC.

    >>> last_end(datetime(2026, 1, 1, 12, 59, tzinfo=UTC), timedelta(hours=1)).hour
    12
    """
    return moment - (moment - EPOCH) % every


def content_mark(*profiles: BatchProfile) -> str:
    """A digest of what was counted; 20 and 20.0 are the same, for a server tells either."""
    told = [
        [
            version,
            part.rows,
            [
                (
                    name,
                    [(key, list(map(float, sums))) for key, sums in sorted(tally.groups.items())],
                )
                for name, tally in sorted(part.tallies.items())
            ],
        ]
        for profile in profiles
        for version, part in sorted(profile.parts.items())
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]
