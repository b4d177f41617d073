"""Profiles for tests: any that could come from rows."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import strategies as st

from aiguard_dagster.stats.profile import EMPTY, ColumnProfile, Outcomes, Profile

BINS = 4
START = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 10**6).map(lambda minutes: START + timedelta(minutes=minutes))
NUMBERS = st.floats(-1e6, 1e6)


@st.composite
def columns(draw, rows):
    """A column of so many rows, as if it had been counted."""
    nulls = draw(st.integers(0, rows))
    infinite = draw(st.integers(0, rows - nulls))
    cuts = sorted(draw(st.lists(st.integers(0, rows - nulls), min_size=3, max_size=3)))
    edges = [0, *cuts, rows - nulls]
    finite = rows - nulls - infinite
    lowest, mean, highest = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    return ColumnProfile(
        rows=rows,
        nulls=nulls,
        infinite=infinite,
        counts=tuple(b - a for a, b in pairwise(edges)),
        lowest=lowest if finite else None,
        highest=highest if finite else None,
        mean=mean if finite else 0.0,
        spread=draw(st.floats(0, 1e6)) if finite else 0.0,
    )


@st.composite
def outcomes(draw, rows):
    """What became of so many predictions."""
    pairs = st.tuples(st.sampled_from("ab"), st.sampled_from("abc"))
    return Outcomes(
        labelled=draw(st.integers(0, rows)),
        absolute=draw(st.integers(0, 10**6)) / 4,
        squared=draw(st.integers(0, 10**6)) / 4,
        signed=draw(st.integers(-(10**6), 10**6)) / 4,
        confusion=draw(st.dictionaries(pairs, st.integers(1, 99), max_size=4)),
        priced=draw(st.integers(0, rows)),
        spend=draw(st.integers(0, 10**6)) / 4,
    )


@st.composite
def profiles(draw):
    """A profile of one table with two columns, or of no rows at all."""
    rows = draw(st.integers(0, 200))
    if not rows:
        return EMPTY
    first, last = sorted(draw(st.tuples(TIMES, TIMES)))
    return Profile(
        rows=rows,
        first=first,
        last=last,
        columns={"x": draw(columns(rows)), "größe": draw(columns(rows))},
        outcomes=draw(outcomes(rows)),
    )
