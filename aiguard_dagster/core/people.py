"""What people decide about a guard from outside: answers to proposals, and releases of holds. Pure.

Nobody's name is proved here: whoever can write to Dagster's storage can write in any name.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from aiguard_dagster.core.champions import UNKNOWN
from aiguard_dagster.core.decide.holds import hold_marks
from aiguard_dagster.core.decisions import GUARD, Decision, DecisionKind, proposal_id, proposals
from aiguard_dagster.core.errors import ActionError
from aiguard_dagster.core.words import did_you_mean, with_hint

LONGEST_NAME, LONGEST_REASON = 100, 1_000
ANSWERED, VIA = "answered", "via"
"""Evidence of a person's decision: when on the clock, and which way it came."""


class Answer(StrEnum):
    """What a person can decide: on a proposal, or on predictions that are held back."""

    APPROVE = "approve"
    REJECT = "reject"
    RELEASE = "release"

    @property
    def kind(self) -> DecisionKind:
        """The decision that records it."""
        return DecisionKind(self.value)


def person(by: str, why: str) -> tuple[str, str]:
    """Who decides and why, each on one line.

    Raises:
        ActionError: One of them is missing or too long, or the name is the guard's own.
    """
    who, reason = " ".join(by.split()), " ".join(why.split())
    if not who:
        hint = "give your name; it is recorded with the decision."
        raise ActionError(with_hint("nobody is named who decides", hint))
    if who.lower() in {GUARD, UNKNOWN}:
        raise ActionError(with_hint(f"{who!r} is nobody's name", "give your own."))
    if not reason:
        hint = "say why; it is recorded with the decision."
        raise ActionError(with_hint("no reason is given", hint))
    for what, text, most in (("name", who, LONGEST_NAME), ("reason", reason, LONGEST_REASON)):
        if len(text) > most:
            told = f"the {what} has {len(text):,} characters"
            raise ActionError(with_hint(told, f"at most {most:,} are recorded."))
    return who, reason


def answer_of_text(text: str) -> tuple[Answer, str, str]:
    """The answer, the name and the reason in a tag's text.

    >>> answer_of_text("approve Ann Lee: looked at it")
    (<Answer.APPROVE: 'approve'>, 'Ann Lee', 'looked at it')

    Raises:
        ActionError: It is none: another word, no name, or no reason.
    """
    head, _, why = text.partition(":")
    word, _, who = " ".join(head.split()).partition(" ")
    if word.lower() not in {Answer.APPROVE, Answer.REJECT}:
        hint = "write 'approve NAME: REASON' or 'reject NAME: REASON'."
        raise ActionError(with_hint("it begins with neither approve nor reject", hint))
    return Answer(word.lower()), *person(who, why)


def open_proposals(decisions: Iterable[Decision]) -> list[Decision]:
    """The proposals that wait for an answer, oldest first."""
    return [proposal for proposal, answer in proposals(decisions).values() if answer is None]


def answer_to(
    guard: str,
    decisions: Sequence[Decision],
    answer: Answer,
    *,
    by: str,
    why: str,
    now: datetime,
    via: str,
    incident: str = "",
    rule: str = "",
) -> Decision:
    """The decision with which a person answers a proposal.

    Args:
        guard: The guard's name.
        decisions: All of its decisions so far, in the order in which they were written.
        answer: ``approve`` or ``reject``.
        by: Who answers.
        why: For what reason.
        now: The time of the wall.
        via: Which way the answer came.
        incident: The incident whose proposal is meant; the only one that waits when left out.
        rule: The rule whose proposal is meant, where several of the incident wait.

    Raises:
        ActionError: No such incident, nothing waits there, several do, or it is answered already.
    """
    who, reason = person(by, why)
    proposal = _meant(guard, decisions, incident, rule)
    return Decision(
        kind=answer.kind,
        at=proposal.at,
        incident=proposal.incident,
        rule=proposal.rule,
        reason=reason,
        actor=who,
        evidence={ANSWERED: now.isoformat(), VIA: via},
    )


def release_of(
    guard: str,
    decisions: Sequence[Decision],
    *,
    by: str,
    why: str,
    now: datetime,
    via: str,
    newest: datetime | None = None,
    incident: str = "",
) -> Decision:
    """The decision with which a person lets go of predictions that are held back.

    Args:
        guard: The guard's name.
        decisions: All of its decisions so far.
        by: Who decides.
        why: For what reason.
        now: The time of the wall.
        via: Which way the decision came.
        newest: The newest event time that a rule has spoken for: the hold ends there.
        incident: The incident of the hold; whichever it is when left out.

    Raises:
        ActionError: Nothing is held back, or not by this incident.
    """
    who, reason = person(by, why)
    marks = hold_marks(tuple(decisions))
    held = marks[-1] if marks and marks[-1].kind is DecisionKind.HOLD else None
    if held is None:
        before = f": {told_of(marks[-1])}" if marks else ", and nothing ever was"
        hint = f"aiguard incidents shows what waits for whom in {guard}."
        raise ActionError(with_hint(f"{guard}: nothing is held back{before}", hint))
    if incident not in {"", held.incident}:
        what = f"{guard}: predictions are held back by {held.incident}, not by {incident}"
        raise ActionError(with_hint(what, "name that one, or none."))
    return Decision(
        kind=DecisionKind.RELEASE,
        at=max(newest or held.at, held.at),
        incident=held.incident,
        rule=held.rule,
        reason=reason,
        actor=who,
        evidence={ANSWERED: now.isoformat(), VIA: via},
    )


