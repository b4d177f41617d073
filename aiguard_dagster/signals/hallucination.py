"""Which share of the judged answers is judged wrong, how sure that is, and who judged."""

from collections.abc import Iterator, Mapping

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Hallucination
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, Frame, require
from aiguard_dagster.signals.columns import has_values, known, plain, rounded, type_of
from aiguard_dagster.signals.segments import FEWEST, worst_segments
from aiguard_dagster.signals.tallied import PART, Counted, Kind, Reading, segments, text_of
from aiguard_dagster.stats.agreement import Agreement, agreement
from aiguard_dagster.stats.intervals import wilson
from aiguard_dagster.stats.tally import OTHER, Tally

UNJUDGED, FAILED, STRANGE, RIGHT, WRONG = range(5)
"""What a verdict is; of several on one answer the largest counts."""
SUMS = (
    *("rows", "right", "wrong", "failed", "strange", "people_right", "people_wrong"),
    *("both_wrong", "only_judge", "only_people", "both_right", "unnamed", "repeats"),
)


def count_hallucination(signal: Hallucination, batch: Batch, part: nw.Expr) -> Counted:
    """Count answers by judge and segment; repeats of a request by one judge count once.

    Raises:
        MeasurementError: A column is gone, or holds words where scores are asked for.
    """
    keys = ("judge", *segments(signal.by))
    judged, people = nw.col("judged"), nw.col("people")
    ones = {
        "right": judged == RIGHT,
        "wrong": judged == WRONG,
        "failed": judged == FAILED,
        "strange": judged == STRANGE,
        "people_right": people == RIGHT,
        "people_wrong": people == WRONG,
        "both_wrong": (judged == WRONG) & (people == WRONG),
        "only_judge": (judged == WRONG) & (people == RIGHT),
        "only_people": (judged == RIGHT) & (people == WRONG),
        "both_right": (judged == RIGHT) & (people == RIGHT),
    }
    counted = (
        _answers(signal, batch, part)
        .with_columns(
            **{
                name: nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))
                for name, condition in ones.items()
            }
        )
        .group_by(PART, *keys)
        .agg(*(nw.col(name).sum().alias(name) for name in SUMS))
    )
    return Counted(frame=counted, keys=keys, sums=SUMS)


def read_hallucination(signal: Hallucination, now: Tally, before: Tally | None) -> Reading:
    """The share over all judged answers; parts tell segments, judges, people and failures."""
    wrong = now.total("wrong")
    judged, rows = wrong + now.total("right"), now.total("rows")
    agreed = _agreement(now)
    doubted = _doubted(signal, agreed)
    value = wrong / judged if judged and not doubted else None
    parts = (
        *worst_segments(
            signal.by or (),
            now,
            before,
            _share,
            show=percent,
            rests_on=_judged,
            called="judged answers",
        ),
        *_judges(signal, now, before),
        *_people(now, before),
        *_agreed(agreed, before),
        *_failures(now, before),
    )
    return Reading(
        value=value,
        n=int(judged),
        coverage=judged / rows if rows else 0.0,
        parts=parts,
        note="; ".join([*doubted, *_note(now)]) or ("" if judged else "no answer was judged"),
        unit="share",
        variance=value * (1 - value) / judged if value is not None else None,
        interval=wilson(wrong, judged) if value is not None else None,
    )


def _answers(signal: Hallucination, batch: Batch, part: nw.Expr) -> Frame:
    """One row an answer and judge, with what was said of it."""
    named = (batch.table.request, signal.verdict, signal.human, signal.judge)
    require(batch, *(name for name in named if name), *(signal.by or ()))
    keys, request = segments(signal.by), batch.table.request
    picked = batch.frame.select(
        part.alias(PART),
        _meaning(signal, batch, signal.verdict).alias("judged"),
        (_meaning(signal, batch, signal.human) if signal.human else nw.lit(UNJUDGED)).alias(
            "people"
        ),
        (text_of(batch, signal.judge) if signal.judge else nw.lit("")).alias("judge"),
        (text_of(batch, request) if request else nw.lit("")).alias("request"),
        **{key: text_of(batch, name) for key, name in zip(keys, signal.by or (), strict=True)},
    )
    one, none = nw.lit(1), nw.lit(0)
    if request is None:
        return picked.with_columns(rows=one, unnamed=none, repeats=none)
    named_so, copies = nw.col("request") != "", nw.col("copies")
    meanings = {
        name: nw.when(named_so).then(nw.col(name)).otherwise(nw.lit(UNJUDGED))
        for name in ("judged", "people")
    }
    return (
        picked.group_by(PART, "judge", "request", *keys)
        .agg(*(nw.col(name).max().alias(name) for name in meanings), nw.len().alias("copies"))
        .with_columns(
            **meanings,
            rows=nw.when(named_so).then(one).otherwise(copies),
            unnamed=nw.when(named_so).then(none).otherwise(copies),
            repeats=nw.when(named_so).then(copies - 1).otherwise(none),
        )
    )


def _meaning(signal: Hallucination, batch: Batch, name: str) -> nw.Expr:
    """What a verdict says."""
    if signal.of_scores:
        return _score(signal, batch, name)
    word = text_of(batch, name).str.to_lowercase()
    meaning = nw.when(word == "").then(nw.lit(UNJUDGED)).otherwise(nw.lit(STRANGE))
    for code, words in (
        (FAILED, signal.words("failed")),
        (RIGHT, signal.words("right")),
        (WRONG, signal.words("wrong")),
    ):
        meaning = nw.when(word.is_in(words)).then(nw.lit(code)).otherwise(meaning)
    return meaning


