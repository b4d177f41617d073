"""Limits by false-alarm budget: how far the baseline's own windows wander from the rest of it.

The null distribution comes from the baseline by windows in time order, so that weekday rhythm and
slow wandering are part of normal. Three things make it up:

- what sampling alone does, at each window's own size, in closed form (:mod:`.effects`);
- how far real windows differ beyond that, a variance of its own for each test, as in a model of
  random effects (DerSimonian and Laird, "Meta-analysis in clinical trials", 1986);
- how large the largest of all tests becomes, by windows: its quantile is the limit for the family,
  whatever the tests have to do with each other (Westfall and Young, Resampling-Based Multiple
  Testing, 1993).

Each window is measured against the baseline without the part it lies in, by variances estimated
without that part, so that the limit holds for windows that the baseline has not seen.

An alarm is an episode: breaches less than a window apart are one. So the quantile is that of maxima
over stretches as long as a window (Coles, An Introduction to Statistical Modeling of Extreme
Values, 2001, chapters 3 and 5). Beyond what the baseline has seen, the tail is taken to be
exponential.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.stats.effects import Effects, Numbers, score, unscore

FEWEST_PARTS, MOST_PARTS = 3, 10
"""Into how many parts the baseline is cut; each is judged by the others."""
TAIL = 0.1
"""The share of windows that the tail is fitted to, and at least ten of them."""
FEWEST_IN_TAIL = 10
CAUTION = 0.5
"""Standard errors by which the variance of real windows is taken larger than it was found."""
WINDOWS_APART = 20
"""Windows without overlap from which on a baseline supports a budget as long as itself."""

Compare = Callable[[Numbers, Numbers], Effects]
"""Effects of windows against baselines: both of shape ``(windows, cells)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What is normal for some tests over windows of one length.

    Attributes:
        span: Days in a window.
        days: Days of baseline that it rests on.
        wander: By test, the variance of real windows beyond sampling, shape ``(tests,)``.
        scores: The largest score of each window of the baseline, in time order.
        extremes: The largest of them over each stretch as long as a window, ascending.
    """

    span: int
    days: int
    wander: Numbers
    scores: Numbers
    extremes: Numbers

    @property
    def supported(self) -> int:
        """The budget that the baseline itself can speak for: one false alarm in so many days.

        As long as the baseline, if it holds twenty windows apart; in proportion with fewer, which
        tell neither how far windows wander nor how large the largest of them usually is.
        """
        return int(self.days * min(1.0, self.days / self.span / WINDOWS_APART))

    def level(self, every: float) -> float:
        """The score that windows go beyond once in so many days.

        Args:
            every: Days of one false alarm; more than a window.
        """
        chance = min(self.span / every, 1.0)
        found = tail_quantile(self.extremes, chance, span=self.span)
        if every <= self.supported:
            return found
        # Beyond that the baseline cannot speak; no limit is below what chance alone does.
        from scipy.special import ndtri

        return max(found, -float(ndtri(chance / self.span / max(len(self.wander), 1))))

    def scored(self, effects: Effects) -> Numbers:
        """Effects as scores, which may be held against a level."""
        variance, freedom = self._spread(effects)
        return score(effects.squared, variance, freedom)

    def limits(self, effects: Effects, level: float, *, least: float) -> Numbers:
        """The effect, its noise taken out, that windows of this size go beyond at the level.

        Args:
            effects: Of the windows, for their size.
            level: From :meth:`level`.
            least: No limit is below it.
        """
        variance, freedom = self._spread(effects)
        beyond = unscore(level, variance, freedom) - effects.noise
        return np.maximum(np.sqrt(np.maximum(beyond, 0.0)), least)

    def power(self, effects: Effects, limits: Numbers, shifts: Numbers) -> Numbers:
        """The chance that windows of this size, shifted so far, go beyond their limits.

        By a noncentral chi-square distribution of as much noise as the calibration found.

        Args:
            effects: Of windows of this size, shape ``(1, tests)``.
            limits: From :meth:`limits`.
            shifts: True effects, shape ``(shifts, 1)``.

        Returns:
            Shape ``(shifts, tests)``.
        """
        from scipy.stats import ncx2

        variance, freedom = self._spread(effects)
        beyond = limits**2 + effects.noise
        scale = variance / freedom
        return np.asarray(ncx2.sf(beyond / scale, freedom, shifts**2 / scale))

    def _spread(self, effects: Effects) -> tuple[Numbers, Numbers]:
        return _spread(effects, self.wander)


def calibrate(cells: Numbers, compare: Compare, *, span: int) -> Calibration:
    """Learn from the baseline's days what is normal for windows of so many of them.

    Args:
        cells: Counts, one row a day, in time order; shape ``(days, cells)``.
        compare: Gives the effects of sums of such rows.
        span: Days in a window.

    Raises:
        MeasurementError: The baseline is too short to say how far normal windows wander.

    >>> from aiguard_dagster.stats.effects import bins_effect, side_by_side
    >>> days = np.random.default_rng(0).multinomial(200, [0.25] * 4, size=120).astype(float)
    >>> found = calibrate(days, lambda a, b: side_by_side([bins_effect(a, b)]), span=7)
    >>> bool(found.level(90) > found.level(30) > 0)
    True
    """
    days = len(cells)
    windows = days // max(span, 1)
    if windows < FEWEST_PARTS:
        what = (
            f"the baseline has {days} days, {windows} windows of {span} days, and a false-alarm"
            f" budget needs at least {FEWEST_PARTS}"
        )
        hint = (
            f"record the baseline on at least {FEWEST_PARTS * span} days, shorten the window, or"
            " give an absolute limit."
        )
        raise MeasurementError(with_hint(what, hint))
    sums = np.vstack([np.zeros(cells.shape[1]), cells.cumsum(axis=0)])
    current = sums[span:] - sums[:-span]
    parts = min(windows, MOST_PARTS)
    part_of = np.minimum(np.arange(len(current)) * parts // len(current), parts - 1)
    rest = np.empty_like(current)
    for part in range(parts):
        inside = np.flatnonzero(part_of == part)
        rest[inside] = sums[-1] - (sums[inside[-1] + span] - sums[inside[0]])
    effects = compare(current, rest)
    excess = effects.squared - effects.noise
    without = [_mean_excess(excess[part_of != part]) for part in range(parts)]
    variance, freedom = _spread(effects, np.array(without)[part_of])
    found = score(effects.squared, variance, freedom)
    known = np.isfinite(found).any(axis=1)
    scores = np.where(np.isfinite(found), found, -np.inf)[known].max(axis=1, initial=-np.inf)
    if len(scores) < FEWEST_PARTS:
        what = f"the baseline has rows in {len(scores)} windows of {span} days only"
        raise MeasurementError(with_hint(what, "record it on days that have rows."))
    stretch = min(span, len(scores))
    views = np.lib.stride_tricks.sliding_window_view(scores, stretch)
    return Calibration(
        span=span,
        days=days,
        # It is learned from few windows: if it is more, no window must pay for that.
        wander=_mean_excess(excess) * (1 + CAUTION * np.sqrt(2 * span / days)),
        scores=scores,
        extremes=np.sort(views.max(axis=1)),
    )


def episodes(beyond: NDArray[np.bool_], span: int) -> int:
    """Alarms in a row of verdicts: breaches less than a window apart are one.

    >>> episodes(np.array([True, True, False, True, False, False, False, True]), 3)
    2
    """
    places = np.flatnonzero(beyond)
    return int(len(places) > 0) + int((np.diff(places) >= span).sum())


def _mean_excess(excess: Numbers) -> Numbers:
    """By test, what real windows vary beyond sampling; 0 where they do not, or nothing is known."""
    known = np.isfinite(excess)
    total = np.where(known, excess, 0.0).sum(axis=0)
    return np.asarray(np.maximum(total / np.maximum(known.sum(axis=0), 1), 0.0))


def _spread(effects: Effects, wander: Numbers) -> tuple[Numbers, Numbers]:
    """Variance of the effects and its degrees of freedom.

    Real windows may wander along one line only, so that part has one degree of freedom; the sum's
    are Satterthwaite's (Biometrics Bulletin 2, 1946).
    """
    variance = effects.noise + wander
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = variance**2 / (effects.noise**2 / effects.freedom + wander**2)
    return variance, np.where(variance > 0, freedom, 1.0)


def tail_quantile(ordered: Numbers, chance: float, *, span: int) -> float:
    """The value that a new stretch exceeds with this chance: seen, or by an exponential tail.

    What is exceeded by k of n independent values is exceeded by a new one with chance
    ``(k + 1) / (n + 1)``: that matters where n is small, and stretches that share days count as
    one. The tail allows for its own mean being learned from few values: a predictive, so Pareto,
    tail (Hahn and Meeker, Statistical Intervals, 1991).
    """
    apart = max(len(ordered) / span, 1.0)
    top = min(max(round(len(ordered) * TAIL), FEWEST_IN_TAIL), len(ordered) - 1)
    beyond = chance * (1 + 1 / apart) - 1 / apart
    threshold = float(ordered[-top - 1])
    if beyond >= top / len(ordered):
        # Not beyond where the tail begins: a rarer alarm has no lower limit.
        return min(float(np.quantile(ordered, 1 - min(beyond, 1.0))), threshold)
    mean_excess = float((ordered[-top:] - threshold).mean())
    share = (top / len(ordered) * apart + 1) / (apart + 1)
    degrees = max(top / span, 1.0)
    return threshold + float(mean_excess * degrees * ((share / chance) ** (1 / degrees) - 1))
