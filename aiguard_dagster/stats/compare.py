"""Two models on the same rows: which would have done better, and how sure that is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.verdicts import Direction
from aiguard_dagster.stats.outcomes import metric_value
from aiguard_dagster.stats.profile import Outcomes, merge_outcomes
from aiguard_dagster.stats.scores import SMALLEST, Scored, area

DRAWS = 500
MOST_BLOCKS = 40
LEVEL = 0.90
ERROR_METRICS = frozenset({"mae", "rmse", "bias", "mape", "quantile_loss"})
FINEST = 2_000
"""Ranks of scores that are told apart where an area is bootstrapped."""
Numbers = NDArray[np.float64]


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
    quantile: float = 0.5,
) -> Comparison | None:
    """Score two models on the same rows, in time order, with an interval of the improvement.

    The interval is a percentile bootstrap over blocks of √n neighbouring rows, paired by row, so
    that autocorrelation is kept (Künsch, "The jackknife and the bootstrap for general stationary
    observations", Annals of Statistics 17, 1989).

    Args:
        metric: A regression or classification metric, or one of scores.
        direction: Its bad direction.
        label: Outcomes, shape ``(n,)``; for metrics of scores, whether it is the positive class.
        champion: The champion's predictions, shape ``(n,)``.
        candidate: The candidate's predictions, shape ``(n,)``.
        quantile: What was predicted, for ``quantile_loss``.

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
    rng = np.random.default_rng(0)
    draws = np.concatenate([np.arange(count)[None], rng.integers(0, count, size=(DRAWS, count))])
    ours, theirs = (
        _values(metric, label, said, blocks, draws, quantile=quantile)
        for said in (champion, candidate)
    )
    sign = 1.0 if direction == "high" else -1.0
    gains = sign * (ours[1:] - theirs[1:])
    low, high = np.nanquantile(gains, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Comparison(
        metric=metric,
        champion=float(ours[0]),
        candidate=float(theirs[0]),
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


def _values(
    metric: str,
    label: NDArray[np.generic],
    said: NDArray[np.generic],
    blocks: Sequence[NDArray[np.integer]],
    draws: NDArray[np.integer],
    *,
    quantile: float,
) -> Numbers:
    """The metric for each draw of blocks."""
    if metric == "auc":
        return _areas(label.astype(float), said.astype(float), blocks, draws)
    if metric in {"mape", "quantile_loss", "log_loss", "brier"}:
        losses = _losses(metric, label.astype(float), said.astype(float), quantile)
        sums = np.array([losses[block].sum() for block in blocks])
        rows = np.array([len(block) for block in blocks])
        return np.asarray(sums[draws].sum(axis=1) / rows[draws].sum(axis=1))
    classes = metric not in ERROR_METRICS
    held = [outcomes_of(label[block], said[block], classes=classes) for block in blocks]
    return np.array([_metric(metric, held, drawn) for drawn in draws])


def _losses(metric: str, label: Numbers, said: Numbers, quantile: float) -> Numbers:
    """Row by row, as scikit-learn defines them."""
    match metric:
        case "mape":
            return np.abs(said - label) / np.maximum(np.abs(label), SMALLEST)
        case "quantile_loss":
            return np.maximum(quantile * (label - said), (quantile - 1) * (label - said))
        case "brier":
            return np.asarray((said - label) ** 2)
        case _:
            sure = np.clip(said, SMALLEST, 1 - SMALLEST)
            return np.asarray(-np.where(label > 0, np.log(sure), np.log(1 - sure)))


def _areas(
    label: Numbers,
    said: Numbers,
    blocks: Sequence[NDArray[np.integer]],
    draws: NDArray[np.integer],
) -> Numbers:
    """Areas under the ROC curve; of many scores, neighbours in rank are not told apart."""
    ranks = np.unique(said, return_inverse=True)[1]
    ranks = ranks if ranks.max() < FINEST else ranks * FINEST // (int(ranks.max()) + 1)
    width = int(ranks.max()) + 1
    counts = [
        np.array([np.bincount(ranks[b][label[b] == each], minlength=width) for b in blocks], float)
        for each in (1, 0)
    ]
    times = np.array([np.bincount(drawn, minlength=len(blocks)) for drawn in draws], float)
    none = np.zeros(width)
    found = Scored(
        place=np.arange(width, dtype=float),
        said=none,
        positive=times @ counts[0],
        negative=times @ counts[1],
        loss=none,
    )
    return area(found)[0]


def _metric(metric: str, blocks: list[Outcomes], drawn: NDArray[np.integer]) -> float:
    value = metric_value(metric, merge_outcomes([blocks[i] for i in drawn]))
    return float("nan") if value is None else value
