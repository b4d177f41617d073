"""Which guards a tick looks at, and that leaving the others alone changes no decision."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.adapters.dagster.history import newest_event, news_since
from aiguard_dagster.core.decide import decided, situation
from aiguard_dagster.core.decide.attention import horizon, is_calm, next_look, reaches_back
from aiguard_dagster.core.spec import Guard
from aiguard_dagster.core.verdicts import Verdict
from aiguard_dagster.orchestration import agenda as agendas
from aiguard_dagster.orchestration import ticks
from aiguard_dagster.orchestration.agenda import ANYWAY, Agenda
from tests.core.test_decide import (
    BREACH,
    DAY,
    GUARD,
    OK,
    START,
    at_once,
    end_of,
    histories,
    points,
    until,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
OTHER = GUARD.model_copy(update={"name": "h"})


def after(agenda: Agenda, *, seconds: float) -> Agenda:
    """What the next tick makes of a cursor."""
    return Agenda.from_cursor(agenda.to_cursor(), now=agenda.now + seconds * SECOND)


def looked(**more) -> Agenda:
    agenda = Agenda(read=7, now=NOW)
    agenda.looked_at(GUARD, **more)
    return agenda


@pytest.mark.parametrize("cursor", [None, "", "{", "[]", "{}", '{"g": "abc"}', '{"read": null}'])
def test_without_a_cursor_that_can_be_read_every_guard_is_due(cursor):
    agenda = Agenda.from_cursor(cursor, now=NOW)
    assert agenda.read is None
    assert agenda.is_due(GUARD)


def test_a_guard_that_was_looked_at_is_due_when_its_time_has_come_and_every_hour_anyway():
    agenda = looked(due=NOW + 60 * SECOND, calm=True, note="n")
    soon = after(agenda, seconds=59)
    assert (soon.read, soon.is_due(GUARD), soon.is_calm(GUARD)) == (7, False, True)
    assert soon.note(GUARD) == "n"
    assert after(agenda, seconds=60).is_due(GUARD)
    assert not after(looked(), seconds=ANYWAY.total_seconds() - 1).is_due(GUARD)
    assert after(looked(), seconds=ANYWAY.total_seconds()).is_due(GUARD)


def test_a_clock_that_was_set_back_keeps_no_guard_from_being_looked_at():
    assert after(looked(), seconds=-600).is_due(GUARD)


def test_a_guard_that_was_changed_is_new():
    changed = GUARD.model_copy(update={"cooldown": 9 * DAY})
    agenda = after(looked(note="n"), seconds=1)
    assert agenda.is_due(changed)
    assert agenda.note(changed) == ""


def test_guards_that_waited_longest_come_first_and_those_put_off_stay_due():
    agenda = looked()
    agenda.put_off(OTHER)
    later = after(agenda, seconds=5)
    assert later.is_due(OTHER)
    assert [g.name for g in later.oldest_first([GUARD, OTHER])] == ["h", "g"]
    later.failed(OTHER)
    assert [g.name for g in later.oldest_first([OTHER, GUARD])] == ["g", "h"]
    later.keep([GUARD])
    assert set(later.entries) == {"g"}


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_news_are_read_once_and_in_pages(instance):
    asset, check = dg.AssetKey(["a", "b"]), dg.AssetCheckKey(dg.AssetKey(["a", "b"]), "c")
    assert newest_event(instance) == 0
    assert news_since(instance, 0).read == 0
    instance.report_runless_asset_event(dg.AssetMaterialization(asset))
    for passed in (True, False):
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(asset_key=asset, check_name="c", passed=passed)
        )
    instance.report_runless_asset_event(dg.AssetObservation(dg.AssetKey("x")))
    news = news_since(instance, 0)
    assert news.assets == {asset, dg.AssetKey("x")}
    assert news.passed == news.failed == {check}
    assert news.read == newest_event(instance)
    assert news_since(instance, news.read) == type(news)(read=news.read)
    first = news_since(instance, 0, most=2)
    assert (first.passed, first.failed) == ({check}, frozenset())
    assert news_since(instance, first.read).failed == {check}


@given(histories)
def test_on_a_calm_guard_further_ok_verdicts_decide_nothing(known):
    now = end_of(known)
    seen = situation(GUARD, known, at_once(known), now=now)
    if not is_calm(seen):
        return
    more = {
        name: [*found, *points(name, [None] * ((now - START).days + 1) + [OK])]
        for name, found in known.items()
    }
    assert decided(situation(GUARD, more, seen.decisions, now=now)) == ()


@given(histories)
def test_without_new_verdicts_nothing_is_decided_before_the_time_that_was_told(known):
    now = end_of(known)
    seen = situation(GUARD, known, at_once(known), now=now)
    due = next_look(seen)
    for days in range(40):
        later = now + days * DAY
        found = decided(situation(GUARD, known, seen.decisions, now=later))
        if due is None or later < due:
            assert found == ()


@given(histories, st.integers(1, 20))
def test_what_is_older_than_what_matters_changes_no_decision(known, days):
    """Long after a history that ended well, the newest verdicts alone decide the same."""
    span = horizon(GUARD)
    start = (end_of(known) - START).days + 1
    calm = span.days + 2
    whole = {
        name: [*found, *points(name, [None] * start + [OK] * calm + [BREACH] * days)]
        for name, found in known.items()
    }
    now = end_of(whole)
    earlier = at_once(until(whole, START + (start + calm - 1) * DAY))
    cut = {}
    for name, found in whole.items():
        newest = sorted(found, key=lambda p: p.as_of, reverse=True)
        count = next(n for n in range(1, len(newest) + 1) if enough(newest[:n], span))
        cut[name] = newest[:count]
    assert decided(situation(GUARD, cut, earlier, now=now)) == decided(
        situation(GUARD, whole, earlier, now=now)
    )


def enough(read, span):
    """Of verdicts that were written as soon as they could be, the newest first."""
    return reaches_back(read, read[-1].as_of, span=span)


def test_a_breach_is_never_cut_in_two():
    span = 5 * DAY
    found = points("mae", [OK, BREACH, BREACH, *[OK] * 9])
    newest = found[::-1]
    assert not enough(newest[:6], span)
    assert enough(newest[:7], span)
    lasting = points("mae", [OK, *[BREACH] * 20])[::-1]
    assert not enough(lasting[:20], span)
    assert enough(lasting, span)
    assert not reaches_back([], START, span=span)


def test_what_a_backfill_has_written_lately_hides_nothing_from_before():
    old = points("mae", [OK] * 60)[::-1]
    assert enough(old, 5 * DAY)
    assert not reaches_back(old, old[0].as_of + DAY, span=5 * DAY)


def test_silence_alone_and_series_apart_are_never_enough():
    silent = points("mae", [Verdict.INCONCLUSIVE] * 60)[::-1]
    assert not enough(silent, 5 * DAY)
    apart = [replace(point, series="north") for point in points("mae", [OK] * 60)[::-1]]
    assert not enough(apart, 5 * DAY)


def test_the_time_that_matters_covers_windows_graces_and_recoveries():
    assert horizon(GUARD) == 2 * (3 * DAY + 2 * DAY) + 14 * DAY
    assert isinstance(GUARD, Guard)


def test_a_guard_that_fails_slowly_does_not_starve_the_others(monkeypatch):
    monkeypatch.setattr(agendas, "PATIENCE_S", 0)
    guards = [GUARD.model_copy(update={"name": name}) for name in "abc"]
    looked, cursor = [], None

    def look(guard):
        looked.append(guard.name)
        if guard.name == "a":
            raise TimeoutError
        agenda.looked_at(guard)

    for number in range(3):
        agenda = Agenda.from_cursor(cursor, now=NOW + number * 30 * SECOND)
        with dg.build_sensor_context() as context:
            ticks.for_each_guard(context, agenda, guards, look)
        cursor = agenda.to_cursor()
    assert sorted(looked) == ["a", "b", "c"]


def test_a_tick_in_which_every_guard_fails_has_failed():
    def look(guard):
        raise TimeoutError(guard.name)

    with dg.build_sensor_context() as context, pytest.raises(dg.Failure, match="TimeoutError"):
        ticks.for_each_guard(context, Agenda(read=0, now=NOW), [GUARD, OTHER], look)
