"""Two models on the same rows: which would have done better, and how sure that is."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.verdicts import Direction
from aiguard_dagster.stats.outcomes import metric_value
from aiguard_dagster.stats.profile import Outcomes, merge_outcomes

DRAWS = 500
MOST_BLOCKS = 40
LEVEL = 0.90
ERROR_METRICS = frozenset({"mae", "rmse", "bias"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The champion and a candidate, scored on the same rows.

    Attributes:
        metric: What was measured.
        champion: The champion's value.
        candidate: The candidate's value.
        low: Lower end of the 90 % interval of the improvement; above 0 the candidate is better.
        high: Upper end.
        n: Rows scored.
    """

    metric: str
    champion: float
    candidate: float
    low: float
    high: float
    n: int

    @property
    def better(self) -> bool:
        """Whether the candidate would have done better, beyond the noise of this window."""
        return self.low > 0


def compare(
    metric: str,
    direction: Direction,
    *,
    label: NDArray[np.generic],
    champion: NDArray[np.generic],
    candidate: NDArray[np.generic],
) -> Comparison | None:
    """Score two models on the same rows, in time order, with an interval of the improvement.

    The interval is a percentile bootstrap over blocks of √n neighbouring rows, paired by row, so
    that autocorrelation is kept (Künsch, "The jackknife and the bootstrap for general stationary
    observations", Annals of Statistics 17, 1989).

    Args:
        metric: A regression or classification metric.
        direction: Its bad direction.
        label: Outcomes, shape ``(n,)``.
        champion: The champion's predictions, shape ``(n,)``.
        candidate: The candidate's predictions, shape ``(n,)``.

    Rows in which a number is missing or infinite are left out.

    Returns:
        The comparison; None where there are no rows.

    >>> truth = np.arange(100.0)
    >>> compare("mae", "high", label=truth, champion=truth + 9, candidate=truth + 1).better
    True
    """
    label, champion, candidate = _usable(label, champion, candidate)
    n = len(label)
    if not n:
        return None
    count = int(min(MOST_BLOCKS, np.ceil(np.sqrt(n))))
    blocks = np.array_split(np.arange(n), count)
    classes = metric not in ERROR_METRICS
    ours = [outcomes_of(label[block], champion[block], classes=classes) for block in blocks]
    theirs = [outcomes_of(label[block], candidate[block], classes=classes) for block in blocks]
    sign = 1.0 if direction == "high" else -1.0
    rng = np.random.default_rng(0)
    draws = rng.integers(0, count, size=(DRAWS, count))
    gains = np.array(
        [sign * (_metric(metric, ours, d) - _metric(metric, theirs, d)) for d in draws]
    )
    low, high = np.quantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    everything = np.arange(count)
    return Comparison(
        metric=metric,
        champion=_metric(metric, ours, everything),
        candidate=_metric(metric, theirs, everything),
        low=float(low),
        high=float(high),
        n=n,
    )


def outcomes_of(
    label: NDArray[np.generic], said: NDArray[np.generic], *, classes: bool
) -> Outcomes:
    """Sums over rows, as a profile would hold them: of classes, or of errors."""
    if classes:
        pairs = Counter(zip(label.tolist(), said.tolist(), strict=True))
        confusion = {(str(was), str(told)): rows for (was, told), rows in pairs.items()}
        return Outcomes(labelled=len(label), confusion=confusion)
    error = said.astype(float) - label.astype(float)
    return Outcomes(
        labelled=len(label),
        measurable=len(label),
        absolute=float(np.abs(error).sum()),
        squared=float((error**2).sum()),
        signed=float(error.sum()),
    )


def _usable(*columns: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    """The rows in which all columns hold a value, in one type: 1, 1.0 and True are one class."""
    if all(np.issubdtype(c.dtype, np.number) or c.dtype == np.bool_ for c in columns):
        numbers = [column.astype(float) for column in columns]
        whole = np.logical_and.reduce([np.isfinite(column) for column in numbers])
        return [column[whole] for column in numbers]
    return [column.astype(str) for column in columns]


def _metric(metric: str, blocks: list[Outcomes], drawn: NDArray[np.integer]) -> float:
    value = metric_value(metric, merge_outcomes([blocks[i] for i in drawn]))
    return float("nan") if value is None else value
