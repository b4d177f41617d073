"""What an accelerator's hours are made of, and what made them idle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from aiguard_dagster.stats.shapley import shapley

Factor = Literal["load", "work", "capacity", "utilisation", "price"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Accelerators over some days.

    Attributes:
        hours: Accelerator hours a day, used or not.
        used: Share of them that was used, 0 to 1.
        answered: Predictions a day; None where nobody counts them.
        price: What an hour costs.
    """

    hours: float
    used: float
    answered: float | None = None
    price: float = 0

    @property
    def busy(self) -> float:
        """Hours a day that were used."""
        return self.hours * self.used

    @property
    def idle_cost(self) -> float:
        """What the idle hours cost a prediction; there must be predictions.

        >>> Fleet(hours=24.0, used=0.25, answered=9000, price=2.0).idle_cost
        0.004
        """
        return self.price * (self.hours - self.busy) / (self.answered or 0)


def split_idle_cost(before: Fleet, now: Fleet) -> dict[Factor, float]:
    """How much of the change of the idle cost of a prediction comes from what.

    ``load`` is predictions a day, ``capacity`` hours a day, ``work`` busy hours a prediction,
    ``price`` an hour's: so fewer predictions on as many machines are load, and more machines for
    as many predictions capacity. The parts add up to the change; see
    :func:`~aiguard_dagster.stats.shapley.shapley`.

    >>> was = Fleet(hours=24.0, used=0.5, answered=1000, price=2.0)
    >>> now = Fleet(hours=24.0, used=0.25, answered=500, price=2.0)
    >>> {name: round(part, 6) for name, part in split_idle_cost(was, now).items() if part}
    {'load': 0.048}
    """

    def idle(pick: Callable[[Factor], Fleet]) -> float:
        answered, work = pick("load").answered or 0, _work(pick("work"))
        return pick("price").price * (pick("capacity").hours - answered * work) / answered

    return _split(idle, before, now, ("load", "capacity", "work", "price"))


def split_utilisation(before: Fleet, now: Fleet) -> dict[Factor, float]:
    """How much of the change of the utilisation comes from load, from work and from capacity.

    Where predictions are not counted, ``load`` is busy hours.
    """
    counted = bool(before.answered and now.answered)

    def used(pick: Callable[[Factor], Fleet]) -> float:
        return _busy(pick, counted=counted) / pick("capacity").hours

    return _split(used, before, now, ("load", "capacity", *(("work",) if counted else ())))


def split_hours(before: Fleet, now: Fleet) -> dict[Factor, float]:
    """How much of the change of the hours a day comes from load and work, how much is waste.

    Waste is ``utilisation``: hours that more of the same load would not have needed. Both fleets
    must have used some of their hours.
    """
    counted = bool(before.answered and now.answered)

    def hours(pick: Callable[[Factor], Fleet]) -> float:
        return _busy(pick, counted=counted) / pick("utilisation").used

    return _split(hours, before, now, ("load", "utilisation", *(("work",) if counted else ())))


def _work(fleet: Fleet) -> float:
    return fleet.busy / (fleet.answered or 0)


def _busy(pick: Callable[[Factor], Fleet], *, counted: bool) -> float:
    load = pick("load")
    return (load.answered or 0) * _work(pick("work")) if counted else load.busy


def _split(
    value: Callable[[Callable[[Factor], Fleet]], float],
    before: Fleet,
    now: Fleet,
    factors: Sequence[Factor],
) -> dict[Factor, float]:
    return shapley(
        lambda moved: value(lambda factor: now if factor in moved else before), list(factors)
    )
