"""Why a bill moved, in words: what each factor is now and what it was."""

from collections.abc import Callable, Mapping
from typing import assert_never

from aiguard_dagster.core.spec import Cost
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.words import figure
from aiguard_dagster.signals.calls import UNNAMED
from aiguard_dagster.stats.spend import Bill, Factor, Use

MILLION = 1_000_000
UNITS = {
    1000: "per 1,000",
    "request": "a request",
    "accepted": "an accepted result",
    "day": "a day",
}


def tell(factor: Factor, change: float, before: Bill, now: Bill, signal: Cost) -> str:
    """What one factor did to the bill, and how it moved itself."""
    if signal.per == "month":
        return f"{change:+.1%} of the budget: {_moved(factor, before, now, signal)}"
    return f"{figure(change, sign='+')} {UNITS[signal.per]}: {_moved(factor, before, now, signal)}"


def _moved(factor: Factor, before: Bill, now: Bill, signal: Cost) -> str:
    match factor:
        case "volume":
            unit = "accepted result" if signal.per == "accepted" else "day"
            return f"{figure(now.volume)} requests per {unit}, was {figure(before.volume)}"
        case "steps":
            return f"{now.steps:.3g} steps per request, was {before.steps:.3g}"
        case "retries":
            return f"{now.retries:.3g} calls per step, was {before.retries:.3g}"
        case "mix":
            then, here = _shares(before), _shares(now)
            model = max(here, key=lambda name: here[name] - then.get(name, 0.0))
            has, had = percent(here[model]), percent(then.get(model, 0.0))
            return f"{_called(model)} have {has} of the calls, had {had}"
        case "size":
            model = _most_moved(before, now, lambda use: (use.input + use.output) / use.calls)
            has_size, had_size = (_size(bill.uses[model]) for bill in (now, before))
            return f"{_called(model)} have {has_size}, had {had_size}"
        case "cache misses":
            is_, was = (_cached(bill.uses) for bill in (now, before))
            return f"{percent(is_)} of the input from a cache, was {percent(was)}"
        case "price":
            model = _most_moved(before, now, _price)
            tokens = all(bill.uses[model].input + bill.uses[model].output for bill in (now, before))
            unit = "a million tokens" if tokens else "each"
            is_, was = (_price(bill.uses[model]) for bill in (now, before))
            return f"{_called(model)} cost {figure(is_)} {unit}, did {figure(was)}"
        case _:
            assert_never(factor)


def _called(model: str) -> str:
    return "calls" if model == UNNAMED else f"calls of {model or 'unknown models'}"


def _shares(bill: Bill) -> dict[str, float]:
    calls = sum(use.calls for use in bill.uses.values())
    return {name: use.calls / calls for name, use in bill.uses.items()}


def _most_moved(before: Bill, now: Bill, of: Callable[[Use], float]) -> str:
    """The model, of those called then and now, that moved most for how often it is called."""
    shares = _shares(now)
    both = sorted(name for name in now.uses if name in before.uses)
    return max(
        both, key=lambda name: shares[name] * abs(of(now.uses[name]) - of(before.uses[name]))
    )


def _size(use: Use) -> str:
    return f"{figure(use.input / use.calls)} tokens in and {figure(use.output / use.calls)} out"


def _cached(uses: Mapping[str, Use]) -> float:
    read = sum(use.input for use in uses.values())
    return sum(use.cached for use in uses.values()) / read if read else 0.0


def _price(use: Use) -> float:
    """What a million tokens cost; what a call costs where its tokens are unknown."""
    tokens = use.input + use.output
    return use.spend / tokens * MILLION if tokens else use.spend / use.calls
