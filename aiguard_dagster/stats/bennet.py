"""Splitting the change of a mean among the groups that it is the mean of."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

K = TypeVar("K")


class Group(NamedTuple):
    """One group: how much it weighs in the mean, and its own mean."""

    weight: float
    mean: float


def mean_of(groups: Mapping[K, Group]) -> float | None:
    """The mean over all groups; None where nothing weighs anything."""
    weight = sum(group.weight for group in groups.values())
    return sum(g.weight * g.mean for g in groups.values()) / weight if weight else None


def split_mean(before: Mapping[K, Group], now: Mapping[K, Group]) -> dict[K, float]:
    """How much of the change of a mean comes from each group; they add up to the change.

    A group's part is the change of its own mean, at the mean of its two shares, and the change of
    its share, at how far it lies from the mean of all. It depends on no order of the two, which is
    after Bennet, "The theory of measurement of changes in cost of living", Journal of the Royal
    Statistical Society 83 (1920). A group that is new or gone is taken to have had its mean;
    one that weighs nothing has no part.

    Args:
        before: Groups by name; some must weigh something.
        now: The same, now.

    >>> was = {"a": Group(1, 10.0), "b": Group(1, 20.0)}
    >>> now = {"a": Group(1, 10.0), "b": Group(1, 30.0)}
    >>> split_mean(was, now)
    {'a': 0.0, 'b': 5.0}
    """
    shares = [_shares(groups) for groups in (before, now)]
    means = [mean_of(groups) or 0 for groups in (before, now)]
    middle = (means[0] + means[1]) / 2
    found = {}
    for name in dict.fromkeys([*shares[1], *shares[0]]):
        then, here = (share.get(name, 0) for share in shares)
        was = (before if then else now)[name].mean
        is_ = (now if here else before)[name].mean
        found[name] = (then + here) / 2 * (is_ - was) + (here - then) * ((was + is_) / 2 - middle)
    return found


def _shares(groups: Mapping[K, Group]) -> dict[K, float]:
    total = sum(group.weight for group in groups.values())
    return {name: group.weight / total for name, group in groups.items() if group.weight}
