"""From the history of verdicts and the decisions so far to what must be done now. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from aiguard_dagster.core.cause import Suspect, find_suspects
from aiguard_dagster.core.decisions import (
    GUARD,
    OUTCOMES,
    Decision,
    DecisionKind,
    incident_id,
    open_requests,
    within,
)
from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.lifecycle import Episode, Point, episodes, in_order, last_conclusive
from aiguard_dagster.core.spec import Action, DeltaSignal, Guard, Mode, Rule, TalliedSignal
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.core.words import first_paragraph

History = Mapping[str, Sequence[Point]]
Span = tuple[datetime, datetime | None, str, str]
"""Event time under hold, as one rule asks for it: start, end (None: still), reason, rule."""
ZERO = timedelta(0)
RECENT, FEWEST_GAPS = 10, 2
"""Newest verdicts whose usual distance tells how often a rule speaks."""


def decide(
    guard: Guard, history: History, decisions: Sequence[Decision], *, now: datetime
) -> tuple[Decision, ...]:
    """What the guard decides and has not decided before, in event time.

    Args:
        guard: The guard.
        history: Points by rule name, in any order.
        decisions: All earlier decisions of this guard.
        now: The time of the wall; only silence is measured with it.

    Returns:
        New decisions. ``request`` asks the caller to start a rollback; the others are done once
        they are recorded. Asking again with these recorded returns nothing.
    """
    found = {
        rule.name: episodes(history.get(rule.name, ()), grace=rule.grace) for rule in guard.rules
    }
    new: list[Decision] = []
    for rule in guard.rules:
        match _effective(guard, rule):
            case Action.NOTIFY:
                fired = [(e, e.fired) for e in found[rule.name] if e.fired]
                new += _notify(guard, rule, fired, found, decisions)
            case Action.ROLLBACK:
                explained = _explained(guard, rule, found, history)
                new += _notify(guard, rule, explained, found, decisions)
                new += _request(guard, rule, found, history, decisions)
            case Action.HOLD:
                pass
    if open_requests(decisions):
        new = [d for d in new if d.kind is not DecisionKind.REQUEST]
    else:
        requests = [d for d in new if d.kind is DecisionKind.REQUEST]
        new = [d for d in new if d not in requests[1:]]  # One champion, one request at a time.
    new += _hold(guard, found, history, decisions)
    new += _unmeasured(guard, history, decisions)
    new += _silence(guard, found, history, (*decisions, *new), now)
    return tuple(sorted(new, key=lambda decision: decision.at))


def _effective(guard: Guard, rule: Rule) -> Action:
    """Only ``enforce`` acts; the other modes tell the owner what they would have done."""
    return rule.action if guard.mode is Mode.ENFORCE else Action.NOTIFY


def _notify(
    guard: Guard,
    rule: Rule,
    breaches: Sequence[tuple[Episode, Point]],
    found: Mapping[str, Sequence[Episode]],
    decisions: Sequence[Decision],
) -> list[Decision]:
    """One notification for each episode, at the point that is worth a word."""
    wanted = "" if rule.action is Action.NOTIFY else f" ({guard.mode}: would {rule.action})"
    new = []
    for episode, point in breaches:
        earlier = within(episode, rule.name, decisions)
        if any(d.kind is DecisionKind.NOTIFY for d in earlier):
            continue
        evidence = _evidence(episode, point)
        reason = _told(rule, episode, point)
        suspects = _upstream(guard, rule, point, found)
        if suspects:
            evidence["suspect"] = suspects[0].rule
            reason += f". Suspect: {suspects[0].rule} ({suspects[0].layer})"
        new.append(
            Decision(
                kind=DecisionKind.NOTIFY,
                at=point.as_of,
                incident=incident_id(guard.name, rule.name, episode.since),
                rule=rule.name,
                reason=f"{reason}. {guard.owner_of(rule)} decides{wanted}",
                evidence=evidence,
            )
        )
    return new


def _explained(
    guard: Guard, rule: Rule, found: Mapping[str, Sequence[Episode]], history: History
) -> list[tuple[Episode, Point]]:
    """Episodes in which broken data that is sound again kept a rollback from being asked for.

    Held while the cause lasts; after that it is still in the window, and worth a word.
    """
    told = []
    breaches = [p for p in in_order(history.get(rule.name, ())) if p.verdict is Verdict.BREACH]
    for episode in found[rule.name]:
        if episode.fired is None:
            continue
        for point in breaches:
            if point.as_of < episode.fired.as_of or not episode.covers(point.as_of):
                continue
            suspects = _upstream(guard, rule, point, found)
            known = [suspect for suspect in suspects if suspect.since <= point.as_of]
            if known and not any(suspect.ongoing for suspect in known):
                told.append((episode, point))
                break
    return told


def _in_doubt(guard: Guard, start: datetime, history: History) -> bool:
    """Whether the newest word on some of the data, in a window or after it, is not conclusive."""
    for rule in guard.rules:
        points = in_order(history.get(rule.name, ()))
        if not rule.signal.judges_data or not points or points[-1].as_of <= start:
            continue
        if points[-1].verdict in {Verdict.ERROR, Verdict.INCONCLUSIVE}:
            return True
    return False


def _upstream(
    guard: Guard, rule: Rule, point: Point, found: Mapping[str, Sequence[Episode]]
) -> tuple[Suspect, ...]:
    """Broken data in the window of a rule that is not about the data; its own table first."""
    if rule.signal.judges_data:
        return ()
    suspects = find_suspects(guard, point.start, point.as_of, found)
    elsewhere = {r.name for r in guard.rules if r.signal.table != rule.signal.table}
    return tuple(sorted(suspects, key=lambda suspect: suspect.rule in elsewhere))


def _request(
    guard: Guard,
    rule: Rule,
    found: Mapping[str, Sequence[Episode]],
    history: History,
    decisions: Sequence[Decision],
) -> list[Decision]:
    """Ask for a rollback while the episode lasts, once, and again when a cooldown has passed."""
    mine = found[rule.name]
    episode = mine[-1] if mine else None
    if episode is None or episode.fired is None or episode.ended is not None:
        return []
    newest = in_order(history[rule.name])[-1]
    if newest.as_of != episode.latest.as_of:
        return []  # The newest word on this rule is inconclusive: silence does not act.
    at = newest.as_of
    earlier = within(episode, rule.name, decisions)
    ended = [d for d in earlier if d.kind in OUTCOMES and d.actor == GUARD]
    ended += [d for d in decisions if d.kind is DecisionKind.ROLLBACK]
    if any(d.at <= at < d.at + guard.cooldown or d.at == at for d in ended):
        return []
    if _upstream(guard, rule, newest, found) or _in_doubt(guard, newest.start, history):
        return []
    attempt = sum(d.kind is DecisionKind.REQUEST for d in earlier) + 1
    return [
        Decision(
            kind=DecisionKind.REQUEST,
            at=at,
            incident=incident_id(guard.name, rule.name, episode.since),
            rule=rule.name,
            reason=_told(rule, episode, newest),
            evidence={**_evidence(episode, newest), "attempt": attempt},
        )
    ]


def _hold(
    guard: Guard,
    found: Mapping[str, Sequence[Episode]],
    history: History,
    decisions: Sequence[Decision],
) -> list[Decision]:
    """One hold for each stretch of event time in which at least one rule asks for it."""
    new: list[Decision] = []
    spans = _hold_spans(guard, found)
    for start, end, reasons, rule in spans:
        incident = incident_id(guard.name, rule, start)
        done = {d.kind for d in decisions if start <= d.at and (end is None or d.at <= end)}
        if DecisionKind.HOLD not in done and not _is_held((*decisions, *new), start):
            new.append(
                Decision(
                    kind=DecisionKind.HOLD,
                    at=start,
                    incident=incident,
                    rule=rule,
                    reason="; ".join(reasons),
                )
            )
        if end is not None and DecisionKind.RELEASE not in done:
            lasted = format_duration(end - start)
            reason = f"the cause is gone after {lasted}"
            new.append(_release(incident, rule, at=end, reason=reason))
    held = _holds((*decisions, *new))
    going = any(end is None for _, end, _, _ in spans)
    if held and held[-1].kind is DecisionKind.HOLD and not going:
        # The cause was mended in place, or was never the data's own: nothing is left of the span.
        newest = max((p.as_of for points in history.values() for p in points), default=held[-1].at)
        at = max(newest, held[-1].at)
        new.append(_release(held[-1].incident, held[-1].rule, at=at, reason="the cause is gone"))
    return new


def _holds(decisions: Sequence[Decision]) -> list[Decision]:
    """Holds and releases in event time: late data may add an earlier one."""
    found = [d for d in decisions if d.kind in {DecisionKind.HOLD, DecisionKind.RELEASE}]
    return sorted(found, key=lambda decision: decision.at)


def _is_held(decisions: Sequence[Decision], at: datetime) -> bool:
    """Whether a hold from before this time has not been released: its span may have shrunk."""
    held = [d for d in _holds(decisions) if d.at <= at]
    return bool(held) and held[-1].kind is DecisionKind.HOLD


def _release(incident: str, rule: str, *, at: datetime, reason: str) -> Decision:
    return Decision(kind=DecisionKind.RELEASE, at=at, incident=incident, rule=rule, reason=reason)


def _hold_spans(
    guard: Guard, found: Mapping[str, Sequence[Episode]]
) -> list[tuple[datetime, datetime | None, list[str], str]]:
    """Joined spans of event time under hold: start, end (None: still), reasons, first rule."""
    asked: list[Span] = []
    for rule in guard.rules:
        for episode in found[rule.name]:
            if episode.fired is None or guard.mode is not Mode.ENFORCE:
                continue
            if rule.action is Action.HOLD:
                told = f"{rule.name}: {episode.fired.reason}"
                asked.append((episode.fired.as_of, episode.ended, told, rule.name))
            elif rule.action is Action.ROLLBACK:
                asked += _explained_spans(guard, rule, episode, found)
    spans: list[tuple[datetime, datetime | None, list[str], str]] = []
    for start, end, told, name in sorted(asked, key=lambda span: (span[0], span[3])):
        if spans and (spans[-1][1] is None or start <= spans[-1][1]):
            first, last, reasons, rule_name = spans[-1]
            joined = None if last is None or end is None else max(last, end)
            spans[-1] = (first, joined, [*reasons, told], rule_name)
        else:
            spans.append((start, end, [told], name))
    return spans


def _explained_spans(
    guard: Guard, rule: Rule, episode: Episode, found: Mapping[str, Sequence[Episode]]
) -> list[Span]:
    """Spans in which a rule asks for a rollback while the data itself is broken."""
    asked: list[Span] = []
    fired = episode.fired.as_of if episode.fired else episode.latest.as_of
    for other in guard.rules:
        for cause in found[other.name] if other.signal.explains else ():
            start = max(fired, cause.since)
            end = min((e for e in (episode.ended, cause.ended) if e), default=None)
            if end is None or start < end:
                told = f"{rule.name} is explained by {other.name} ({other.signal.layer})"
                asked.append((start, end, told, rule.name))
    return asked


def _unmeasured(guard: Guard, history: History, decisions: Sequence[Decision]) -> list[Decision]:
    """Tell the owner, once until it speaks again, of a hold rule that cannot be measured.

    Its check blocks what follows in the run, as one that fails would; nothing else is held.
    """
    new = []
    told = {(d.rule, d.at) for d in decisions if d.kind is DecisionKind.ESCALATE}
    for rule in guard.rules:
        if _effective(guard, rule) is not Action.HOLD or not rule.signal.judges_data:
            continue
        failing: set[str] = set()
        for point in in_order(history.get(rule.name, ())):
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


def _patience(guard: Guard, rule: Rule, points: Sequence[Point]) -> timedelta:
    """How long a rule may say nothing conclusive: longer than it takes to say anything."""
    ends = [point.as_of for point in in_order(points)]
    gaps = sorted(later - earlier for earlier, later in pairwise(ends[-RECENT:]) if later > earlier)
    usual = gaps[len(gaps) // 2] * 1.5 if len(gaps) >= FEWEST_GAPS else ZERO
    patience = max(guard.silence, usual)
    if last_conclusive(points) is None and isinstance(rule.signal, DeltaSignal):
        patience += rule.signal.window  # Its first window has to fill.
    return patience + _first_days(rule, points)


def _first_days(rule: Rule, points: Sequence[Point]) -> timedelta:
    """How long a new champion's own first days are, with which a rule compares; else 0."""
    signal = rule.signal
    if not isinstance(signal, TalliedSignal) or signal.baseline is None or not points:
        return ZERO
    champion = in_order(points)[-1].subject
    told = last_conclusive(point for point in points if point.subject == champion)
    return ZERO if champion is None or told else signal.baseline


