"""What has to be sent to whom, from what was decided and what was tried before. Pure.

One event is one message to each target. A message that fails is tried again after growing gaps;
after the last one it is given up, and goes to everybody's target ``*`` instead. Events that are
a day old, or very many at once, are summed up in one message.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from aiguard_dagster.core.decide.holds import hold_marks
from aiguard_dagster.core.decisions import Decision, DecisionKind, proposals, request_id
from aiguard_dagster.core.messages import Heading, Message, moment, told_late

EVERYBODY = "*"
"""The target of owners who have none of their own."""
GAPS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
"""How long to wait after each failed attempt; after one more, the message is given up."""
STALE = timedelta(minutes=15)
"""An attempt that has not said how it ended by then was cut short."""
OLD = timedelta(days=1)
"""Events older than this are summed up."""
LATE = timedelta(hours=1)
"""Messages that are sent later than this say when they were written."""
MOST_AT_ONCE = 10
"""Messages to one target that are sent one by one; more are summed up."""
MOST_LINES = 10


class State(StrEnum):
    """How an attempt stands: under way, accepted by the service, or failed."""

    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A decision that somebody must hear of.

    Attributes:
        id: The same for one decision, whoever reads it.
        place: Where it stands in the event log.
        guard: The guard's name.
        owner: Who must hear of it.
        written: When it was recorded.
        message: What is told.
    """

    id: str
    place: int
    guard: str
    owner: str
    written: datetime
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to send one notice to one target, or what became of it.

    Attributes:
        notice: The notice's id.
        target: The name of the target; its address is told nowhere.
        number: Counts the tries; the first is 1.
        state: Begun, or how it ended.
        at: When.
        run: The Dagster run that tries.
        why: Why it failed, without the address.
        accepted: Which of the target's addresses have taken it, by their place.
    """

    notice: str
    target: str
    number: int
    state: State
    at: datetime
    run: str
    why: str = ""
    accepted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One notice that is to be sent to one target now.

    Attributes:
        notice: The notice.
        target: The name of the target.
        number: Which attempt this is.
        accepted: Which of the target's addresses have taken it before.
        instead_of: The target that could not be reached, where this one stands in for it.
    """

    notice: Notice
    target: str
    number: int
    accepted: tuple[int, ...] = ()
    instead_of: str = ""


def notice_id(decision: Decision) -> str:
    """The name of a decision; a decision that was recorded twice has it twice.

    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 2, tzinfo=UTC)
    >>> notice_id(
    ...     Decision(kind=DecisionKind.HOLD, at=at, incident="g:r", rule="r", reason="gone")
    ... )
    'g:r@20260102T000000Z/hold/e1108740'
    """
    said = f"{decision.rule}\n{decision.actor}\n{decision.reason}"
    mark = sha256(said.encode()).hexdigest()[:8]
    return f"{request_id(decision)}/{decision.kind}/{mark}"


def targets_of(
    notice: Notice, attempts: Sequence[Attempt], names: Collection[str], *, now: datetime
) -> list[str]:
    """Where a notice goes: to its owner's target; to everybody's without one, or when it is dead.

    Args:
        notice: The notice.
        attempts: What was tried before, in the order in which it was written.
        names: The targets that there are.
        now: The time.
    """
    first = notice.owner if notice.owner in names else EVERYBODY
    found = [first] if first in names else []
    dead = _is_given_up(_of(notice.id, first, attempts), now)
    if dead and first != EVERYBODY and EVERYBODY in names:
        found.append(EVERYBODY)
    return found


def due(
    notices: Iterable[Notice],
    attempts: Sequence[Attempt],
    names: Collection[str],
    *,
    now: datetime,
) -> list[Parcel]:
    """What is to be sent now, oldest first."""
    found = []
    for notice in sorted(notices, key=lambda notice: notice.place):
        targets = targets_of(notice, attempts, names, now=now)
        for target in targets:
            mine = _of(notice.id, target, attempts)
            if _is_due(mine, now):
                found.append(
                    Parcel(
                        notice=notice,
                        target=target,
                        number=max((a.number for a in mine), default=0) + 1,
                        accepted=tuple(sorted({n for a in mine for n in a.accepted})),
                        instead_of=targets[0] if target != targets[0] else "",
                    )
                )
    return found


def is_final(
    notice: Notice, attempts: Sequence[Attempt], names: Collection[str], *, now: datetime
) -> bool:
    """Whether nothing is left to be done about a notice: sent, or given up everywhere."""
    tried = [
        _of(notice.id, target, attempts) for target in targets_of(notice, attempts, names, now=now)
    ]
    return all(_is_sent(mine) or _is_given_up(mine, now) for mine in tried)


def given_up(parcel: Parcel, state: State) -> bool:
    """Whether this attempt was the last one, and has failed."""
    return state is State.FAILED and parcel.number > len(GAPS)


def claimed(parcel: Parcel, run: str, attempts: Iterable[Attempt]) -> bool:
    """Whether a run was the first to begin this attempt; two runs may be at work."""
    begun = (
        a.run
        for a in attempts
        if (a.notice, a.target, a.number) == (parcel.notice.id, parcel.target, parcel.number)
    )
    return next(begun, "") == run


