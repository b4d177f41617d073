"""A ledger read from its sums: what was spent on what, and what could not be priced."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from aiguard_dagster.core.spec import Cost
from aiguard_dagster.core.spec.prices import Price, price_of
from aiguard_dagster.core.spoken import joined
from aiguard_dagster.signals.calls import DUPLICATES, UNNAMED, date_of
from aiguard_dagster.signals.cost_counts import BILLED, NEGATIVE, REQUESTS, TOKENS
from aiguard_dagster.stats.spend import ALIKE, Bill, Rates, Use
from aiguard_dagster.stats.tally import Tally

MILLION = 1_000_000
MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Calls of one day and model, in the currency that counts.

    Attributes:
        day: The key of the day.
        served_by: The model or tier.
        sums: What was counted.
        spend: What they cost; None where it is not known.
        price: From the guard's list; None where it has none.
    """

    day: str
    served_by: str
    sums: Mapping[str, float]
    spend: float | None
    price: Price | None


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """A window of a ledger, as one signal reads it.

    Amounts below zero are no costs, amounts in another currency are not added up, and tokens
    without a price cost something unknown: all such calls lower the coverage.
    """

    signal: Cost
    tally: Tally

    @cached_property
    def currencies(self) -> tuple[str, ...]:
        """The currencies of known amounts, in order; none where the table names no such column."""
        groups = self.tally.by("currency", "known")
        found = {name.strip().upper() for name, known in groups if known == BILLED}
        return tuple(sorted(found - {UNNAMED.upper(), ""}))

    @property
    def currency(self) -> str:
        """The currency that counts; empty where none is known, or several are."""
        if self.signal.currency:
            return self.signal.currency.strip().upper()
        return self.currencies[0] if len(self.currencies) == 1 else ""

    @property
    def is_mixed(self) -> bool:
        """Whether amounts of several currencies stand side by side, and none is named."""
        return len(self.currencies) > 1 and not self.signal.currency

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """All calls, by day and model and by how their cost is known."""
        return tuple(self._lines())

    def _lines(self) -> Iterator[Line]:
        wanted = {self.currency, UNNAMED.upper()} - {""}
        for (day, model, currency, known), sums in self.tally.by(
            "day", "served_by", "currency", "known"
        ).items():
            if known == REQUESTS:
                continue
            price = price_of(self.signal.prices or (), model, date_of(day))
            spend = None
            if known == BILLED and currency.strip().upper() in wanted:
                spend = sums["spend"]
            elif known == TOKENS and price is not None:
                spend = _listed(sums, price)
            yield Line(day=day, served_by=model, sums=sums, spend=spend, price=price)

    @cached_property
    def calls(self) -> float:
        """All calls."""
        return sum(line.sums["rows"] for line in self.lines)

    @cached_property
    def priced(self) -> float:
        """Calls of known cost."""
        return sum(line.sums["rows"] for line in self.lines if line.spend is not None)

    @cached_property
    def dated(self) -> float:
        """Calls of known cost and day."""
        priced = [line for line in self.lines if line.spend is not None]
        return sum(line.sums["rows"] for line in priced if date_of(line.day))

    def spend_of(self, day: str) -> float:
        """What the calls of a day cost; those of unknown cost or day are taken to be as others."""
        of_day = [line.spend for line in self.lines if line.spend is not None and line.day == day]
        return sum(of_day) * self.calls / self.dated if self.dated else 0.0

    @cached_property
    def days(self) -> tuple[str, ...]:
        """The days that have calls, in order."""
        return tuple(sorted({line.day for line in self.lines if date_of(line.day)}, key=int))

    def total(self, name: str) -> float:
        """A sum over calls, and over requests where they have names."""
        return self.tally.total(name)

    def bill(self, volume: float) -> Bill:
        """The bill of so many requests; there must be calls of known cost."""
        requests, steps = self.total("requests"), self.total("steps")
        return Bill(
            volume=volume,
            steps=steps / requests,
            retries=self.calls / steps,
            uses=self.uses,
        )

    @cached_property
    def uses(self) -> Mapping[str, Use]:
        """What each model was used for, as far as its cost is known."""
        by_model: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.spend is not None and line.sums["rows"]:
                by_model.setdefault(line.served_by, []).append(line)
        return {model: _use(lines) for model, lines in by_model.items()}

    @property
    def notes(self) -> Iterator[str]:
        """What was not counted as it stands, and why."""
        if not self.priced and self.calls:
            yield "no prediction has a price"
        if self.is_mixed:
            held = joined(self.currencies)
            yield f"amounts in {held} are not added up: name one in the rule, as currency:"
        elif others := [name for name in self.currencies if name != self.currency]:
            yield f"amounts in {joined(others)} do not count"
        if unknown := self.tally.total("rows", known=BILLED, currency=""):
            yield f"{unknown:,.0f} amounts have no currency and count as unknown"
        if self.signal.per == "month" and self.dated < self.priced:
            yield f"{self.priced - self.dated:,.0f} calls have no time"
        if negative := self.tally.total("rows", known=NEGATIVE):
            yield f"{negative:,.0f} costs are below zero and count as unknown"
        unpriced = [line for line in self.lines if line.spend is None and _has_tokens(line)]
        if unpriced and self.signal.prices:
            models = sorted({line.served_by or "unknown" for line in unpriced})
            more = f" and {len(models) - MOST_NAMED} more" if len(models) > MOST_NAMED else ""
            calls = sum(line.sums["rows"] for line in unpriced)
            yield f"{calls:,.0f} calls of {', '.join(models[:MOST_NAMED])}{more} have no price"
        if odd := self.total("odd"):
            what = "below zero, or more from the cache than were read"
            yield f"{odd:,.0f} calls have tokens that cannot be: {what}"
        if twice := self.total(DUPLICATES):
            yield f"{twice:,.0f} rows repeat a call and do not count"


def _has_tokens(line: Line) -> bool:
    return bool(line.sums["input"] + line.sums["output"])


def _listed(sums: Mapping[str, float], price: Price) -> float:
    fresh, cached = sums["input"] - sums["cached"], sums["cached"]
    held = price.input if price.cached is None else price.cached
    return (fresh * price.input + cached * held + sums["output"] * price.output) / MILLION


def _use(lines: list[Line]) -> Use:
    def total(name: str) -> float:
        return sum(line.sums[name] for line in lines)

    calls, sized = total("rows"), total("sized")
    each = calls / sized if sized else 0.0  # Calls of unknown size are taken to be as the others.
    return Use(
        calls=calls,
        spend=sum(line.spend or 0.0 for line in lines),
        input=total("input") * each,
        cached=total("cached") * each,
        output=total("output") * each,
        rates=_rates(lines),
    )


def _rates(lines: list[Line]) -> Rates:
    """The list's prices over these calls, each by the tokens it was asked for."""
    priced = [(line, line.price) for line in lines if line.price is not None]
    if not priced:
        return ALIKE

    def mean(name: str, rates: list[float]) -> float:
        tokens = [line.sums[name] for line, _ in priced]
        if not sum(tokens):
            return rates[-1] / MILLION
        weighted = sum(of * rate for of, rate in zip(tokens, rates, strict=True))
        return weighted / sum(tokens) / MILLION

    held = [price.input if price.cached is None else price.cached for _, price in priced]
    return Rates(
        input=mean("input", [price.input for _, price in priced]),
        cached=mean("cached", held),
        output=mean("output", [price.output for _, price in priced]),
    )
