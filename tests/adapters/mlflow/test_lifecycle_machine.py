"""Lifecycle and registry transaction together, in any order of events, against a simple model.

Days bring verdicts; ticks decide; rollback runs start, die at any step and are asked for again;
owners answer, or not; people move the alias and lift quarantines meanwhile.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aiguard_dagster.adapters.mlflow.intents import stored_intents
from aiguard_dagster.adapters.mlflow.rollback import (
    STEPS,
    RollbackIntent,
    RollbackState,
    roll_back,
)
from aiguard_dagster.core.decide import decide
from aiguard_dagster.core.decisions import (
    GUARD,
    Decision,
    DecisionKind,
    open_requests,
    proposals,
    request_id,
)
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.spec import Decide, Mode, Rollback
from aiguard_dagster.core.verdicts import Verdict
from tests.core.test_decide import DAY, START
from tests.core.test_decide import GUARD as ENFORCING

VERSIONS = ("1", "2", "3")
BY_PERSON = "ada"
SOON = {"cooldown": DAY, "initial_delay": timedelta(0), "recovery_window": 30 * DAY}
STEP_NAMES = [f"{when} {step}" for step in STEPS for when in ("before", "after")]


class KilledError(BaseException):
    """The process ends here."""


class Machine(RuleBasedStateMachine):
    """One guard on one model with three versions."""

    workshop = None

    @initialize(
        mode=st.sampled_from([Mode.ENFORCE, Mode.PROPOSE]),
        otherwise=st.sampled_from(["notify", "hold", "rollback"]),
    )
    def begin(self, mode, otherwise):
        policy = {"decide": Decide(within=2 * DAY, otherwise=otherwise)}
        policy["rollback"] = Rollback(at_most=2, per=10 * DAY)
        self.guard = ENFORCING.model_copy(update={"mode": mode, **policy, **SOON})
        self.registry = self.workshop.registry(self.workshop.model(versions=3))
        for number, version in enumerate(VERSIONS):
            at = START - (9 - number) * DAY
            self.registry.promote(version, at=at, by=BY_PERSON, why="release")
        self.champion = "3"
        self.barred: set[str] = set()
        self.day = 0
        self.history: dict[str, list[Point]] = {each.name: [] for each in self.guard.rules}
        self.decisions: list[Decision] = []
        self.moves = 0

    @property
    def now(self):
        return START + self.day * DAY

    @rule(
        model=st.sampled_from([Verdict.BREACH, Verdict.BREACH, Verdict.OK, Verdict.INCONCLUSIVE]),
        data=st.sampled_from([Verdict.OK, Verdict.OK, Verdict.OK, Verdict.BREACH, Verdict.ERROR]),
    )
    def a_day_passes(self, model, data):
        self.day += 1
        for name, verdict, subject in (
            ("fresh", data, None),
            ("mae", model, self.registry.champion()),
        ):
            self.history[name].append(
                Point(
                    as_of=self.now,
                    start=self.now - DAY,
                    verdict=verdict,
                    subject=subject,
                    reason=f"{name} is {verdict}",
                )
            )
        self.tick()

    @rule()
    def tick(self):
        found = decide(self.guard, self.history, self.decisions, now=self.now)
        self.decisions += found
        assert decide(self.guard, self.history, self.decisions, now=self.now) == (), "settles"

    @precondition(lambda self: open_requests(self.decisions))
    @rule(dies=st.none() | st.sampled_from(STEP_NAMES), better=st.booleans())
    def a_rollback_runs(self, dies, better):
        request = open_requests(self.decisions)[0]
        intent_id = request_id(request)
        known = [s.intent for s in self._stored() if s.intent.id == intent_id]
        champion = self.registry.champion()
        if not known:
            if champion != request.evidence["champion"]:
                return self._ends(request, DecisionKind.SUPERSEDED)
            earlier = [r.version for r in reversed(self.registry.reigns())]
            candidate = next(
                (v for v in earlier if v != champion and not self.registry.is_quarantined(v)), None
            )
            if candidate is None or not better:
                return self._ends(request, DecisionKind.REFUSE)
            if request.evidence.get("ask"):
                deadline = (self.now + self.guard.decide.within).isoformat()
                return self._ends(
                    request,
                    DecisionKind.PROPOSE,
                    action="rollback",
                    deadline=deadline,
                    champion=champion,
                    candidate=candidate,
                )
        intent = (
            known[0]
            if known
            else RollbackIntent(
                id=intent_id,
                from_version=champion,
                to_version=candidate,
                reason="bad",
                actor=request.actor,
                run_id="run",
                at=request.at,
            )
        )

        def die(step):
            if step == dies:
                raise KilledError

        before = self.registry.champion()
        try:
            state = roll_back(self.registry, intent, on_step=die)
        except KilledError:
            if before != self.registry.champion():
                self.moves += 1
            return None
        if before != self.registry.champion():
            self.moves += 1
        moved = state is RollbackState.DONE and self.registry.champion() == intent.to_version
        self.champion = self.registry.champion()
        return self._ends(request, DecisionKind.ROLLBACK if moved else DecisionKind.SUPERSEDED)

    def _ends(self, request, kind, **evidence):
        self.decisions.append(replace(request, kind=kind, evidence=evidence))

    def _stored(self):
        return list(stored_intents(self.registry.versions(), self.registry.pointer))

    @precondition(lambda self: any(a is None for _, a in proposals(self.decisions).values()))
    @rule(kind=st.sampled_from([DecisionKind.APPROVE, DecisionKind.REJECT]), twice=st.booleans())
    def an_owner_answers(self, kind, twice):
        asked = next(p for p, a in proposals(self.decisions).values() if a is None)
        for _ in range(1 + twice):
            self.decisions.append(replace(asked, kind=kind, actor=BY_PERSON, reason="I looked"))

    @rule(version=st.sampled_from(VERSIONS))
    def a_person_moves_the_alias(self, version):
        self.registry.point_to(version)

    @rule()
    def the_move_is_seen(self):
        self.registry.observe(now=self.now)

    @rule(version=st.sampled_from(VERSIONS))
    def a_person_lifts_a_quarantine(self, version):
        self.registry.lift_quarantine(version, by=BY_PERSON, why="mended", at=self.now)

    @invariant()
    def each_request_is_ended_once_at_most(self):
        if not hasattr(self, "decisions"):
            return
        asked = [d for d in self.decisions if d.kind is DecisionKind.REQUEST]
        done = [d for d in self.decisions if d.kind is DecisionKind.ROLLBACK]
        for each in done:
            assert sum((d.incident, d.at) == (each.incident, each.at) for d in asked) >= 1
            assert sum((d.incident, d.at) == (each.incident, each.at) for d in done) == 1
        assert len(open_requests(self.decisions)) <= 1

    @invariant()
    def the_guard_never_leaves_a_quarantined_champion_of_its_own(self):
        if not hasattr(self, "decisions"):
            return
        reigns = self.registry.reigns()
        champion = self.registry.champion()
        if reigns[-1].by == GUARD and reigns[-1].version == champion:
            assert not self.registry.is_quarantined(champion)

    @invariant()
    def no_intent_is_lost(self):
        if not hasattr(self, "decisions"):
            return
        for stored in self._stored():
            if stored.state in {RollbackState.INTENT, RollbackState.MOVED}:
                waiting = [request_id(d) for d in open_requests(self.decisions)]
                assert stored.intent.id in waiting

    @invariant()
    def the_guard_acts_by_itself_only_as_often_as_it_may(self):
        if not hasattr(self, "decisions"):
            return
        policy = self.guard.rollback
        mine = [d for d in self.decisions if d.kind is DecisionKind.ROLLBACK and d.actor == GUARD]
        for last in mine:
            near = [d for d in mine if last.at - policy.per < d.at <= last.at]
            assert len(near) <= policy.at_most + (self.guard.mode is Mode.PROPOSE) * 99

    @invariant()
    def nothing_moves_under_propose_without_an_answer(self):
        if not hasattr(self, "decisions") or self.guard.mode is not Mode.PROPOSE:
            return
        for each in self.decisions:
            if each.kind is DecisionKind.ROLLBACK:
                assert any(
                    d.kind in {DecisionKind.APPROVE, DecisionKind.EXPIRE}
                    and (d.incident, d.at) == (each.incident, each.at)
                    for d in self.decisions
                )


@pytest.mark.slow
@pytest.mark.parametrize("pointer", ["alias"])
def test_whatever_happens_in_whatever_order_the_promises_hold(sqlite_workshop, pointer):
    Machine.workshop = sqlite_workshop
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
