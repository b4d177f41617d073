"""Quantiles of times and amounts from counts on a logarithmic grid that no baseline chooses."""

from collections.abc import Mapping

PER_DECADE = 40
"""Bins in a factor of ten: a bin is 5.9 % wide."""
NUDGE = 1e-9
"""Engines' logarithms differ in the last digit; this keeps round numbers in the bin they end."""

ZERO_BIN = -10_000
"""The bin of zero, which has no logarithm."""


def quantile(counts: Mapping[int, float], share: float) -> float | None:
    """A quantile, known to its bin of 5.9 %: between the ends it is taken to grow steadily.

    Bin ``k`` holds ``10**((k - 1) / 40) < x <= 10**(k / 40)``. After Masson, Rim and Lee,
    "DDSketch", PVLDB 12 (2019), whose relative error has such a bound too.

    Args:
        counts: Values by bin; zeros are in :data:`ZERO_BIN`.
        share: 0 to 1.

    Returns:
        The value that this share of the values does not exceed; None without values.

    >>> quantile({0: 50, 40: 50}, 0.5), quantile({0: 50, 40: 50}, 1.0)
    (1.0, 10.0)
    """
    total = sum(counts.values())
    if not total:
        return None
    wanted, below = share * total, 0.0
    for place in sorted(counts):
        if below + counts[place] >= wanted and counts[place]:
            if place <= ZERO_BIN:
                return 0.0
            inside = (wanted - below) / counts[place]
            return float(10 ** ((place - 1 + inside) / PER_DECADE))
        below += counts[place]
    return float(10 ** (max(counts) / PER_DECADE))
