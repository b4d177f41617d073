"""Cost: what do predictions cost, and what will the month?"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.prices import Price
from aiguard_dagster.core.spec.signals.base import Columns, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.errors import FINE
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal, TracePiece
from aiguard_dagster.core.spoken import bound, span

ACCEPTED = ("accepted", "true", "1")
LONGEST_MONTH = timedelta(days=31)
Per = Literal[1000, "request", "accepted", "day", "month"]
SPOKEN: dict[Per, str] = {
    1000: "the cost of 1,000 predictions in {}",
    "request": "the cost of a request in {}",
    "accepted": "the cost of an accepted result in {}",
    "day": "the cost of a day of {}",
}


class Cost(TalliedSignal):
    """Spend per 1,000 predictions, request, accepted result or day; or a month's against budget."""

    layer: ClassVar[Layer] = Layer.USE
    counted: ClassVar[str] = "predictions"
    traced: ClassVar[frozenset[TracePiece]] = frozenset({"requests", "cost"})
    kind: Literal["cost"] = "cost"
    table: str = "predictions"
    """One of the guard's tables."""
    per: Per = 1000
    """What the spend is divided by: ``1000`` predictions (requests, where the table names them),
    ``request``, ``accepted`` result or ``day``; ``month`` is the forecast of the running month's
    spend, as a share of the budget."""
    budget: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """What a calendar month may cost, with ``per: month``."""
    currency: Annotated[str, Field(min_length=1)] | None = None
    """Which amounts count, where the ledger holds several currencies."""
    prices: Annotated[tuple[Price, ...], Field(min_length=1)] | None = None
    """What a million tokens cost, for calls that the ledger has no cost of."""
    accepts: Columns = ACCEPTED
    """What the decision column says of a result that was accepted."""
    fine: Columns = FINE
    """What the status column says of a call that need not be made again."""

    @property
    def limits(self) -> Limits:
        """A value, relative to the baseline's, or a budget."""
        if self.per == "month":
            choices = "a share of the budget such as 110%, or leave it out for 100%"
            why = "a month is held against its budget, and against no baseline"
            return Limits(default=1.0, percentage=True, against=why, choices=choices)
        choices = "above_baseline, false_alarm_every, or a value"
        return Limits(relative=True, budget=True, choices=choices)

    @property
    def needs(self) -> tuple[str, ...]:
        """Predictions with times, and with costs or with the tokens that have prices."""
        tokens = ("served_by", "input_tokens", "output_tokens")
        per: dict[Per, tuple[str, ...]] = {"request": ("request",), "accepted": ("decision",)}
        return ("time", *(tokens if self.prices else ("cost",)), *per.get(self.per, ()))

    @property
    def roles(self) -> tuple[str, ...]:
        """All that tells where spend comes from."""
        called = ("time", "request", "step", "status", "served_by", "decision")
        return (*called, "cost", "currency", "input_tokens", "output_tokens", "cached_tokens")

    @property
    def counted_by(self) -> dict[str, Any]:
        """What counts as accepted and as failed; prices are applied to what was counted."""
        return {"accepts": self.accepts, "fine": self.fine}

    def off_traces(self, *, by_version: bool) -> Iterator[Found]:
        """Prices of tokens, for those of each model are not counted; and some versions' bill."""
        if self.prices:
            what = "of traces the tokens of each model are not counted"
            yield ("prices", what, "leave them out: MLflow prices the calls.")
        if self.every_version and by_version:
            what = "a bill of days and months is all versions', and these traces count by version"
            yield ("per", what, "give the source by_version: false.")

    @property
    def every_version(self) -> bool:
        """A bill of days and months is all versions'."""
        return self.per in {"day", "month"}

    def problems(self) -> Iterator[Found]:
        """A budget is for a month, and a month must fit into the window."""
        if self.per == "month" and self.budget is None:
            yield ("budget", "a month's forecast is held against a budget", "add budget: 2000.")
        if self.per != "month" and self.budget is not None:
            hint = "add per: month, or give the rule a limit in place of the budget."
            yield ("budget", "a budget is what a month may cost", hint)
        if self.per == "month" and self.window < LONGEST_MONTH:
            what = f"a window of {format_duration(self.window)} does not hold a whole month"
            yield ("window", what, "make it 31d or more.")
        if self.per == "month" and self.baseline is not None:
            what = "a month is held against its budget, and against no first days"
            yield ("baseline", what, "take it out.")
        seen = set()
        for place, price in enumerate(self.prices or ()):
            key = (price.served_by, price.since)
            if key in seen:
                what = f"{price.served_by} has two prices from the same day on"
                yield (f"prices[{place}]", what, "give the later one its since: and a day.")
            seen.add(key)

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        money = f" {self.currency}" if self.currency else ""
        if self.per == "month":
            of = f"the monthly budget of {self.budget:,.10g}{money}"
            most = "at most 100%" if limit is None else bound(limit, "at most", share=True)
            return f"The forecast of what {asset} costs in a month must be {most} of {of}"
        near = bound(limit, "at most")
        return f"Over the last {span(self.window)}, {SPOKEN[self.per].format(asset)} must be {near}"
