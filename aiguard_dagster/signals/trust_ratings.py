"""What ratings of traces say: each weighs the same, for a server counts no people."""

import json
import math
from collections.abc import Iterator

from aiguard_dagster.core.spec import Trust
from aiguard_dagster.core.spec.signals.trust import OUTCOMES, SAYS
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.tallied import Reading
from aiguard_dagster.signals.trust_shares import SAID
from aiguard_dagster.stats.intervals import wilson
from aiguard_dagster.stats.tally import Tally, tally_of

KEYS, SUMS = ("says",), ("rows",)
REQUESTS, FAILED, STRANGE, FLOODED = "requests", "failed", "strange", "flooded"
"""What a group counts besides outcomes: requests; ratings without a value, or with one that says
nothing; ratings of a time in which there were more of them than requests."""
UNCOUNTED = {
    FAILED: "ratings have no value",
    STRANGE: "ratings are values that the guard does not name",
    FLOODED: "ratings are of times with more ratings than requests, and none of them counts",
}


def count_ratings(signal: Trust, requests: int, feedback: Tally) -> Tally:
    """What the ratings of one span of time say.

    Where there are more of them than requests, some are repeats. Nobody can tell which, so none
    counts.

    Args:
        signal: Which assessment counts, and what its values mean.
        requests: How many traces there are.
        feedback: Valid assessments by ``assessment`` and ``value``, which is written as JSON.
    """
    found = [
        (outcome_of(signal, value), rows)
        for (name, value), (rows,) in feedback.groups.items()
        if name == signal.assessment
    ]
    if sum(rows for _, rows in found) > requests:
        found = [(FLOODED, rows) for _, rows in found]
    return tally_of(KEYS, SUMS, [(REQUESTS, requests), *found])


def outcome_of(signal: Trust, text: str) -> str:
    """What a rating says.

    Args:
        signal: What values mean.
        text: The rating's value as JSON.
    """
    value = json.loads(text)
    if value is None:
        return FAILED
    if signal.below is not None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return STRANGE
        if not math.isfinite(value):
            return STRANGE
        return "thumbs_down" if value < signal.below else "acceptance"
    word = (value if isinstance(value, str) else json.dumps(value)).lower()
    named = (each for each in OUTCOMES if word in signal.decisions.words(each))
    return next(named, SAYS.get(word, STRANGE))


def read_ratings(signal: Trust, now: Tally, before: Tally | None) -> Reading:
    """The share of all ratings; parts tell what they say instead."""
    mine, rated = now.total("rows", says=signal.metric), _rated(now)
    requests = now.total("rows", says=REQUESTS)
    value = mine / rated if rated else None
    return Reading(
        value=value,
        n=int(rated),
        coverage=rated / requests if requests else 0.0,
        parts=tuple(_parts(now, before)) if rated else (),
        note="; ".join(_notes(now)) or ("" if rated else "nothing was rated"),
        unit="share",
        variance=value * (1 - value) / rated if value is not None else None,
        interval=wilson(mine, rated) if rated else None,
    )


def _rated(tally: Tally) -> float:
    return sum(tally.total("rows", says=outcome) for outcome in OUTCOMES)


def _parts(now: Tally, before: Tally | None) -> Iterator[Part]:
    """What ratings say, that which grew most first; agreement last."""
    shares = {outcome: now.total("rows", says=outcome) / _rated(now) for outcome in OUTCOMES}
    then = _rated(before) if before else 0.0
    usual = {
        outcome: before.total("rows", says=outcome) / then
        for outcome in OUTCOMES
        if before is not None and then
    }
    ranked = sorted(
        OUTCOMES, key=lambda each: (each == "acceptance", usual.get(each, 0) - shares[each])
    )
    for outcome in ranked:
        share, was = shares[outcome], usual.get(outcome)
        if share or was:
            told = percent(share) if was is None else f"{percent(share)}, was {percent(was)}"
            yield Part(name=SAID[outcome], value=share, text=told)


def _notes(now: Tally) -> Iterator[str]:
    for says, what in UNCOUNTED.items():
        if rows := now.total("rows", says=says):
            yield f"{rows:,.0f} {what}"
