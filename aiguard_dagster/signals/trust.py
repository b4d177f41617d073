"""What people do with answers: a mean over people, so that nobody decides by saying much."""

import narwhals as nw

from aiguard_dagster.core.spec import Trust
from aiguard_dagster.core.spec.signals.trust import OUTCOMES, Decisions
from aiguard_dagster.signals.batch import Batch, Frame, require
from aiguard_dagster.signals.clocks import seconds_between
from aiguard_dagster.signals.log_places import place_of
from aiguard_dagster.signals.moments import seconds_of
from aiguard_dagster.signals.tallied import PART, Counted, Kind, Reading, segments, text_of
from aiguard_dagster.signals.trust_people import read_adoption, read_returning
from aiguard_dagster.signals.trust_ratings import read_ratings
from aiguard_dagster.signals.trust_releases import look_at_releases
from aiguard_dagster.signals.trust_shares import read_outcome, read_time
from aiguard_dagster.stats.tally import Tally

DAY_SECONDS = 86_400
SUMS = ("rows", "told", *OUTCOMES, "strange", "early", "unnamed", "repeats")
UNNAMED = -1
"""The rank of a word that the guard does not name."""


def count_trust(signal: Trust, batch: Batch, part: nw.Expr) -> Counted:
    """Count answers by person, day and segment; repeats of a request count once.

    Of several decisions of one person on one request the strongest objection counts. A decision
    before its answer is none, and neither is a word that the guard does not name.

    Raises:
        MeasurementError: A column is gone, or holds no times.
    """
    keys = ("user", "day", *segments(signal.by))
    answers = _answers(signal, batch, part)
    if signal.unanswered == "ignored":
        flags = ("rank", "strange", "early", "unnamed")
        silent = nw.all_horizontal(*(nw.col(flag) == 0 for flag in flags), ignore_nulls=False)
        ignored = nw.lit(OUTCOMES.index("ignore") + 1)
        answers = answers.with_columns(rank=nw.when(silent).then(ignored).otherwise(nw.col("rank")))
    if signal.metric == "time_to_decision":
        keys = (*keys, "place")
        told_in = nw.when(nw.col("rank") > 0).then(nw.col("seconds").cast(nw.Float64))
        answers = answers.with_columns(place=place_of(told_in))
    rank = nw.col("rank")
    ones = {
        "told": rank > 0,
        **{outcome: rank == place for place, outcome in enumerate(OUTCOMES, start=1)},
        "strange": (rank <= 0) & (nw.col("strange") == 1) & (nw.col("early") == 0),
        "early": (rank <= 0) & (nw.col("early") == 1),
    }
    counted = (
        answers.with_columns(**{name: _one(condition) for name, condition in ones.items()})
        .group_by(PART, *keys)
        .agg(*(nw.col(name).sum().alias(name) for name in SUMS))
    )
    return Counted(frame=counted, keys=keys, sums=SUMS, hashed=("user",))


def read_trust(signal: Trust, now: Tally, before: Tally | None) -> Reading:
    """The metric, and what explains it."""
    if signal.assessment is not None:
        return read_ratings(signal, now, before)
    match signal.metric:
        case "adoption":
            return read_adoption(signal, now, before)
        case "returning":
            return read_returning(signal, now, before)
        case "time_to_decision":
            return read_time(signal, now, before)
        case _:
            return read_outcome(signal, now, before)


def _answers(signal: Trust, batch: Batch, part: nw.Expr) -> Frame:
    """One row an answer of a person: how it ranks, and how many rows it had."""
    ranked = _ranked(signal, batch, part)
    one, none = nw.lit(1), nw.lit(0)
    if batch.table.request is None:
        return ranked.with_columns(rows=one, unnamed=none, repeats=none)
    keys = (PART, "user", "request", *segments(signal.by))
    named = nw.col("request") != ""
    copies = nw.col("copies")
    return (
        ranked.group_by(*keys)
        .agg(
            nw.col("day").min().alias("day"),
            nw.col("seconds").min().alias("seconds"),
            *(nw.col(name).max().alias(name) for name in ("rank", "strange", "early")),
            nw.len().alias("copies"),
        )
        .with_columns(
            rank=nw.when(named).then(nw.col("rank")).otherwise(none),
            rows=nw.when(named).then(one).otherwise(copies),
            unnamed=nw.when(named).then(none).otherwise(copies),
            repeats=nw.when(named).then(copies - 1).otherwise(none),
        )
    )


def _ranked(signal: Trust, batch: Batch, part: nw.Expr) -> Frame:
    """The rows: by whom, when, and what was decided."""
    table, keys = batch.table, segments(signal.by)
    time, user = table.time or "", table.user or ""
    extra = (table.decision, table.decided_at, table.request)
    require(batch, time, user, *(name for name in extra if name), *(signal.by or ()))
    # Without the time of a decision none is too early.
    seconds = seconds_between(batch, time, table.decided_at) if table.decided_at else nw.lit(0)
    picked = batch.frame.select(
        part.alias(PART),
        text_of(batch, user).alias("user"),
        (seconds_of(batch, time) // DAY_SECONDS).cast(nw.Int64).cast(nw.String).alias("day"),
        _text(batch, table.decision).str.to_lowercase().alias("word"),
        _text(batch, table.request).alias("request"),
        seconds.cast(nw.Int64).alias("seconds"),
        **{key: text_of(batch, name) for key, name in zip(keys, signal.by or (), strict=True)},
    )
    word, early = nw.col("word"), nw.col("seconds") < 0
    return picked.with_columns(
        day=nw.col("day").fill_null(""), rank=_rank(signal.decisions)
    ).with_columns(
        rank=nw.when(early & (word != "")).then(nw.lit(0)).otherwise(nw.col("rank")),
        strange=_one(nw.col("rank") == UNNAMED),
        early=_one(early & (word != "")),
        seconds=nw.when(~early).then(nw.col("seconds")),
    )


def _rank(decisions: Decisions) -> nw.Expr:
    """How strong an objection a word is: 1 is agreement, 0 that nothing was said."""
    word = nw.col("word")
    rank = nw.when(word == "").then(nw.lit(0)).otherwise(nw.lit(UNNAMED))
    for place, outcome in enumerate(OUTCOMES, start=1):
        meant = word.is_in(list(decisions.words(outcome)))
        rank = nw.when(meant).then(nw.lit(place)).otherwise(rank)
    return rank


def _text(batch: Batch, name: str | None) -> nw.Expr:
    return text_of(batch, name) if name else nw.lit("")


def _one(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))


TRUST = Kind(count_trust, read_trust, look=look_at_releases)