def _score(signal: Hallucination, batch: Batch, name: str) -> nw.Expr:
    """What a score says; one that is not finite says nothing, and is told."""
    dtype = type_of(batch, name)
    if not dtype.is_numeric():
        if not has_values(batch, name):  # pandas makes text of what is null throughout.
            return nw.when(known(batch, name)).then(nw.lit(STRANGE)).otherwise(nw.lit(UNJUDGED))
        what = f"{name} holds {dtype}, and below and above are for scores"
        raise MeasurementError(with_hint(what, "name a column of numbers, or the words in wrong:"))
    score, there = plain(batch, name).cast(nw.Float64), known(batch, name)
    bad = nw.lit(value=False)
    if signal.below is not None:
        bad = bad | (score < rounded(signal.below, dtype))
    if signal.above is not None:
        bad = bad | (score > rounded(signal.above, dtype))
    sound = nw.when(bad).then(nw.lit(WRONG)).otherwise(nw.lit(RIGHT))
    finite = nw.when(score.is_finite()).then(sound).otherwise(nw.lit(STRANGE))
    return nw.when(there).then(finite).otherwise(nw.lit(UNJUDGED))


def _judged(tally: Tally, where: Mapping[str, str]) -> float:
    return tally.total("wrong", **where) + tally.total("right", **where)


def _share(tally: Tally, where: Mapping[str, str]) -> float | None:
    wrong = tally.total("wrong", **where)
    judged = wrong + tally.total("right", **where)
    return wrong / judged if judged else None


def _told(wrong: float, judged: float, was: float | None) -> str:
    low, high = wilson(wrong, judged)
    sure = f"{percent(wrong / judged)} of {judged:,.0f}, 95% interval {low:.1%} to {high:.1%}"
    return sure if was is None else f"{sure}; was {percent(was)}"


def _judges(signal: Hallucination, now: Tally, before: Tally | None) -> Iterator[Part]:
    """What each judge says, the strictest first."""
    found = []
    for (judge,), sums in now.by("judge").items() if signal.judge else ():
        judged = sums["wrong"] + sums["right"]
        if judged < FEWEST or judge == OTHER:
            continue
        was = _share(before, {"judge": judge}) if before else None
        text = _told(sums["wrong"], judged, was)
        name = f"judge {judge or 'unnamed'}"
        found.append(Part(name=name, value=sums["wrong"] / judged, text=text))
    yield from sorted(found, key=lambda part: (-part.value, part.name))


def _people(now: Tally, before: Tally | None) -> Iterator[Part]:
    """What people say of the answers that they looked at."""
    wrong, right = now.total("people_wrong"), now.total("people_right")
    if wrong + right:
        then = [before.total(f"people_{what}") for what in ("wrong", "right")] if before else [0, 0]
        was = then[0] / sum(then) if sum(then) else None
        text = _told(wrong, wrong + right, was)
        yield Part(name="people", value=wrong / (wrong + right), text=text)


def _agreement(tally: Tally) -> Agreement:
    cells = ("both_wrong", "only_judge", "only_people", "both_right")
    return agreement(*(tally.total(cell) for cell in cells))


def _agreed(found: Agreement, before: Tally | None) -> Iterator[Part]:
    """How far judge and people agree."""
    if found.n:
        kappa = "unknown, for both said one thing only" if found.kappa is None else ""
        kappa = kappa or f"{found.kappa:.2f}"
        usual = _agreement(before).kappa if before else None
        was = f", was {usual:.2f}" if usual is not None else ""
        text = f"on {percent(found.share)} of {found.n:,} answers; Cohen's kappa {kappa}{was}"
        yield Part(name="judge and people agree", value=found.share, text=text)


def _doubted(signal: Hallucination, found: Agreement) -> list[str]:
    """Why the judge cannot be believed."""
    if signal.min_agreement is None:
        return []
    if found.n < FEWEST:
        return [
            f"only {found.n:,} answers tell whether judge and people agree, {FEWEST} are needed"
        ]
    if found.kappa is None:
        same = f"judge and people said one and the same of all {found.n:,} answers"
        return [f"{same}, which does not tell whether they agree"]
    if found.kappa < signal.min_agreement:
        least = f"{signal.min_agreement:g}"
        return [f"judge and people agree with a kappa of {found.kappa:.2f}, less than {least}"]
    return []


def _failures(now: Tally, before: Tally | None) -> Iterator[Part]:
    """How often the judge itself failed."""
    failed, rows = now.total("failed"), now.total("rows")
    usual = before.total("failed") / before.total("rows") if before and before.total("rows") else 0
    if rows and (failed or usual):
        was = f", was {percent(usual)}" if before else ""
        text = f"{percent(failed / rows)} of {rows:,.0f} answers{was}"
        yield Part(name="judge failed", value=failed / rows, text=text)


def _note(now: Tally) -> Iterator[str]:
    """What could not be counted, and why."""
    told = {
        "judgements failed": now.total("failed"),
        "verdicts are none that the guard names": now.total("strange"),
        "rows have no request": now.total("unnamed"),
        "repeats were counted once": now.total("repeats"),
    }
    yield from (f"{number:,.0f} {what}" for what, number in told.items() if number)


HALLUCINATION = Kind(count_hallucination, read_hallucination)
