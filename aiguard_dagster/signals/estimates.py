"""What a metric is expected to be, from a window's sums and the baseline's, with its interval."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.spec import EstimatedPerformance
from aiguard_dagster.core.spec.signals.performance import CLASS_METRICS, ERROR_METRICS
from aiguard_dagster.signals.error_model import errors_estimated
from aiguard_dagster.signals.scored import SUMS, cells, loss_if
from aiguard_dagster.stats.estimate import (
    Estimate,
    Unlabelled,
    estimate_from_scores,
    interval_from_scores,
)
from aiguard_dagster.stats.isotonic import Curve, rising
from aiguard_dagster.stats.tally import Tally

Numbers = NDArray[np.float64]
Where = Mapping[str, str]


def value_of(
    signal: EstimatedPerformance, tally: Tally, before: Tally | None, where: Where
) -> float | None:
    """The estimate for a segment; None where it cannot be had."""
    if signal.metric in ERROR_METRICS:
        estimate, _ = errors_estimated(signal, tally, before, where)
        return estimate.value if estimate else None
    return estimate_of(signal, tally, curve_of(before), where)


def estimate_of(
    signal: EstimatedPerformance, tally: Tally, curve: Curve | None, where: Where
) -> float | None:
    """The estimate of a metric of classes or scores, by a curve that was learned."""
    rows = _unlabelled(signal, tally, where)
    if curve is None or not len(rows.rows):
        return None
    return estimate_from_scores(signal.metric, rows, curve)


def interval_of(
    signal: EstimatedPerformance, tally: Tally, before: Tally | None
) -> Estimate | None:
    """The estimate of all rows, with what chance makes of it."""
    if signal.metric in ERROR_METRICS:
        return errors_estimated(signal, tally, before, {})[0]
    rows, curve = _unlabelled(signal, tally, {}), curve_of(before)
    if curve is None or not len(rows.rows):
        return None
    return interval_from_scores(signal.metric, rows, curve)


def usable(signal: EstimatedPerformance, tally: Tally) -> Tally:
    """Without the rows that predict nothing, where the metric is of what was predicted."""
    if signal.metric not in CLASS_METRICS:
        return tally
    place = tally.keys.index("said")
    return replace(tally, groups={key: sums for key, sums in tally.groups.items() if key[place]})


def _unlabelled(signal: EstimatedPerformance, tally: Tally, where: Where) -> Unlabelled:
    """All rows with a score, their labels left aside."""
    groups: dict[tuple[str, str], Numbers] = {}
    for (place, _, said), sums in cells(usable(signal, tally), where).items():
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


def curve_of(before: Tally | None) -> Curve | None:
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
