"""Cause first: broken or stale data upstream is not the model's fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aiguard_dagster.core.lifecycle import Episode
from aiguard_dagster.core.spec import Guard


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """An upstream rule whose breach explains one further down.

    Attributes:
        rule: Its name.
        layer: Where it looks.
        since: When its breach began.
        ongoing: Whether it still lasts.
        reason: What it saw.
    """

    rule: str
    layer: str
    since: datetime
    ongoing: bool
    reason: str


def find_suspects(
    guard: Guard, start: datetime, end: datetime, history: Mapping[str, Sequence[Episode]]
) -> tuple[Suspect, ...]:
    """The rules on the data itself in breach inside a window, or still in breach, oldest first.

    Drift is no suspect: the world may change while the data is sound. Nor is a missing owner or
    description: no prediction is worse for it.

    Args:
        guard: The guard.
        start: Where the failing measurement's window begins.
        end: Where it ends.
        history: Episodes by rule name.
    """
    found = [
        Suspect(
            rule=rule.name,
            layer=rule.signal.layer.value,
            since=episode.since,
            ongoing=episode.ended is None or episode.ended > end,
            reason=episode.latest.reason,
        )
        for rule in guard.rules
        if rule.signal.explains
        for episode in history.get(rule.name, ())
        # An ``as_of`` is the end of its batch, so a batch in the window ends after its start.
        # What still lasts explains too, whenever it was noticed or last heard of.
        if episode.ended is None or (episode.latest.as_of > start and episode.since <= end)
    ]
    return tuple(sorted(found, key=lambda suspect: suspect.since))
