"""Sums by group: what is counted of a batch beyond its columns, and adds up as profiles do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from aiguard_dagster.core.errors import MeasurementError

OTHER = "…"
"""The key of groups that were put together, for there were too many."""
MOST_GROUPS = 2_000
"""Groups that are kept apart in one batch."""
Keys = tuple[str, ...]
Sums = tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums by group.

    Attributes:
        keys: What the groups are told apart by, such as ``("model", "status")``.
        sums: What was summed, such as ``("rows", "spend")``; each adds up over groups and batches.
        groups: The sums of each group, in the order of ``sums``; a missing value's key is empty.
    """

    keys: Keys
    sums: Keys
    groups: Mapping[Keys, Sums] = field(default_factory=dict)

    def total(self, name: str, **where: str) -> float:
        """One sum over all groups, or those whose keys are so.

        >>> tally = Tally(keys=("model",), sums=("rows",), groups={("a",): (2,), ("b",): (3,)})
        >>> tally.total("rows"), tally.total("rows", model="a")
        (5, 2)
        """
        place = self.sums.index(name)
        wanted = [(self.keys.index(key), value) for key, value in where.items()]
        return sum(
            found[place]
            for group, found in self.groups.items()
            if all(group[at] == value for at, value in wanted)
        )

    def by(self, *names: str) -> dict[Keys, dict[str, float]]:
        """All sums by fewer keys, those of most first in each sum's own order.

        >>> tally = Tally(keys=("model",), sums=("rows",), groups={("a",): (2,), ("b",): (3,)})
        >>> tally.by("model")
        {('a',): {'rows': 2}, ('b',): {'rows': 3}}
        """
        places = [self.keys.index(name) for name in names]
        found: dict[Keys, list[float]] = {}
        for group, sums in self.groups.items():
            key = tuple([group[place] for place in places])
            if key in found:
                mine = found[key]
                for place, value in enumerate(sums):
                    mine[place] += value
            else:
                found[key] = list(sums)
        return {key: dict(zip(self.sums, sums, strict=True)) for key, sums in found.items()}


def merge_tallies(tallies: Iterable[Tally]) -> Tally | None:
    """The sum of tallies of one kind; None of none.

    Counts add up exactly, in any order; sums of floats to rounding.

    Raises:
        MeasurementError: They count different things.
    """
    parts = list(tallies)
    if not parts:
        return None
    first = parts[0]
    groups: dict[Keys, list[float]] = {}
    for part in parts:
        if (part.keys, part.sums) != (first.keys, first.sums):
            what = " and ".join(", ".join((*t.keys, *t.sums)) for t in (first, part))
            msg = f"tallies of different things cannot be added: {what}"
            raise MeasurementError(msg)
        for group, sums in part.groups.items():
            if group in groups:
                mine = groups[group]
                for place, value in enumerate(sums):
                    mine[place] += value
            else:
                groups[group] = list(sums)
    added = {group: tuple(sums) for group, sums in groups.items()}
    return Tally(keys=first.keys, sums=first.sums, groups=added)


def fold(tally: Tally, *, most: int = MOST_GROUPS, apart: Sequence[str] = ()) -> Tally:
    """Keep the groups of most rows, and put all others together, so that memory is bounded.

    Groups are ranked by the first sum, ties by their keys. All keys of the one they become are
    :data:`OTHER`, and its sums are theirs, so no row is lost.

    Args:
        tally: What to fold.
        most: Groups that stay as they are.
        apart: Keys of few values, such as what a group counts: those that differ in them are not
            put together, and keep them.

    >>> many = Tally(keys=("user",), sums=("rows",), groups={(str(k),): (k,) for k in range(1, 5)})
    >>> fold(many, most=2).groups
    {('4',): (4,), ('3',): (3,), ('…',): (3,)}
    """
    if len(tally.groups) <= most:
        return tally
    ranked = sorted(tally.groups.items(), key=lambda item: (-item[1][0], item[0]))
    kept, rest = dict(ranked[:most]), ranked[most:]
    found: dict[Keys, list[Sums]] = {}
    for group, sums in rest:
        own = zip(tally.keys, group, strict=True)
        together = tuple(value if key in apart else OTHER for key, value in own)
        found.setdefault(together, []).append(sums)
    for together, theirs in found.items():
        before = [kept.pop(together)] if together in kept else []
        kept[together] = tuple(map(sum, zip(*theirs, *before, strict=True)))
    return Tally(keys=tally.keys, sums=tally.sums, groups=kept)


def tally_of(keys: Sequence[str], sums: Sequence[str], rows: Iterable[Sequence[object]]) -> Tally:
    """A tally from rows of a grouped query: keys first, a null is empty, then sums.

    DuckDB sums whole numbers as decimals, which are whole numbers here as everywhere else.

    >>> tally_of(["model"], ["rows"], [["a", 2], [None, 1]]).groups
    {('a',): (2,), ('',): (1,)}
    """
    width = len(keys)
    groups: dict[Keys, list[float]] = {}
    for row in rows:
        group = tuple("" if value is None else str(value) for value in row[:width])
        mine = groups.setdefault(group, [0] * len(sums))
        for place, value in enumerate(row[width:]):
            mine[place] += _number(value)
    found = {group: tuple(values) for group, values in groups.items()}
    return Tally(keys=tuple(keys), sums=tuple(sums), groups=found)


def _number(value: object) -> float:
    if value is None:
        return 0
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    return value  # type: ignore[return-value]
