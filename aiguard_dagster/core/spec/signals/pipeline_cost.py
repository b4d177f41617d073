"""Pipeline cost: what does it take to make the data?"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar, Literal

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Count, Flag, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import Counts, TalliedSignal
from aiguard_dagster.core.spoken import bound, span

DAY = timedelta(days=1)


class PipelineCost(TalliedSignal):
    """Compute seconds of an asset and of what it is made from, by Dagster's own event log."""

    layer: ClassVar[Layer] = Layer.PIPELINE
    counted: ClassVar[str] = "steps"
    counts: ClassVar[Counts] = "runs"
    kind: Literal["pipeline_cost"] = "pipeline_cost"
    table: str = "predictions"
    """One of the guard's tables."""
    per: Literal["day", "run", 1000] = "day"
    """What compute seconds are divided by: ``day``, ``run`` of the asset, or ``1000`` rows of it,
    where its materialisations tell ``dagster/row_count``."""
    upstream: Flag = True
    """Whether what the asset is made from counts too."""
    min_samples: Count = 1

    @property
    def limits(self) -> Limits:
        """A time, or against the first days of the version in production."""
        choices = "seconds, above_baseline or false_alarm_every"
        return Limits(relative=True, budget=True, choices=choices)

    @property
    def subject(self) -> str:
        """The compute."""
        return "the compute"

    @property
    def counted_by(self) -> dict[str, Any]:
        """Which assets."""
        return {"upstream": self.upstream}

    def problems(self) -> Iterator[Found]:
        """Runs are counted by the day."""
        if self.window % DAY:
            what = f"{format_duration(self.window)} is no number of whole days"
            yield ("window", what, "runs are counted by the day: make it 1d or more.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        per = {"day": "a day", "run": "a run", 1000: "for 1,000 rows"}[self.per]
        made = f"{asset} and what it is made from" if self.upstream else asset
        near = bound(limit, "at most")
        return (
            f"Over the last {span(self.window)}, the compute seconds {per} of {made} must be {near}"
        )