def _silence(
    guard: Guard,
    found: Mapping[str, Sequence[Episode]],
    history: History,
    decisions: Sequence[Decision],
    now: datetime,
) -> list[Decision]:
    """Escalate a rule that has said nothing conclusive for too long; never more than that.

    The time under hold does not count: what is held back has nothing to say.
    """
    spans = [(start, end or now) for start, end, _, _ in _hold_spans(guard, found)]
    new = []
    for rule in guard.rules:
        points = history.get(rule.name, ())
        heard = last_conclusive(points) or min((p.as_of for p in points), default=None)
        if heard is None:
            continue
        held = sum((max(min(end, now) - max(start, heard), ZERO) for start, end in spans), ZERO)
        patience = _patience(guard, rule, points)
        if now - heard - held < patience:
            continue
        told = any(
            d.kind is DecisionKind.ESCALATE and d.rule == rule.name and d.at > heard
            for d in decisions
        )
        if not told:
            new.append(
                Decision(
                    kind=DecisionKind.ESCALATE,
                    at=heard + held + patience,
                    incident=incident_id(guard.name, rule.name, heard),
                    rule=rule.name,
                    reason=(
                        f"{rule.name}: nothing conclusive since {heard:%Y-%m-%d %H:%M} UTC"
                        f"{_last_word(points, heard)}."
                        f" {guard.owner_of(rule)}: find out why it is silent"
                    ),
                )
            )
    return new


def _last_word(points: Sequence[Point], heard: datetime) -> str:
    """What a rule has said since it was last conclusive."""
    newest = in_order(points)[-1]
    said = first_paragraph(newest.reason)
    return f" ({newest.verdict}: {said})" if newest.as_of > heard and said else ""


def _told(rule: Rule, episode: Episode, point: Point) -> str:
    return f"{rule.name}: {point.reason}, since {episode.since:%Y-%m-%d %H:%M} UTC"


def _evidence(episode: Episode, point: Point) -> dict[str, str | float | int | None]:
    return {
        "value": point.value,
        "limit": point.limit,
        "n": point.n,
        "since": episode.since.isoformat(),
        "champion": point.subject,
    }
