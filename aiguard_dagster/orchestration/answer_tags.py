"""Answers to proposals from tags in MLflow; it is asked only where a proposal is open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aiguard_dagster.adapters.mlflow.client import IN_A_TICK, short_patience
from aiguard_dagster.adapters.mlflow.person_tags import (
    ANSWER,
    answer_keys,
    mark_of,
    marks_of,
    new_answers,
    said,
)
from aiguard_dagster.adapters.mlflow.registry import ModelRegistry
from aiguard_dagster.adapters.mlflow.tags import Version
from aiguard_dagster.core.decisions import Decision, DecisionKind, following
from aiguard_dagster.core.errors import AIGuardError
from aiguard_dagster.core.people import ANSWERED, VIA, answer_of_text, open_proposals
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.words import first_paragraph, shown

TAG, STANDING = "tag", "standing"
"""Evidence: by which tag an answer came, and which tags stood there before the proposal."""


@dataclass
class AnswerTags:
    """The tags as one tick sees them.

    Attributes:
        registry_of: Opens a guard's registry.
        warn: Where to say that MLflow did not answer.
    """

    registry_of: Callable[[Guard], ModelRegistry]
    warn: Callable[[str], None]

    def answers(
        self, guard: Guard, decisions: Sequence[Decision], *, now: datetime
    ) -> list[Decision]:
        """What owners have answered by tag, and what is no answer, each told once."""
        waiting = open_proposals(decisions)
        found: list[Decision] = []
        if not waiting:
            return found
        versions, champion = self._read(guard, waiting)
        for proposal in waiting:
            version = versions.get(_subject(proposal))
            if champion is not None and _subject(proposal) not in {"", champion}:
                found.append(_moot(proposal, champion))
            elif version is not None:
                alone = sum(_subject(other) == _subject(proposal) for other in waiting) == 1
                known = (*decisions, *found)
                found += _answer(proposal, version, known, alone=alone, now=now)
        return found

    def stamped(self, guard: Guard, decided: Sequence[Decision]) -> list[Decision]:
        """New proposals that remember which tags were there before them: those are no answers."""
        new = [d for d in decided if d.kind is DecisionKind.PROPOSE and STANDING not in d.evidence]
        versions, _ = self._read(guard, new) if new else ({}, None)
        stamped = []
        for decision in decided:
            version = versions.get(_subject(decision)) if decision in new else None
            marks = standing(version, decision.rule) if version is not None else {}
            stamped.append(replace(decision, evidence={**decision.evidence, **marks}))
        return stamped

    def _read(
        self, guard: Guard, waiting: Sequence[Decision]
    ) -> tuple[dict[str, Version], str | None]:
        """The versions that proposals are about, and the champion, as far as MLflow answers."""
        if guard.model is None:
            return {}, None
        try:
            with short_patience(IN_A_TICK):
                registry = self.registry_of(guard)
                known = {version.version: version for version in registry.versions()}
                champion = registry.champion()
                wanted = {_subject(p): _subject(p) or champion or "" for p in waiting}
                return {name: known[n] for name, n in wanted.items() if n in known}, champion
        except AIGuardError as error:
            self.warn(f"{guard.name}: tags are not read: {first_paragraph(str(error))}")
            return {}, None


def standing(version: Version, rule: str) -> dict[str, str]:
    """What a proposal remembers of the tags that were there before it."""
    return {STANDING: marks_of(version, rule)}


def _subject(proposal: Decision) -> str:
    """The version that a proposal is about; empty for the champion."""
    return str(proposal.evidence.get("champion") or "")


def _moot(proposal: Decision, champion: str) -> Decision:
    """There is nothing left to decide once the version is no longer in production."""
    reason = f"{proposal.rule}: v{champion} is champion by now, not v{_subject(proposal)}"
    return following(proposal, DecisionKind.SUPERSEDED, reason)


def _answer(
    proposal: Decision,
    version: Version,
    decisions: Sequence[Decision],
    *,
    alone: bool,
    now: datetime,
) -> list[Decision]:
    known = [str(d.evidence[TAG]) for d in decisions if TAG in d.evidence]
    known += str(proposal.evidence.get(STANDING, "")).split(",")
    keys = new_answers(version, proposal.rule, known)
    if not keys:
        return []
    key, text = keys[0], said(version, keys[0])
    where = f"the tag {key} of v{version.version}"
    named, _ = answer_keys(proposal.rule)
    told = Decision(
        kind=DecisionKind.ESCALATE,
        at=proposal.at,
        incident=proposal.incident,
        rule=proposal.rule,
        reason="",
        evidence={TAG: mark_of(version, key), "about": "answer_tag"},
    )
    if key == ANSWER and not alone:
        reason = f"{where} does not say which proposal it answers, and several wait: set {named}"
        return [replace(told, reason=reason)]
    try:
        answer, who, why = answer_of_text(text)
    except AIGuardError as error:
        what = first_paragraph(str(error))
        reason = (
            f"{where} is no answer: {what} in {shown(text)}."
            " Write 'approve NAME: REASON' or 'reject NAME: REASON'"
        )
        return [replace(told, reason=reason)]
    evidence = {TAG: mark_of(version, key), ANSWERED: now.isoformat(), VIA: where}
    return [replace(told, kind=answer.kind, reason=why, actor=who, evidence=evidence)]
