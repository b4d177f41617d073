"""Metrics from sums: what scikit-learn would say, without the rows."""

import math
from collections.abc import Mapping

from aiguard_dagster.stats.profile import Outcomes

OF_NUMBERS = frozenset({"mae", "rmse", "bias"})


def metric_value(metric: str, outcomes: Outcomes) -> float | None:
    """One performance metric; None where no labelled row supports it; errors need numbers.

    Definitions are scikit-learn's: precision, recall and f1 are macro means over the classes
    seen among labels or predictions, with 0 where a class has no support; ``bias`` is the absolute
    value of the mean error.

    Raises:
        ValueError: The metric is not known.
    """
    if not (outcomes.measurable if metric in OF_NUMBERS else outcomes.labelled):
        return None
    n = outcomes.measurable
    match metric:
        case "mae":
            return outcomes.absolute / n
        case "rmse":
            return math.sqrt(outcomes.squared / n)
        case "bias":
            return abs(outcomes.signed) / n
        case "accuracy" | "precision" | "recall" | "f1":
            return _class_metric(metric, outcomes.confusion)
        case _:
            msg = f"unknown metric {metric!r}"
            raise ValueError(msg)


def _class_metric(metric: str, confusion: Mapping[tuple[str, str], int]) -> float | None:
    total = sum(confusion.values())
    if not total:
        return None
    if metric == "accuracy":
        return sum(rows for (label, said), rows in confusion.items() if label == said) / total
    classes = sorted({name for pair in confusion for name in pair})
    scores = []
    for name in classes:
        hits = confusion.get((name, name), 0)
        predicted = sum(rows for (_, said), rows in confusion.items() if said == name)
        actual = sum(rows for (label, _), rows in confusion.items() if label == name)
        precision = hits / predicted if predicted else 0.0
        recall = hits / actual if actual else 0.0
        both = 2 * hits / (predicted + actual)
        scores.append({"precision": precision, "recall": recall, "f1": both}[metric])
    return sum(scores) / len(scores)
