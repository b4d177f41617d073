"""Which segments a value is worst in: the groups of a tally, each read by itself."""

from collections.abc import Callable, Mapping, Sequence

from aiguard_dagster.core.spoken import joined
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.tallied import segments
from aiguard_dagster.stats.tally import OTHER, Tally

FEWEST = 30
"""Rows that a segment must have to be named: fewer say little."""
MOST = 5
"""Segments that are named."""
Where = Mapping[str, str]
Statistic = Callable[[Tally, Where], float | None]


def worst_segments(
    columns: Sequence[str],
    now: Tally,
    before: Tally | None,
    statistic: Statistic,
    *,
    show: Callable[[float], str],
    worst: Callable[[float], float] = float,
    rests_on: Callable[[Tally, Where], float] | None = None,
    called: str = "rows",
) -> tuple[Part, ...]:
    """The segments of the worst values, each with what it was in the baseline.

    Args:
        columns: What the segments are of; none give none.
        now: The window's sums, with a key for each column.
        before: The baseline's.
        statistic: Reads the value of the groups whose keys are so.
        show: Writes a value.
        worst: Larger is worse.
        rests_on: How many rows a value rests on, such as those with a label; all when left out.
        called: What messages call those rows.
    """
    names = segments(columns)
    if not names:
        return ()
    found = []
    for group, sums in now.by(*names).items():
        where, rows = dict(zip(names, group, strict=True)), sums[now.sums[0]]
        if rows < FEWEST or OTHER in group:
            continue
        rows = rests_on(now, where) if rests_on else rows
        value = statistic(now, where) if rows >= FEWEST else None
        if value is not None:
            found.append((worst(value), value, rows, group, where))
    found.sort(key=lambda each: (-each[0], each[3]))
    parts = []
    for _, value, rows, group, where in found[:MOST]:
        was = statistic(before, where) if before else None
        said = [f"{column} {key or 'missing'}" for column, key in zip(columns, group, strict=True)]
        text = f"{show(value)} of {rows:,.0f} {called}"
        text += f", was {show(was)}" if was is not None else ""
        parts.append(Part(name=joined(said), value=value, text=text))
    return tuple(parts)
