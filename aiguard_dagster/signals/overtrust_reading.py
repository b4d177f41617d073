"""What sums of outputs say of over-trust, and where, why and by whom."""

from collections.abc import Iterator, Mapping
from functools import partial

from aiguard_dagster.core.spec import Overtrust
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.segments import worst_segments
from aiguard_dagster.signals.tallied import Reading
from aiguard_dagster.stats.intervals import share_ratio, wilson
from aiguard_dagster.stats.people import people_of, person_mean
from aiguard_dagster.stats.tally import Tally

SUMS = ("rows", "asked", "judged", "bad", "right", "right_used", "early", "unnamed", "repeats")
BUSY = 0.1
"""Who is behind more than this share of what is bad is told of."""
NOTHING = {
    "unreviewed": "no output had to be reviewed, or nobody decided on one",
    "skipped": "no output had to be reviewed",
    "blind": "no wrong output was decided on, or no right one was accepted",
    "hasty": "no review has a time",
}


def read_overtrust(signal: Overtrust, now: Tally, before: Tally | None) -> Reading:
    """The share over all outputs, since each does harm; parts tell where, why and by whom."""
    value, judged = _value(signal, now, {}), now.total("judged")
    parts = (
        *(_halves(now, before) if signal.metric == "blind" else _reasons(now, before)),
        *worst_segments(
            signal.by or (),
            now,
            before,
            lambda tally, where: _value(signal, tally, where),
            show=percent,
            rests_on=partial(_judged, signal),
            called="judged outputs",
        ),
        *_people(signal, now, before),
    )
    return Reading(
        value=value,
        n=int(judged),
        coverage=_coverage(signal, now),
        parts=parts if value is not None else (),
        note="; ".join(_note(now)) or ("" if value is not None else NOTHING[signal.metric]),
        unit="share",
        variance=value * (1 - value) / judged
        if value is not None and signal.metric != "blind"
        else None,
        interval=_interval(signal, now) if value is not None else None,
    )


def _judged(signal: Overtrust, tally: Tally, where: Mapping[str, str]) -> float:
    """The outputs that a segment's value rests on."""
    right = tally.total("right", **where) if signal.metric == "blind" else 0.0
    return tally.total("judged", **where) + right


def _coverage(signal: Overtrust, now: Tally) -> float:
    """Of the outputs asked about, the share that could be judged."""
    asked, judged = now.total("asked"), now.total("judged")
    judged += now.total("right") if signal.metric == "blind" else 0
    named = 1 - now.total("unnamed") / now.total("rows") if now.total("rows") else 0.0
    return named * judged / asked if asked else 0.0


def _value(signal: Overtrust, tally: Tally, where: Mapping[str, str]) -> float | None:
    judged = tally.total("judged", **where)
    if not judged:
        return None
    share = tally.total("bad", **where) / judged
    if signal.metric != "blind":
        return share
    right, used = tally.total("right", **where), tally.total("right_used", **where)
    return share / (used / right) if right and used else None


def _interval(signal: Overtrust, now: Tally) -> tuple[float, float] | None:
    bad, judged = now.total("bad"), now.total("judged")
    if signal.metric == "blind":
        return share_ratio(bad, judged, now.total("right_used"), now.total("right"))
    return wilson(bad, judged)


def _told(hits: float, trials: float, was: float | None) -> str:
    text = f"{percent(hits / trials)} of {trials:,.0f}"
    return text if was is None else f"{text}, was {percent(was)}"


def _share(tally: Tally | None, hits: str, trials: str, **where: str) -> float | None:
    total = tally.total(trials, **where) if tally else 0
    return tally.total(hits, **where) / total if tally and total else None


def _halves(now: Tally, before: Tally | None) -> Iterator[Part]:
    """How often wrong and right outputs are accepted."""
    for name, used, all_ in (("wrong", "bad", "judged"), ("right", "right_used", "right")):
        hits, trials = now.total(used), now.total(all_)
        if trials:
            text = _told(hits, trials, _share(before, used, all_))
            yield Part(name=f"accepted when {name}", value=hits / trials, text=text)


def _reasons(now: Tally, before: Tally | None) -> Iterator[Part]:
    """Why they had to be reviewed, those of most harm first."""
    found = []
    for (why,), sums in now.by("why").items():
        if why and sums["judged"]:
            was = _share(before, "bad", "judged", why=why)
            text = _told(sums["bad"], sums["judged"], was)
            part = Part(name=why, value=sums["bad"] / sums["judged"], text=text)
            found.append((-sums["bad"], why, part))
    yield from (part for *_, part in sorted(found, key=lambda each: each[:2]))


def _people(signal: Overtrust, now: Tally, before: Tally | None) -> Iterator[Part]:
    """The same with each person counted once, and who is behind much of it."""
    people = people_of(now, "user")
    if not people.sums or signal.metric == "blind":
        return
    mean = person_mean(people, "bad", "judged")
    was = person_mean(people_of(before, "user"), "bad", "judged").value if before else None
    if mean.value is not None:
        then = f", was {percent(was)}" if was is not None else ""
        text = f"{percent(mean.value)} over {mean.people:,} people{then}"
        yield Part(name="each person once", value=mean.value, text=text)
    most, total = max(sums["bad"] for sums in people.sums.values()), now.total("bad")
    if total and most > BUSY * total and mean.people > 1:
        text = f"is behind {most:,.0f} of {total:,.0f}, as one of {mean.people:,} people"
        yield Part(name="one person", value=most / total, text=text)


def _note(now: Tally) -> Iterator[str]:
    """What was not counted, and why."""
    told = {
        "reviews are before their output": now.total("early"),
        "rows have no request": now.total("unnamed"),
        "repeats were counted once": now.total("repeats"),
    }
    yield from (f"{number:,.0f} {what}" for what, number in told.items() if number)
