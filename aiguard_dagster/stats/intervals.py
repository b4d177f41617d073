"""How far a share may be from what was counted."""

import math

TWO_SIDED_95 = 1.959963984540054


def wilson(hits: float, trials: float, *, z: float = TWO_SIDED_95) -> tuple[float, float]:
    """The interval of a share that is right for few trials and for shares near 0 and 1.

    Of Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927).

    Args:
        hits: How many trials it happened in.
        trials: How many there were; of none everything is possible.
        z: How many standard deviations it reaches; two-sided 95 % when left out.

    Returns:
        The lower and the upper end, 0 to 1.

    Raises:
        ValueError: More hits than trials, or fewer than none.

    >>> low, high = wilson(18, 100)
    >>> round(low, 3), round(high, 3)
    (0.117, 0.267)
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if not 0 <= hits <= trials:
        msg = f"{hits:g} hits in {trials:g} trials"
        raise ValueError(msg)
    if not trials:
        return 0.0, 1.0
    share, square = hits / trials, z * z / trials
    middle = (share + square / 2) / (1 + square)
    reach = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials)) / (1 + square)
    low = 0.0 if hits == 0 else max(0.0, min(share, middle - reach))
    high = 1.0 if hits == trials else min(1.0, max(share, middle + reach))
    return low, high


def share_ratio(
    hits: float, trials: float, other_hits: float, other_trials: float, *, z: float = TWO_SIDED_95
) -> tuple[float, float] | None:
    """The interval of one share as a multiple of another.

    Of Katz, Baptista, Azen and Pike, "Obtaining confidence intervals for the risk ratio in cohort
    studies", Biometrics 34 (1978).

    Args:
        hits: How many trials it happened in.
        trials: How many there were.
        other_hits: The same of the share that it is compared with.
        other_trials: How many there were.
        z: How many standard deviations it reaches; two-sided 95 % when left out.

    Returns:
        The lower and the upper end; None where one of the two never happened, for the logarithm on
        which it rests is not known then.

    >>> low, high = share_ratio(40, 100, 20, 100)
    >>> round(low, 2), round(high, 2)
    (1.26, 3.17)
    """
    if not hits or not other_hits:
        return None
    ratio = (hits / trials) / (other_hits / other_trials)
    spread = math.sqrt(1 / hits - 1 / trials + 1 / other_hits - 1 / other_trials)
    return ratio * math.exp(-z * spread), ratio * math.exp(z * spread)