def counted_instead(decisions: Sequence[Decision], mine: Decision) -> Decision | None:
    """What was written first on the same matter, and so counts in place of this; None where it is.

    Args:
        decisions: All decisions, in the order in which they were written, this one among them.
        mine: A person's answer or release.
    """
    if mine.kind is DecisionKind.RELEASE:
        first = _first_release(decisions, mine)
    else:
        _, first = proposals(decisions).get(proposal_id(mine), (None, None))
    return first if first is not None and first != mine else None


def told_of(decision: Decision) -> str:
    """Who decided what, when and why, as one says it."""
    verbs = {
        DecisionKind.APPROVE: "approved it",
        DecisionKind.REJECT: "rejected it",
        DecisionKind.RELEASE: "released it",
    }
    if decision.actor == GUARD or decision.kind not in verbs:
        return f"{decision.reason} ({decision.kind}, {decision.at:%Y-%m-%d %H:%M} UTC)"
    when = datetime.fromisoformat(str(decision.evidence.get(ANSWERED, decision.at.isoformat())))
    verb = verbs[decision.kind]
    return f"{decision.actor} {verb} at {when:%Y-%m-%d %H:%M} UTC: {decision.reason}"


def _meant(guard: str, decisions: Sequence[Decision], incident: str, rule: str) -> Decision:
    """The one proposal that an answer is for."""
    known = proposals(decisions)
    of_incident = {
        key: pair
        for key, pair in known.items()
        if incident in {"", pair[0].incident} and rule in {"", pair[0].rule}
    }
    waiting = [proposal for proposal, answer in of_incident.values() if answer is None]
    if len(waiting) == 1:
        return waiting[0]
    if waiting:
        what = f"{incident or guard}: {len(waiting)} proposals wait for an answer"
        raise ActionError(with_hint(what, f"name the rule, or the incident: {_listed(waiting)}"))
    everything = open_proposals(decisions)
    hint = f"what waits: {_listed(everything)}" if everything else "nothing of this guard waits."
    if not incident:
        rest = f" of {rule}" if rule else ""
        said = [d for d in decisions if d.kind in {DecisionKind.APPROVE, DecisionKind.REJECT}]
        if said and not everything:
            hint = f"the last answer was to {said[-1].incident}: {told_of(said[-1])}."
        raise ActionError(with_hint(f"{guard}: nothing{rest} waits for an answer", hint))
    ids = sorted({decision.incident for decision in decisions})
    if incident not in ids:
        hint = did_you_mean(incident, [proposal.incident for proposal in everything], hint)
        raise ActionError(with_hint(f"{guard}: there is no incident {incident!r}", hint))
    closed = [answer for _, answer in of_incident.values() if answer is not None]
    if closed:
        what = f"{incident}: answered already. {told_of(closed[-1])}"
        hint = "the first answer counts."
        if closed[-1].kind is not DecisionKind.APPROVE:
            hint += f" To roll back all the same, run the job {guard}_rollback."
        raise ActionError(with_hint(what, hint))
    raise ActionError(with_hint(f"{incident}: nothing waits for an answer", hint))


def _listed(waiting: Sequence[Decision]) -> str:
    return "; ".join(f"{each.incident} ({each.rule}: {proposed(each)})" for each in waiting) + "."


def proposed(proposal: Decision) -> str:
    """What a proposal asks for.

    Examples are ``hold`` and ``rollback from v2 to v1``.
    """
    evidence = proposal.evidence
    places = [
        f" {word} v{evidence[key]}"
        for word, key in (("from", "champion"), ("to", "candidate"))
        if evidence.get("candidate") and evidence.get(key)
    ]
    return f"{evidence.get('action')}{''.join(places)}"


def _first_release(decisions: Sequence[Decision], mine: Decision) -> Decision | None:
    """The first release that was written after the hold that this one ends."""
    first = None
    for decision in decisions:
        if decision.kind is DecisionKind.HOLD and decision.incident == mine.incident:
            first = None
        elif decision.kind is DecisionKind.RELEASE and decision.incident == mine.incident:
            first = first or decision
            if decision == mine:
                break
    return first
