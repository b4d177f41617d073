"""What an owner is told of a decision: what, how much, since when, who decides, by when.

| heading | decisions |
|---|---|
| opened | ``notify``; the first ``request`` of a breach |
| acted | ``rollback``, ``hold``, ``release`` |
| refused | ``reject``, ``superseded``; ``refuse`` of what a person asked, or that ends in a hold |
| waiting | ``propose`` |
| escalated | ``escalate``, ``structural``, ``failed``; ``expire`` when nothing follows from it; |
| | the guard's own ``refuse``, for the breach lasts |
| resolved | ``resolve`` |

Nobody hears of an ``approve``, nor of an ``expire`` that leads to an action: the action is told.
Nor of a ``lift``, which a person did who knows of it, nor of what follows a rollback as it should:
``repredict`` and ``confirm``; where they do not, there is an ``escalate``.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from aiguard_dagster.core.decisions import GUARD, Decision, DecisionKind
from aiguard_dagster.core.spec import Action, Guard
from aiguard_dagster.core.words import figure, first_paragraph

Told = tuple["Heading", str, list[str]]
LONGEST_TITLE, LONGEST_REASON, LONGEST_BODY = 120, 600, 1_200


class Heading(StrEnum):
    """What kind of news a message brings; the module's table says what comes under it."""

    OPENED = "opened"
    ACTED = "acted"
    REFUSED = "refused"
    WAITING = "waiting"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent, in plain text.

    Attributes:
        heading: The kind of news.
        title: One line, which begins with the heading.
        body: A few sentences, one a line.
    """

    heading: Heading
    title: str
    body: str


def message_of(decision: Decision, guard: Guard) -> Message | None:
    """The message of one decision; None where nobody needs to hear of it."""
    found = _told(decision, guard)
    if found is None:
        return None
    heading, what, lines = found
    body = "\n".join([*lines, f"Incident {decision.incident}"])
    return Message(
        heading=heading,
        title=_cut(" ".join(f"{heading.capitalize()}: {guard.name}{what}".split()), LONGEST_TITLE),
        body=_cut(body, LONGEST_BODY),
    )


def owner_of(decision: Decision, guard: Guard) -> str:
    """Who hears of a decision: the owner of its rule, or of the guard."""
    rule = next((rule for rule in guard.rules if rule.name == decision.rule), None)
    return guard.owner_of(rule) if rule else guard.owner


def told_late(message: Message, written: datetime) -> Message:
    """The same message, with when it was written."""
    return replace(message, body=f"{message.body}\nTold late: decided {moment(written)}.")


def moment(at: datetime) -> str:
    """A time as messages write it.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 1, 2, 4, tzinfo=UTC))
    '2026-01-02 04:00 UTC'
    """
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _told(decision: Decision, guard: Guard) -> Told | None:
    """Heading, the rest of the title, and the lines of the body."""
    kind = decision.kind
    owner, reason = owner_of(decision, guard), _sentence(decision.reason)
    about = f", {decision.rule}" if decision.rule else ""
    match kind:
        case DecisionKind.NOTIFY | DecisionKind.REQUEST:
            return _opened(decision, owner, about, reason)
        case DecisionKind.ROLLBACK | DecisionKind.HOLD | DecisionKind.RELEASE:
            return _acted(decision, owner, reason)
        case DecisionKind.REFUSE | DecisionKind.REJECT | DecisionKind.SUPERSEDED:
            return _refused(decision, owner, about, reason)
        case DecisionKind.PROPOSE:
            return _waiting(decision, guard, about, reason)
        case DecisionKind.EXPIRE if decision.evidence.get("otherwise") != Action.NOTIFY:
            return None
        case (
            DecisionKind.EXPIRE
            | DecisionKind.FAILED
            | DecisionKind.STRUCTURAL
            | DecisionKind.ESCALATE
        ):
            return _escalated(decision, owner, about, reason)
        case DecisionKind.RESOLVE:
            return Heading.RESOLVED, about, [reason]
        case (
            DecisionKind.APPROVE | DecisionKind.LIFT | DecisionKind.REPREDICT | DecisionKind.CONFIRM
        ):
            return None  # What goes as it should, or a person did who knows of it.
        case _:
            assert_never(kind)


def _escalated(decision: Decision, owner: str, about: str, reason: str) -> Told:
    """What the guard cannot settle by itself."""
    lines = [reason]
    if decision.kind is DecisionKind.EXPIRE:
        lines.append(f"The breach lasts; {owner} decides.")
    short = decision.reason.removeprefix(f"{decision.rule}: ").partition(". ")[0]
    what = STUCK.get(decision.kind) or f": {_sentence(short).rstrip('.')}"
    return Heading.ESCALATED, f"{about}{what}", lines


STUCK = {
    DecisionKind.EXPIRE: ", nobody answered",
    DecisionKind.FAILED: ", the rollback failed",
    DecisionKind.STRUCTURAL: ", no version has helped",
}


def _opened(decision: Decision, owner: str, about: str, reason: str) -> Told | None:
    """A breach, and what the guard does about it."""
    evidence = decision.evidence
    title, lines = f"{_version(decision)}{about}{_crossing(decision)}", [reason]
    if decision.kind is DecisionKind.REQUEST:
        if decision.actor != GUARD or evidence.get("attempt") != 1:
            return None  # Its outcome follows, and tells the same.
        then = f"then asks {owner}" if evidence.get("ask") else "and puts it back if so"
        lines.append(f"The guard checks whether an earlier version does better, {then}.")
    return Heading.OPENED, title, lines


def _acted(decision: Decision, owner: str, reason: str) -> Told:
    """What was done, and until when it lasts."""
    lines, since = [*_by(decision), reason], f"from {moment(decision.at)} on"
    if decision.kind is DecisionKind.HOLD:
        until = f"until the cause is gone, or {owner} releases them"
        lines.append(f"Predictions are held back {since}, {until}.")
        return Heading.ACTED, ", predictions held back", lines
    if decision.kind is DecisionKind.RELEASE:
        lines.append(f"Predictions flow again {since}.")
        return Heading.ACTED, ", predictions released", lines
    evidence = decision.evidence
    lines.append(f"v{evidence.get('champion')} is in quarantine until a person lifts it.")
    if "told" in evidence:
        lines.append(f"Telling the service: {evidence['told']}.")
    return Heading.ACTED, f"{_version(decision)} → v{evidence.get('candidate')}", lines


def _refused(decision: Decision, owner: str, about: str, reason: str) -> Told:
    """What was not done, and who decides now."""
    if decision.kind is DecisionKind.REJECT:
        return Heading.REFUSED, f"{about}: {decision.actor} said no", [reason]
    lines = [*_by(decision), reason]
    if decision.kind is DecisionKind.SUPERSEDED:
        return Heading.REFUSED, f"{about}, nothing was done", lines
    held = decision.evidence.get("then") == Action.HOLD
    then = "The predictions are held back instead." if held else f"{owner} decides."
    version = _version(decision)
    stays = f" stays on{version}" if version else ""
    lasts = decision.kind is DecisionKind.REFUSE and decision.actor == GUARD and not held
    heading = Heading.ESCALATED if lasts else Heading.REFUSED
    return heading, f"{stays}{about}", [*lines, f"Nothing was moved. {then}"]


def _waiting(decision: Decision, guard: Guard, about: str, reason: str) -> Told:
    """What is proposed, who decides by when, and what happens otherwise."""
    evidence = decision.evidence
    candidate, back = evidence.get("candidate"), evidence.get("action") == Action.ROLLBACK
    otherwise = guard.decide.otherwise
    if otherwise is Action.ROLLBACK and not back:
        otherwise = Action.HOLD
    match otherwise:
        case Action.NOTIFY:
            then = "nothing is done"
        case Action.HOLD:
            then = "the predictions are held back"
        case Action.ROLLBACK:
            then = f"rollback to v{candidate}"
    what = f"roll back{_version(decision)} to v{candidate}?" if back else "hold predictions back?"
    by = moment(datetime.fromisoformat(str(evidence.get("deadline", decision.at.isoformat()))))
    line = f"{owner_of(decision, guard)} decides by {by}, otherwise {then}."
    how = f"aiguard approve {decision.incident} --by NAME --why REASON"
    answer = f"Answer by Dagster's job {guard.name}_answer, or with: {how} (or reject)"
    return Heading.WAITING, f"{about}: {what} By {by}", [line, reason, answer]


def _by(decision: Decision) -> list[str]:
    """Who asked for it, where that was a person."""
    person = " ".join(decision.actor.split())
    return [] if person == GUARD else [f"Asked for by {person}."]


def _version(decision: Decision) -> str:
    """The champion that a decision is about, where it is about one."""
    champion = decision.evidence.get("champion")
    return f" v{champion}" if champion else ""


def _crossing(decision: Decision) -> str:
    """The value and the limit, where both are known."""
    value, limit = decision.evidence.get("value"), decision.evidence.get("limit")
    if not isinstance(value, int | float) or not isinstance(limit, int | float):
        return ""
    return f" {figure(value)} {'>' if value > limit else '<'} {figure(limit)}"


def _sentence(text: str) -> str:
    """A reason on one line, without its hint, and with one full stop."""
    said = _cut(" ".join(first_paragraph(text).split()), LONGEST_REASON)
    return said if said.endswith(("?", "!")) else f"{said}."


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"
