"""Whether what is served is what the registry says: predictions that name their version tell.

A rollback moves an alias. A service that loaded its model before goes on with the old version until
somebody makes it load again, so the move is confirmed by what it predicts, and by nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiguard_dagster.core.decisions import Decision, DecisionKind, Evidence, following
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.spec import Guard

NOT_SERVED, SILENT = "serving", "serving_silent"
"""What an escalation is about, in its evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One partition of predictions, or one bucket of traces.

    Attributes:
        key: Its partition key; of traces, when the bucket began.
        start: From where it holds rows, in event time.
        end: Until where.
        versions: Rows by the version that made them; empty where nobody has counted them.
    """

    key: str
    start: datetime
    end: datetime
    versions: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def rows(self) -> int:
        """All that were counted."""
        return sum(self.versions.values())

    def told(self) -> str:
        """Who made it, the most rows first, as one says it."""
        found = sorted(self.versions.items(), key=lambda each: (-each[1], each[0]))
        return ", ".join(f"{n:,} of {self.rows:,} rows by {name_of(v)}" for v, n in found)


def name_of(version: str) -> str:
    """A version as it is told; rows may name none.

    >>> name_of("7"), name_of("unknown")
    ('v7', 'no known version')
    """
    return f"v{version}" if version.isdigit() else "no known version"


def last_rollback(decisions: Sequence[Decision]) -> Decision | None:
    """The newest rollback that was made; an earlier one is no longer what is served."""
    made = [d for d in decisions if d.kind is DecisionKind.ROLLBACK]
    return made[-1] if made else None


def moved_at(rollback: Decision) -> datetime:
    """When the alias moved, on the clock of the wall."""
    moved = rollback.evidence.get("moved")
    return datetime.fromisoformat(str(moved)) if moved else rollback.at


def versions_of(rollback: Decision) -> tuple[str, str]:
    """The bad version and the restored one."""
    return str(rollback.evidence["champion"]), str(rollback.evidence["candidate"])


def follows(rollback: Decision, decision: Decision) -> bool:
    """Whether a decision speaks of this rollback."""
    return (decision.incident, decision.at) == (rollback.incident, rollback.at)


def moved_on(rollback: Decision, history: Mapping[str, Sequence[Point]]) -> str | None:
    """The version that a person has put in place of the restored one since; None while it stands.

    The verdicts tell: each names the champion that it judged.
    """
    later = [
        point
        for points in history.values()
        for point in points
        if point.subject is not None and point.as_of > rollback.at
    ]
    newest = max(later, key=lambda point: point.as_of, default=None)
    if newest is None:
        return None
    bad, restored = versions_of(rollback)
    since = newest.in_force_since
    # A rule that was ahead of the others may have judged the bad version beyond that time.
    stands = newest.subject == restored or (
        newest.subject == bad and (since is None or since <= rollback.at)
    )
    return None if stands else newest.subject


def is_unconfirmed(rollback: Decision, decisions: Sequence[Decision]) -> bool:
    """Whether nobody has seen the restored version at work yet."""
    return not any(d.kind is DecisionKind.CONFIRM and follows(rollback, d) for d in decisions)


def confirm_due(
    guard: Guard, decisions: Sequence[Decision], history: Mapping[str, Sequence[Point]]
) -> datetime | None:
    """When a rollback that is not confirmed must be told of, on the clock of the wall.

    None once it is, and once a person has put another version in place of the restored one.
    """
    rollback = last_rollback(decisions)
    if rollback is None or not is_unconfirmed(rollback, decisions):
        return None
    if moved_on(rollback, history) is not None:
        return None
    mine = [d for d in decisions if d.kind is DecisionKind.ESCALATE and follows(rollback, d)]
    if any(d.evidence.get("about") in {NOT_SERVED, SILENT} for d in mine):
        return None
    return moved_at(rollback) + guard.rollback.confirm_within


def confirm(
    guard: Guard,
    rollback: Decision,
    served: Mapping[str, Sequence[Served]],
    decisions: Sequence[Decision],
    *,
    held: bool,
    now: datetime,
) -> Decision | None:
    """What is to be said of the service after a rollback.

    The newest partition of each table with data beyond the rollback's event time counts, and it is
    confirmed when the restored version is in it and the bad one is not. One that both have made is
    no proof: it may hold the moment of the move, or one of several replicas has not moved.

    Args:
        guard: The guard.
        rollback: The rollback.
        served: By table, what was predicted.
        decisions: All decisions so far.
        held: Whether predictions are held back: then nothing is expected of the service.
        now: The time of the wall.

    Returns:
        ``confirm``; or, when ``rollback.confirm_within`` is over, one ``escalate`` for data that
        the old version still makes and one for no data at all; or None.
    """
    newer = {
        table: max(mine, key=lambda each: each.end)
        for table, found in served.items()
        if (mine := [each for each in found if each.end > rollback.at and each.rows])
    }
    bad, restored = versions_of(rollback)
    if newer and all(v.versions.get(restored) and not v.versions.get(bad) for v in newer.values()):
        told = "; ".join(f"{table} {each.key}: {each.told()}" for table, each in newer.items())
        at = max(each.end for each in newer.values())
        return following(
            rollback,
            DecisionKind.CONFIRM,
            f"what is served carries {name_of(restored)}: {told}",
            {**_evidence(newer), "restored": restored, "seen": at.isoformat()},
        )
    moved = moved_at(rollback)
    if now < moved + guard.rollback.confirm_within:
        return None
    about = NOT_SERVED if newer else SILENT
    earlier = [d for d in decisions if d.kind is DecisionKind.ESCALATE and follows(rollback, d)]
    if any(d.evidence.get("about") == about for d in earlier) or (held and not newer):
        return None
    mark = "stage" if guard.model and guard.model.stage else "alias"
    later = format_duration(guard.rollback.confirm_within)
    when = f"it moved to {name_of(restored)} at {moved:%Y-%m-%d %H:%M} UTC"
    if newer:
        told = "; ".join(f"{table} {each.key}: {each.told()}" for table, each in newer.items())
        reason = (
            f"the {mark} moved, the service did not: {when}, and {later} later {told}."
            f" {guard.owner}: make the service load its model again"
        )
    else:
        reason = (
            f"the {mark} moved, and nobody can tell what is served: {when}, and {later} later there"
            f" are no predictions since. {guard.owner}: see whether the service runs"
        )
    evidence: Evidence = {"about": about, "restored": restored, **_evidence(newer)}
    return following(rollback, DecisionKind.ESCALATE, reason, evidence)


def _evidence(newer: Mapping[str, Served]) -> Evidence:
    """Partition and rows by version of each table."""
    found: dict[str, str | float | int | None] = {}
    for table, each in newer.items():
        found[table] = each.key
        for version, rows in each.versions.items():
            found[f"{table}: rows of {name_of(version)}"] = rows
    return found
