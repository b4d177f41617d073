"""People in a grouped query: hashes in place of names, and of very many people a fair sample.

Millions of groups are hashed and put together here, column by column; few of them ever become
Python objects.
"""

import hashlib
from collections import Counter

import polars as pl

from aiguard_dagster.signals.tallied import PART, Counted
from aiguard_dagster.stats.people import halvings_of, ones
from aiguard_dagster.stats.tally import MOST_GROUPS, OTHER

BYTES = 6
"""Of a person's hash; it is written in twice as many hexadecimal digits."""
REACH = "reach"
"""How many halvings keep a person; null where a group names nobody."""


def without_names(
    frame: pl.DataFrame, counted: Counted, *, guard: str, most: int = MOST_GROUPS
) -> pl.DataFrame:
    """The groups with hashes for names, and at most so many of named people in each part.

    Args:
        frame: The rows of the grouped query.
        counted: What they are.
        guard: Whose they are: the hashes of one guard are not those of another.
        most: Groups of named people that are kept in a part, as
            :func:`~aiguard_dagster.stats.people.thin` keeps them.
    """
    for key in counted.hashed:
        parts = _hashed(frame, key, guard).partition_by(PART, maintain_order=True)
        frame = pl.concat([_thinned(part, key, counted, most) for part in parts] or [frame])
    return frame


def hash_of(person: str, guard: str) -> str:
    """What is kept of a person's name: always the same for one guard.

    >>> hash_of("ada", "assistant") == hash_of("ada", "assistant") != hash_of("ada", "scorer")
    True
    """
    key = hashlib.sha256(guard.encode()).digest()
    return hashlib.blake2b(person.encode(), key=key, digest_size=BYTES).hexdigest()


def _hashed(frame: pl.DataFrame, key: str, guard: str) -> pl.DataFrame:
    """Each name as its hash, beside how many halvings keep it."""
    frame = frame.with_columns(pl.col(key).cast(pl.String).fill_null(""))
    names = frame[key].unique()
    people = names.filter(~names.is_in(["", OTHER])).to_list()
    hashes = [hash_of(person, guard) for person in people]
    known = pl.DataFrame(
        {key: people, "hash": hashes, REACH: [ones(found) for found in hashes]},
        schema={key: pl.String, "hash": pl.String, REACH: pl.Int64},
    )
    found = frame.join(known, on=key, how="left")
    return found.with_columns(pl.coalesce("hash", key).alias(key)).drop("hash")


def _thinned(part: pl.DataFrame, key: str, counted: Counted, most: int) -> pl.DataFrame:
    named = part[REACH].drop_nulls().value_counts()
    halvings = halvings_of(Counter(dict(named.iter_rows())), most)
    sums = [*counted.sums, *(name for names in counted.each.values() for name in names)]
    if not halvings:
        return part.drop(REACH)
    kept = (pl.col(key) == "") | (pl.col(REACH) >= halvings).fill_null(value=False)
    together = pl.when(kept).then(pl.col(key)).otherwise(pl.lit(f"{OTHER}{halvings}"))
    return (
        part.with_columns(together.alias(key), pl.selectors.integer().cast(pl.Int64))
        .group_by(PART, *counted.keys, maintain_order=True)
        .agg(pl.col(sums).sum())
        .select(part.drop(REACH).columns)
    )
