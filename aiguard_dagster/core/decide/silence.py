"""What could not be measured, or said nothing for too long: a person is told, nothing is done."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from aiguard_dagster.core.decide.holds import hold_spans
from aiguard_dagster.core.decide.situation import Situation
from aiguard_dagster.core.decisions import Decision, DecisionKind, incident_id
from aiguard_dagster.core.lifecycle import ZERO, Point, last_conclusive
from aiguard_dagster.core.spec import Action, DeltaSignal, Mode, Rule, TalliedSignal
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.core.words import first_paragraph

RECENT, FEWEST_GAPS = 10, 2
"""Newest verdicts whose usual distance tells how often a rule speaks."""


def unmeasured(seen: Situation) -> list[Decision]:
    """Tell the owner, once until it speaks again, of a hold rule that cannot be measured.

    Its check blocks what follows in the run, as one that fails would; nothing else is held.
    """
    guard, new = seen.guard, []
    told = {(d.rule, d.at) for d in seen.decisions if d.kind is DecisionKind.ESCALATE}
    for rule in guard.rules:
        holds = rule.action is Action.HOLD and guard.mode is Mode.ENFORCE
        if not holds or not rule.signal.judges_data:
            continue
        failing: set[str] = set()
        for point in seen.points[rule.name]:
            if point.verdict in {Verdict.OK, Verdict.BREACH}:
                failing.discard(point.series)
            if point.verdict is not Verdict.ERROR or point.series in failing:
                continue
            failing.add(point.series)
            if (rule.name, point.as_of) not in told:
                new.append(
                    Decision(
                        kind=DecisionKind.ESCALATE,
                        at=point.as_of,
                        incident=incident_id(guard.name, rule.name, point.as_of),
                        rule=rule.name,
                        reason=(
                            f"{rule.name}: {first_paragraph(point.reason)}. It blocks what follows"
                            f" in the run; {guard.owner_of(rule)} decides"
                        ),
                    )
                )
    return new


def silence(seen: Situation) -> list[Decision]:
    """Escalate a rule that has said nothing conclusive for too long; never more than that.

    The time under hold does not count: what is held back has nothing to say.
    """
    return [
        Decision(
            kind=DecisionKind.ESCALATE,
            at=at,
            incident=incident_id(seen.guard.name, rule.name, heard),
            rule=rule.name,
            reason=(
                f"{rule.name}: nothing conclusive since {heard:%Y-%m-%d %H:%M} UTC"
                f"{_last_word(seen.points[rule.name], heard)}."
                f" {seen.guard.owner_of(rule)}: find out why it is silent"
            ),
        )
        for rule, heard, at, told in silent_at(seen)
        if at <= seen.now and not told
    ]


def silent_at(seen: Situation) -> Iterator[tuple[Rule, datetime, datetime, bool]]:
    """When each rule was last heard, when that will be too long ago, and whether that was told."""
    now = seen.now
    spans = [(span.start, span.end or now) for span in hold_spans(seen)]
    for rule in seen.guard.rules:
        points = seen.points[rule.name]
        heard = last_conclusive(points) or min((p.as_of for p in points), default=None)
        if heard is None:
            continue
        held = sum((max(min(end, now) - max(start, heard), ZERO) for start, end in spans), ZERO)
        told = any(
            d.kind is DecisionKind.ESCALATE
            and d.rule == rule.name
            and d.at > heard
            and "about" not in d.evidence
            for d in seen.decisions
        )
        yield rule, heard, heard + held + _patience(seen, rule, points), told


def _patience(seen: Situation, rule: Rule, points: Sequence[Point]) -> timedelta:
    """How long a rule may say nothing conclusive: longer than it takes to say anything."""
    ends = [point.as_of for point in points]
    gaps = sorted(later - earlier for earlier, later in pairwise(ends[-RECENT:]) if later > earlier)
    usual = gaps[len(gaps) // 2] * 1.5 if len(gaps) >= FEWEST_GAPS else ZERO
    patience = max(seen.guard.silence, usual)
    if last_conclusive(points) is None and isinstance(rule.signal, DeltaSignal):
        patience += rule.signal.window  # Its first window has to fill.
    return patience + _first_days(rule, points)


def _first_days(rule: Rule, points: Sequence[Point]) -> timedelta:
    """How long a new champion's own first days are, with which a rule compares; else 0."""
    signal = rule.signal
    if not isinstance(signal, TalliedSignal) or signal.baseline is None or not points:
        return ZERO
    champion = points[-1].subject
    told = last_conclusive(point for point in points if point.subject == champion)
    return ZERO if champion is None or told else signal.baseline


def _last_word(points: Sequence[Point], heard: datetime) -> str:
    """What a rule has said since it was last conclusive."""
    newest = points[-1]
    said = first_paragraph(newest.reason)
    return f" ({newest.verdict}: {said})" if newest.as_of > heard and said else ""
