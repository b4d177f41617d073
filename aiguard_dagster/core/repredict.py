"""Predictions that a bad version made, made again with the restored one: which, and how far. Pure.

Asked for once for each rollback: that decision names the partitions, and what was made again since
is seen in the data. So a crash anywhere loses nothing, and nothing is asked for twice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aiguard_dagster.core.decide import Situation
from aiguard_dagster.core.decisions import Decision, DecisionKind, Evidence, following
from aiguard_dagster.core.serving import Served, follows, last_rollback, name_of, versions_of
from aiguard_dagster.core.spec import Guard

MOST_ATTEMPTS = 3
"""Runs for one partition before a person is told."""
MOST_AT_ONCE = 5
"""Runs at a time: new predictions need room too."""
MOST_NAMED = 10
ABOUT = "repredict"


class State(StrEnum):
    """How far it is, in the decision's evidence."""

    ASKED = "asked"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """The runs for one partition.

    Attributes:
        live: Whether one is waiting or going on.
        made: How many there were; the number of the last, where some were deleted.
        succeeded: Whether the newest that has ended did so well.
    """

    live: bool = False
    made: int = 0
    succeeded: bool = False


def since(seen: Situation, rollback: Decision) -> datetime:
    """When the incident began: the request says it, or else the breaches of that moment do.

    A person who saw nothing but a bad feeling has no breach to point at: then the newest verdict.
    """
    asked = [
        str(d.evidence["since"])
        for d in seen.decisions
        if d.kind is DecisionKind.REQUEST
        and d.incident == rollback.incident
        and d.evidence.get("since")
    ]
    if asked:
        return datetime.fromisoformat(asked[-1])
    named = [rule.name for rule in seen.guard.rules if rollback.rule in {rule.name, ""}]
    breaches = [
        breach.since
        for name in named
        if (breach := seen.breach_at(name, rollback.at)) and breach.latest.subject is not None
    ]
    # A rollback's own event time ends the breach: one that ended there counts.
    breaches += [
        episode.since
        for name in named
        for episode in seen.found.get(name, ())
        if episode.ended is not None
        and episode.since <= rollback.at <= episode.ended
        and episode.latest.subject is not None
    ]
    return min(breaches, default=rollback.at)


def asked_for(decisions: Sequence[Decision], rollback: Decision, table: str) -> Decision | None:
    """What was asked for after a rollback."""
    return next((d for d in _mine(decisions, rollback, table) if _state(d) is State.ASKED), None)


def is_over(decisions: Sequence[Decision], rollback: Decision, table: str) -> bool:
    """Whether nothing is left to be done: it is complete, was stopped, or a person was told."""
    return any(_state(d) is not State.ASKED for d in _mine(decisions, rollback, table)) or any(
        d.kind is DecisionKind.ESCALATE
        and follows(rollback, d)
        and (d.evidence.get("about"), d.evidence.get("table")) == (ABOUT, table)
        for d in decisions
    )


def is_open(guard: Guard, decisions: Sequence[Decision]) -> bool:
    """Whether partitions are waited for: only the runs themselves tell how they end."""
    rollback = last_rollback(decisions)
    if rollback is None:
        return False
    return not all(is_over(decisions, rollback, table) for table in tables_of(guard, rollback))


def tables_of(guard: Guard, rollback: Decision) -> tuple[str, ...]:
    """The tables to make again; none where the guard did not ask for it when it rolled back."""
    wanted = guard.rollback.repredict is not None and rollback.evidence.get("repredict")
    return guard.tables_by_version if wanted else ()


def keys_of(asked: Decision) -> tuple[str, ...]:
    """The partitions that a decision names."""
    return tuple(json.loads(str(asked.evidence["partitions"])))


def carries(served: Served, version: str) -> bool:
    """Whether some of its rows are of a version."""
    return bool(served.versions.get(version))


def ask(rollback: Decision, table: str, served: Sequence[Served], *, begun: datetime) -> Decision:
    """Name the partitions once: those of the incident that the bad version made.

    One whose rows nobody has counted may be of the bad version, and is made again too.

    Args:
        rollback: The rollback.
        table: The guard's name for the table.
        served: Its partitions, in any order.
        begun: When the incident began; a partition that ended earlier is left alone.
    """
    bad, restored = versions_of(rollback)
    mine = [each for each in served if each.end >= begun]
    wanted = [each for each in mine if carries(each, bad) or not each.rows]
    wanted.sort(key=lambda each: each.end)
    evidence: Evidence = {
        "table": table,
        "since": begun.isoformat(),
        "bad": bad,
        "restored": restored,
        "n": len(wanted),
        "done": 0,
        "uncounted": sum(not each.rows for each in wanted),
        "partitions": json.dumps([each.key for each in wanted]),
    }
    when = f"since {begun:%Y-%m-%d %H:%M} UTC"
    if not wanted:
        reason = f"no partition of {table} {when} carries {name_of(bad)}: nothing to make again"
        return following(
            rollback, DecisionKind.REPREDICT, reason, {**evidence, "state": State.DONE.value}
        )
    reason = (
        f"{_partitions(len(wanted))} of {table} {when} by {name_of(bad)}"
        f" are being made again with {name_of(restored)}"
    )
    return following(
        rollback, DecisionKind.REPREDICT, reason, {**evidence, "state": State.ASKED.value}
    )


