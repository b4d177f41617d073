"""Days of a table as counts, many at once: what the calibration is tried on."""

import numpy as np
from scipy.stats import norm

from aiguard_dagster.stats.calibration import episodes
from aiguard_dagster.stats.contrast import ColumnContrast, ConceptContrast, JointContrast
from aiguard_dagster.stats.grid import Grid, JointGrid, NumericGrid
from aiguard_dagster.stats.profile import ColumnProfile, Profile, Residuals

INNER = norm.ppf([0.01, *np.arange(1, 10) / 10, 0.99])
EDGES = (-9.0, *INNER.tolist(), 9.0)
BINS = len(EDGES) + 1
MISSING = 0.02
"""The share of rows without a value."""


def days_of(rng, shifts, rows):
    """Counts of normal columns, one day a row, as :class:`ColumnContrast` lays them out.

    Args:
        rng: What draws them.
        shifts: Where the mean of each column lies each day, in deviations; shape (days, columns).
        rows: How many a day, or one number for all.
    """
    rows = np.broadcast_to(rows, len(shifts))
    found = []
    for shift in shifts.T:
        below = norm.cdf(np.array(EDGES)[None, :] - shift[:, None])
        shares = np.diff(below, prepend=0.0, append=1.0)
        found += [rng.multinomial(rows, shares), rng.binomial(rows, MISSING)[:, None]]
    return np.hstack(found).astype(float)


def wandering(rng, days, columns, *, width=0.1, memory=0.7, week=0.3):
    """Means that wander slowly and are higher at weekends, shape (days, columns)."""
    steps = rng.normal(size=(days, columns)) * width * np.sqrt(1 - memory**2)
    found = np.zeros((days, columns))
    for day in range(1, days):
        found[day] = memory * found[day - 1] + steps[day]
    return found + np.where(np.arange(days) % 7 > 4, week, 0.0)[:, None]


def contrast_of(cells):
    """The tests of such days."""
    totals = cells.sum(axis=0).astype(int).reshape(-1, BINS + 1)
    columns = {
        f"x{place}": ColumnProfile(
            rows=int(counts.sum()), counts=tuple(counts[:-1].tolist()), nulls=int(counts[-1])
        )
        for place, counts in enumerate(totals)
    }
    grid = Grid({name: NumericGrid(EDGES) for name in columns})
    return ColumnContrast(
        grid, tuple(columns), Profile(rows=1, first=None, last=None, columns=columns)
    )


def outcome_days(rng, days, *, regions=10, rows=400):
    """Heavy-tailed residuals by region that wander, as :class:`ConceptContrast` lays them out."""
    residuals = rng.standard_t(5, (days, rows)) + wandering(rng, days, 1, week=0.0)
    counts = rng.multinomial(rows, np.full(regions, 1 / regions), size=days)
    ends = counts.cumsum(axis=1)
    sums = np.pad(residuals.cumsum(axis=1), ((0, 0), (1, 0)))
    upto = np.take_along_axis(sums, ends, axis=1)
    return np.hstack([counts, np.diff(upto, axis=1, prepend=0.0)]).astype(float)


def concept_of(cells):
    """The tests of such days."""
    rows, sums = cells.sum(axis=0).reshape(2, -1)
    # The variance of Student's t with five degrees of freedom.
    found = Residuals(
        rows=tuple(rows.astype(int).tolist()),
        sums=tuple(sums.tolist()),
        squares=tuple((rows * 5 / 3).tolist()),
    )
    total = Profile(rows=1, first=None, last=None, columns={}, residuals={"x": found})
    return ConceptContrast(("x",), total)


def joint_days(rng, days, *, columns=4, rows=150):
    """Products of heavy-tailed columns, two of them related, as :class:`JointContrast` has them."""
    z = rng.standard_t(4, (days, rows, columns)) / np.sqrt(2)
    z[:, :, 1] = 0.6 * z[:, :, 0] + 0.8 * z[:, :, 1]
    z = np.clip(z, -3, 3)
    products = np.einsum("dri,drj->dij", z, z)
    triangle = products[:, *np.tril_indices(columns)]
    return np.hstack([np.full((days, 1), float(rows)), triangle, z.sum(axis=1)])


def joint_of(cells, *, columns=4):
    """The tests of such days."""
    names = tuple(f"x{place}" for place in range(columns))
    joint = JointGrid(names, (0.0,) * columns, (1.0,) * columns)
    return JointContrast(Grid({}, joint))


def windows_of(cells, span):
    """The sums of each window of so many days."""
    return np.lib.stride_tricks.sliding_window_view(cells, span, axis=0).sum(axis=-1)


def effects_of(contrast, windows, baseline):
    """Windows against the sum of the baseline."""
    total = np.broadcast_to(baseline.sum(axis=0), windows.shape)
    return contrast.compare(windows, total)


def breaches(calibration, effects, every, *, least=0.0):
    """Whether each window is beyond a limit of any of its tests."""
    limits = calibration.limits(effects, calibration.level(every), least=least)
    return (effects.corrected > limits).any(axis=1)


def alarms_per_budget(calibration, effects, every):
    """Episodes of breaches over those that the budget allows."""
    beyond = breaches(calibration, effects, every)
    return episodes(beyond, calibration.span) * every / len(beyond)
