"""A backfill decides what living through the same days decides."""

import pytest

from tests.orchestration.project import (
    BILL,
    COMPLETE,
    DRIFT,
    ERROR,
    FRESH,
    GOOD,
    HALF_EMPTY,
    TURNED,
    Weather,
)

DAYS = range(1, 21)
RULES = (FRESH, COMPLETE, DRIFT, {**ERROR, "action": "notify"}, BILL)
WEATHER = (
    dict.fromkeys(DAYS, GOOD)
    | {5: HALF_EMPTY, 6: HALF_EMPTY}
    | {number: Weather(shift=1000.0, price=0.002) for number in range(9, 13)}
    | {15: Weather(hours=10)}
    | dict.fromkeys(range(17, 21), TURNED)
)
TOLD = {"notify", "hold", "release"}

pytestmark = pytest.mark.slow


def story(project):
    verdicts = {
        rule.name: sorted(
            (p.as_of, p.start, p.verdict, p.value, p.limit, p.n, p.subject, p.reason)
            for p in {p.as_of: p for p in project.points(rule.name)}.values()
        )
        for rule in project.guard.rules
    }
    decisions = {
        (d.kind, d.at, d.rule, d.incident, d.reason, str(sorted(d.evidence.items())))
        for d in project.decisions()
    }
    return verdicts, {decision for decision in decisions if decision[0] in TOLD}


def test_a_backfill_of_twenty_days_tells_what_twenty_live_days_told(new_project):
    live = new_project(rules=RULES)
    live.weather = dict(WEATHER)
    live.live(*DAYS)

    backfilled = new_project(rules=RULES)
    backfilled.weather = dict(WEATHER)
    for number in reversed(DAYS):
        backfilled.materialise(number)
    assert backfilled.points("error") == backfilled.decisions() == []
    backfilled.tick()

    verdicts, decisions = story(live)
    kinds = [decision[0] for decision in decisions]
    assert {kind: kinds.count(kind) for kind in TOLD} == {"notify": 3, "hold": 2, "release": 2}
    assert {verdict[2] for found in verdicts.values() for verdict in found} == {
        "ok",
        "breach",
        "inconclusive",
    }
    assert story(backfilled) == (verdicts, decisions)
