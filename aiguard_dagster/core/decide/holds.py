"""When predictions are held back, and when they are let go: one hold for each stretch of time."""

from dataclasses import dataclass, replace
from datetime import datetime

from aiguard_dagster.core.decide.answers import GRANTS, granted
from aiguard_dagster.core.decide.situation import Situation
from aiguard_dagster.core.decisions import (
    GUARD,
    Decision,
    DecisionKind,
    incident_id,
    proposals,
)
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.lifecycle import Episode
from aiguard_dagster.core.spec import Action, Mode, Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Event time under hold, as one rule or several ask for it.

    Attributes:
        start: From when.
        end: Until when; None while it lasts.
        reasons: Why, one for each rule that asks.
        rule: The first of them.
        causes: The rules whose breach it lasts for, one for each reason.
        freed_from: From when on a person who releases ends it; from its start when left out.
    """

    start: datetime
    end: datetime | None
    reasons: tuple[str, ...]
    rule: str
    causes: tuple[str, ...]
    freed_from: datetime | None = None


def holds(seen: Situation) -> list[Decision]:
    """One hold for each stretch of event time in which at least one rule asks for it."""
    new: list[Decision] = []
    spans = hold_spans(seen)
    for span in spans:
        incident = _incident(seen, span)
        done = {
            d.kind
            for d in seen.decisions
            if span.start <= d.at and (span.end is None or d.at <= span.end)
        }
        known = (*seen.decisions, *new)
        if DecisionKind.HOLD not in done and not is_held(known, span.start):
            new.append(_hold(incident, span, at=span.start))
        elif span.end is None and not is_held(known):
            # It was let go, and then the very time for which it was let go turned out broken.
            marks = hold_marks(known)
            again = _hold(incident, span, at=max(span.start, marks[-1].at))
            new.append(replace(again, evidence={"again": len(marks)}))
        if span.end is not None and DecisionKind.RELEASE not in done:
            lasted = format_duration(span.end - span.start)
            reason = f"the cause is gone after {lasted}"
            new.append(_release(incident, span.rule, at=span.end, reason=reason))
    marks = hold_marks((*seen.decisions, *new))
    going = any(span.end is None for span in spans)
    if marks and marks[-1].kind is DecisionKind.HOLD and not going:
        # The cause was mended in place, or was never the data's own: nothing is left of the span.
        last = marks[-1]
        at = max(seen.newest or last.at, last.at)
        new.append(_release(last.incident, last.rule, at=at, reason="the cause is gone"))
    return new


def hold_marks(decisions: tuple[Decision, ...]) -> list[Decision]:
    """Holds and releases in event time: late data may add an earlier one."""
    found = [d for d in decisions if d.kind in {DecisionKind.HOLD, DecisionKind.RELEASE}]
    return sorted(found, key=lambda decision: decision.at)


def is_held(decisions: tuple[Decision, ...], at: datetime | None = None) -> bool:
    """Whether predictions are held back at a time, or now."""
    held = [d for d in hold_marks(decisions) if at is None or d.at <= at]
    return bool(held) and held[-1].kind is DecisionKind.HOLD


def lasting_holds(seen: Situation) -> list[Span]:
    """What asks for a hold now, each for itself: nothing, where predictions may flow."""
    return [span for span in _asked(seen) if span.end is None]


def hold_spans(seen: Situation) -> list[Span]:
    """Joined spans of event time under hold."""
    spans: list[Span] = []
    for span in sorted(_asked(seen), key=lambda span: (span.start, span.rule)):
        last = spans[-1] if spans else None
        if last is not None and (last.end is None or span.start <= last.end):
            end = None if last.end is None or span.end is None else max(last.end, span.end)
            spans[-1] = replace(
                last,
                end=end,
                reasons=(*last.reasons, *span.reasons),
                causes=(*last.causes, *span.causes),
            )
        else:
            spans.append(span)
    return spans


def _asked(seen: Situation) -> list[Span]:
    asked = [*_by_rule(seen), *_by_answer(seen)]
    return [let for span in asked if (let := _let_go(seen, span)) is not None]


def _by_rule(seen: Situation) -> list[Span]:
    """What rules that hold, and rollbacks that broken data explains, ask for."""
    asked: list[Span] = []
    for rule in seen.guard.rules if seen.guard.mode is Mode.ENFORCE else ():
        for episode in seen.found[rule.name]:
            if episode.fired is None:
                continue
            if rule.action is Action.HOLD:
                reason = f"{rule.name}: {episode.fired.reason}"
                asked.append(_span(episode.fired.as_of, episode.ended, reason, rule.name))
            elif rule.action is Action.ROLLBACK:
                asked += _explained(seen, rule, episode, episode.fired.as_of)
    return asked


def _explained(seen: Situation, rule: Rule, episode: Episode, fired: datetime) -> list[Span]:
    """Spans in which a rule asks for a rollback while the data itself is broken."""
    asked: list[Span] = []
    for other in seen.guard.rules:
        for cause in seen.found[other.name] if other.signal.explains else ():
            start = max(fired, cause.since)
            end = min((e for e in (episode.ended, cause.ended) if e), default=None)
            if end is None or start < end:
                reason = f"{rule.name} is explained by {other.name} ({other.signal.layer})"
                asked.append(_span(start, end, reason, rule.name, cause=other.name))
    for trouble in seen.troubles if episode.ended is None else ():
        start = max(fired, trouble.since)
        if trouble.until is None and trouble.excuses:
            reason = f"{rule.name} is explained by {trouble.asset} ({trouble.layer})"
            span = _span(start, None, f"{reason}: {trouble.reason}", rule.name)
            # Who lets go knows of the breach; that its cause is noticed once more is no new one.
            asked.append(replace(span, freed_from=fired))
    return asked


def _by_answer(seen: Situation) -> list[Span]:
    """What an owner approved, what happens without an answer, and what a preflight left open."""
    grants = [
        answer
        for proposal, answer in proposals(seen.decisions).values()
        if answer and answer.kind in GRANTS and granted(proposal, answer) is Action.HOLD
    ]
    grants += [d for d in seen.decisions if d.evidence.get("then") == Action.HOLD]
    asked = []
    for grant in grants:
        breach = seen.breach_at(grant.rule, grant.at)
        if breach is not None:
            by = "" if grant.actor == GUARD else f"approved by {grant.actor}: "
            asked.append(_span(grant.at, breach.ended, f"{by}{grant.reason}", grant.rule))
    return asked


def _let_go(seen: Situation, span: Span) -> Span | None:
    """A person who releases ends every span that had begun by then; None where nothing is left."""
    freed = [
        d.at
        for d in seen.decisions
        if d.kind is DecisionKind.RELEASE
        and d.actor != GUARD
        and d.at >= (span.freed_from or span.start)
        and (span.end is None or d.at <= span.end)
    ]
    if not freed:
        return span
    return replace(span, end=min(freed)) if min(freed) >= span.start else None


def _span(
    start: datetime, end: datetime | None, reason: str, rule: str, *, cause: str = ""
) -> Span:
    return Span(start=start, end=end, reasons=(reason,), rule=rule, causes=(cause or rule,))


def _incident(seen: Situation, span: Span) -> str:
    """The incident that was open when the hold began."""
    joined = [
        each.id
        for each in seen.incidents
        if span.rule in each.rules
        and each.opened <= span.start
        and (each.ended is None or span.start <= each.ended)
    ]
    return joined[-1] if joined else incident_id(seen.guard.name, span.rule, span.start)


def _hold(incident: str, span: Span, *, at: datetime) -> Decision:
    reason = "; ".join(span.reasons)
    return Decision(kind=DecisionKind.HOLD, at=at, incident=incident, rule=span.rule, reason=reason)


def _release(incident: str, rule: str, *, at: datetime, reason: str) -> Decision:
    return Decision(kind=DecisionKind.RELEASE, at=at, incident=incident, rule=rule, reason=reason)
