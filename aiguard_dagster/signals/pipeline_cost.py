"""Compute seconds and rows of assets, from the steps that made them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import PipelineCost
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.batch import Batch
from aiguard_dagster.signals.tallied import Counted, Kind, Reading
from aiguard_dagster.stats.tally import Tally, tally_of

KEYS = ("asset", "why")
SUMS = (
    *("steps", "seconds", "untimed", "wasted", "retries", "failed", "rows"),
    *("days", "own_runs", "own_rows", "own_counted"),
)
BACKFILL, AGAIN = "backfill", "again"
BY_ROWS = 1000
"""Rows that compute is told for."""
MOST = 5
"""Assets that are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run, which made an asset or tried to.

    Attributes:
        asset: What it makes, as text.
        ended: When it was over.
        why: ``backfill``, ``again`` for a run of failed steps, ``schedule``, ``sensor`` or
            ``hand``.
        attempts: Seconds of each attempt; None where its times are unknown or run backwards.
        failed: Whether the last attempt failed.
        rows: What the materialisation says of its rows; None where it says nothing.
    """

    asset: str
    ended: datetime
    why: str
    attempts: tuple[float | None, ...]
    failed: bool
    rows: int | None


def tally_of_steps(steps: Iterable[Step], *, own: str, days: float, unread: int = 0) -> Tally:
    """Sums of a span of time: a row for each asset and reason, and one of the span itself.

    Args:
        steps: Those that ended in it.
        own: The asset that is guarded; the others are what it is made from.
        days: How long the span is.
        unread: Runs in it that nobody has looked at yet; each counts as a step of unknown time.
    """
    rows: list[tuple[object, ...]] = [
        ("", "", unread, 0.0, unread, *(0,) * 4, days, *(0,) * 3),
    ]
    for step in steps:
        known = [seconds for seconds in step.attempts if seconds is not None]
        wasted = known if step.failed else known[:-1]
        mine = step.asset == own and not step.failed
        rows.append(
            (
                *(step.asset, step.why, 1, sum(known), int(len(known) < len(step.attempts))),
                *(sum(wasted), max(0, len(step.attempts) - 1), int(step.failed), step.rows or 0),
                *(0.0, int(mine), (step.rows or 0) if mine else 0),
                int(mine and step.rows is not None),
            )
        )
    return tally_of(KEYS, SUMS, rows)


def count_pipeline_cost(signal: PipelineCost, batch: Batch, part: nw.Expr) -> Counted:
    """Rows tell nothing of what it took to make them.

    Raises:
        MeasurementError: Always.
    """
    del batch, part
    msg = f"{signal.kind} is counted from runs, and not from rows"
    raise MeasurementError(msg)


def read_pipeline_cost(signal: PipelineCost, now: Tally, before: Tally | None) -> Reading:
    """Compute seconds per day, run or 1,000 rows; parts tell which asset takes more.

    Steps whose times are unknown lower the coverage, and so do materialisations that do not tell
    their rows, where those are asked for. Attempts that failed took their time too.
    """
    steps, value = now.total("steps"), _per(signal, now, None)
    coverage = 1 - now.total("untimed") / steps if steps else 0.0
    note = "" if steps else "no step ran"
    if signal.per == BY_ROWS and steps:
        runs, told = now.total("own_runs"), now.total("own_counted")
        coverage *= told / runs if runs else 0.0
        note = "" if told else "no materialisation tells its rows (dagster/row_count)"
    return Reading(
        value=value,
        n=int(steps - now.total("untimed")),
        coverage=coverage,
        parts=_parts(signal, now, before),
        note=note,
        unit="seconds",
    )


def _per(signal: PipelineCost, tally: Tally, asset: str | None) -> float | None:
    over = {"day": "days", "run": "own_runs", 1000: "own_rows"}[signal.per]
    whole = tally.total(over) / (BY_ROWS if signal.per == BY_ROWS else 1)
    if not whole or not tally.total("steps"):
        return None
    where = {} if asset is None else {"asset": asset}
    return tally.total("seconds", **where) / whole


def _parts(signal: PipelineCost, now: Tally, before: Tally | None) -> tuple[Part, ...]:
    """Assets by how much more they take than before, with what was wasted on what."""
    per = {"day": "a day", "run": "a run", 1000: "for 1,000 rows"}[signal.per]
    found = []
    for (asset,) in now.by("asset"):
        value = _per(signal, now, asset) if asset else None
        if value is None:
            continue
        was = (_per(signal, before, asset) or 0.0) if before else None
        text = f"{value:,.3g} s {per}" + (f", was {was:,.3g} s" if was is not None else "")
        text += _why(now, asset)
        found.append((value - (was or 0.0), asset, value, text))
    found.sort(key=lambda each: (-each[0], each[1]))
    return tuple(Part(name=asset, value=value, text=text) for _, asset, value, text in found[:MOST])


def _why(tally: Tally, asset: str) -> str:
    """Retries, failures, backfills and rows, where there are any."""
    total = {name: tally.total(name, asset=asset) for name in SUMS}
    told = []
    if total["retries"]:
        told.append(f"{total['retries']:,.0f} retries")
    if total["failed"]:
        told.append(f"{total['failed']:,.0f} failures")
    if total["wasted"]:
        told.append(f"{total['wasted']:,.3g} s lost in them")
    for why, spoken in ((BACKFILL, "backfills"), (AGAIN, "runs made again")):
        seconds = tally.total("seconds", asset=asset, why=why)
        if seconds:
            told.append(f"{percent(seconds / total['seconds'])} in {spoken}")
    if total["rows"]:
        told.append(f"{total['rows']:,.0f} rows")
    return "; " + ", ".join(told) if told else ""


PIPELINE_COST = Kind(count_pipeline_cost, read_pipeline_cost)
