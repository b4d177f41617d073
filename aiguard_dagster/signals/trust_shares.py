"""What people decide and how long they take, from sums by person."""

from collections.abc import Iterator, Mapping

from aiguard_dagster.core.spec import Trust
from aiguard_dagster.core.spec.signals.trust import LOW_IS_BAD, OUTCOMES
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.log_places import bin_of
from aiguard_dagster.signals.segments import worst_segments
from aiguard_dagster.signals.tallied import Reading
from aiguard_dagster.stats.log_bins import quantile
from aiguard_dagster.stats.people import People, people_of, person_mean
from aiguard_dagster.stats.tally import Tally

FEWEST_PEOPLE = 5
"""People that a segment must have to be named."""
BUSY = 0.1
"""Who gives more than this share of all decisions is told of."""
SAID = dict(
    zip(
        OUTCOMES,
        ("accepted", "ignored", "thumbs down", "corrected", "overridden", "escalated"),
        strict=True,
    )
)


def read_outcome(signal: Trust, now: Tally, before: Tally | None) -> Reading:
    """The mean over people of the share of their decisions; parts tell what they did instead."""
    people = people_of(now, "user")
    found = person_mean(people, signal.metric, "told")
    parts = (
        *_outcomes(now, before),
        *worst_segments(
            signal.by or (),
            now,
            before,
            lambda tally, where: _mean(signal, tally, where),
            show=percent,
            worst=lambda value: -value if signal.metric in LOW_IS_BAD else value,
        ),
        *_by_decision(signal, now, before),
        *busiest(people),
    )
    return Reading(
        value=found.value,
        n=found.people,
        coverage=_coverage(now, _told(now)),
        parts=parts if found.value is not None else (),
        note=note_of(now, people) or ("" if found.people else "nobody decided anything"),
        unit="share",
        variance=found.variance,
    )


def read_time(signal: Trust, now: Tally, before: Tally | None) -> Reading:
    """The median time to a decision, where every person weighs the same."""
    people = people_of(now, "user")
    timed = sum(
        sums["told"]
        for (user, place), sums in now.by("user", "place").items()
        if user and bin_of(place) is not None
    )
    parts = worst_segments(
        signal.by or (),
        now,
        before,
        lambda tally, where: median_time(tally, where, fewest=FEWEST_PEOPLE),
        show="{:.3g} s".format,
    )
    was = median_time(before) if before else None
    value = median_time(now)
    usual = () if was is None or value is None else (_then(value, was),)
    return Reading(
        value=value,
        n=sum(sums["told"] > 0 for sums in people.sums.values()),
        coverage=_coverage(now, timed),
        parts=(*parts, *usual),
        note=note_of(now, people) or ("" if timed else "no decision has a time"),
        unit="seconds",
    )


def note_of(now: Tally, people: People) -> str:
    """What was not counted, and why; every row that lowers the coverage for a reason is in it."""
    nobody = now.total("rows", user="")
    told = {
        "decisions are before their answer": now.total("early"),
        "decisions are words that the guard does not name": now.total("strange"),
        "rows have no request": now.total("unnamed"),
        "rows have no person": nobody,
        "repeats were counted once": now.total("repeats"),
    }
    said = [f"{number:,.0f} {what}" for what, number in told.items() if number]
    if people.each > 1:
        said.append(f"by a sample of {len(people.sums):,} of about {people.number:,} people")
    return "; ".join(said)


def busiest(people: People) -> Iterator[Part]:
    """Who said more than a tenth of everything, and how little that weighs."""
    told = {person: sums["told"] for person, sums in people.sums.items() if sums["told"]}
    total = sum(told.values())
    most = max(told.values(), default=0)
    if total and most > BUSY * total and len(told) > 1:
        text = f"gave {most:,.0f} of {total:,.0f} decisions, and counts as one of {len(told):,}"
        yield Part(name="one person", value=most / total, text=text)


def _then(value: float, was: float) -> Part:
    return Part(name="median", value=value, text=f"{value:.3g} s, was {was:.3g} s")


def _told(tally: Tally) -> float:
    return tally.total("told") - tally.total("told", user="")


def _coverage(now: Tally, measured: float) -> float:
    rows = now.total("rows")
    return measured / rows if rows else 0.0


def _mean(signal: Trust, tally: Tally, where: Mapping[str, str]) -> float | None:
    found = person_mean(people_of(tally, "user", **where), signal.metric, "told")
    return found.value if found.people >= FEWEST_PEOPLE else None


def _outcomes(now: Tally, before: Tally | None) -> Iterator[Part]:
    """What people did, that which grew most first; agreement last."""
    shares = {outcome: person_mean(people_of(now, "user"), outcome, "told") for outcome in OUTCOMES}
    usual = people_of(before, "user") if before else None
    found = []
    for outcome, mean in shares.items():
        was = person_mean(usual, outcome, "told").value if usual else None
        share = mean.value or 0.0
        if share or was:
            told = f"{percent(share)}, was {percent(was)}" if was is not None else percent(share)
            grown = share - (was or 0.0)
            part = Part(name=SAID[outcome], value=share, text=told)
            found.append((outcome == "acceptance", -grown, part))
    yield from (part for *_, part in sorted(found, key=lambda each: each[:2]))


def _by_decision(signal: Trust, now: Tally, before: Tally | None) -> Iterator[Part]:
    """The same with every decision alike, to compare with."""
    shares = [
        tally.total(signal.metric) / tally.total("told")
        for tally in (now, before)
        if tally is not None and tally.total("told")
    ]
    if shares and now.total("told"):
        was = f", was {percent(shares[1])}" if len(shares) > 1 else ""
        text = f"{percent(shares[0])} of {now.total('told'):,.0f}{was}"
        yield Part(name="all decisions alike", value=shares[0], text=text)


def median_time(
    tally: Tally, where: Mapping[str, str] | None = None, *, fewest: int = 1
) -> float | None:
    """The median of seconds to a decision, where every person weighs the same.

    Args:
        tally: Sums by ``user``, ``place`` and perhaps more.
        where: Keys that must be so, such as those of a segment.
        fewest: People without whom there is no median.
    """
    where = where or {}
    people = people_of(tally, "user", **where).sums
    wanted = tuple(where.values())
    timed: dict[str, dict[int, float]] = {}
    for (user, place, *rest), sums in tally.by("user", "place", *where).items():
        bin_ = bin_of(place)
        if user in people and bin_ is not None and tuple(rest) == wanted and sums["told"]:
            timed.setdefault(user, {})[bin_] = sums["told"]
    counts: dict[int, float] = {}
    for bins in timed.values():
        for bin_, number in bins.items():
            counts[bin_] = counts.get(bin_, 0.0) + number / sum(bins.values())
    return quantile(counts, 0.5) if len(timed) >= fewest else None
