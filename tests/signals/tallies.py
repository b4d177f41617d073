"""Tables counted as a profile would count them, on any engine, and read."""

import polars as pl

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import as_frame
from aiguard_dagster.adapters.engines.tallies import tallies_of
from aiguard_dagster.signals.kinds import kind_of
from aiguard_dagster.stats.grid import Grid
from aiguard_dagster.stats.tally import merge_tallies


def counted(signal, table, rows, engine=lambda rows: rows):
    """The tally of a table, whatever version made its rows."""
    found = engine(rows)
    plan = Plan(table=table, grid=Grid(), tallies={"it": signal})
    parts = tallies_of(as_frame(found), found, plan)
    return merge_tallies(each["it"] for each in parts.values())


def read(signal, table, rows, before=None):
    """What a signal reads from rows, and from those of a baseline."""
    usual = None if before is None else counted(signal, table, before)
    return kind_of(signal).read(signal, counted(signal, table, rows), usual)


def frame(**columns):
    return pl.DataFrame(columns)


def told(reading):
    """The parts in words."""
    return {part.name: part.text for part in reading.parts}
