"""Whether estimates come true: on the champion's earlier windows, and on the baseline's own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from aiguard_dagster.core.spec import EstimatedPerformance
from aiguard_dagster.core.spec.signals.performance import ERROR_METRICS
from aiguard_dagster.signals.error_model import errors_estimated, errors_realised
from aiguard_dagster.signals.estimates import curve_of, estimate_of, interval_of, usable
from aiguard_dagster.signals.scored import labelled_rows, realised
from aiguard_dagster.signals.tallied import Seen
from aiguard_dagster.stats.estimate import Estimate
from aiguard_dagster.stats.scores import metric_of_scores
from aiguard_dagster.stats.tally import Tally, merge_tallies

DAY = timedelta(days=1)
FEWEST_WINDOWS = 3
"""Windows of the baseline from which on their own misses are believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One earlier window whose labels are in hand: what was estimated of them, and what came.

    Attributes:
        estimate: From the same rows, as if their labels were not known.
        realised: The metric on them.
        rows: How many they are.
    """

    estimate: Estimate
    realised: float
    rows: int

    @property
    def off(self) -> float:
        """How far the estimate was from what came."""
        return abs(self.estimate.value - self.realised)

    def is_wrong(self, tolerance: float) -> bool:
        """Whether it missed by more than chance, and more than this share of what came."""
        missed = not self.estimate.bears(self.realised)
        return missed and self.off > tolerance * abs(self.realised)


def check_on(
    signal: EstimatedPerformance, tally: Tally, before: Tally | None, wander: float
) -> Checked | None:
    """Estimate the labelled rows of a window as if their labels were not known; None of too few."""
    _, value, rows = _labelled(signal, tally, before)
    if value is None or rows < signal.min_samples:
        return None
    if signal.metric in ERROR_METRICS:
        estimate, _ = errors_estimated(signal, tally, before, {}, labelled=True)
    else:
        estimate = interval_of(signal, _only_labelled(signal, tally), before)
    return (
        Checked(estimate=estimate.widened(wander), realised=value, rows=rows) if estimate else None
    )


def wander_of(signal: EstimatedPerformance, seen: Seen, interval: Estimate | None, n: int) -> float:
    """By how much more than chance the baseline's own windows were missed: a variance.

    Chance is taken to be that of the interval, and to shrink as rows grow.
    """
    key = f"misses of {signal.model_dump_json()}"
    if key not in seen.memo:
        seen.memo[key] = list(_misses(signal, seen))
    misses: list[tuple[float, int]] = seen.memo[key]
    if interval is None or len(misses) < FEWEST_WINDOWS:
        return 0.0
    beyond = [off**2 - interval.variance * n / rows for off, rows in misses]
    return max(0.0, sum(beyond) / len(beyond))


def _misses(signal: EstimatedPerformance, seen: Seen) -> Iterator[tuple[float, int]]:
    """How far estimates of the baseline's own windows were off, and the rows of each."""
    span = max(1, round(signal.window / DAY))
    for start in range(0, len(seen.days) - span + 1, span):
        tally = merge_tallies(seen.days[start : start + span])
        if tally is None:
            continue
        estimate, value, rows = _labelled(signal, tally, seen.before)
        if estimate is not None and value is not None and rows >= signal.min_samples:
            yield estimate - value, rows


def _labelled(
    signal: EstimatedPerformance, tally: Tally, before: Tally | None
) -> tuple[float | None, float | None, int]:
    """What is estimated of the labelled rows, what came, and how many they are."""
    if signal.metric in ERROR_METRICS:
        estimate, _ = errors_estimated(signal, tally, before, {}, labelled=True)
        return (estimate.value if estimate else None, *errors_realised(signal, tally))
    known = _only_labelled(signal, tally)
    value = estimate_of(signal, known, curve_of(before), {})
    return value, _realised(signal, known), labelled_rows(known)


def _only_labelled(signal: EstimatedPerformance, tally: Tally) -> Tally:
    place = tally.keys.index("outcome")
    known = usable(signal, tally)
    groups = {key: sums for key, sums in known.groups.items() if key[place] in {"0", "1"}}
    return replace(known, groups=groups)


def _realised(signal: EstimatedPerformance, tally: Tally) -> float | None:
    """The metric of the labelled rows; of a confidence, how often what was predicted was right."""
    found = realised(tally, metric=signal.metric, positive=signal.positive_label)
    if not len(found.place):
        return None
    if signal.score_of == "predicted":
        found = replace(found, said=np.ones(len(found.place)))
    value = float(metric_of_scores(signal.metric, found))
    return value if np.isfinite(value) else None
