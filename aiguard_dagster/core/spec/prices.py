"""What tokens cost, for ledgers that hold tokens and no cost."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from pydantic import Field

from aiguard_dagster.core.spec.base import Spec

Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(Spec):
    """What a model or tier asks for a million tokens, from a day on."""

    served_by: Annotated[str, Field(min_length=1)]
    """The model or tier, as the table's ``served_by`` column names it."""
    input: Rate
    """A million input tokens."""
    output: Rate
    """A million output tokens."""
    cached: Rate | None = None
    """A million input tokens read from a cache; as other input when left out."""
    since: date | None = None
    """The first day of this price; it has always been so when left out."""


def price_of(prices: Sequence[Price], served_by: str, day: date | None) -> Price | None:
    """The price in force on a day; None where the list has none.

    Args:
        prices: The list.
        served_by: The model or tier.
        day: None where it is not known: the newest price.

    >>> old, new = (
    ...     Price(served_by="m", input=cost, output=8, since=since)
    ...     for cost, since in ((4, None), (2, date(2026, 3, 1)))
    ... )
    >>> [price_of([new, old], "m", date(2026, month, 1)).input for month in (2, 3)]
    [4.0, 2.0]
    """
    known = [price for price in prices if price.served_by == served_by]
    valid = [price for price in known if not day or (price.since or date.min) <= day]
    return max(valid, key=lambda price: price.since or date.min, default=None)
