"""What predictions cost, and where a change of the bill comes from."""

import math
from collections.abc import Iterator

from aiguard_dagster.core.spec import Cost
from aiguard_dagster.core.spoken import joined
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.cost_counts import count_cost
from aiguard_dagster.signals.cost_ledger import Ledger
from aiguard_dagster.signals.cost_month import Month, month_of
from aiguard_dagster.signals.cost_words import tell
from aiguard_dagster.signals.tallied import Kind, Reading
from aiguard_dagster.signals.window import WindowProfiles
from aiguard_dagster.stats.spend import Bill, split_change
from aiguard_dagster.stats.tally import Tally

LEAST = 1e-9
"""Parts of less than this share of the value are rounding."""


def read_cost(signal: Cost, now: Tally, before: Tally | None) -> Reading:
    """Spend per unit; parts tell how much of the change against the baseline comes from what.

    Coverage is the share of calls whose cost is known: a bill that falls because the price is
    unknown is no saving. Days are those that have calls.
    """
    ledger = Ledger(signal=signal, tally=now)
    return _reading(ledger, before, days=len(ledger.days), month=month_of(ledger, None))


def read_window(signal: Cost, now: Tally, before: Tally | None, current: WindowProfiles) -> Reading:
    """The same, for a window of known length and end."""
    ledger = Ledger(signal=signal, tally=now)
    length = (current.window.end - current.window.start).total_seconds() / 86_400
    days = length * current.partition_coverage
    month = month_of(ledger, current.window.end, current.time_zone)
    return _reading(ledger, before, days=days, month=month)


def _reading(ledger: Ledger, before: Tally | None, *, days: float, month: Month | None) -> Reading:
    signal, notes = ledger.signal, list(ledger.notes)
    was = Ledger(signal=signal, tally=before) if before is not None else None
    known = ledger.priced if signal.per != "month" else ledger.dated
    coverage = known / ledger.calls if ledger.calls else 0.0
    if signal.per == "accepted" and ledger.total("requests"):
        coverage *= ledger.total("decided") / ledger.total("requests")
    bill = _bill(ledger, days) if ledger.priced and not ledger.is_mixed else None
    if bill is None and signal.per == "accepted" and ledger.priced:
        notes.append("no result is known to be accepted")
    other = was.currency if was and was.currency != ledger.currency else ""
    if bill and other and ledger.currency:
        notes.append(f"amounts are in {ledger.currency}, and the baseline's in {other}")
        bill = None
    elif bill and was and was.is_mixed:
        notes.append(f"the baseline's amounts are in {joined(was.currencies)}")
        bill = None
    value: float | None = None
    parts: tuple[Part, ...] = ()
    if bill is not None:
        value = bill.amount * _scale(signal, month)
        usual = _bill(was, len(was.days)) if was and was.priced and not was.is_mixed else None
        parts = tuple(_parts(ledger, was, bill, usual, month))
        if month is not None:
            value = month.forecast / (signal.budget or math.nan)
            notes.insert(0, month.told)
    return Reading(
        value=value,
        n=int(ledger.priced),
        coverage=coverage,
        parts=parts,
        note="; ".join(notes),
        unit="share" if signal.per == "month" else "number",
    )


def _bill(ledger: Ledger, days: float) -> Bill | None:
    """The bill per unit; None where there is no unit."""
    requests = ledger.total("requests")
    match ledger.signal.per:
        case 1000 | "request":
            return ledger.bill(1.0) if requests else None
        case "accepted":
            accepted = ledger.total("accepted")
            return ledger.bill(requests / accepted) if accepted else None
        case "day" | "month":
            return ledger.bill(requests / days) if days and requests else None


def _scale(signal: Cost, month: Month | None) -> float:
    """What a bill's amount is multiplied by, to be in the unit of the value."""
    if month is not None:
        return month.days / (signal.budget or math.nan)
    return float(signal.per) if isinstance(signal.per, int) else 1.0


def _parts(
    now: Ledger, before: Ledger | None, bill: Bill, usual: Bill | None, month: Month | None
) -> Iterator[Part]:
    """The change by what it comes from, the largest rise first; spend by model without one."""
    scale = _scale(now.signal, month)
    if before is None or usual is None:
        spend = {model: use.spend for model, use in now.uses.items()}
        total = sum(spend.values()) or 1.0
        for model in sorted(spend, key=lambda name: (-spend[name], name)):
            share = spend[model] / total
            name = f"served by {model or 'unknown'}" if len(spend) > 1 else "all calls"
            yield Part(
                name=name, value=bill.amount * scale * share, text=f"{share:.0%} of the spend"
            )
        return
    found = split_change(usual, bill)
    largest = max(bill.amount, usual.amount)
    for factor in sorted(found, key=lambda name: (-found[name], name)):
        if abs(found[factor]) > LEAST * largest:
            yield Part(
                name=factor,
                value=found[factor] * scale,
                text=tell(factor, found[factor] * scale, usual, bill, now.signal),
            )


COST = Kind(count_cost, read_cost, read_window)
