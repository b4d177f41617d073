"""Cause first: broken or stale data upstream is not the model's fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiguard_dagster.core.lifecycle import Episode, Point
from aiguard_dagster.core.spec import Guard, Layer, Rule
from aiguard_dagster.core.verdicts import Verdict

ORDER = {layer: place for place, layer in enumerate(Layer)}
"""A breach in an earlier layer explains those in later ones."""
Points = Mapping[str, Sequence[Point]]
NONE: Points = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An asset upstream that is not as it should be, as Dagster knows it.

    Attributes:
        asset: Its key, as text.
        layer: ``source`` where nothing is upstream of it, ``pipeline`` otherwise.
        since: The event time from which it was so.
        until: When it was well again; None while it is not.
        reason: What is wrong with it: failed, late, stale, blocked or breaching, and which part.
        excuses: Whether the model is not to blame for what it makes of such data.
    """

    asset: str
    layer: Layer
    since: datetime
    until: datetime | None = None
    reason: str = ""
    excuses: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """What may be behind a breach.

    Attributes:
        name: The rule in breach, or the asset in trouble.
        layer: Where it looks.
        since: When it began.
        ongoing: Whether it still lasts.
        reason: What was seen.
    """

    name: str
    layer: Layer
    since: datetime
    ongoing: bool
    reason: str


def find_suspects(
    guard: Guard,
    start: datetime,
    end: datetime,
    history: Mapping[str, Sequence[Episode]],
    troubles: Sequence[Trouble] = (),
    *,
    points: Points = NONE,
) -> tuple[Suspect, ...]:
    """The broken data in a window, or still broken, oldest first: it explains what is below it.

    Drift is no suspect: the world may change while the data is sound. Nor is a missing owner or
    description: no prediction is worse for it.

    Args:
        guard: The guard.
        start: Where the failing measurement's window begins.
        end: Where it ends.
        history: Episodes by rule name.
        troubles: Assets upstream that are in trouble.
        points: Verdicts by rule name, in event time: a suspect is quoted as of the window's end.
    """
    rules = [rule for rule in guard.rules if rule.signal.explains]
    excuses = [trouble for trouble in troubles if trouble.excuses]
    found = [*_of_rules(rules, start, end, history, points), *_of_assets(start, end, excuses)]
    return tuple(sorted(found, key=lambda suspect: suspect.since))


def all_suspects(
    guard: Guard,
    rule: Rule,
    point: Point,
    history: Mapping[str, Sequence[Episode]],
    troubles: Sequence[Trouble] = (),
    *,
    points: Points = NONE,
) -> tuple[Suspect, ...]:
    """Everything further up than a rule that is in breach or in trouble, the furthest up first.

    Unlike :func:`find_suspects` it also names what does not excuse the model: a description that is
    missing, inputs that drift, a model that errs beneath people who lose trust in it.
    """
    mine, start, end = ORDER[rule.signal.layer], point.start, point.as_of
    rules = [each for each in guard.rules if ORDER[each.signal.layer] < mine]
    found = [*_of_assets(start, end, troubles), *_of_rules(rules, start, end, history, points)]
    begun = [each for each in found if each.since <= end]
    return tuple(sorted(begun, key=lambda each: (ORDER[each.layer], each.since)))


def _of_rules(
    rules: Sequence[Rule],
    start: datetime,
    end: datetime,
    history: Mapping[str, Sequence[Episode]],
    points: Points,
) -> list[Suspect]:
    return [
        Suspect(
            name=rule.name,
            layer=rule.signal.layer,
            since=episode.since,
            ongoing=episode.ended is None or episode.ended > end,
            reason=_said(episode, end, points.get(rule.name, ())).reason,
        )
        for rule in rules
        for episode in history.get(rule.name, ())
        # An ``as_of`` is the end of its batch, so a batch in the window ends after its start.
        # What still lasts explains too, whenever it was noticed or last heard of.
        if episode.ended is None or (episode.latest.as_of > start and episode.since <= end)
    ]


def _said(episode: Episode, end: datetime, points: Sequence[Point]) -> Point:
    """The newest breach of an episode up to a moment, so that late and live decisions quote alike.

    The newest of all where it had not begun by then.
    """
    mine = (
        point
        for point in reversed(points)
        if point.verdict is Verdict.BREACH
        and point.series == episode.latest.series
        and episode.since <= point.as_of <= min(end, episode.latest.as_of)
    )
    return next(mine, episode.latest)


def _of_assets(start: datetime, end: datetime, troubles: Sequence[Trouble]) -> list[Suspect]:
    return [
        Suspect(
            name=trouble.asset,
            layer=trouble.layer,
            since=trouble.since,
            ongoing=trouble.until is None or trouble.until > end,
            reason=trouble.reason,
        )
        for trouble in troubles
        if trouble.since <= end and (trouble.until is None or trouble.until > start)
    ]
