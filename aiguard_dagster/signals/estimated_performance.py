"""What a metric will turn out to be, before the labels arrive, and whether that has come true."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.spec import EstimatedPerformance
from aiguard_dagster.core.spec.signals.performance import ERROR_METRICS, LOWER_IS_BETTER
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.batch import Batch, require
from aiguard_dagster.signals.error_model import count_errors_made, errors_estimated, errors_realised
from aiguard_dagster.signals.scored import (
    SUMS,
    cells,
    count_scores,
    loss_if,
    outside_note,
    realised,
    scored_rows,
)
from aiguard_dagster.signals.segments import worst_segments
from aiguard_dagster.signals.tallied import Counted, Kind, Reading, Seen
from aiguard_dagster.stats.estimate import (
    Estimate,
    Unlabelled,
    estimate_from_scores,
    interval_from_scores,
)
from aiguard_dagster.stats.isotonic import Curve, rising
from aiguard_dagster.stats.scores import metric_of_scores
from aiguard_dagster.stats.tally import Tally, merge_tallies

Numbers = NDArray[np.float64]
Where = Mapping[str, str]
DAY = timedelta(days=1)
MOST_CHECKED = 8
"""Earlier windows that are checked, the newest ones of which enough labels are in hand."""
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


def count_estimated(signal: EstimatedPerformance, batch: Batch, part: nw.Expr) -> Counted:
    """Count scores beside labels, or errors by the bin of the prediction.

    Raises:
        MeasurementError: A column is gone, or what must be numbers is none.
    """
    if signal.metric in ERROR_METRICS:
        return count_errors_made(signal, batch, part)
    require(batch, *([batch.table.prediction] if batch.table.prediction else []))
    return count_scores(signal, batch, part)


def read_estimated(signal: EstimatedPerformance, now: Tally, before: Tally | None) -> Reading:
    """The estimate over all rows, whether labelled or not."""
    rows = int(now.total("rows"))
    if signal.metric in ERROR_METRICS:
        estimate, n = errors_estimated(signal, now, before, {})
        value = estimate.value if estimate else None
        note = "" if n == rows else f"{rows - n:,} rows lie beyond what the baseline predicted"
    else:
        curve = _curve(before)
        n = scored_rows(now)
        value = _estimated(signal, now, curve, {})
        note = outside_note(now)
        if curve is None:
            note = "the baseline holds no labelled score to learn from"
    return Reading(value=value, n=n, coverage=n / rows if rows else 0.0, note=note)


def look_at_realised(signal: EstimatedPerformance, found: Reading, seen: Seen) -> Reading:
    """Adds the interval and the worst segments; and takes the value away from what is unreliable.

    An estimate is unreliable when, of the earlier windows whose labels are in hand, the newest or
    half of them were missed: by more than chance, and by more than the tolerance.
    """
    if found.value is None:
        return found
    found = replace(found, parts=_segments(signal, seen))
    interval = _interval(signal, seen.now, seen.before)
    wander = _wander(signal, seen, interval, found.n)
    interval = interval.widened(wander) if interval else None
    windows = (_checked(signal, tally, seen.before, wander) for tally in seen.earlier)
    checked = list(islice((each for each in windows if each is not None), MOST_CHECKED))
    told = [f"95% between {interval.low:.4g} and {interval.high:.4g}"] if interval else []
    if not checked:
        told.append("not checked yet: no earlier window has its labels")
        return _noted(found, told, interval=interval)
    off = sum(each.off for each in checked) / len(checked)
    wrong = [each for each in checked if each.is_wrong(signal.tolerance)]
    newest = checked[0]
    part = Part(
        name="checked on earlier windows",
        value=off,
        text=f"estimated {newest.estimate.value:.4g}, realised {newest.realised:.4g} in the newest"
        f" of {len(checked)}; off by {off:.3g} on average",
    )
    found = replace(found, parts=(*found.parts, part))
    if newest in wrong or 2 * len(wrong) >= len(checked):
        word = "window" if len(checked) == 1 else "windows"
        why = (
            f"unreliable: in {len(wrong)} of {len(checked)} earlier {word} the estimate missed what"
            f" came by more than chance and more than {percent(signal.tolerance)} of it, in all by"
            f" {off:.3g} on average; this one is {found.value:.4g}"
        )
        return replace(_noted(found, [why], interval=interval), value=None, parts=(part,))
    told.append(f"off by {off:.3g} on average in {len(checked)} earlier windows")
    return _noted(found, told, interval=interval)


def _wander(signal: EstimatedPerformance, seen: Seen, interval: Estimate | None, n: int) -> float:
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


def _segments(signal: EstimatedPerformance, seen: Seen) -> tuple[Part, ...]:
    sign = 1.0 if signal.metric in LOWER_IS_BETTER else -1.0
    return worst_segments(
        signal.by or (),
        seen.now,
        seen.before,
        lambda tally, where: _value(signal, tally, seen.before, where),
        show="{:.4g}".format,
        worst=lambda value: sign * value,
    )


def _noted(found: Reading, told: list[str], *, interval: Estimate | None) -> Reading:
    note = "; ".join(filter(None, (*told, found.note)))
    return replace(found, note=note, variance=interval.variance if interval else None)


def _checked(
    signal: EstimatedPerformance, tally: Tally, before: Tally | None, wander: float
) -> Checked | None:
    """Estimate the labelled rows of a window as if their labels were not known; None of too few."""
    _, value, rows = _labelled(signal, tally, before)
    if value is None or rows < signal.min_samples:
        return None
    if signal.metric in ERROR_METRICS:
        estimate, _ = errors_estimated(signal, tally, before, {}, labelled=True)
    else:
        estimate = _interval(signal, _only_labelled(tally), before)
    return (
        Checked(estimate=estimate.widened(wander), realised=value, rows=rows) if estimate else None
    )


def _labelled(
    signal: EstimatedPerformance, tally: Tally, before: Tally | None
) -> tuple[float | None, float | None, int]:
    """What is estimated of the labelled rows, what came, and how many they are."""
    if signal.metric in ERROR_METRICS:
        estimate, _ = errors_estimated(signal, tally, before, {}, labelled=True)
        return (estimate.value if estimate else None, *errors_realised(signal, tally))
    rows = scored_rows(tally, outcome="0") + scored_rows(tally, outcome="1")
    value = _estimated(signal, _only_labelled(tally), _curve(before), {})
    return value, _realised(signal, tally), rows


def _only_labelled(tally: Tally) -> Tally:
    place = tally.keys.index("outcome")
    groups = {key: sums for key, sums in tally.groups.items() if key[place] in {"0", "1"}}
    return replace(tally, groups=groups)


def _value(
    signal: EstimatedPerformance, tally: Tally, before: Tally | None, where: Where
) -> float | None:
    if signal.metric in ERROR_METRICS:
        estimate, _ = errors_estimated(signal, tally, before, where)
        return estimate.value if estimate else None
    return _estimated(signal, tally, _curve(before), where)


def _estimated(
    signal: EstimatedPerformance, tally: Tally, curve: Curve | None, where: Where
) -> float | None:
    rows = _unlabelled(signal, tally, where)
    if curve is None or not len(rows.rows):
        return None
    return estimate_from_scores(signal.metric, rows, curve)


def _interval(signal: EstimatedPerformance, tally: Tally, before: Tally | None) -> Estimate | None:
    if signal.metric in ERROR_METRICS:
        return errors_estimated(signal, tally, before, {})[0]
    rows, curve = _unlabelled(signal, tally, {}), _curve(before)
    if curve is None or not len(rows.rows):
        return None
    return interval_from_scores(signal.metric, rows, curve)


def _realised(signal: EstimatedPerformance, tally: Tally) -> float | None:
    """The metric of the labelled rows; of a confidence, how often what was predicted was right."""
    found = realised(tally, metric=signal.metric, positive=signal.positive_label)
    if not len(found.place):
        return None
    if signal.score_of == "predicted":
        found = replace(found, said=np.ones(len(found.place)))
    value = float(metric_of_scores(signal.metric, found))
    return value if np.isfinite(value) else None


def _unlabelled(signal: EstimatedPerformance, tally: Tally, where: Where) -> Unlabelled:
    """All rows with a score, their labels left aside."""
    groups: dict[tuple[str, str], Numbers] = {}
    for (place, _, said), sums in cells(tally, where).items():
        groups[place, said] = groups.get((place, said), 0.0) + sums
    sums = np.array(list(groups.values())).reshape(-1, len(SUMS))
    positive = signal.positive_label
    predicted = signal.score_of == "predicted"
    return Unlabelled(
        place=np.array([int(place) for place, _ in groups], dtype=float),
        said=np.array([float(predicted or said == positive) for _, said in groups]),
        rows=sums[:, 0],
        loss_if_positive=loss_if(signal.metric, sums, came_true=True),
        loss_if_negative=loss_if(signal.metric, sums, came_true=False),
    )


def _curve(before: Tally | None) -> Curve | None:
    """How often scores came true in the baseline; None where it holds no labelled score."""
    if before is None:
        return None
    seen: dict[int, Numbers] = {}
    for (place, outcome, _), sums in cells(before).items():
        if outcome:
            hits = sums[0] if outcome == "1" else 0.0
            seen[int(place)] = seen.get(int(place), 0.0) + np.array([sums[0], hits])
    if not seen:
        return None
    places = sorted(seen)
    found = np.array([seen[place] for place in places])
    return rising(np.array(places, dtype=float), found[:, 0], found[:, 1])


ESTIMATED_PERFORMANCE = Kind(count_estimated, read_estimated, learns=True, look=look_at_realised)
