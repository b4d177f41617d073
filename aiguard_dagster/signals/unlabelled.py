"""Two versions weighed against each other before the labels are known.

Two things can be told of a version without labels: how far today's inputs lie from those that it
was accepted on, and what its metric is expected to be. Neither is proof. The first says nothing of
how much a move matters to the model; the second takes it that scores, or errors by the size of the
prediction, come true as they did then. So only where both are there, and both are clear, and both
say the same, is one version called better or worse.

What this cannot see: outcomes that are no longer what they were for the same inputs. A version can
be at home among today's inputs and wrong about all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aiguard_dagster.core.verdicts import Direction
from aiguard_dagster.signals.drift_reference import DriftReference
from aiguard_dagster.stats.estimate import Estimate
from aiguard_dagster.stats.profile import Profile

MARGIN = 0.1
"""Standard deviations by which one mean distance must be smaller, as for an alarm of drift."""
SHARE = 0.25
"""The share of the other by which it must be smaller: between two that are far off, 0.1 is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far inputs lie from those that a version was accepted on, in standard deviations.

    Attributes:
        mean: The mean of the inputs' effects; each input's largest one counts.
        largest: The largest of them.
        worst: The input that has it.
        inputs: How many inputs were compared.
        noise: What sampling alone makes of an effect, on average: large where rows are few.
    """

    mean: float
    largest: float
    worst: str
    inputs: int
    noise: float = 0.0


def effects_of(
    profile: Profile, reference: DriftReference, columns: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """The largest effect of each column, and its noise, which is taken out of it.

    Columns that have none are left out.

    Args:
        profile: The window, counted on the reference's grid.
        reference: The baseline.
        columns: Columns of the grid.
    """
    if not columns or not profile.rows:
        return {}
    contrast = reference.contrast("columns", tuple(columns))
    now, then = contrast.row(profile), reference.row("columns", tuple(columns))
    found = contrast.compare(now[None, :], then[None, :])
    effects: dict[str, tuple[float, float]] = {}
    noises = np.sqrt(found.noise[0])
    for test, value, noise in zip(contrast.tests, found.corrected[0], noises, strict=True):
        if np.isfinite(value):
            one = float(value), float(noise)
            effects[test.name] = max(one, effects.get(test.name, one))
    return effects


def distance_of(effects: Mapping[str, tuple[float, float]]) -> Distance | None:
    """The effects as one distance; None where there are none."""
    if not effects:
        return None
    worst = max(effects, key=lambda name: effects[name])
    return Distance(
        mean=sum(value for value, _ in effects.values()) / len(effects),
        largest=effects[worst][0],
        worst=worst,
        inputs=len(effects),
        noise=sum(noise for _, noise in effects.values()) / len(effects),
    )


def is_nearer(candidate: Distance, champion: Distance) -> bool | None:
    """Whether inputs are clearly nearer to the candidate's; None where it is not clear.

    Clear is a mean distance that is smaller by :data:`MARGIN`, by :data:`SHARE` of the larger one
    and by more than noise, of a version whose largest distance is not the larger one.

    >>> near, far = (Distance(mean=m, largest=2 * m, worst="a", inputs=2) for m in (0.1, 0.5))
    >>> is_nearer(near, far), is_nearer(far, near), is_nearer(near, near)
    (True, False, None)
    """
    gap = champion.mean - candidate.mean
    noise = max(champion.noise, candidate.noise)
    if abs(gap) < max(MARGIN, SHARE * max(champion.mean, candidate.mean), noise):
        return None
    if gap > 0:
        return True if candidate.largest <= champion.largest else None
    return False if champion.largest <= candidate.largest else None


def is_expected_better(
    candidate: Estimate, champion: Estimate, *, direction: Direction, tolerance: float
) -> bool | None:
    """Whether the candidate's metric is expected to be clearly better; None where it is not clear.

    Clear are intervals that do not meet, around values that differ by more than the share of the
    champion's that estimates are allowed to miss by.

    Args:
        candidate: What its metric is expected to be.
        champion: Likewise.
        direction: The metric's bad direction.
        tolerance: The share that estimates may miss by.

    >>> low, high = Estimate(value=1, low=0.9, high=1.1), Estimate(value=2, low=1.8, high=2.2)
    >>> is_expected_better(low, high, direction="high", tolerance=0.05)
    True
    """
    if abs(candidate.value - champion.value) <= tolerance * abs(champion.value):
        return None
    if candidate.high < champion.low:
        return direction == "high"
    if champion.high < candidate.low:
        return direction == "low"
    return None
