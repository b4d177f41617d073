"""What accelerators cost and what of it is idle: load against waste."""

from collections.abc import Iterator
from dataclasses import dataclass

from aiguard_dagster.core.spec import Accelerator
from aiguard_dagster.core.spoken import joined, percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.core.words import figure
from aiguard_dagster.signals.accelerator_counts import count_accelerator
from aiguard_dagster.signals.calls import UNNAMED, date_of
from aiguard_dagster.signals.tallied import Kind, Reading
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.capacity import (
    Factor,
    Fleet,
    split_hours,
    split_idle_cost,
    split_utilisation,
)
from aiguard_dagster.stats.tally import Tally

HOUR = 3_600
DAY_SECONDS = 86_400
UNKNOWN = "an unknown currency"
LEAST = 1e-9
"""Parts of less than this share of the value are rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metrics:
    """A window of metrics: the sums of whole rows, and over how many days.

    Attributes:
        sums: What was counted.
        days: How long the window is.
        currencies: Of the spend, in order.
    """

    sums: dict[str, float]
    days: float
    currencies: tuple[str, ...]

    @property
    def fleet(self) -> Fleet | None:
        """The mean day, rows that are not whole taken to be as the others; None without hours."""
        sums, hours = self.sums, self.sums["seconds"] / HOUR
        if not hours or not self.days:
            return None
        days = self.days * sums["whole"] / sums["rows"]
        return Fleet(
            hours=hours / days,
            used=sums["used"] / sums["rated"] if sums["rated"] else 0.0,
            answered=sums["answered"] / days if sums["counted"] else None,
            price=sums["spend"] / hours,
        )


def read_accelerator(signal: Accelerator, now: Tally, before: Tally | None) -> Reading:
    """The value over all whole rows; parts tell load from waste.

    Coverage is the share of rows that have what is asked for, with values that can be so.
    """
    return _reading(signal, _metrics(now), _metrics(before) if before else None)


def read_window(
    signal: Accelerator, now: Tally, before: Tally | None, current: WindowProfiles
) -> Reading:
    """The same, for a window of known length."""
    length = (current.window.end - current.window.start).total_seconds() / DAY_SECONDS
    found = _metrics(now, days=length * current.partition_coverage)
    return _reading(signal, found, _metrics(before) if before else None)


def _metrics(tally: Tally, *, days: float | None = None) -> _Metrics:
    groups = tally.by("day", "currency")
    spent = {
        currency.strip().upper() or UNKNOWN
        for (_, currency), sums in groups.items()
        if sums["spend"]
    }
    held = {day for day, _ in groups if date_of(day)}
    return _Metrics(
        sums={name: tally.total(name) for name in tally.sums},
        days=len(held) if days is None else days,
        currencies=tuple(sorted(spent - {UNNAMED.upper()})),
    )


def _reading(signal: Accelerator, now: _Metrics, before: _Metrics | None) -> Reading:
    rows, whole = now.sums["rows"], now.sums["whole"]
    notes = list(_notes(signal, now, before))
    fits = signal.of != "idle" or _adds_up(now, before)
    value = _value(signal, now) if whole and fits else None
    if value is None and fits:
        notes += ["no row has what is asked for" if not whole else "no predictions, or no hours"]
    return Reading(
        value=value,
        n=int(whole),
        coverage=whole / rows if rows else 0.0,
        parts=tuple(_parts(signal, now, before)) if value is not None else (),
        note="; ".join(notes),
        unit="share" if signal.of == "utilisation" else "number",
    )


def _adds_up(now: _Metrics, before: _Metrics | None) -> bool:
    """Whether all amounts are in one currency, or in none that is named, and the baseline's too."""
    if len(now.currencies) > 1 or UNKNOWN in now.currencies:
        return False
    return before is None or not now.currencies or now.currencies == before.currencies


def _value(signal: Accelerator, metrics: _Metrics) -> float | None:
    fleet = metrics.fleet
    if signal.of == "queue":
        return metrics.sums["queue"] / metrics.sums["whole"]
    if fleet is None:
        return None
    match signal.of:
        case "idle":
            return fleet.idle_cost if fleet.answered else None
        case "utilisation":
            return fleet.used
        case "hours":
            return fleet.hours