def settled_through(
    places: Iterable[int],
    notices: Iterable[Notice],
    attempts: Sequence[Attempt],
    names: Collection[str],
    *,
    now: datetime,
) -> int:
    """The place up to which the log need not be read again.

    Args:
        places: Every decision that was read.
        notices: Those of them that somebody must hear of.
        attempts: What was tried.
        names: The targets that there are.
        now: The time.
    """
    open_at = [n.place for n in notices if not is_final(n, attempts, names, now=now)]
    first = min(open_at, default=None)
    return max((p for p in places if first is None or p < first), default=0)


def in_messages(
    parcels: Sequence[Parcel], *, now: datetime
) -> list[tuple[Message, tuple[Parcel, ...]]]:
    """What is sent to one target, and the parcels that each message delivers, oldest first."""
    old = [p for p in parcels if now - p.notice.written > OLD]
    fresh = [p for p in parcels if p not in old]
    if len(fresh) > MOST_AT_ONCE:
        old, fresh = [*old, *fresh], []
    if len(old) == 1:
        old, fresh = [], [*old, *fresh]
    summed = [(summary([p.notice for p in old]), tuple(old))] if old else []
    return summed + [(_on_time(p, now), (p,)) for p in fresh]


def summary(notices: Sequence[Notice]) -> Message:
    """Many events in one message: how many of what, and how each guard stands."""
    counts = Counter(notice.message.heading for notice in notices)
    told = ", ".join(f"{counts[heading]} {heading}" for heading in Heading if counts[heading])
    newest = {notice.guard: notice for notice in sorted(notices, key=lambda n: n.place)}
    last = sorted(newest.values(), key=lambda n: (URGENCY[n.message.heading], -n.place))
    lines = [f"{notice.message.title} ({moment(notice.written)})" for notice in last[:MOST_LINES]]
    if len(last) > MOST_LINES:
        lines.append(f"… and {len(last) - MOST_LINES} more guards")
    written = [notice.written for notice in notices]
    guards = "1 guard" if len(newest) == 1 else f"{len(newest)} guards"
    body = [
        f"Decided from {moment(min(written))} to {moment(max(written))}: {told}.",
        "The last word of each:",
        *lines,
        "Every one of them is in Dagster, on the asset GUARD/guard.",
    ]
    return Message(
        heading=last[0].message.heading,
        title=f"{len(notices)} events of {guards}, in one message",
        body="\n".join(body),
    )


URGENCY: Mapping[Heading, int] = {
    Heading.WAITING: 0,
    Heading.ESCALATED: 1,
    Heading.OPENED: 2,
    Heading.REFUSED: 3,
    Heading.ACTED: 4,
    Heading.RESOLVED: 5,
}


def still_open(decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions of a history that still ask something of a person.

    Proposals without an answer, the hold that is in force, and what the guard gave up on in an
    incident that lasts.
    """
    waiting = [p for p, answer in proposals(decisions).values() if answer is None]
    marks = hold_marks(tuple(decisions))
    held = marks[-1:] if marks and marks[-1].kind is DecisionKind.HOLD else []
    over = {d.incident for d in decisions if d.kind is DecisionKind.RESOLVE}
    stuck = {DecisionKind.STRUCTURAL, DecisionKind.FAILED}
    given = [d for d in decisions if d.kind in stuck and d.incident not in over]
    return [*waiting, *held, *given]


def _of(notice: str, target: str, attempts: Iterable[Attempt]) -> list[Attempt]:
    return [a for a in attempts if a.notice == notice and a.target == target]


def _is_sent(mine: Sequence[Attempt]) -> bool:
    return any(a.state is State.SENT for a in mine)


def _is_due(mine: Sequence[Attempt], now: datetime) -> bool:
    """Whether the time for another attempt has come."""
    if not mine:
        return True
    number = max(a.number for a in mine)
    if _is_sent(mine) or number > len(GAPS):
        return False
    newest = [a for a in mine if a.number == number]
    ended = [a.at for a in newest if a.state is State.FAILED]
    if not ended:
        return now - max(a.at for a in newest) >= STALE
    return now - max(ended) >= GAPS[number - 1]


def _is_given_up(mine: Sequence[Attempt], now: datetime) -> bool:
    """Whether the last attempt has failed, or was cut short."""
    last = [a for a in mine if a.number > len(GAPS)]
    if not last or _is_sent(mine):
        return False
    return any(a.state is State.FAILED or now - a.at >= STALE for a in last)


def _on_time(parcel: Parcel, now: datetime) -> Message:
    """The notice's message, with what is unusual about its delivery."""
    message, notice = parcel.notice.message, parcel.notice
    if parcel.instead_of:
        line = f"You read this because {parcel.instead_of} could not be reached."
        message = replace(message, body=f"{message.body}\n{line}")
    return told_late(message, notice.written) if now - notice.written > LATE else message
