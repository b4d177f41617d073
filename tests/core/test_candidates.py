"""Where a rollback may go: what each earlier champion has shown."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.candidates import Served, last_known_good, named_target
from aiguard_dagster.core.champions import Reign
from aiguard_dagster.core.lifecycle import Patience, Point, episodes
from aiguard_dagster.core.verdicts import Verdict

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
OK, BREACH, UNKNOWN = Verdict.OK, Verdict.BREACH, Verdict.INCONCLUSIVE


def day(number):
    return FIRST + DAY * (number - 1)


def reigns(*starts):
    """Versions 1, 2, …, each in force from its day until the next one's."""
    ends = [*starts[1:], None]
    return tuple(
        Reign(version=str(k), start=day(a), end=day(b) if b else None, why="", by="")
        for k, (a, b) in enumerate(zip(starts, ends, strict=True), start=1)
    )


HISTORY = reigns(1, 11, 21, 31)
"""Version 4 is champion from day 31."""


def said(version, verdict, *days, window=2):
    return [
        Point(as_of=day(k), start=day(k - window), verdict=verdict, subject=version) for k in days
    ]


def served(*points, rule="error", grace=2):
    found = [point for each in points for point in each]
    return Served(rule=rule, points=found, episodes=episodes(found, Patience(grace=DAY * grace)))


def choose(*rules, history=HISTORY, current="4", rule="error", barred=(), known="1234"):
    return last_known_good(
        history, rules, current=current, rule=rule, known=set(known), barred=set(barred)
    )


def versions(choice):
    return [each.version for each in choice.candidates]


def test_the_newest_that_served_a_whole_window_without_a_breach_comes_first():
    found = choose(served(said("1", OK, 5, 6), said("2", OK, 15, 16), said("3", OK, 25, 26)))
    assert versions(found) == ["3", "2", "1"]
    assert all(each.proven for each in found.candidates)
    assert found.candidates[0].why == (
        "is the last known good version: error was ok until 2026-01-26"
    )


def test_the_proven_come_before_those_that_no_rule_has_judged():
    found = choose(served(said("2", OK, 15)))
    assert versions(found) == ["2", "3", "1"]
    assert [each.proven for each in found.candidates] == [True, False, False]
    assert found.candidates[1].why.startswith("is unproven: no rule has judged a whole window")


def test_without_any_verdict_the_newest_earlier_champion_comes_first():
    assert versions(choose()) == ["3", "2", "1"]


@pytest.mark.parametrize(
    ("points", "proven"),
    [
        (said("3", OK, 22), False),  # its window reaches back into the time of version 2
        (said("3", OK, 23), True),
        (said("3", UNKNOWN, 23, 24, 25), False),
        (said("3", BREACH, 23), False),
        (said("2", OK, 25), False),  # late data of another version
    ],
    ids=["half a window", "a whole window", "silence", "a breach", "another version"],
)
def test_only_a_whole_window_of_its_own_time_that_was_ok_proves_a_version(points, proven):
    found = choose(served(points))
    assert next(each.proven for each in found.candidates if each.version == "3") is proven


def test_one_that_ended_in_a_fired_breach_of_the_rule_in_question_is_no_candidate():
    found = choose(served(said("3", OK, 25), said("3", BREACH, 27, 28, 29, 30), said("2", OK, 15)))
    assert versions(found) == ["2", "1"]
    assert found.told == "v3 ended in breach of error, since 2026-01-27"


def test_a_breach_inside_its_grace_window_takes_nothing_from_a_version():
    found = choose(served(said("3", OK, 25), said("3", BREACH, 29, 30)))
    assert versions(found)[0] == "3"
    assert found.candidates[0].proven


def test_one_that_recovered_from_a_fired_breach_comes_last_and_says_so():
    breach = said("3", BREACH, 24, 25, 26, 27)
    found = choose(served(breach, said("3", OK, 28, 29, 30)))
    assert versions(found) == ["2", "1", "3"]
    assert found.candidates[-1].why == (
        "is not known to be good: error fired on 2026-01-24 in its time"
    )


def test_a_breach_of_another_rule_at_its_end_puts_a_version_last_but_does_not_rule_it_out():
    other = served(said("3", BREACH, 27, 28, 29, 30), rule="estimate")
    assert versions(choose(other, served(said("3", OK, 25)))) == ["2", "1", "3"]


def test_where_a_person_asks_a_fired_breach_of_any_rule_counts():
    other = served(said("3", BREACH, 27, 28, 29, 30), rule="estimate")
    assert versions(choose(other, rule="")) == ["2", "1"]


def test_what_is_in_quarantine_or_gone_is_no_candidate():
    found = choose(barred="3", known="134")
    assert versions(found) == ["1"]
    assert found.told == "v3 is in quarantine; v2 does not exist any more"


def test_the_latest_reign_counts_and_one_without_length_does_not():
    back = (
        *HISTORY,
        Reign(version="2", start=day(41), end=day(51), why="", by=""),
        Reign(version="3", start=day(51), end=day(51), why="", by=""),
        Reign(version="5", start=day(51), end=None, why="", by=""),
    )
    early = said("2", BREACH, 15, 16, 17, 18), said("2", OK, 45), said("3", OK, 25)
    found = choose(served(*early), history=back, current="5", known="12345")
    assert versions(found) == ["3", "2", "4", "1"]
    assert [each.proven for each in found.candidates] == [True, True, False, False]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("1234"),
            st.sampled_from(list(Verdict)),
            st.integers(min_value=1, max_value=40),
        ),
        max_size=40,
    ),
    st.sets(st.sampled_from("123")),
)
def test_every_earlier_champion_is_either_a_candidate_or_ruled_out_and_none_is_barred(told, barred):
    points = [point for version, verdict, at in told for point in said(version, verdict, at)]
    found = choose(served(points), barred=barred)
    assert sorted([*versions(found), *found.ruled_out]) == ["1", "2", "3"]
    assert not set(versions(found)) & barred
    ranks = [each.proven for each in found.candidates]
    assert ranks == sorted(ranks, reverse=True)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("9", "v9 does not exist (to_version); there are 1, 2, 10"),
        ("2", "v2 is in quarantine (to_version)"),
        ("10", "v10 is the champion itself (to_version)"),
        (None, "no version bears the alias of to_version"),
    ],
)
def test_a_named_place_that_is_none_is_refused_with_the_reason(version, told):
    found = named_target(
        version, told="to_version", current="10", known=["10", "2", "1"], barred=["2"]
    )
    assert found.candidates == ()
    assert found.told == told


def test_a_named_place_is_the_only_candidate():
    found = named_target("1", told="to_version", current="10", known=["10", "1"], barred=[])
    assert versions(found) == ["1"]
    assert found.candidates[0].why == "is what to_version names"
