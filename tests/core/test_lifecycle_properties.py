"""What must hold of every history of verdicts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.decide import decide
from aiguard_dagster.core.decisions import Decision, DecisionKind, phase
from aiguard_dagster.core.lifecycle import Patience, Phase, Point, episodes, in_order
from aiguard_dagster.core.spec import Guard, Mode
from aiguard_dagster.core.verdicts import Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
GUARD = Guard.model_validate(
    {
        "name": "g",
        "owner": "team:g",
        "mode": "enforce",
        "model": {"name": "m"},
        "tables": {
            "features": {"asset": "f", "time": "at"},
            "predictions": {"asset": "p", "time": "at", "prediction": "said", "label": "was"},
        },
        "rules": [
            {
                "name": "fresh",
                "signal": {"kind": "freshness", "table": "features", "max_age": "2h"},
                "action": "hold",
            },
            {
                "name": "drift",
                "signal": {"kind": "drift", "table": "features", "window": "3d"},
                "limit": 0.2,
                "grace": "2d",
                "action": "notify",
            },
            {
                "name": "error",
                "signal": {"kind": "performance", "metric": "mae", "window": "2d"},
                "limit": {"above_baseline": "50%"},
                "grace": "3d",
                "action": "rollback",
            },
        ],
    }
)
LOUD = (Verdict.OK, Verdict.BREACH)
QUIET = (Verdict.INCONCLUSIVE, Verdict.ERROR)


def points(verdicts, *, window=1):
    return [
        Point(
            as_of=START + number * DAY,
            start=START + (number - window) * DAY,
            verdict=verdict,
            reason=verdict.value,
        )
        for number, verdict in enumerate(verdicts)
        if verdict is not None
    ]


any_verdicts = st.lists(st.sampled_from([*Verdict, None]), max_size=30)
histories = st.fixed_dictionaries({rule.name: any_verdicts.map(points) for rule in GUARD.rules})
graces = st.integers(0, 6).map(lambda days: days * DAY)


def end_of(history):
    return max((p.as_of for ps in history.values() for p in ps), default=START)


def outcome(request, kind):
    return replace(request, kind=kind)


@given(any_verdicts, graces, st.data())
def test_silence_neither_opens_nor_closes_nor_hastens_a_breach(verdicts, grace, data):
    loud = [v if v in LOUD else None for v in verdicts]
    quiet = [v or data.draw(st.sampled_from([*QUIET, None])) for v in loud]
    without = episodes(points(loud), Patience(grace=grace))
    with_silence = episodes(points(quiet), Patience(grace=grace))
    assert [(e.since, e.ended) for e in with_silence] == [(e.since, e.ended) for e in without]
    for before, after in zip(without, with_silence, strict=True):
        if after.fired:
            assert before.fired
            assert before.fired.as_of <= after.fired.as_of


@given(histories, st.randoms())
def test_the_order_of_arrival_never_matters(history, random):
    shuffled = {name: random.sample(found, len(found)) for name, found in history.items()}
    now = end_of(history)
    assert decide(GUARD, history, (), now=now) == decide(GUARD, shuffled, (), now=now)


@given(histories)
def test_what_was_decided_is_not_decided_again(history):
    now = end_of(history) + 30 * DAY
    decided = decide(GUARD, history, (), now=now)
    assert decide(GUARD, history, decided, now=now) == ()


def live(history, ending):
    """Day after day: only what has been seen so far, every request ends in ``ending``."""
    decisions: list[Decision] = []
    for day in sorted({p.as_of for ps in history.values() for p in ps}):
        seen = {name: [p for p in ps if p.as_of <= day] for name, ps in history.items()}
        for decision in decide(GUARD, seen, decisions, now=day):
            decisions.append(decision)
            if decision.kind is DecisionKind.REQUEST:
                decisions.append(outcome(decision, ending))
    return decisions


def told(decisions, *kinds):
    return sorted((d.at, d.kind, d.rule) for d in decisions if d.kind in kinds)


@given(histories)
def test_a_backfill_notifies_as_living_through_it_would(history):
    at_once = decide(GUARD, history, (), now=end_of(history))
    lived = live(history, DecisionKind.REFUSE)
    assert told(at_once, DecisionKind.NOTIFY) == told(lived, DecisionKind.NOTIFY)


@given(histories)
def test_a_backfill_holds_and_releases_for_broken_data_as_living_through_it_would(history):
    data_only = {**history, "error": []}
    at_once = decide(GUARD, data_only, (), now=end_of(history))
    lived = live(data_only, DecisionKind.REFUSE)
    kinds = (DecisionKind.HOLD, DecisionKind.RELEASE)
    assert [(at, kind) for at, kind, _ in told(at_once, *kinds)] == [
        (at, kind) for at, kind, _ in told(lived, *kinds)
    ]


@given(histories)
def test_a_rollback_is_requested_only_while_the_breach_lasts_and_never_within_the_cooldown(history):
    lived = live(history, DecisionKind.REFUSE)
    requests = [d for d in lived if d.kind is DecisionKind.REQUEST]
    verdict_at = {p.as_of: p.verdict for p in history["error"]}
    assert all(verdict_at[d.at] is Verdict.BREACH for d in requests)
    by_incident: dict[str, list[datetime]] = {}
    for request in requests:
        by_incident.setdefault(request.incident, []).append(request.at)
    for times in by_incident.values():
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(gap >= GUARD.cooldown for gap in gaps)


@given(histories)
def test_broken_data_in_the_window_keeps_a_rollback_from_being_asked_for(history):
    broken = {p.as_of for p in history["fresh"] if p.verdict is Verdict.BREACH}
    for request in live(history, DecisionKind.REFUSE):
        if request.kind is DecisionKind.REQUEST:
            (point,) = [p for p in history["error"] if p.as_of == request.at]
            assert not any(point.start < as_of <= point.as_of for as_of in broken)


@given(histories)
def test_there_is_no_state_without_a_way_out(history):
    end = end_of(history)
    calm = {
        name: [
            *found,
            *(
                Point(as_of=end + n * DAY, start=end + (n - 1) * DAY, verdict=Verdict.OK)
                for n in (1, 2)
            ),
        ]
        for name, found in history.items()
    }
    lived = live(calm, DecisionKind.REFUSE)
    for rule in GUARD.rules:
        found = episodes(calm[rule.name], Patience(grace=rule.grace))
        newest = in_order(calm[rule.name])[-1].as_of
        assert phase(found, newest, rule.name, lived) is Phase.OK
    holds = [d for d in lived if d.kind is DecisionKind.HOLD]
    releases = [d for d in lived if d.kind is DecisionKind.RELEASE]
    assert len(holds) == len(releases)


@given(histories)
def test_a_guard_that_observes_only_tells(history):
    guard = GUARD.model_copy(update={"mode": Mode.OBSERVE})
    kinds = {d.kind for d in decide(guard, history, (), now=end_of(history))}
    assert kinds <= {DecisionKind.NOTIFY, DecisionKind.ESCALATE, DecisionKind.RESOLVE}
