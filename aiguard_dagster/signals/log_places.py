"""Times and amounts on the logarithmic grid, in the words of a query."""

import narwhals as nw

from aiguard_dagster.stats.log_bins import NUDGE, PER_DECADE, ZERO_BIN

NEGATIVE, ZERO = "negative", "zero"
"""Keys of values that have no logarithm."""


def place_of(value: nw.Expr) -> nw.Expr:
    """The bin of a number as text: empty where there is none."""
    positive = nw.when(value > 0).then(value).otherwise(nw.lit(1.0))
    place = ((positive.log(10) * PER_DECADE) - NUDGE).ceil().cast(nw.Int64).cast(nw.String)
    sign = nw.when(value == 0).then(nw.lit(ZERO)).otherwise(nw.lit(NEGATIVE))
    return (
        nw.when(value > 0)
        .then(place)
        .otherwise(nw.when(value.is_null()).then(nw.lit("")).otherwise(sign))
    )


def bin_of(place: str) -> int | None:
    """The bin that a key of :func:`place_of` names; None where there is no value, or one below 0.

    >>> bin_of("40"), bin_of("zero"), bin_of("")
    (40, -10000, None)
    """
    if place == ZERO:
        return ZERO_BIN
    return int(place) if place.removeprefix("-").isdigit() else None
