"""Whether two who judge the same things agree more than by chance."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two judges on the same things.

    Attributes:
        kappa: 1 is always, 0 as often as by chance, below 0 less often; None where both said but
            one and the same thing, of which nothing can be learned.
        share: Share of the things that they agreed on, 0 to 1.
        n: Things that both judged.
    """

    kappa: float | None
    share: float
    n: int


def agreement(both_yes: float, only_first: float, only_second: float, both_no: float) -> Agreement:
    """Cohen's kappa of two judges who say yes or no.

    Of Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
    Measurement 20 (1960).

    Args:
        both_yes: Things that both said yes to.
        only_first: Yes by the first, no by the second.
        only_second: No by the first, yes by the second.
        both_no: No by both.

    >>> found = agreement(20, 5, 10, 15)
    >>> round(found.kappa, 2), found.share
    (0.4, 0.7)
    """
    n = both_yes + only_first + only_second + both_no
    if not n:
        return Agreement(kappa=None, share=0.0, n=0)
    seen = (both_yes + both_no) / n
    first, second = (both_yes + only_first) / n, (both_yes + only_second) / n
    chance = first * second + (1 - first) * (1 - second)
    kappa = (seen - chance) / (1 - chance) if chance < 1 else None
    return Agreement(kappa=kappa, share=seen, n=int(n))
