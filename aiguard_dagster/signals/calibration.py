"""Whether scores mean what they say, and whether the model has become more or less sure."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.spec import Calibration
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Chart, Part
from aiguard_dagster.signals.scored import (
    OUTSIDE,
    count_scores,
    labelled_rows,
    outside_note,
    scored_rows,
)
from aiguard_dagster.signals.segments import FEWEST, worst_segments
from aiguard_dagster.signals.tallied import Kind, Reading, Seen
from aiguard_dagster.stats.scores import TENTHS, calibration_error
from aiguard_dagster.stats.tally import OTHER, Tally

BINS = len(TENTHS) + 1
LABELS = tuple(f"{low:.1f} to {high:.1f}" for low, high in pairwise((0.0, *TENTHS, 1.0)))
MOST_CLASSES = 5
Numbers = NDArray[np.float64]
Where = Mapping[str, str]


def read_calibration(signal: Calibration, now: Tally, before: Tally | None) -> Reading:
    """The expected calibration error, or the drift of the confidence."""
    rows, scored = int(now.total("rows")), scored_rows(now)
    labelled = labelled_rows(now)
    drift = signal.statistic == "confidence_drift"
    n = scored if drift else labelled
    notes = [outside_note(now)]
    if drift:
        value = _drift(signal, now, before, {})
        if value is None and scored:
            notes.append("the baseline holds no score")
    else:
        value, chance = calibration_error(*_tenths(now, {}))
        notes.append(f"chance alone would make {percent(round(chance, 4))}" if labelled else "")
        notes.append("" if labelled else "no label yet")
        if labelled and not scored_rows(now, outcome="1") and signal.score_of == "positive":
            value, notes = None, [f"no label is {signal.positive_label}, the positive class"]
    return Reading(
        value=value,
        n=n,
        coverage=n / rows if rows else 0.0,
        note="; ".join(filter(None, notes)),
        unit="share",
    )


def look_at_scores(signal: Calibration, found: Reading, seen: Seen) -> Reading:
    """Adds what explains it: the reliability curve, classes, the confidence, the worst segments."""
    now, before = seen.now, seen.before
    told = (
        _curve(now, before) if signal.statistic == "ece" else (),
        _classes(signal, now, before),
        _confidences(signal, now, before),
    )
    parts = [part for each in (told if told[0] else reversed(told)) for part in each]
    drift = signal.statistic == "confidence_drift"
    parts += worst_segments(
        signal.by or (),
        now,
        before,
        _statistic(signal, before),
        show=_percent,
        rests_on=lambda tally, where: (scored_rows if drift else labelled_rows)(tally, where=where),
        called="scored rows" if drift else "labelled rows",
    )
    return replace(found, parts=tuple(parts))


def _statistic(signal: Calibration, before: Tally | None) -> Callable[[Tally, Where], float | None]:
    def value(tally: Tally, where: Where) -> float | None:
        if signal.statistic == "ece":
            return calibration_error(*_tenths(tally, where))[0]
        return _drift(signal, tally, before, where)

    return value


def _percent(value: float) -> str:
    return percent(round(value, 4))


def _tenths(tally: Tally, where: Where) -> tuple[Numbers, Numbers, Numbers]:
    """Labelled rows, the sum of their scores, and those that came true, by ten bins."""
    rows, scores, hits = np.zeros(BINS), np.zeros(BINS), np.zeros(BINS)
    for key, sums in tally.by("tenth", "outcome", *where).items():
        if key[0].isdigit() and key[1] and key[2:] == tuple(where.values()):
            place = int(key[0])
            rows[place] += sums["rows"]
            scores[place] += sums["score"]
            hits[place] += sums["rows"] if key[1] == "1" else 0
    return rows, scores, hits


def _curve(now: Tally, before: Tally | None) -> tuple[Part, ...]:
    """The reliability curve, named by the bin that adds most to the error."""
    rows, scores, hits = _tenths(now, {})
    if not rows.sum():
        return ()
    then = _tenths(before, {}) if before else tuple(np.zeros(BINS) for _ in range(3))
    safe = np.maximum(rows, 1)
    gaps = np.abs(scores - hits)
    worst = int(np.argmax(gaps))
    share, usual = hits / safe, then[2] / np.maximum(then[0], 1)
    told = f"mean score {_percent(scores[worst] / safe[worst])}, true in {_percent(share[worst])}"
    told += f" of {rows[worst]:,.0f} rows"
    told += f", was {_percent(usual[worst])}" if then[0][worst] else ""
    chart = Chart(labels=LABELS, before=tuple(usual.tolist()), now=tuple(share.tolist()))
    name = f"true by score, worst at {LABELS[worst]}"
    return (Part(name=name, value=float(gaps[worst] / rows.sum()), text=told, chart=chart),)


def _classes(signal: Calibration, now: Tally, before: Tally | None) -> tuple[Part, ...]:
    """By what was predicted: how sure, and how often right."""
    current = _by_class(signal, now)
    usual = _by_class(signal, before) if before else {}
    known = [said for said, (rows, _, _) in current.items() if rows >= FEWEST]
    ranked = sorted(known, key=lambda said: (-_gap(current[said]), said))
    return tuple(
        Part(
            name=f"predicted {said}",
            value=_gap(current[said]),
            text=_told(current[said]) + (f", was {_told(usual[said])}" if said in usual else ""),
        )
        for said in ranked[:MOST_CLASSES]
    )


def _by_class(signal: Calibration, tally: Tally) -> dict[str, tuple[float, float, float]]:
    """Labelled rows, the sum of the confidence and the rows that were right, by prediction."""
    found: dict[str, tuple[float, float, float]] = {}
    for (said, outcome, place), sums in tally.by("said", "outcome", "place").items():
        if not said or not outcome or place in {"", OUTSIDE, OTHER}:
            continue
        # The score is of the positive class; of another one that is predicted it is the rest.
        turned = signal.score_of == "positive" and said != signal.positive_label
        sure = sums["rows"] - sums["score"] if turned else sums["score"]
        right = sums["rows"] if (outcome == "1") != turned else 0.0
        rows, confident, hits = found.get(said, (0.0, 0.0, 0.0))
        found[said] = (rows + sums["rows"], confident + sure, hits + right)
    return found


def _gap(of: tuple[float, float, float]) -> float:
    rows, confident, hits = of
    return abs(confident - hits) / rows


def _told(of: tuple[float, float, float]) -> str:
    rows, confident, hits = of
    return f"sure by {_percent(confident / rows)}, right in {_percent(hits / rows)}"


def _confidences(signal: Calibration, now: Tally, before: Tally | None) -> tuple[Part, ...]:
    current = _confidence(signal, now, {})
    usual = _confidence(signal, before, {}) if before else None
    if current is None:
        return ()
    told = _percent(current) + (f", was {_percent(usual)}" if usual is not None else "")
    moved = abs(current - usual) if usual is not None else 0.0
    return (Part(name="mean confidence", value=moved, text=told),)


def _drift(signal: Calibration, now: Tally, before: Tally | None, where: Where) -> float | None:
    current = _confidence(signal, now, where)
    usual = _confidence(signal, before, where) if before else None
    return None if current is None or usual is None else abs(current - usual)


def _confidence(signal: Calibration, tally: Tally, where: Where) -> float | None:
    """The mean score of what is more likely: the score, or of two classes the larger one's."""
    sure = rows = 0.0
    for key, sums in tally.by("place", *where).items():
        if key[0] in {"", OUTSIDE, OTHER} or key[1:] != tuple(where.values()):
            continue
        unlikely = signal.score_of == "positive" and int(key[0]) <= 0
        sure += sums["rows"] - sums["score"] if unlikely else sums["score"]
        rows += sums["rows"]
    return sure / rows if rows else None


CALIBRATION = Kind(count_scores, read_calibration, learns=True, look=look_at_scores)
