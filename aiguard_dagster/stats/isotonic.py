"""A calibration curve: how often scores came true, taken to rise with the score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How often scores came true, by bin.

    Attributes:
        places: Bins in which rows were seen, whole numbers, ascending, shape ``(bins,)``.
        block: For each bin, which block of bins it is in; all of a block share one value.
        rows: By block, the rows it rests on.
        hits: By block, those that came true.
    """

    places: Numbers
    block: NDArray[np.int64]
    rows: Numbers
    hits: Numbers

    def at(self, places: Numbers, values: Numbers | None = None) -> Numbers:
        """The curve in any bins: straight between those that were seen, level beyond them.

        Args:
            places: Bins, shape ``(n,)``.
            values: By block, shape ``(..., blocks)``, for other curves on the same blocks; its own
                when left out.

        Returns:
            Shares, 0 to 1, shape ``(..., n)``.
        """
        own = (self.hits / self.rows if values is None else values)[..., self.block]
        last = len(self.places) - 1
        above = np.searchsorted(self.places, places)
        low, high = np.clip(above - 1, 0, last), np.clip(above, 0, last)
        gap = np.maximum(self.places[high] - self.places[low], 1.0)
        part = np.clip((places - self.places[low]) / gap, 0.0, 1.0)
        return np.asarray(own[..., low] * (1 - part) + own[..., high] * part)

    def drawn(self, rng: np.random.Generator, times: int) -> Numbers:
        """Values by block as they might be, given what was seen: a beta each (Jeffreys).

        Returns:
            Shape ``(times, blocks)``.
        """
        size = (times, len(self.rows))
        return rng.beta(self.hits + 0.5, self.rows - self.hits + 0.5, size=size)


def rising(places: Numbers, rows: Numbers, hits: Numbers) -> Curve:
    """The rising curve nearest to what was seen, by the pool-adjacent-violators algorithm.

    After Ayer, Brunk, Ewing, Reid and Silverman, "An empirical distribution function for sampling
    with incomplete information", Annals of Mathematical Statistics 26 (1955). Zadrozny and Elkan
    (KDD 2002) calibrate scores by it.

    Args:
        places: Bins, ascending, shape ``(bins,)``.
        rows: Rows in each, all above 0.
        hits: Those of them that came true.

    >>> curve = rising(np.arange(3.0), np.array([10.0, 10, 10]), np.array([1.0, 6, 4]))
    >>> curve.at(np.array([0.0, 1, 2])).tolist()
    [0.1, 0.5, 0.5]
    """
    blocks: list[list[float]] = []  # rows, hits, bins
    for row, hit in zip(rows.tolist(), hits.tolist(), strict=True):
        blocks.append([row, hit, 1])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][0] >= blocks[-1][1] * blocks[-2][0]:
            row_, hit_, bins = blocks.pop()
            blocks[-1] = [blocks[-1][0] + row_, blocks[-1][1] + hit_, blocks[-1][2] + bins]
    sizes = np.array([int(each[2]) for each in blocks])
    return Curve(
        places=places,
        block=np.repeat(np.arange(len(blocks)), sizes),
        rows=np.array([each[0] for each in blocks]),
        hits=np.array([each[1] for each in blocks]),
    )
