"""Sums by person: each person counts once, and of very many a fair sample is kept.

A person's key is a hash in hexadecimal, so keeping those whose last bits are ones is a sample that
is drawn by no behaviour, and the same on every day.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiguard_dagster.stats.tally import MOST_GROUPS, OTHER, Sums, Tally


def thin(tally: Tally, people: Iterable[str], *, most: int = MOST_GROUPS) -> Tally:
    """Keep half of the people, and half of those, until there are few groups enough.

    Those left out are put together by all other keys, so that no row is lost and only what is told
    by person rests on the sample. Their key says how often the people were halved. After Gibbons,
    "Distinct sampling for highly-accurate answers to distinct values queries and event reports",
    VLDB (2001).

    Args:
        tally: Sums by person and other keys.
        people: The keys that hold hashes of people.
        most: Groups of named people that are kept.

    >>> tally = Tally(keys=("user",), sums=("rows",), groups={(c,): (1,) for c in "01234567"})
    >>> thin(tally, ["user"], most=4).groups
    {('…1',): (4,), ('1',): (1,), ('3',): (1,), ('5',): (1,), ('7',): (1,)}
    """
    for key in people:
        place = tally.keys.index(key)
        reach = Counter(ones(group[place]) for group in tally.groups if _is_named(group[place]))
        if halvings := halvings_of(reach, most):
            tally = _without(tally, place, halvings)
    return tally


def halvings_of(reach: Mapping[int, int], most: int) -> int:
    """How often people must be halved until there are few groups enough.

    Args:
        reach: Groups of named people by how many halvings keep the person.
        most: Groups that are kept.

    >>> halvings_of({0: 4, 1: 2, 2: 2}, most=4)
    1
    """
    halvings, named = 0, sum(reach.values())
    while named > most:
        named -= reach.get(halvings, 0)
        halvings += 1
    return halvings


def _is_named(person: str) -> bool:
    return bool(person) and not person.startswith(OTHER)


def ones(person: str) -> int:
    """How many of the last bits of a hash are ones: so many halvings keep the person.

    >>> ones("a7")
    3
    """
    after = int(person, 16) + 1
    return (after & -after).bit_length() - 1


def _kept(person: str, halvings: int) -> bool:
    """Whether a key names a person who is in the sample."""
    return _is_named(person) and (not halvings or ones(person) >= halvings)


def _without(tally: Tally, place: int, halvings: int) -> Tally:
    groups: dict[tuple[str, ...], Sums] = {}
    for group, sums in tally.groups.items():
        if group[place] and not _kept(group[place], halvings):
            group = (*group[:place], f"{OTHER}{halvings}", *group[place + 1 :])  # noqa: PLW2901
        mine = groups.get(group)
        groups[group] = sums if mine is None else tuple(map(sum, zip(mine, sums, strict=True)))
    return Tally(keys=tally.keys, sums=tally.sums, groups=groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Sums of each person.

    Attributes:
        sums: By the person's hash, then by the name of the sum.
        each: How many people one of them stands for; 1 where all are there.
    """

    sums: Mapping[str, Mapping[str, float]]
    each: int = 1

    @property
    def number(self) -> int:
        """How many people there are; of a sample, about."""
        return len(self.sums) * self.each


def people_of(tally: Tally, key: str, **where: str) -> People:
    """What each person did, in all groups or those whose keys are so.

    >>> groups = {("a", "eu"): (2,), ("a", "us"): (1,), ("b", "eu"): (4,), ("", "eu"): (9,)}
    >>> tally = Tally(keys=("user", "region"), sums=("rows",), groups=groups)
    >>> people_of(tally, "user").sums
    {'a': {'rows': 3}, 'b': {'rows': 4}}
    """
    place = tally.keys.index(key)
    halvings = max(
        (
            int(group[place].removeprefix(OTHER) or 0)
            for group in tally.groups
            if _folded(group, place)
        ),
        default=0,
    )
    found = tally.by(key, *where)
    wanted = tuple(where.values())
    return People(
        sums={
            group[0]: sums
            for group, sums in found.items()
            if group[1:] == wanted and _kept(group[0], halvings)
        },
        each=2**halvings,
    )


def _folded(group: tuple[str, ...], place: int) -> bool:
    return group[place].startswith(OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonMean:
    """A mean over people.

    Attributes:
        value: The mean; None of nobody.
        people: How many of those in hand it is over.
        variance: Of the mean, by chance alone; None of fewer than two.
    """

    value: float | None
    people: int
    variance: float | None


def person_mean(people: People, part: str, whole: str) -> PersonMean:
    """The mean over people of a share of each: whoever does much counts no more than others.

    >>> sums = {"a": {"liked": 0, "told": 10_000}, "b": {"liked": 1, "told": 1}}
    >>> person_mean(People(sums=sums), "liked", "told").value
    0.5
    """
    shares = [each[part] / each[whole] for each in people.sums.values() if each[whole] > 0]
    if not shares:
        return PersonMean(value=None, people=0, variance=None)
    mean = math.fsum(shares) / len(shares)
    spread = math.fsum((share - mean) ** 2 for share in shares)
    known = len(shares) > 1
    variance = spread / (len(shares) - 1) / len(shares) if known else None
    return PersonMean(value=mean, people=len(shares), variance=variance)
