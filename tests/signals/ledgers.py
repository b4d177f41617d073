"""Usage ledgers as tallies of each engine, and rules judged on them."""

from datetime import UTC, datetime, timedelta
from functools import partial

import polars as pl
import pytest

from aiguard_dagster.adapters.engines.engine import Plan
from aiguard_dagster.adapters.engines.open import as_frame
from aiguard_dagster.adapters.engines.tallies import tallies_of
from aiguard_dagster.core.verdicts import Window
from aiguard_dagster.signals.kinds import kind_of
from aiguard_dagster.signals.measure import evaluate_tallied
from aiguard_dagster.signals.measure_tallied import Reference
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.grid import Grid
from aiguard_dagster.stats.profile import BatchProfile, Profile
from aiguard_dagster.stats.tally import merge_tallies
from tests.conformance.engines import LOCAL
from tests.signals.batches import rule_of

DAY = timedelta(days=1)
START = datetime(2026, 3, 2)
"""A Monday."""


def signal_of(**options):
    """A signal from the options of a guard's YAML."""
    return rule_of({"window": "7d", "min_samples": 1, **options}).signal


def tallies(signal, rows, table, *, engine="polars", by="version"):
    """What a signal counts of rows, by part; an engine is named, or makes a table of rows."""
    native = (LOCAL[engine] if isinstance(engine, str) else engine)(rows)
    plan = Plan(table=table, grid=Grid(columns={}), by=by, tallies={"sums": signal})
    found = tallies_of(as_frame(native), native, plan)
    return {part: each["sums"] for part, each in found.items()}


def total(signal, rows, table, **more):
    """The same of all rows."""
    return merge_tallies(tallies(signal, rows, table, **more).values())


def read(signal, rows, table, before=None, *, engine="polars"):
    """What a signal reads from rows, beside those of a baseline."""
    sums = partial(total, signal, table=table, engine=engine)
    was = sums(before) if before is not None else None
    return kind_of(signal).read(signal, sums(rows), was)


def parts_of(reading):
    """The values of a reading's parts by name."""
    return {part.name: part.value for part in reading.parts}


def judged(signal, rows, table, *, limit, days=7, baseline=None, champion="1", end=None):
    """One rule on a window of daily batches, against the days of a baseline."""
    rule = rule_of({"min_samples": 1, **signal, "window": f"{days}d"}, limit)
    time = pl.col(table.time).dt.date()
    batches = []
    by_date = rows.with_columns(date_of_row=time).partition_by("date_of_row", include_key=False)
    for day in by_date:
        parts = {
            version: Profile(
                rows=int(sum(sums[0] for sums in tally.groups.values())),
                first=None,
                last=None,
                columns={},
                tallies={"sums": tally},
            )
            for version, tally in tallies(rule.signal, day, table).items()
        }
        batches.append(BatchProfile(grid_id="none", parts=parts))
    stop = end or rows[table.time].max().replace(hour=0, minute=0, second=0) + DAY
    stop = stop if stop.tzinfo else stop.replace(tzinfo=UTC)
    current = WindowProfiles(
        window=Window(start=stop - days * DAY, end=stop),
        batches=batches,
        expected=days,
        champion=champion,
        time_zone=table.time_zone,
    )
    reference = None
    if baseline is not None:
        by_day = tallies(rule.signal, baseline, table, by="day")
        reference = Reference(days=[by_day[day] for day in sorted(by_day)], told="baseline")
    return evaluate_tallied(rule, "sums", current, lambda: reference)


def assert_counted_alike(signal, rows, table, engine):
    """Raise unless an engine counts rows as polars does."""
    expected, found = (total(signal, rows, table, engine=name) for name in ("polars", engine))
    assert (found.keys, found.sums) == (expected.keys, expected.sums)
    assert found.groups.keys() == expected.groups.keys()
    for group, sums in expected.groups.items():
        assert found.groups[group] == pytest.approx(sums)
