"""Scores counted beside labels and predictions, once for all kinds that ask about them."""

from collections.abc import Mapping

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec.signals.scored import ScoredSignal
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, require
from aiguard_dagster.signals.bins import bin_of
from aiguard_dagster.signals.columns import family_of, is_void, plain, type_of
from aiguard_dagster.signals.tallied import PART, Counted, class_of, segments, text_of
from aiguard_dagster.stats.scores import (
    COARSE,
    LEAST,
    NUDGE,
    PER_UNIT,
    SMALLEST,
    TENTHS,
    Scored,
)
from aiguard_dagster.stats.tally import OTHER, Tally

OUTSIDE = "outside"
"""The place of scores that are no probabilities: below 0, above 1, or infinite."""
UNUSABLE = frozenset({"", OUTSIDE, OTHER})
"""Places of rows whose score says nothing; of those put together, none is known."""
SUMS = ("rows", "score", "square", "loss_if_hit", "loss_if_missed")
"""Rows; sums of the score and of its square; and the log losses they have if all came true, and if
none did."""
Numbers = NDArray[np.float64]
Where = Mapping[str, str]


def number_of(batch: Batch, name: str, *, role: str) -> nw.Expr:
    """A column as numbers; NaN is null.

    Raises:
        MeasurementError: The column is gone, or holds no numbers.
    """
    if family_of(type_of(batch, name)) not in {"numbers", "truths"} and not is_void(batch, name):
        what = f"the {role} {name} holds {type_of(batch, name)}, not numbers"
        raise MeasurementError(with_hint(what, "keep it as numbers, or choose another metric."))
    return plain(batch, name).cast(nw.Float64)


def count_scores(signal: ScoredSignal, batch: Batch, part: nw.Expr) -> Counted:
    """Count rows by the bin of their score, what came true and what was predicted.

    Raises:
        MeasurementError: A column is gone, or scores are no numbers.
    """
    table, by = batch.table, signal.by or ()
    score_name, label = table.score or "", table.label or ""
    require(batch, score_name, label, *([table.prediction] if table.prediction else []), *by)
    said = class_of(batch, table.prediction) if table.prediction else nw.lit("")
    picked = batch.frame.select(
        part.alias(PART),
        number_of(batch, score_name, role="score").alias("value"),
        class_of(batch, label).alias("label"),
        said.alias("said"),
        **{k: text_of(batch, column) for k, column in zip(segments(by), by, strict=True)},
    )
    keys = ("place", "tenth", "outcome", "said", *segments(by))
    true = nw.col("said") if signal.score_of == "predicted" else nw.lit(signal.positive_label)
    outcome = nw.when(nw.col("label") == true).then(nw.lit("1")).otherwise(nw.lit("0"))
    known = ~nw.col("label").is_null() & ~nw.col("said").is_null()
    if signal.score_of == "positive":
        known = ~nw.col("label").is_null()
    value = nw.col("value")
    inside = value.is_finite() & (value >= 0) & (value <= 1)
    state = nw.when(value.is_null()).then(nw.lit("")).otherwise(nw.lit(OUTSIDE))
    # In steps, so that no engine computes the logarithm of what is no probability.
    scored = picked.with_columns(
        state=nw.when(inside).then(nw.lit("in")).otherwise(state),
        score=nw.when(inside).then(value).otherwise(nw.lit(0.5)),
        outcome=nw.when(known).then(outcome).otherwise(nw.lit("")),
        said=nw.col("said").fill_null(""),
    )
    score, usable = nw.col("score"), nw.col("state") == "in"
    cut = _between(score, LEAST)
    place = ((cut / (1 - cut)).log() * (COARSE if by else PER_UNIT) - NUDGE).ceil()
    losses = _between(score, SMALLEST)
    binned = scored.with_columns(
        place=nw.when(usable)
        .then(place.cast(nw.Int64).cast(nw.String))
        .otherwise(nw.when(nw.col("state") == "").then(nw.lit("")).otherwise(nw.lit(OUTSIDE))),
        tenth=nw.when(usable).then(bin_of(score, TENTHS).cast(nw.String)).otherwise(nw.lit("")),
        square=_if(usable, score * score),
        loss_if_hit=_if(usable, -losses.log()),
        loss_if_missed=_if(usable, -(1 - losses).log()),
        score=_if(usable, score),
    )
    sums = [nw.col(name).sum().alias(name) for name in SUMS[1:]]
    counted = binned.group_by(PART, *keys).agg(nw.len().alias("rows"), *sums)
    return Counted(frame=counted, keys=keys, sums=SUMS)


