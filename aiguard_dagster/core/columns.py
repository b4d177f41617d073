"""Columns and their types against the columns and types that should be there: pure comparisons."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher

UNKNOWN = "unknown"
"""The type of a column that shows none, such as one without a single value."""
CLOSE = 0.6
"""Names of which so much is alike are similar."""

Takes = Callable[[str, str], bool]
"""Whether what was expected takes what was found."""


def same_type(expected: str, found: str) -> bool:
    """Whether the types agree; ``any`` takes all, and an unknown type contradicts nothing.

    >>> same_type("int", "float"), same_type("any", "float"), same_type("int", "unknown")
    (False, True, True)
    """
    return expected in {"any", UNKNOWN, found} or found == UNKNOWN


def renamed(
    gone: Mapping[str, str], new: Mapping[str, str], takes: Takes = same_type
) -> dict[str, str]:
    """Pairs of a column that is gone and a new one of its type and of a similar name.

    >>> renamed({"user_id": "int", "age": "int"}, {"userId": "int", "plan": "string"})
    {'user_id': 'userId'}
    """
    likeness = [
        (_alike(old, fresh), old, fresh)
        for old, kind in gone.items()
        for fresh, found in new.items()
        if takes(kind, found)
    ]
    pairs: dict[str, str] = {}
    for alike, old, fresh in sorted(likeness, key=lambda each: -each[0]):
        if alike >= CLOSE and old not in pairs and fresh not in pairs.values():
            pairs[old] = fresh
    return {old: pairs[old] for old in gone if old in pairs}


def _alike(one: str, other: str) -> float:
    """From 0 to 1; letter case and what is neither letter nor digit do not count."""
    one, other = (
        "".join(c for c in name.casefold() if c.isalnum()) or name for name in (one, other)
    )
    shorter, longer = sorted((one, other), key=len)
    if 1 < len(shorter) < len(longer) and longer.startswith(shorter):
        return 0.9
    return SequenceMatcher(None, shorter, longer, autojunk=False).ratio()


def out_of_order(expected: Sequence[str], found: Sequence[str]) -> list[str]:
    """The fewest columns that would have to move for the order to be right.

    Args:
        expected: Names in the order that they should have.
        found: Names in the order that they have; only those of ``expected`` count.

    >>> out_of_order(["a", "b", "c"], ["c", "a", "b"])
    ['c']
    """
    places = {name: place for place, name in enumerate(expected)}
    names = [name for name in found if name in places]
    ends: list[int] = []  # The smallest end of an ordered run of each length,
    last: list[int] = []  # where it stands,
    before: list[int] = []  # and what comes before each name in its longest run.
    for position, name in enumerate(names):
        length = bisect_left(ends, places[name])
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [places[name]]
        last[length : length + 1] = [position]
    stays = set()
    position = last[-1] if last else -1
    while position >= 0:
        stays.add(names[position])
        position = before[position]
    return [name for name in names if name not in stays]
