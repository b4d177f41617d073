"""What a guard knows at one moment: verdicts in order, breaches, incidents, decisions so far."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from aiguard_dagster.core.cause import Trouble
from aiguard_dagster.core.decisions import NOT_ABOUT_THE_BREACH, Decision, Evidence, incident_id
from aiguard_dagster.core.incidents import Incident, find_incidents
from aiguard_dagster.core.lifecycle import Episode, Patience, Point, episodes, in_order
from aiguard_dagster.core.spec import Action, Guard, Mode, Rule


@dataclass(frozen=True, kw_only=True)
class Situation:
    """All that a decision may depend on.

    Attributes:
        guard: The guard.
        points: Verdicts by rule, in event time.
        found: Breaches by rule.
        decisions: All decisions so far, in the order in which they were written.
        now: The time of the wall.
        troubles: Assets upstream of the guard's tables that are in trouble.
    """

    guard: Guard
    points: Mapping[str, Sequence[Point]]
    found: Mapping[str, Sequence[Episode]]
    decisions: tuple[Decision, ...]
    now: datetime
    troubles: tuple[Trouble, ...] = ()

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """The incidents that the verdicts tell of; one that was told of keeps its name."""
        found = find_incidents(self.guard.name, self.found, self.points)
        return tuple(replace(each, id=self._known(each) or each.id) for each in found)

    def _known(self, incident: Incident) -> str | None:
        """The name under which something was decided about it, though late data began it sooner."""
        return next(
            (
                d.incident
                for d in self.decisions
                if d.rule in incident.rules
                and d.kind not in NOT_ABOUT_THE_BREACH
                and incident.opened <= d.at
                and (incident.ended is None or d.at < incident.ended)
            ),
            None,
        )

    def with_decisions(self, new: Iterable[Decision]) -> "Situation":
        """The same moment, with more decided."""
        return replace(self, decisions=(*self.decisions, *new))

    def incident_of(self, rule: Rule, episode: Episode) -> str:
        """The incident that a breach belongs to; one of its own while it has not fired."""
        member = (rule.name, episode.since)
        joined = (each.id for each in self.incidents if member in each.members)
        return next(joined, incident_id(self.guard.name, rule.name, episode.since))

    def action_of(self, rule: Rule) -> Action:
        """What a rule leads to; ``observe`` only ever tells the owner."""
        return Action.NOTIFY if self.guard.mode is Mode.OBSERVE else rule.action

    def breach_at(self, rule: str, at: datetime) -> Episode | None:
        """A rule's breach that a moment lies in, the newest where series have several."""
        covering = [each for each in self.found.get(rule, ()) if each.covers(at)]
        lasting = [each for each in covering if each.ended is None]
        return next(iter([*lasting, *reversed(covering)]), None)

    @property
    def firing(self) -> tuple[Point, ...]:
        """The newest breach of every rule on the model that fires now."""
        return tuple(
            episode.latest
            for rule in self.guard.rules
            if not rule.signal.judges_data
            for episode in self.found[rule.name]
            if episode.fired is not None and episode.ended is None
        )

    @property
    def newest(self) -> datetime | None:
        """The newest event time that any rule has spoken for."""
        return max((p[-1].as_of for p in self.points.values() if p), default=None)


def situation(
    guard: Guard,
    history: Mapping[str, Sequence[Point]],
    decisions: Sequence[Decision],
    *,
    now: datetime,
) -> Situation:
    """Put a guard's history in order."""
    points = {rule.name: in_order(history.get(rule.name, ())) for rule in guard.rules}
    return Situation(
        guard=guard,
        points=points,
        found={r.name: episodes(points[r.name], patience_of(guard, r)) for r in guard.rules},
        decisions=tuple(decisions),
        now=now,
    )


def patience_of(guard: Guard, rule: Rule) -> Patience:
    """How long a rule bears with what it sees."""
    return Patience(
        grace=rule.grace, resolve_after=rule.resolve_after, initial_delay=guard.initial_delay
    )


def told(rule: Rule, episode: Episode, point: Point) -> str:
    """What a rule says of its breach."""
    return f"{rule.name}: {point.reason}, since {episode.since:%Y-%m-%d %H:%M} UTC"


def evidence_of(episode: Episode, point: Point) -> Evidence:
    """The numbers behind it."""
    return {
        "value": point.value,
        "limit": point.limit,
        "n": point.n,
        "since": episode.since.isoformat(),
        "champion": point.subject,
    }
