"""Two models on the same rows: which would have done better, and how sure that is."""

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.verdicts import Direction
from aiguard_dagster.stats.outcomes import metric_value
from aiguard_dagster.stats.profile import Outcomes, merge_outcomes

DRAWS = 500
MOST_BLOCKS = 40
LEVEL = 0.90


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

    Returns:
        The comparison; None where there are no rows.

    >>> truth = np.arange(100.0)
    >>> compare("mae", "high", label=truth, champion=truth + 9, candidate=truth + 1).better
    True
    """
    n = len(label)
    if not n:
        return None
    count = int(min(MOST_BLOCKS, np.ceil(np.sqrt(n))))
    blocks = np.array_split(np.arange(n), count)
    ours = [outcomes_of(label[block], champion[block]) for block in blocks]
    theirs = [outcomes_of(label[block], candidate[block]) for block in blocks]
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


def outcomes_of(label: NDArray[np.generic], said: NDArray[np.generic]) -> Outcomes:
    """Sums over rows, as a profile would hold them."""
    confusion: dict[tuple[str, str], int] = {}
    for pair in zip(label.tolist(), said.tolist(), strict=True):
        key = (str(pair[0]), str(pair[1]))
        confusion[key] = confusion.get(key, 0) + 1
    numeric = np.issubdtype(label.dtype, np.number) and np.issubdtype(said.dtype, np.number)
    error = said.astype(float) - label.astype(float) if numeric else np.zeros(len(label))
    return Outcomes(
        labelled=len(label),
        absolute=float(np.abs(error).sum()),
        squared=float((error**2).sum()),
        signed=float(error.sum()),
        confusion=confusion,
    )


def _metric(metric: str, blocks: list[Outcomes], drawn: NDArray[np.integer]) -> float:
    value = metric_value(metric, reduce(merge_outcomes, (blocks[i] for i in drawn)))
    return float("nan") if value is None else value