def scored_rows(tally: Tally, *, outcome: str | None = None, where: Where | None = None) -> int:
    """Rows whose score is a probability, whatever came true, or by what did."""
    place, came = tally.keys.index("place"), tally.keys.index("outcome")
    wanted = [(tally.keys.index(name), value) for name, value in (where or {}).items()]
    return int(
        sum(
            sums[0]
            for key, sums in tally.groups.items()
            if key[place] not in UNUSABLE
            and outcome in {None, key[came]}
            and all(key[at] == value for at, value in wanted)
        )
    )


def labelled_rows(tally: Tally, where: Where | None = None) -> int:
    """Those of them whose label is known."""
    return sum(scored_rows(tally, outcome=came, where=where) for came in ("0", "1"))


def outside_note(tally: Tally) -> str:
    """How many scores are no probabilities, and how many are not told apart; empty if none."""
    outside, other = (int(tally.total("rows", place=place)) for place in (OUTSIDE, OTHER))
    notes = [f"{outside:,} scores are not in 0 to 1"] if outside else []
    if other:
        notes.append(f"{other:,} rows are of too many scores and segments to be told apart")
    return "; ".join(notes)


Cell = tuple[str, str, str]
"""Place, outcome and prediction."""


def cells(tally: Tally, where: Where | None = None) -> dict[Cell, Numbers]:
    """The sums by place, outcome and prediction, of scores that are probabilities."""
    at, outcome, said = (tally.keys.index(name) for name in ("place", "outcome", "said"))
    wanted = [(tally.keys.index(name), value) for name, value in (where or {}).items()]
    found: dict[Cell, int] = {}
    places, rows = [], []
    for key, sums in tally.groups.items():
        if key[at] in UNUSABLE or any(key[place] != value for place, value in wanted):
            continue
        places.append(found.setdefault((key[at], key[outcome], key[said]), len(found)))
        rows.append(sums)
    total = np.zeros((len(found), len(SUMS)))
    if rows:
        np.add.at(total, places, np.array(rows, dtype=float))
    return dict(zip(found, total, strict=True))


def realised(tally: Tally, *, metric: str, positive: str, where: Where | None = None) -> Scored:
    """The labelled rows, as they came out."""
    by_place: dict[tuple[str, str], dict[str, Numbers]] = {}
    for (place, outcome, said), sums in cells(tally, where).items():
        if outcome:
            by_place.setdefault((place, said), {})[outcome] = sums
    nothing = np.zeros(len(SUMS))
    hit = np.array([each.get("1", nothing) for each in by_place.values()]).reshape(-1, len(SUMS))
    miss = np.array([each.get("0", nothing) for each in by_place.values()]).reshape(-1, len(SUMS))
    return Scored(
        place=np.array([int(place) for place, _ in by_place], dtype=float),
        said=np.array([_said(said, positive) for _, said in by_place]),
        positive=hit[:, 0],
        negative=miss[:, 0],
        loss=loss_if(metric, hit, came_true=True) + loss_if(metric, miss, came_true=False),
    )


def loss_if(metric: str, sums: Numbers, *, came_true: bool) -> Numbers:
    """By group, the sum of a loss if all its rows came true, or none did; see :data:`SUMS`."""
    rows, score, square, hit, missed = sums.T
    match metric:
        case "log_loss":
            return np.asarray(hit if came_true else missed)
        case "brier":
            return np.asarray(rows - 2 * score + square if came_true else square)
        case _:
            return np.zeros(len(sums))


def _said(said: str, positive: str) -> float:
    return float(said == positive) if said else float("nan")


def _between(score: nw.Expr, end: float) -> nw.Expr:
    low = nw.when(score < end).then(nw.lit(end)).otherwise(score)
    return nw.when(score > 1 - end).then(nw.lit(1 - end)).otherwise(low)


def _if(condition: nw.Expr, value: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(value).otherwise(nw.lit(0.0))
