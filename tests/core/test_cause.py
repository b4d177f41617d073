"""Which broken data explains a breach further down."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.cause import Trouble, all_suspects, find_suspects
from aiguard_dagster.core.lifecycle import Episode, Point
from aiguard_dagster.core.spec import Layer
from aiguard_dagster.core.verdicts import Verdict
from tests.core.specs import COMPLETE, COST, DRIFT, FRESH, MAE, PANDERA, SCHEMA, guard_of

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DATA = {"fresh": FRESH, "schema": SCHEMA, "pandera": PANDERA, "complete": COMPLETE}
OTHER = {"drift": DRIFT, "mae": MAE, "cost": COST}
GUARD = guard_of(*({"name": name, "signal": signal} for name, signal in (DATA | OTHER).items()))


def breach(since, latest, ended, *, fired=True):
    as_of = START + latest * DAY
    point = Point(as_of=as_of, start=as_of - DAY, verdict=Verdict.BREACH, reason="8h > 2h")
    return Episode(
        since=START + since * DAY,
        latest=point,
        fired=point if fired else None,
        ended=None if ended is None else START + ended * DAY,
    )


def suspects(history, start=10, end=20):
    return find_suspects(GUARD, START + start * DAY, START + end * DAY, history)


@pytest.mark.parametrize("rule", DATA)
def test_every_rule_on_the_data_itself_can_be_the_cause(rule):
    (found,) = suspects({rule: [breach(12, 13, 14)]})
    assert found.name == rule
    assert found.since == START + 12 * DAY
    assert found.reason == "8h > 2h"
    assert not found.ongoing


@pytest.mark.parametrize("rule", OTHER)
def test_a_world_that_changes_a_worse_model_and_a_bill_are_no_cause(rule):
    assert suspects({rule: [breach(12, 13, None)]}) == ()


@pytest.mark.parametrize(
    ("since", "latest", "ended", "explains", "ongoing"),
    [
        (5, 9, 10, False, False),
        (5, 10, 11, False, False),  # The batch that ends where the window starts is outside it.
        (5, 10.5, 11, True, False),
        (20, 20, 21, True, True),
        (12, 13, 20, True, False),
        (20.5, 20.5, 21, False, True),
        (20.5, 20.5, None, True, True),
        (1, 2, None, True, True),  # Not heard of since, and never ended.
    ],
)
def test_a_breach_explains_when_its_batch_is_in_the_window_or_it_still_lasts(
    since, latest, ended, explains, ongoing
):
    found = suspects({"fresh": [breach(since, latest, ended)]})
    assert [suspect.ongoing for suspect in found] == ([ongoing] if explains else [])


def test_a_breach_inside_its_grace_window_explains_too():
    assert suspects({"fresh": [breach(12, 13, None, fired=False)]})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(DATA)),
            st.integers(0, 30),
            st.integers(0, 5),
            st.none() | st.integers(1, 9),
        )
    )
)
def test_suspects_come_oldest_first_whatever_the_order_of_rules(spans):
    history = {}
    for rule, since, lasted, ended in spans:
        end = None if ended is None else since + lasted + ended
        history.setdefault(rule, []).append(breach(since, since + lasted, end))
    found = suspects(history)
    assert [s.since for s in found] == sorted(s.since for s in found)
    ongoing = sum(e.ended is None for found in history.values() for e in found)
    assert sum(s.ongoing for s in found) >= ongoing


def test_no_history_has_no_suspects():
    assert suspects({}) == ()
    assert suspects({"fresh": []}) == ()


# The furthest up is named.

LAYERS = {
    "source": FRESH,
    "pipeline": COMPLETE,
    "features": DRIFT,
    "metadata": {"kind": "metadata", "table": "features"},
    "model": MAE,
    "use": COST,
}
LAYERED = guard_of(*({"name": name, "signal": signal} for name, signal in LAYERS.items()))


def rule_of(name):
    return next(rule for rule in LAYERED.rules if rule.name == name)


def blamed(name, history, troubles=()):
    (newest,) = history[name]
    return [s.name for s in all_suspects(LAYERED, rule_of(name), newest.latest, history, troubles)]


@pytest.mark.parametrize("fault", list(LAYERS))
def test_with_the_fault_in_a_layer_everything_below_it_names_that_layer(fault):
    places = list(LAYERS)
    below = places[places.index(fault) :]
    history = {name: [breach(12, 13, None)] for name in below}
    assert blamed(fault, history) == []
    for name in below[1:]:
        assert blamed(name, history)[0] == fault


@pytest.mark.parametrize("layer", [Layer.SOURCE, Layer.PIPELINE])
@pytest.mark.parametrize("what", ["failed", "late", "stale", "blocked", "breaching"])
def test_an_asset_in_trouble_is_named_before_the_rules_below_it(layer, what):
    history = {name: [breach(12, 13, None)] for name in ("features", "model", "use")}
    trouble = Trouble(asset="raw", layer=layer, since=START + 13 * DAY, reason=what)
    for name in ("features", "model", "use"):
        assert blamed(name, history, [trouble])[0] == "raw"


def test_only_trouble_in_the_window_counts_and_only_some_of_it_excuses_the_model():
    window = START + 10 * DAY, START + 20 * DAY
    late = Trouble(asset="raw", layer=Layer.SOURCE, since=START + 12 * DAY)
    over = replace(late, since=START, until=START + 10 * DAY)
    ahead = replace(late, since=START + 21 * DAY)
    told = replace(late, excuses=False)
    assert [s.name for s in find_suspects(GUARD, *window, {}, [late, over, ahead, told])] == ["raw"]
    history = {"model": [breach(12, 20, None)]}
    assert blamed("model", history, [told]) == ["raw"]
