"""What a calendar month will cost: what was spent of it, and the pace of the last week."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from aiguard_dagster.core.words import figure
from aiguard_dagster.signals.calls import date_of
from aiguard_dagster.signals.cost_ledger import Ledger
from aiguard_dagster.signals.moments import START

DAY_SECONDS = 86_400
PACE_DAYS = 7
"""A whole week, so that weekdays even out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The forecast of one month.

    Attributes:
        days: In the month.
        spent: So far.
        pace: Spend a day, over the last days.
        left: Days to come.
        silent: Days up to the newest that have no calls, of which nothing is known to be spent.
    """

    days: int
    spent: float
    pace: float
    left: float
    silent: int = 0

    @property
    def forecast(self) -> float:
        """What the month will have cost, if the pace stays.

        >>> Month(days=30, spent=200.0, pace=10.0, left=10.0).forecast
        300.0
        """
        return self.spent + self.pace * self.left

    @property
    def told(self) -> str:
        """The forecast in words."""
        told = (
            f"{figure(self.spent)} spent of the month and {figure(self.pace)} a day for"
            f" {self.left:.3g} days to come make {figure(self.forecast)}"
        )
        return f"{told}, without {self.silent} days that have no calls" if self.silent else told


def month_of(ledger: Ledger, end: datetime | None, time_zone: str = "UTC") -> Month | None:
    """The forecast of the month that the newest day belongs to; None where nobody asks.

    Days are those of the time column's own clock. The newest day is over unless the window ends in
    it. The pace is the mean of those of the last seven days that have calls.

    Args:
        ledger: A window that holds the month so far.
        end: Where the window ends; None where all its days are over.
        time_zone: Whose clock the time column follows.
    """
    if ledger.signal.per != "month" or not ledger.days:
        return None
    newest = int(ledger.days[-1])
    passed = newest + 1.0
    if end is not None:
        clock = end.astimezone(ZoneInfo(time_zone)).replace(tzinfo=UTC)
        now = (clock - START).total_seconds() / DAY_SECONDS
        passed = now if newest == int(now) else max(passed, float(int(now)))
    today = date_of(ledger.days[-1])
    if today is None:
        return None
    length = monthrange(today.year, today.month)[1]
    first = newest - (today.day - 1)
    ours = [day for day in ledger.days if int(day) >= first]
    spent = sum(ledger.spend_of(day) for day in ours)
    recent = [day for day in ledger.days if int(day) > newest - PACE_DAYS]
    gone = len(recent) - 1 + min(passed - newest, 1.0)
    pace = sum(ledger.spend_of(day) for day in recent) / gone if gone else 0.0
    left = max(0.0, first + length - passed)
    return Month(days=length, spent=spent, pace=pace, left=left, silent=today.day - len(ours))
