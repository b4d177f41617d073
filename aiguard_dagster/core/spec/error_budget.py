"""Error budgets: how many of the events of a period may be bad, and how fast they may be spent."""

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from aiguard_dagster.core.durations import PositiveDuration, Ratio, format_duration
from aiguard_dagster.core.spec.base import Spec
from aiguard_dagster.core.verdicts import Direction, Threshold

Found = tuple[str, str, str]
"""Path below the limit, what is wrong, hint."""
SHORT = 12
"""The short window is so many times shorter than the long one."""
DIGITS = 12
"""Significant digits of a share: 1 less 0.9 is 0.1, whatever floats say."""
HOUR = timedelta(hours=1)
SPENT = ((HOUR, 0.02), (6 * HOUR, 0.05), (timedelta.max, 0.1))
"""What of the budget a window may spend before it alarms, by how long the window is at most."""


class ErrorBudgetLimit(Spec):
    """Bad events must not spend a period's budget too fast, in a long and in a short window alike.

    After Beyer et al., "The Site Reliability Workbook", O'Reilly 2018, chapter 5, "Multiwindow,
    multi-burn-rate alerts". The long window is the signal's; it says that enough was spent to
    matter. The short one says that it goes on, and so ends the alarm soon after the trouble.

    >>> limit = ErrorBudgetLimit(objective="99%", period="30d")
    >>> [round(limit.burn_rate_over(window), 1) for window in (HOUR, 6 * HOUR, 72 * HOUR)]
    [14.4, 6.0, 1.0]
    """

    objective: Ratio
    """The share of events that must be good over the period: above 0 and below 100%."""
    period: PositiveDuration
    """What the budget is for, such as ``28d``: whole weeks hold as many weekends each."""
    burn_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """How many times faster than the period bears bad events must come to be a breach: at 1 they
    spend the budget just as the period ends. When left out, as fast as spends 2% of it in a window
    of up to 1h, 5% in one of up to 6h, and 10% in a longer one: with a period of 30d these are the
    14.4, 6 and 1 of the Site Reliability Workbook for 1h, 6h and 3d; never less than 1."""
    short: PositiveDuration | None = None
    """The short window: a twelfth of the signal's when left out, and at least one partition."""

    @property
    def allowed(self) -> float:
        """The share of events that may be bad."""
        return steady(1 - self.objective)

    def burn_rate_over(self, window: timedelta) -> float:
        """The burn rate that a window must exceed."""
        if self.burn_rate is not None:
            return self.burn_rate
        share = next(share for longest, share in SPENT if window <= longest)
        return max(1.0, share * (self.period / window))

    def short_of(self, window: timedelta, partition: timedelta) -> timedelta:
        """The short window beside a long one; whole partitions of so much time."""
        if self.short is not None:
            return self.short
        return math.ceil(window / SHORT / partition) * partition

    def rate_of(self, value: float, direction: Direction) -> float:
        """How fast a share of events spends the budget; at 1 it lasts just for the period.

        Args:
            value: The share of events that are bad; of those that are good if small ones are bad.
            direction: Which side is bad.
        """
        return (value if direction == "high" else 1 - value) / self.allowed

    def threshold(self, window: timedelta, direction: Direction) -> Threshold:
        """The share of events that a window must not cross."""
        bad = self.burn_rate_over(window) * self.allowed
        value = steady(bad if direction == "high" else 1 - bad)
        return Threshold(value=value, direction=direction, unit="share")

    def problems(self, window: timedelta) -> Iterator[Found]:
        """What could never work beside a long window."""
        if not 0 < self.objective < 1:
            yield self._no_objective()
            return
        if self.period <= window:
            told = f"{format_duration(self.period)} is not longer than the window"
            hint = "make it several windows long, such as 28d."
            yield ("period", f"{told}, {format_duration(window)}", hint)
            return
        if self.short is not None and self.short >= window:
            told = f"{format_duration(self.short)} is not shorter than the window"
            yield ("short", f"{told}, {format_duration(window)}", "leave it out for a twelfth.")
        yield from self._unreachable(window)

    def misfits(self, window: timedelta, partition: timedelta) -> Iterator[Found]:
        """What could never work on partitions of so much time."""
        length = format_duration(partition)
        if self.short is not None and self.short < partition:
            told = f"{format_duration(self.short)} is shorter than a partition"
            yield ("short", f"{told}, {length}", f"leave it out, or make it at least {length}.")
        elif self.short is None and self.short_of(window, partition) >= window:
            told = f"a window of {format_duration(window)} holds but one partition of {length}"
            hint = "make the signal's window two partitions long or more, or give a share."
            yield ("", f"{told}, and so no shorter window", hint)

    def too_late(self, window: timedelta, grace: timedelta) -> bool:
        """Whether at the burn rate all is spent before a rule fires."""
        return self.burn_rate_over(window) * ((window + grace) / self.period) > 1

    def _no_objective(self) -> Found:
        if self.objective == 1:
            what = "100% leaves no budget: a single bad event would spend it"
            return ("objective", what, "give less than 100%, such as 99.9%.")
        what = f"{self.objective:g} is no objective: it is the share of events that must be good"
        return ("objective", what, "give more than 0% and less than 100%, such as 99%.")

    def _unreachable(self, window: timedelta) -> Iterator[Found]:
        rate, most = self.burn_rate_over(window), f"{1 / self.allowed:.4g}"
        own = self.burn_rate is not None
        told = f"{rate:.4g}" if own else f"the burn rate of {rate:.4g}, usual for this window,"
        where = "burn_rate" if own else ""
        if steady(rate * self.allowed) >= 1:
            what = f"{told} can never be reached: with objective {self.objective:g} the burn rate"
            hint = "lower the factor or raise the objective."
            if not own:
                hint = f"give a burn_rate below {most}, raise the objective, or widen the window."
            yield (where, f"{what} is at most {most}", hint)
        elif self.too_late(window, timedelta(0)):
            spent = f"{rate * (window / self.period):.3g}"
            what = f"{told} comes too late: a window of {format_duration(window)} then spends"
            hint = f"give at most {self.period / window:.4g}, or shorten the window."
            yield (where, f"{what} {spent} times the budget of the period", hint)


def steady(share: float) -> float:
    """A share without the digits that floats make up."""
    return float(f"{share:.{DIGITS}g}")