def due(
    rollback: Decision, asked: Decision, served: Sequence[Served], tries: Mapping[str, Tries]
) -> list[str]:
    """The partitions for which a run is to be asked now, the oldest first; never too many at once.

    A run that was under way when the alias moved may have left one more: it counts too.
    """
    bad, _ = versions_of(rollback)
    going = sum(each.live for each in tries.values())
    left = [
        each
        for each in _targets(asked, served, bad)
        if not _done(each, tries, bad) and not _failed(each, tries)
    ]
    wanted = [each.key for each in left if not tries.get(each.key, Tries()).live]
    return wanted[: max(0, MOST_AT_ONCE - going)]


def ending(
    guard: Guard,
    rollback: Decision,
    asked: Decision,
    served: Sequence[Served],
    tries: Mapping[str, Tries],
) -> Decision | None:
    """What is told when no run is going on or due: complete, or what could not be made again."""
    bad, restored = versions_of(rollback)
    targets = _targets(asked, served, bad)
    if any(each.live for each in tries.values()):
        return None
    done = [each for each in targets if _done(each, tries, bad)]
    failed = [each for each in targets if not _done(each, tries, bad)]
    if any(not _failed(each, tries) for each in failed):
        return None
    table = str(asked.evidence["table"])
    evidence: Evidence = {
        **asked.evidence,
        "n": len(targets),
        "done": len(done),
        "uncounted": sum(not each.rows for each in done),
    }
    if not failed:
        who = sorted({name_of(v) for each in done for v, n in each.versions.items() if n})
        carried = " and ".join(who) or "no version that could be counted"
        reason = f"{_partitions(len(done))} of {table} made again: by {carried}"
        return following(
            rollback, DecisionKind.REPREDICT, reason, {**evidence, "state": State.DONE.value}
        )
    still = [each for each in failed if carries(each, bad)]
    named = ", ".join(each.key for each in failed[:MOST_NAMED])
    more = f" and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
    why = f"{len(still)} still by {name_of(bad)}" if still else "their runs failed"
    reason = (
        f"{len(failed)} of {_partitions(len(targets))} of {table} could not be made again"
        f" with {name_of(restored)} ({why}): {named}{more}. {guard.owner} must look"
    )
    return Decision(
        kind=DecisionKind.ESCALATE,
        at=rollback.at,
        incident=rollback.incident,
        rule=rollback.rule,
        reason=reason,
        evidence={
            **evidence,
            "about": ABOUT,
            "partitions": json.dumps([each.key for each in failed]),
        },
    )


def stop(rollback: Decision, asked: Decision, champion: str) -> Decision:
    """A person has put another version in place: what is left stays as it is."""
    reason = (
        f"v{champion} is champion now: what is left of {asked.evidence['table']} stays as it is"
    )
    evidence = {**asked.evidence, "state": State.STOPPED.value, "champion_now": champion}
    return following(rollback, DecisionKind.REPREDICT, reason, evidence)


def _targets(asked: Decision, served: Sequence[Served], bad: str) -> list[Served]:
    """What was named, and what has turned up since with rows of the bad version."""
    names, begun = set(keys_of(asked)), datetime.fromisoformat(str(asked.evidence["since"]))
    mine = [e for e in served if e.key in names or (e.end >= begun and carries(e, bad))]
    return sorted(mine, key=lambda each: each.end)


def _done(each: Served, tries: Mapping[str, Tries], bad: str) -> bool:
    """Rows were counted and none is bad; where they cannot be counted, its run succeeded."""
    return not carries(each, bad) if each.rows else tries.get(each.key, Tries()).succeeded


def _failed(each: Served, tries: Mapping[str, Tries]) -> bool:
    mine = tries.get(each.key, Tries())
    return not mine.live and mine.made >= MOST_ATTEMPTS


def _mine(decisions: Sequence[Decision], rollback: Decision, table: str) -> list[Decision]:
    return [
        d
        for d in decisions
        if d.kind is DecisionKind.REPREDICT
        and follows(rollback, d)
        and d.evidence.get("table") == table
    ]


def _partitions(n: int) -> str:
    return "1 partition" if n == 1 else f"{n:,} partitions"


def _state(decision: Decision) -> State:
    return State(str(decision.evidence["state"]))
