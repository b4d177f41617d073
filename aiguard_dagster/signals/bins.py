"""Which bin of a grid a value lies in, asked of any engine."""

from collections.abc import Sequence
from functools import reduce
from operator import add

import narwhals as nw


def bin_of(value: nw.Expr, edges: Sequence[float]) -> nw.Expr:
    """The number of the bin, as profiles count it: how many edges lie below the value.

    Args:
        value: A number; where it is null, the bin is 0.
        edges: Ascending; none leave one bin.
    """
    above = [nw.when(value > edge).then(nw.lit(1)).otherwise(nw.lit(0)) for edge in edges]
    return reduce(add, above) if above else nw.lit(0)
