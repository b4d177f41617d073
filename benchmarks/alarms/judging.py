"""Many windows judged at once, exactly as a drift rule with a false-alarm budget judges one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aiguard_dagster.stats.calibration import calibrate
from aiguard_dagster.stats.contrast import Contrast, Test
from aiguard_dagster.stats.effects import Effects, Numbers

Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a rule said of some windows, one after the other, a day apart.

    Attributes:
        span: Days in a window.
        breaches: Which tests were beyond their limits, shape ``(windows, tests)``.
        tests: The tests.
    """

    span: int
    breaches: Truths
    tests: tuple[Test, ...]

    @property
    def windows(self) -> Truths:
        """Which windows were a breach."""
        return np.asarray(self.breaches.any(axis=1))

    @property
    def alarms(self) -> int:
        """Episodes: breaches less than a window apart are one."""
        return episodes(np.flatnonzero(self.windows).tolist(), self.span)

    @property
    def columns(self) -> dict[str, Truths]:
        """Which windows blame each column."""
        names = [test.name for test in self.tests]
        return {
            name: self.breaches[:, [k for k, each in enumerate(names) if each == name]].any(axis=1)
            for name in dict.fromkeys(names)
        }

    @property
    def blamed(self) -> Counter[str]:
        """Breaches by aspect."""
        found = Counter[str]()
        for test, times in zip(self.tests, self.breaches.sum(axis=0), strict=True):
            found[test.aspect] += int(times)
        return +found


class Judge:
    """A baseline made ready for windows of one length."""

    def __init__(self, contrast: Contrast, baseline: Numbers, *, span: int) -> None:
        """Calibrate on the baseline's days, of shape ``(days, cells)``."""
        self._contrast = contrast
        self._total = baseline.sum(axis=0)[None, :]
        self._calibration = calibrate(baseline, contrast.compare, span=span)

    def effects(self, days: Numbers) -> Effects:
        """Of every window of these days."""
        span = self._calibration.span
        sums = np.vstack([np.zeros(days.shape[1]), days.cumsum(axis=0)])
        return self._contrast.compare(sums[span:] - sums[:-span], self._total)

    def limits(self, effects: Effects, *, every: float, least: float) -> Numbers:
        """What a budget, in days, and a floor make of them."""
        level = self._calibration.level(every)
        return self._calibration.limits(effects, level, least=least)

    def judge(self, effects: Effects, *, every: float, least: float) -> Judged:
        """Hold windows against their limits."""
        return Judged(
            span=self._calibration.span,
            breaches=effects.corrected > self.limits(effects, every=every, least=least),
            tests=self._contrast.tests,
        )


def episodes(days: Sequence[int], span: int) -> int:
    """How many alarms breaches on these days are.

    >>> episodes([1, 2, 9, 10], 7)
    2
    """
    return int(len(days) > 0) + sum(b - a >= span for a, b in pairwise(days))