def _notes(signal: Accelerator, now: _Metrics, before: _Metrics | None) -> Iterator[str]:
    if odd := now.sums["odd"]:
        hint = ", or is the utilisation in per cent (scale: percent)?"
        asked = hint if signal.scale == "share" else ""
        yield f"{odd:,.0f} rows have values that cannot be{asked}"
    if signal.of != "idle":
        return
    here, was = now.fleet, before.fleet if before else None
    if here and was:
        bills = [fleet.hours * fleet.price for fleet in (here, was)]
        yield (
            f"{percent(here.used)} used, was {percent(was.used)}, while a day costs"
            f" {figure(bills[0])}, was {figure(bills[1])}"
        )
    if now.currencies == (UNKNOWN,):
        yield f"amounts are in {UNKNOWN}"
    elif len(now.currencies) > 1:
        yield f"amounts in {joined(now.currencies)} are not added up"
    elif before and now.currencies and now.currencies != before.currencies:
        theirs = joined(before.currencies) or "no known currency"
        yield f"amounts are in {now.currencies[0]}, and the baseline's in {theirs}"


def _parts(signal: Accelerator, now: _Metrics, before: _Metrics | None) -> Iterator[Part]:
    """The change by what it comes from, the worst first; the mean day, without a baseline."""
    here, was = now.fleet, before.fleet if before else None
    if here is None:
        return
    if was is None or signal.of == "queue":
        yield from _circumstances(here, was)
        return
    found = _split(signal, was, here)
    low = signal.direction == "low"
    most = max((abs(part) for part in found.values()), default=0.0)
    for factor in sorted(found, key=lambda name: (found[name] if low else -found[name], name)):
        part = found[factor]
        if abs(part) > LEAST * most:
            change = f"{part * 100:+.3g} points" if low else figure(part, sign="+")
            yield Part(
                name="waste" if factor == "utilisation" else factor,
                value=part,
                text=f"{change}: {_state(factor, here, was)}",
            )


def _split(signal: Accelerator, before: Fleet, now: Fleet) -> dict[Factor, float]:
    match signal.of:
        case "idle" if before.answered:
            return split_idle_cost(before, now)
        case "hours" if before.used and now.used:
            return split_hours(before, now)
        case "hours":
            return {"capacity": now.hours - before.hours}
        case "utilisation":
            return split_utilisation(before, now)
        case _:
            return {}


def _circumstances(now: Fleet, before: Fleet | None) -> Iterator[Part]:
    """Load, capacity and utilisation beside a value that is not made of them."""
    factors: tuple[Factor, ...] = ("load", "capacity", *(("utilisation",) if now.used else ()))
    for factor in factors:
        load = now.busy if now.answered is None else now.answered
        value = {"load": load, "capacity": now.hours}.get(factor, now.used)
        yield Part(name=factor, value=value, text=_state(factor, now, before))


def _state(factor: Factor, fleet: Fleet, before: Fleet | None) -> str:
    """A factor now, and what it was."""
    text = "{} {}".format(*_told(factor, fleet)).strip()
    return text if before is None else f"{text}, was {_told(factor, before)[0]}"


def _told(factor: Factor, fleet: Fleet) -> tuple[str, str]:
    """A factor as a number, and its unit."""
    match factor:
        case "load" if fleet.answered is not None:
            return figure(fleet.answered), "predictions a day"
        case "load":
            return figure(fleet.busy), "busy hours a day"
        case "capacity":
            return figure(fleet.hours), "hours a day"
        case "utilisation":
            return percent(fleet.used), "used"
        case "work":
            seconds = fleet.busy * HOUR / (fleet.answered or 1)
            return figure(seconds), "busy seconds a prediction"
        case "price":
            return figure(fleet.price), "an hour"


ACCELERATOR = Kind(count_accelerator, read_accelerator, read_window)
