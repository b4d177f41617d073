"""What a bill is made of, and which of it a change of the bill comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from aiguard_dagster.stats.shapley import shapley

Factor = Literal["volume", "steps", "retries", "mix", "size", "cache misses", "price"]
FACTORS: Sequence[Factor] = (
    "volume",
    "steps",
    "retries",
    "mix",
    "size",
    "cache misses",
    "price",
)


class Rates(NamedTuple):
    """Prices of one token of each sort; only their ratios matter where the spend is known."""

    input: float = 1
    cached: float = 1
    output: float = 1


ALIKE = Rates()
"""Every token costs the same, for all that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What one model or tier was used for: totals over calls whose cost is known.

    Attributes:
        calls: How many.
        spend: What they cost.
        input: Input tokens, those read from a cache among them.
        cached: Input tokens read from a cache, at most all.
        output: Output tokens.
        rates: The list prices that tell sorts of tokens apart; alike where there is no list.
    """

    calls: float
    spend: float
    input: float = 0
    cached: float = 0
    output: float = 0
    rates: Rates = ALIKE

    @property
    def listed(self) -> float:
        """What the tokens cost by the list."""
        fresh = self.input - self.cached
        rates = self.rates
        return fresh * rates.input + self.cached * rates.cached + self.output * rates.output


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Spend a unit, as a product: volume x steps x retries x the mean cost of a call.

    Attributes:
        volume: Requests a unit: a day, an accepted result, or 1 for a bill a request.
        steps: Steps a request.
        retries: Calls a step, 1 where none was made again.
        uses: By model or tier; at least one has calls.
    """

    volume: float = 1
    steps: float = 1
    retries: float = 1
    uses: Mapping[str, Use]

    @property
    def amount(self) -> float:
        """Spend a unit; calls of unknown cost are taken to cost what the others do.

        >>> Bill(volume=10, uses={"a": Use(calls=4, spend=2.0)}).amount
        5.0
        """
        calls = sum(use.calls for use in self.uses.values())
        spend = sum(use.spend for use in self.uses.values())
        return self.volume * self.steps * self.retries * (spend / calls)


class _Call(NamedTuple):
    """The mean call of one model."""

    input: float
    output: float
    cached: float
    """Share of the input."""
    rates: Rates


def split_change(before: Bill, now: Bill) -> dict[Factor, float]:
    """How much of the change of a bill comes from each factor; they add up to the change.

    See :func:`~aiguard_dagster.stats.shapley.shapley` for the method. ``size`` is tokens a call,
    ``mix`` which model was called, ``cache misses`` the share of the input that no cache held,
    ``price`` what tokens cost. What a model is like that was not called in one of the two bills is
    taken from the other: that it came or went is ``mix``. Where a model's tokens are unknown in
    either, what its calls cost is ``price``.

    >>> was = Bill(volume=10, uses={"a": Use(calls=10, spend=10.0, input=1000)})
    >>> now = Bill(volume=20, uses={"a": Use(calls=20, spend=40.0, input=4000)})
    >>> {name: round(part, 9) for name, part in split_change(was, now).items() if part}
    {'volume': 15.0, 'size': 15.0}
    """
    bills = (before, now)
    names = sorted({name for bill in bills for name, use in bill.uses.items() if use.calls})
    totals = [sum(use.calls for use in bill.uses.values()) for bill in bills]
    shares = [
        {name: bill.uses[name].calls / total if name in bill.uses else 0 for name in names}
        for bill, total in zip(bills, totals, strict=True)
    ]
    calls = {name: _calls(before.uses.get(name), now.uses.get(name)) for name in names}

    def amount(moved: frozenset[Factor]) -> float:
        volume = bills["volume" in moved].volume
        steps, retries = bills["steps" in moved].steps, bills["retries" in moved].retries
        share = shares["mix" in moved]
        one = sum(share[name] * _cost(calls[name], moved) for name in names)
        return volume * steps * retries * one

    return shapley(amount, FACTORS)


def _cost(pair: tuple[_Call, _Call], moved: frozenset[Factor]) -> float:
    size, cached = pair["size" in moved], pair["cache misses" in moved].cached
    rates = pair["price" in moved].rates
    entered = (1 - cached) * rates.input + cached * rates.cached
    return size.input * entered + size.output * rates.output


def _calls(before: Use | None, now: Use | None) -> tuple[_Call, _Call]:
    """The mean calls of a model then and now; of a bill without it, those of the other."""
    known = [use for use in (before, now) if use is not None and use.calls]
    by_tokens = all(use.listed or (use.input + use.output and not use.spend) for use in known)
    found = [_by_tokens(use) if by_tokens else _by_call(use) for use in known]
    return found[0], found[-1]


def _by_tokens(use: Use) -> _Call:
    level = use.spend / use.listed if use.listed else 1  # What is paid of the list's price.
    return _Call(
        input=use.input / use.calls,
        output=use.output / use.calls,
        cached=use.cached / use.input if use.input else 0,
        rates=Rates(*(rate * level for rate in use.rates)),
    )


def _by_call(use: Use) -> _Call:
    return _Call(input=1, output=0, cached=0, rates=Rates(input=use.spend / use.calls))
