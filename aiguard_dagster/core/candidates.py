"""Where a rollback may go: earlier champions, those that have proven themselves first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiguard_dagster.core.champions import Reign, earlier_champions
from aiguard_dagster.core.lifecycle import Episode, Point
from aiguard_dagster.core.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that a rollback may go to.

    Attributes:
        version: The version.
        proven: Whether it has served a whole window of a model rule without a breach that fired.
        why: What is known of it, in words.
    """

    version: str
    proven: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The candidates, best first, and the earlier champions that are none.

    Attributes:
        candidates: In the order in which they are to be tried.
        ruled_out: Why each other one is none, by version.
        nowhere: Why there is no version to speak of at all; empty where there is.
        is_named: Whether somebody named the place.
    """

    candidates: tuple[Candidate, ...] = ()
    ruled_out: Mapping[str, str] = field(default_factory=dict)
    nowhere: str = ""
    is_named: bool = False

    @property
    def told(self) -> str:
        """Which versions are none, and why, in one sentence; empty where there are none."""
        why_not = [f"v{version} {why}" for version, why in self.ruled_out.items()]
        return "; ".join([*([self.nowhere] if self.nowhere else []), *why_not])


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one model rule has said so far.

    Attributes:
        rule: Its name.
        points: Its verdicts.
        episodes: Its breaches.
    """

    rule: str
    points: Sequence[Point]
    episodes: Sequence[Episode]


def last_known_good(
    reigns: Sequence[Reign],
    served: Sequence[Served],
    *,
    current: str,
    rule: str,
    known: Collection[str],
    barred: Collection[str],
) -> Choice:
    """The earlier champions that a rollback may go to, best first.

    | an earlier champion | is |
    |---|---|
    | does not exist any more, or is in quarantine | none |
    | its latest reign ended in a fired breach of the rule in question | none |
    | had a whole window ``ok`` in its latest reign, and no breach fired in it | proven |
    | had no whole window judged: the guard is younger, or it was in force too short a time | next |
    | had a breach that fired, but recovered or was another rule's | last |

    Within a row the newest champion comes first. A reign without length, which a rollback for an
    earlier event time leaves behind, tells nothing of its version where there is another.

    Args:
        reigns: The champion history, oldest first.
        served: What each model rule has said.
        current: The champion to leave.
        rule: The rule that fired; empty where a person asks, and then any of them counts.
        known: Versions that exist.
        barred: Versions in quarantine.
    """
    ranked: list[tuple[int, Candidate]] = []
    ruled_out: dict[str, str] = {}
    for version in earlier_champions(reigns, current):
        reign = _latest(reigns, version)
        fired = [
            (each.rule, episode)
            for each in served
            for episode in each.episodes
            if episode.fired is not None and _is_of(episode.fired, reign)
        ]
        ended = [
            (name, episode)
            for name, episode in fired
            if not episode.recovered and name == (rule or name)
        ]
        whole = [
            (each.rule, point)
            for each in served
            for point in each.points
            if point.verdict is Verdict.OK and point.start >= reign.start and _is_of(point, reign)
        ]
        if version not in known:
            ruled_out[version] = "does not exist any more"
        elif version in barred:
            ruled_out[version] = "is in quarantine"
        elif ended:
            name, episode = ended[-1]
            ruled_out[version] = f"ended in breach of {name}, since {_at(episode.since)}"
        elif fired:
            name, episode = fired[-1]
            why = f"is not known to be good: {name} fired on {_at(episode.since)} in its time"
            ranked.append((2, Candidate(version=version, proven=False, why=why)))
        elif not whole:
            why = "is unproven: no rule has judged a whole window of its time as champion"
            ranked.append((1, Candidate(version=version, proven=False, why=why)))
        else:
            name, point = max(whole, key=lambda each: each[1].as_of)
            why = f"is the last known good version: {name} was ok until {_at(point.as_of)}"
            ranked.append((0, Candidate(version=version, proven=True, why=why)))
    ranked.sort(key=lambda each: each[0])
    return Choice(candidates=tuple(each for _, each in ranked), ruled_out=ruled_out)


def named_target(
    version: str | None,
    *,
    told: str,
    current: str,
    known: Collection[str],
    barred: Collection[str],
) -> Choice:
    """A fixed place to go back to, if it is one.

    Args:
        version: The version that was named, or that bears the alias; None where no version does.
        told: What named it, such as ``rollback.to: {alias: stable}``.
        current: The champion to leave.
        known: Versions that exist.
        barred: Versions in quarantine.
    """
    if version is None:
        return Choice(nowhere=f"no version bears the alias of {told}", is_named=True)
    if version not in known:
        there = ", ".join(sorted(known, key=_number)) or "none"
        problem = f"does not exist ({told}); there are {there}"
    elif version in barred:
        problem = f"is in quarantine ({told})"
    elif version == current:
        problem = f"is the champion itself ({told})"
    else:
        named = Candidate(version=version, proven=False, why=f"is what {told} names")
        return Choice(candidates=(named,), is_named=True)
    return Choice(ruled_out={version: problem}, is_named=True)


def _latest(reigns: Sequence[Reign], version: str) -> Reign:
    own = [reign for reign in reigns if reign.version == version]
    long = [reign for reign in own if reign.end is None or reign.end > reign.start]
    return (long or own)[-1]


def _is_of(point: Point, reign: Reign) -> bool:
    """Whether a verdict is on this reign's version, and from its time."""
    over = reign.end is not None and point.as_of > reign.end
    return point.subject == reign.version and point.as_of > reign.start and not over


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"


def _number(version: str) -> tuple[int, str]:
    return (int(version) if version.isdecimal() else 0, version)
