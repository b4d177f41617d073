from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiguard_dagster.core.champions import (
    UNKNOWN,
    Reign,
    accede,
    accession_from_json,
    accession_to_json,
    as_utc,
    champion_at,
    earlier_champions,
    reign_from_json,
    reign_that_lasted,
    reign_to_json,
    reigns_of,
)


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number - 1)


def reign(version: str, start: int, end: int | None) -> Reign:
    return Reign(
        version=version, start=day(start), end=day(end) if end else None, why="accepted", by="ann"
    )


HISTORY = (reign("1", 1, 3), reign("2", 3, 7), reign("1", 7, None))

moments = st.datetimes(
    min_value=datetime(2020, 1, 1),
    max_value=datetime(2030, 1, 1),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=9))]),
)
events = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3"]), moments, st.sampled_from([UNKNOWN, "ann", "guard"])
    ),
    max_size=12,
)


def history(happened):
    """The records left after each event in turn, as a registry would keep them."""
    records = ()
    for number, (version, at, by) in enumerate(happened):
        changed = accede(records, version=version, at=at, by=by, why=f"event {number}")
        if changed is not None:
            others = [record for record in records if record.version != version]
            records = (*others, *changed)
    return records


@pytest.mark.parametrize(
    ("as_of", "version"),
    [(1, None), (2, "1"), (3, "1"), (4, "2"), (7, "2"), (8, "1"), (100, "1")],
)
def test_a_champion_answers_for_the_time_just_before_as_of(as_of, version):
    assert champion_at(HISTORY, day(as_of)) == version


def test_nobody_reigned_before_the_first_record():
    assert champion_at((), day(1)) is None
    assert champion_at(HISTORY, day(0)) is None


def test_earlier_champions_come_newest_first_and_once():
    assert earlier_champions(HISTORY, "1") == ("2",)
    assert earlier_champions((*HISTORY, reign("3", 9, None)), "3") == ("1", "2")
    assert earlier_champions((), "1") == ()


@given(events)
def test_reigns_follow_one_another_without_gap_or_overlap(happened):
    reigns = reigns_of(history(happened))
    for before, after in pairwise(reigns):
        assert before.start <= before.end == after.start
        assert before.version != after.version
    assert not reigns or reigns[-1].end is None


@given(events)
def test_the_last_to_accede_reigns(happened):
    reigns = reigns_of(history(happened))
    assert [each.version for each in reigns[-1:]] == [version for version, *_ in happened[-1:]]


@given(events, moments)
def test_at_every_moment_at_most_one_champion_answers(happened, as_of):
    reigns = reigns_of(history(happened))
    inside = [r.version for r in reigns if r.start < as_of and (r.end is None or as_of <= r.end)]
    assert champion_at(reigns, as_of) == (inside[0] if inside else None)
    assert len(inside) <= 1
    if reigns and as_of > reigns[0].start:
        assert inside


@given(events)
def test_an_event_recorded_twice_changes_nothing(happened):
    records = history(happened)
    for number, (version, at, by) in enumerate(happened):
        if by != UNKNOWN and any(record.why == f"event {number}" for record in records):
            why = f"event {number}"
            assert accede(records, version=version, at=at, by=by, why=why) is None


@given(events, moments)
def test_seeing_the_champion_that_is_on_record_changes_nothing(happened, now):
    records = history(happened)
    for latest in reigns_of(records)[-1:]:
        assert accede(records, version=latest.version, at=now, by=UNKNOWN, why="seen") is None


def test_a_move_seen_twice_at_one_moment_with_another_between_is_two_moves():
    records = history([("1", day(1), UNKNOWN), ("2", day(1), UNKNOWN), ("1", day(1), UNKNOWN)])
    assert [each.version for each in reigns_of(records)] == ["1", "2", "1"]


@given(events)
def test_the_order_in_which_records_are_read_does_not_matter(happened):
    records = history(happened)
    assert reigns_of(records) == reigns_of(records[::-1])


@given(events, st.sampled_from(["1", "2", "3"]))
def test_losing_one_version_with_a_single_reign_loses_no_history(happened, lost):
    records = history(happened)
    reigns = reigns_of(records)
    left = [record for record in records if record.version != lost]
    single = sum(each.version == lost for each in reigns) == 1
    if single and reigns[-1].version != lost:
        assert reigns_of(left) == reigns


@given(events)
def test_records_and_reigns_survive_json(happened):
    records = history(happened)
    assert tuple(accession_from_json(accession_to_json(record)) for record in records) == records
    reigns = reigns_of(records)
    assert tuple(reign_from_json(reign_to_json(each)) for each in reigns) == reigns


def test_a_name_is_put_to_a_move_that_was_only_seen():
    records = history([("1", day(1), "ann"), ("2", day(5), UNKNOWN), ("2", day(4), "guard")])
    assert [(each.version, each.start, each.by) for each in reigns_of(records)] == [
        ("1", day(1), "ann"),
        ("2", day(4), "guard"),
    ]


def test_a_move_that_was_made_by_somebody_is_not_made_unknown_again():
    records = history([("2", day(4), "guard"), ("2", day(5), UNKNOWN)])
    assert [each.by for each in reigns_of(records)] == ["guard"]


def test_a_moment_without_zone_is_no_moment():
    with pytest.raises(ValueError, match="has no time zone"):
        as_utc(datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("version", "days", "start"),
    [("1", 2, 1), ("1", 3, 7), ("2", 4, 3), ("2", 5, None), ("3", 1, None)],
)
def test_the_first_days_of_a_version_are_of_the_first_reign_that_lasted_so_long(
    version, days, start
):
    found = reign_that_lasted(HISTORY, version, timedelta(days=days))
    assert (found and found.start) == (start and day(start))
