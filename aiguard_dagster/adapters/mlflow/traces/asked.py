"""What is asked about traces."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from aiguard_dagster.core.spec.signals.tallied import TracePiece

MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question: what was counted of some traces, in each bucket of time.

    Attributes:
        start: From when on, in UTC, at the start of a bucket.
        end: Until when; a trace that began then is not counted.
        every: How long a bucket is; buckets are counted from 1970.
        model: The logged model whose traces count; all traces where None.
        pieces: What is to be counted; requests always are.
        names: Whether traces are told apart by their names.
    """

    start: datetime
    end: datetime
    every: timedelta
    model: str | None = None
    pieces: frozenset[TracePiece] = frozenset()
    names: bool = False

    @property
    def first_ms(self) -> int:
        """The first millisecond."""
        return round(self.start.timestamp() * 1_000)

    @property
    def last_ms(self) -> int:
        """The last millisecond: MLflow counts it in."""
        return round((self.end - MILLISECOND).timestamp() * 1_000)
