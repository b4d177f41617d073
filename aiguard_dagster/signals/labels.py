"""Labels that are missing, of unknown classes, one-sided, contradictory or slow to arrive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from statistics import median
from typing import Any

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Labels
from aiguard_dagster.core.spoken import percent, spoken
from aiguard_dagster.core.verdicts import Measurement, Part, Threshold
from aiguard_dagster.core.words import shown, with_hint
from aiguard_dagster.signals.batch import Batch, column, require
from aiguard_dagster.signals.columns import count, is_one_of, is_void, known, plain
from aiguard_dagster.signals.moments import seconds_at, seconds_of, zone_of

FEWEST_LABELS = 30
"""Of fewer labels one cannot say that they are one-sided."""
FEWEST_DELAYS = 10
"""A median delay of fewer is not compared."""
FEWEST_BATCHES = 5
"""So many earlier batches make a history to be late against."""
LEAST_DELAY_S = 60.0
"""Shorter delays count as this long: twice nothing is nothing."""
NEVER_S = 1e15
DELAY = "median_delay_s"


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which labels can fail.

    Attributes:
        part: What was measured.
        failed: Whether they did.
        facts: What it leaves for later batches.
    """

    part: Part
    failed: bool
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A way of which nothing can be said, and why."""

    why: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def measure_labels(signal: Labels, batch: Batch) -> tuple[Measurement, Threshold]:
    """Count the ways in which the labels of a batch cannot be relied on; 0 is the limit.

    Ways of which nothing can be said, such as the share of a class among a handful of labels, are
    told in the note and lower the coverage; where there is nothing else, the batch is inconclusive.

    Raises:
        MeasurementError: A column is not declared or gone, or is of a type that cannot be compared.
    """
    label, key = batch.table.label, batch.table.key
    if not label:
        msg = with_hint("labels needs the table's label column", "declare label: in the guard.")
        raise MeasurementError(msg)
    require(batch, label, *(key if signal.consistent else ()))
    counted = _count(signal, batch, label)
    ways: list[Way | Unjudged] = []
    if signal.max_missing is not None:
        ways.append(_missing(signal, signal.max_missing, counted))
    if signal.classes:
        ways.append(_strange(signal, counted))
    if signal.arrived:
        ways.append(_slow(signal, batch, counted))
    if signal.max_share is not None:
        ways.append(_one_sided(signal, signal.max_share, batch, label, counted["labelled"]))
    if signal.consistent and key:
        ways.append(_contradictory(batch, label, counted["labelled"]))
    judged = [way for way in ways if isinstance(way, Way)]
    failed = [way.part for way in judged if way.failed]
    silent = [way.why for way in ways if isinstance(way, Unjudged)]
    rows = int(counted["rows"])
    measurement = Measurement(
        value=float(len(failed)) if judged else None,
        n=rows,
        window=batch.span,
        as_of=batch.as_of,
        coverage=len(judged) / len(ways) if ways else 0.0,
        parts=tuple(failed),
        note="; ".join(silent) if rows else "no rows",
        facts={name: fact for way in ways for name, fact in way.facts.items()},
    )
    return measurement, Threshold(value=0, direction="high")


def _count(signal: Labels, batch: Batch, label: str) -> dict[str, Any]:
    """Rows, labels, what is due, strange classes and the median delay, in one pass."""
    there = known(batch, label)
    due = nw.lit(value=True)
    if signal.due_after:
        time = _time(batch)
        latest = seconds_at(batch, time, batch.now - signal.due_after)
        due = (seconds_of(batch, time) <= latest).fill_null(value=False)
    asked = {"rows": nw.len(), "labelled": count(batch, there)}
    if signal.due_after:
        asked |= {"due": count(batch, due), "missing": count(batch, due & ~there)}
    if signal.classes and not is_void(batch, label):
        member = is_one_of(batch, label, signal.classes, option="classes")
        asked["strange"] = count(batch, there & ~member)
    if signal.arrived:
        asked |= _delays(signal, batch, signal.arrived, there=there, due=due)
    aggregates = [aggregate.alias(name) for name, aggregate in asked.items()]
    (row,) = batch.frame.select(*aggregates).collect().rows(named=True)
    counted = {
        name: 0 if value is None and name != "delay" else value for name, value in row.items()
    }
    if not signal.due_after:
        counted |= {"due": counted["rows"], "missing": counted["rows"] - counted["labelled"]}
    return counted


def _time(batch: Batch) -> str:
    time = batch.table.time
    if not time:
        msg = with_hint("delays need the table's time column", "declare time: in the guard.")
        raise MeasurementError(msg)
    require(batch, time)
    return time


def _delays(
    signal: Labels, batch: Batch, arrived: str, *, there: nw.Expr, due: nw.Expr
) -> dict[str, nw.Expr]:
    """The median delay. Of rows that are due, those without a label count as later than all."""
    time = _time(batch)
    if (zone_of(batch, time) is None) != (zone_of(batch, arrived) is None):
        what = f"of {time} and {arrived} only one has a time zone"
        raise MeasurementError(with_hint(what, "give both one, or neither."))
    delay = (seconds_of(batch, arrived) - seconds_of(batch, time)).cast(nw.Float64)
    told = there & ~delay.is_null()
    if not signal.due_after:
        return {"delays": count(batch, told), "delay": nw.when(told).then(delay).median()}
    waiting = due & ~there
    late = nw.when(waiting).then(nw.lit(NEVER_S)).otherwise(nw.when(due & told).then(delay))
    return {"delays": count(batch, waiting | due & told), "delay": late.median()}


def _missing(signal: Labels, most: float, counted: Mapping[str, Any]) -> Way | Unjudged:
    due, missing = counted["due"], counted["missing"]
    age = f" older than {spoken(signal.due_after)}" if signal.due_after else ""
    if not due:
        return Unjudged(f"no rows{age}")
    share = missing / due
    text = f"{missing:,} of {due:,} rows{age} have no label; at most {percent(most)} may"
    return Way(Part(name="missing", value=share, text=text), failed=share > most)


def _strange(signal: Labels, counted: Mapping[str, Any]) -> Way | Unjudged:
    labelled, strange = counted["labelled"], counted.get("strange", 0)
    if not labelled:
        return Unjudged("no labels, so no classes")
    classes = len(signal.classes or ())
    text = f"{strange:,} of {labelled:,} labels are none of the {classes} classes"
    part = Part(name="unknown classes", value=strange / labelled, text=text)
    return Way(part, failed=strange > 0)


def _slow(signal: Labels, batch: Batch, counted: Mapping[str, Any]) -> Way | Unjudged:
    if counted["delays"] < FEWEST_DELAYS or counted["delay"] is None:
        return Unjudged(f"fewer than {FEWEST_DELAYS} delays")
    now, text = float(counted["delay"]), ""
    facts: dict[str, float] = {DELAY: now}
    if signal.due_after and now >= NEVER_S / 4:
        # Half of the labels are still awaited: they take this long at least.
        now, facts = signal.due_after.total_seconds(), {}
        text = "more than "
    past = [point.facts.get(DELAY) for point in batch.past() if point.as_of < batch.as_of]
    delays = [float(delay) for delay in past if isinstance(delay, int | float)]
    if len(delays) < FEWEST_BATCHES:
        why = f"only {len(delays)} of {FEWEST_BATCHES} earlier batches to compare delays with"
        return Unjudged(why, facts)
    before = median(delays)
    failed = max(now, LEAST_DELAY_S) > signal.slower * max(before, LEAST_DELAY_S)
    if text and not failed:
        return Unjudged("half of the labels that are due are still awaited", facts)
    text = (
        f"the median delay is {text}{_hours(now)}, and was {_hours(before)}"
        f" over {len(delays):,} earlier batches"
    )
    ratio = now / max(before, LEAST_DELAY_S)
    return Way(Part(name="late", value=ratio, text=text), failed=failed, facts=facts)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.3g} hours"


def _one_sided(
    signal: Labels, most: float, batch: Batch, label: str, labelled: int
) -> Way | Unjudged:
    if labelled < FEWEST_LABELS:
        return Unjudged(f"fewer than {FEWEST_LABELS} labels, too few to be one-sided")
    labels = batch.frame.filter(known(batch, label)).select(plain(batch, label).alias("label"))
    sizes = labels.group_by("label").agg(nw.len().alias("n"))
    largest = sizes.sort("n", descending=True).head(1).collect().rows(named=True)[0]
    share = largest["n"] / labelled
    # Only classes that the guard itself names are named.
    named = [shown(name) for name in signal.classes or () if name == largest["label"]]
    one = f"class {named[0]}" if named else "one class"
    text = f"{largest['n']:,} of {labelled:,} labels are of {one}; at most {percent(most)} may"
    return Way(Part(name="one-sided", value=share, text=text), failed=share > most)


def _contradictory(batch: Batch, label: str, labelled: int) -> Way | Unjudged:
    """Keys whose labels differ; a key that lacks a part names no row, and is left out."""
    if not labelled:
        return Unjudged("no labels, so none that differ")
    names = [f"k{position}" for position in range(len(batch.table.key))]
    columns = list(zip(names, batch.table.key, strict=True))
    there = reduce(and_, (known(batch, name) for _, name in columns), known(batch, label))
    rows = batch.frame.filter(there).select(
        *(column(batch, name).alias(short) for short, name in columns),
        plain(batch, label).alias("label"),
    )
    value = nw.col("label")
    grouped = rows.group_by(names).agg(
        nw.len().alias("n"), value.min().alias("least"), value.max().alias("most")
    )
    differ = nw.col("least") != nw.col("most")
    found = grouped.select(
        count(batch, differ).alias("keys"),
        nw.when(differ).then(nw.col("n")).otherwise(nw.lit(0)).sum().alias("rows"),
    )
    keys, on = (int(number or 0) for number in found.collect().row(0))
    text = f"{keys:,} keys have labels that differ, on {on:,} of {labelled:,} labelled rows"
    return Way(Part(name="contradictory", value=float(keys), text=text), failed=keys > 0)
