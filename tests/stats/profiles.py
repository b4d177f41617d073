"""Profiles for tests: any that could come from rows, and those of rows at hand."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

import numpy as np
from hypothesis import strategies as st

from aiguard_dagster.stats.grid import SCORE_EDGES, CategoryGrid, Grid, JointGrid, NumericGrid
from aiguard_dagster.stats.profile import EMPTY, ColumnProfile, Outcomes, Profile, Residuals

EDGES = (-1.0, 0.0, 2.5)
GRID = Grid(
    {"x": NumericGrid(EDGES), "größe": CategoryGrid(("klein", "groß"), ("mittel",))},
    JointGrid(("x", "y"), (0.5, 0.0), (2.0, 1.0)),
)
BINS = 4
START = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 10**6).map(lambda minutes: START + timedelta(minutes=minutes))
NUMBERS = st.floats(-1e6, 1e6)


def binned(values, edges):
    """Counts of values on edges, by numpy; infinities fall into the outer bins."""
    at = np.searchsorted(edges, values, side="left")
    return np.bincount(at, minlength=len(edges) + 1)


def counted(values, edges=EDGES, *, nulls=0):
    """A column of numbers, the long way round; NaN may be among them."""
    array = np.array(values, dtype=float)
    finite = array[np.isfinite(array)]
    return ColumnProfile(
        rows=array.size + nulls,
        counts=tuple(binned(array[~np.isnan(array)], edges).tolist()),
        nulls=nulls,
        nans=int(np.isnan(array).sum()),
        minus_infinite=int(np.isneginf(array).sum()),
        plus_infinite=int(np.isposinf(array).sum()),
        lowest=float(finite.min()) if finite.size else None,
        highest=float(finite.max()) if finite.size else None,
        mean=float(finite.mean()) if finite.size else 0.0,
        spread=float(((finite - finite.mean()) ** 2).sum()) if finite.size else 0.0,
    )


@st.composite
def columns(draw, rows):
    """A column of so many rows, as if it had been counted."""
    cuts = sorted(draw(st.lists(st.integers(0, rows), max_size=BINS + 3)))
    cuts = [0] * (BINS + 3 - len(cuts)) + cuts
    nulls, nans, minus, plus, *inside = (b - a for a, b in pairwise([0, *cuts, rows]))
    lowest, mean, highest = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS)))
    finite = sum(inside)
    return ColumnProfile(
        rows=rows,
        counts=(inside[0] + minus, *inside[1:-1], inside[-1] + plus),
        nulls=nulls,
        nans=nans,
        minus_infinite=minus,
        plus_infinite=plus,
        lowest=lowest if finite else None,
        highest=highest if finite else None,
        mean=mean if finite else 0.0,
        spread=draw(st.floats(0, 1e6)) if finite else 0.0,
    )


def _outcomes(rng, rows=100):
    pairs = [(was, said) for was in "ab" for said in "abc"]
    some = [pair for pair in pairs if rng.random() < 1 / 3]
    scored = [pair for pair in pairs if rng.random() < 1 / 3]
    return Outcomes(
        labelled=int(rng.integers(rows + 1)),
        measurable=int(rng.integers(rows + 1)),
        absolute=abs(_exact(rng)),
        squared=abs(_exact(rng)),
        signed=_exact(rng),
        confusion={pair: int(rng.integers(1, 99)) for pair in some},
        scores={pair: tuple(rng.integers(0, 99, 3).tolist()) for pair in scored},
        priced=int(rng.integers(rows + 1)),
        spend=abs(_exact(rng)),
    )


def _some_residuals(rng):
    sums = rng.integers(-(10**6), 10**6, (2, BINS + 1)) / 4
    return Residuals(
        rows=tuple(rng.integers(0, 99, BINS + 1).tolist()),
        sums=tuple(sums[0].tolist()),
        squares=tuple(abs(sums[1]).tolist()),
    )


def _exact(rng):
    """A number whose sums do not round."""
    return int(rng.integers(-(10**6), 10**6)) / 4


# Drawn one by one, their numbers would take most of the time of all tests here.
any_rng = st.integers(0, 2**32).map(np.random.default_rng)
outcomes = any_rng.map(_outcomes)
residuals = any_rng.map(_some_residuals)


@st.composite
def profiles(draw, *, least=0):
    """A profile of one table on :data:`GRID`, or of no rows at all."""
    rows = draw(st.integers(least, 200))
    if not rows:
        return EMPTY
    first, last = sorted(draw(st.tuples(TIMES, TIMES)))
    rng = draw(any_rng)
    return Profile(
        rows=rows,
        first=first,
        last=last,
        columns={"x": draw(columns(rows)), "größe": draw(columns(rows))},
        outcomes=_outcomes(rng, rows),
        residuals={name: _some_residuals(rng) for name in ("x", "größe") if rng.random() < 2 / 3},
        products=tuple((rng.integers(-(10**6), 10**6, 5) / 4).tolist()),
    )


values = st.one_of(
    st.none(),
    NUMBERS,
    st.sampled_from([math.nan, math.inf, -math.inf, *EDGES]),
)
rows_of_a_batch = st.lists(
    st.tuples(
        TIMES,
        values,
        st.sampled_from([None, "klein", "groß", "mittel", "riesig"]),
        st.integers(-20, 20).map(lambda number: number / 4),
        st.none() | st.integers(-20, 20).map(lambda number: number / 4),
        st.floats(0, 1),
    ),
    max_size=12,
)
"""Rows of time, x, größe, prediction, label and score."""


def profile_of(rows):
    """The profile of such rows, the long way round."""
    if not rows:
        return EMPTY
    times, x, size, said, label, score = (list(column) for column in zip(*rows, strict=True))
    numbers = [value for value in x if value is not None]
    told = [(was, a) for was, a in zip(label, said, strict=True) if was is not None]
    return Profile(
        rows=len(rows),
        first=min(times),
        last=max(times),
        columns={"x": counted(numbers, nulls=x.count(None)), "größe": _categories(size)},
        outcomes=Outcomes(
            labelled=len(told),
            measurable=len(told),
            absolute=sum(abs(a - was) for was, a in told),
            squared=sum((a - was) ** 2 for was, a in told),
            signed=sum(a - was for was, a in told),
            confusion=Counter((str(was), str(a)) for was, a in told),
            scores=_scores(label, said, score),
            priced=len(rows),
            spend=len(rows) / 4,
        ),
        residuals={"x": _residuals(x, said, label)},
        products=_products(x, said),
    )


def _categories(names):
    grid = GRID.columns["größe"]
    places = {name: place for place, name in enumerate(grid.categories)}
    places |= dict.fromkeys(grid.others, grid.size - 2)
    known = Counter(places.get(name, grid.size - 1) for name in names if name is not None)
    counts = tuple(known[place] for place in range(grid.size))
    return ColumnProfile(rows=len(names), counts=counts, nulls=names.count(None))


def _scores(label, said, score):
    found = {}
    for was, a, value in zip(label, said, score, strict=True):
        key = ("" if was is None else str(was), str(a))
        found.setdefault(key, []).append(value)
    return {key: tuple(binned(each, SCORE_EDGES).tolist()) for key, each in found.items()}


def _residuals(x, said, label):
    rows, sums, squares = [0] * (BINS + 1), [0.0] * (BINS + 1), [0.0] * (BINS + 1)
    for value, a, was in zip(x, said, label, strict=True):
        if was is None:
            continue
        missing = value is None or math.isnan(value)
        place = BINS if missing else int(np.searchsorted(EDGES, value, side="left"))
        rows[place] += 1
        sums[place] += was - a
        squares[place] += (was - a) ** 2
    return Residuals(rows=tuple(rows), sums=tuple(sums), squares=tuple(squares))


def _products(x, said):
    z = scaled(np.column_stack([np.array(x, float), np.array(said, float)]), GRID.joint)
    return products_of(z)


def scaled(table, joint):
    """Values as they are multiplied: centred, scaled, cut off at three, nothing for missing."""
    with np.errstate(invalid="ignore"):
        z = (table - np.array(joint.centres)) / np.array(joint.scales)
    return np.clip(np.nan_to_num(z, nan=0.0, posinf=3.0, neginf=-3.0), -3, 3)


def products_of(z):
    """The lower triangle of the sums of products by rows, and the sums."""
    full = z.T @ z
    triangle = [full[i, j] for i in range(len(full)) for j in range(i + 1)]
    return tuple(float(value) for value in [*triangle, *z.sum(axis=0)])


def below(counts):
    """Rows at or below each edge."""
    return list(accumulate(counts))[:-1]
