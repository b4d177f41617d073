"""Splitting the change of a value among the factors that it is made of."""

from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import TypeVar

F = TypeVar("F", bound=Hashable)


def shapley(value: Callable[[frozenset[F]], float], factors: Sequence[F]) -> dict[F, float]:
    """What each factor has to do with the change of a value; together they are all of it.

    Each factor's part is what the value changes when that factor moves from what it was to what it
    is, averaged over all orders in which the factors can move. So the parts add up to the change,
    with no residual (with fractions exactly, with floats to rounding), they depend on no order,
    and a factor that did not move has none. Shapley, "A value for n-person games", Contributions
    to the Theory of Games II (1953); for such splits Albrecht, François and Schoors, "A Shapley
    decomposition of carbon emissions without residuals", Energy Policy 30 (2002).

    Args:
        value: The value when these factors are as they are now, and all others as they were. Asked
            once for each subset, so 2 to the power of the factors times.
        factors: Different names; each that moves.

    >>> price, size = (2.0, 3.0), (10.0, 20.0)  # before and now
    >>> shapley(lambda now: price["price" in now] * size["size" in now], ["price", "size"])
    {'price': 15.0, 'size': 25.0}
    """
    known = {
        frozenset(chosen): value(frozenset(chosen))
        for many in range(len(factors) + 1)
        for chosen in combinations(factors, many)
    }
    found = {}
    for factor in factors:
        others = [other for other in factors if other != factor]
        found[factor] = sum(
            Fraction(1, len(factors) * comb(len(others), many))
            * (known[frozenset((*chosen, factor))] - known[frozenset(chosen)])
            for many in range(len(others) + 1)
            for chosen in combinations(others, many)
        )
    return found
