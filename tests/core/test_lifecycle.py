"""Episodes and the grace window: what holds of any history, and the exact edges."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.lifecycle import Patience, Point, episodes, in_order, last_conclusive
from aiguard_dagster.core.verdicts import Verdict

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
OK, BREACH = Verdict.OK, Verdict.BREACH
QUIET = (Verdict.INCONCLUSIVE, Verdict.ERROR)
GRACES = st.integers(0, 12).map(lambda hours: hours * HOUR)


def point(hour, verdict, *, window=1, subject="1"):
    as_of = START + hour * HOUR
    return Point(as_of=as_of, start=as_of - window * HOUR, verdict=verdict, subject=subject)


def history(verdicts, **more):
    return [point(hour, verdict, **more) for hour, verdict in enumerate(verdicts)]


@st.composite
def any_history(draw):
    """Points with gaps, windows of any length, instants, and champions that change."""
    found, hour, champion = [], 0, 1
    for _ in range(draw(st.integers(0, 25))):
        hour += draw(st.sampled_from([1, 1, 1, 2, 9]))
        champion += draw(st.sampled_from([0, 0, 0, 0, 1]))
        verdict = draw(st.sampled_from([OK, BREACH, BREACH, *QUIET]))
        window = draw(st.sampled_from([0, 1, 3]))
        found.append(point(hour, verdict, window=window, subject=str(champion)))
    return found


def spans(found):
    return [(e.since, e.ended, e.latest.as_of) for e in found]


@given(any_history(), GRACES, st.data())
def test_silence_never_adds_ends_or_removes_an_episode_nor_makes_one_fire_earlier(
    known, grace, data
):
    taken = {p.as_of for p in known}
    silence = []
    for half_hours in data.draw(st.sets(st.integers(1, 200), max_size=12)):
        as_of = START + half_hours * HOUR / 2
        before = [p.subject for p in known if p.as_of < as_of]
        subject = data.draw(st.sampled_from([None, *before[-1:]]))
        verdict = data.draw(st.sampled_from(QUIET))
        if as_of not in taken:
            start = as_of - data.draw(st.sampled_from([0, 1, 3])) * HOUR
            silence.append(Point(as_of=as_of, start=start, verdict=verdict, subject=subject))
    without = episodes(known, Patience(grace=grace))
    within = episodes([*known, *silence], Patience(grace=grace))
    assert spans(within) == spans(without)
    for before, after in zip(without, within, strict=True):
        assert after.lasted <= before.lasted
        if after.fired:
            assert before.fired
            assert before.fired.as_of <= after.fired.as_of


@given(any_history(), GRACES, st.randoms())
def test_the_order_of_arrival_never_changes_an_episode(known, grace, random):
    shuffled = random.sample(known, len(known))
    assert episodes(shuffled, Patience(grace=grace)) == episodes(known, Patience(grace=grace))


@given(any_history(), GRACES)
def test_what_was_judged_as_points_came_in_is_what_a_backfill_judges(known, grace):
    whole = episodes(known, Patience(grace=grace))
    for count in range(len(known) + 1):
        lived = episodes(known[:count], Patience(grace=grace))
        assert len(lived) <= len(whole)
        now = known[count - 1].as_of if count else START
        for seen, final in zip(lived, whole, strict=False):
            assert seen.since == final.since
            assert seen.ended == (final.ended if final.ended and final.ended <= now else None)
            fired = final.fired if final.fired and final.fired.as_of <= now else None
            assert seen.fired == fired


@given(any_history(), GRACES)
def test_each_breach_lies_in_one_episode_and_no_ok_in_any(known, grace):
    found = episodes(known, Patience(grace=grace))
    for p in known:
        covering = [e for e in found if e.covers(p.as_of)]
        if p.verdict is BREACH:
            assert len(covering) == 1
            assert covering[0].latest.subject == p.subject
        if p.verdict is OK:
            assert not covering
    for earlier, later in pairwise(found):
        assert earlier.ended
        assert earlier.latest.as_of < earlier.ended <= later.since


@given(any_history(), GRACES)
def test_breach_time_is_never_more_than_the_time_between_first_and_last_breach(known, grace):
    for episode in episodes(known, Patience(grace=grace)):
        assert timedelta(0) <= episode.lasted <= episode.latest.as_of - episode.since
        assert (episode.fired is not None) == (episode.lasted >= grace)


@given(any_history(), GRACES, GRACES)
def test_more_grace_never_fires_earlier(known, grace, more):
    patient = episodes(known, Patience(grace=grace + more))
    hasty = episodes(known, Patience(grace=grace))
    assert spans(patient) == spans(hasty)
    for late, early in zip(patient, hasty, strict=True):
        assert late.fired is None or (early.fired and early.fired.as_of <= late.fired.as_of)


@pytest.mark.parametrize(
    ("grace", "fired_at"), [(0, 1), (1, 2), (2, 3), (2.999, 4), (3, 4), (3.001, None)]
)
def test_a_rule_fires_at_the_first_breach_that_has_lasted_for_the_grace(grace, fired_at):
    (episode,) = episodes(
        history([OK, BREACH, BREACH, BREACH, BREACH]), Patience(grace=grace * HOUR)
    )
    assert episode.since == START + HOUR
    assert episode.lasted == 3 * HOUR
    assert (episode.fired and episode.fired.as_of) == (
        None if fired_at is None else START + fired_at * HOUR
    )


@pytest.mark.parametrize(("window", "lasted"), [(1, 1), (4, 4), (10, 10), (24, 10), (0, 10)])
def test_a_gap_in_the_data_counts_no_further_back_than_the_next_window_reaches(window, lasted):
    # A window of no length is an instant, which cannot fall short of the one before.
    gap = [point(0, BREACH), point(10, BREACH, window=window)]
    (episode,) = episodes(gap, Patience(grace=100 * HOUR))
    assert episode.lasted == lasted * HOUR


@pytest.mark.parametrize("silent", QUIET)
@pytest.mark.parametrize("window", [0, 1, 9])
def test_the_time_up_to_an_inconclusive_point_is_not_counted(silent, window):
    known = history([BREACH, BREACH, silent, silent, BREACH, BREACH], window=window)
    (episode,) = episodes(known, Patience(grace=100 * HOUR))
    assert episode.lasted == 3 * HOUR
    assert episode.ended is None


@pytest.mark.parametrize("verdict", [OK, BREACH, *QUIET])
def test_a_new_champion_ends_the_episode_of_the_one_before(verdict):
    known = [*history([BREACH, BREACH]), point(2, verdict, subject="2")]
    first, *later = episodes(known, Patience(grace=HOUR))
    assert first.ended == START + 2 * HOUR
    assert [e.latest.subject for e in later] == (["2"] if verdict is BREACH else [])
    assert all(e.fired is None and e.lasted == timedelta(0) for e in later)


@pytest.mark.parametrize("silent", QUIET)
def test_not_to_know_the_champion_does_not_end_its_episode(silent):
    known = [*history([BREACH, BREACH]), point(2, silent, subject=None), point(3, BREACH)]
    (episode,) = episodes(known, Patience(grace=HOUR))
    assert episode.since == START
    assert episode.ended is None


def test_of_two_points_of_one_time_the_later_to_arrive_counts():
    first, second = point(0, BREACH), point(0, OK)
    assert in_order([first, second]) == (second,)
    assert episodes([first, second], Patience(grace=HOUR)) == ()
    assert len(episodes([second, first], Patience(grace=HOUR))) == 1


def test_an_episode_covers_its_first_moment_and_not_the_one_that_ended_it():
    (episode,) = episodes(history([BREACH, BREACH, OK]), Patience(grace=HOUR))
    assert episode.covers(START)
    assert episode.covers(START + 1.5 * HOUR)
    assert not episode.covers(START + 2 * HOUR)
    assert not episode.covers(START - HOUR)
    assert replace(episode, ended=None).covers(START + 99 * HOUR)


@given(any_history())
def test_only_ok_and_breach_are_conclusive(known):
    heard = [p.as_of for p in known if p.verdict not in QUIET]
    assert last_conclusive(known) == (heard[-1] if heard else None)
    assert last_conclusive([p for p in known if p.verdict in QUIET]) is None
