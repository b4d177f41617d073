"""Drift: have the columns, their joint, or the outcomes given them moved from the baseline?"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.durations import Ratio
from aiguard_dagster.core.spec.limits import AbsoluteLimit, Limit
from aiguard_dagster.core.spec.signals.base import Columns, DeltaSignal, Found, Layer, Limits
from aiguard_dagster.core.spoken import bound, joined, span

Subject = Literal["columns", "joint", "concept"]
Statistic = Literal[
    "effect", "jensen_shannon", "psi", "total_variation", "ks", "wasserstein", "cramers_v"
]
SPOKEN: dict[Statistic, str] = {
    "effect": "an effect",
    "jensen_shannon": "a Jensen-Shannon distance",
    "psi": "a population stability index",
    "total_variation": "a total variation",
    "ks": "a Kolmogorov-Smirnov distance",
    "wasserstein": "a Wasserstein distance",
    "cramers_v": "a Cramér's V",
}
ENDLESS = frozenset({"effect", "psi", "wasserstein"})
"""Statistics without an upper end; the others lie in 0 to 1."""
IN_DEVIATIONS = frozenset({"effect", "wasserstein"})
MOST_JOINT = 40
"""Every pair is summed for every row: 40 columns are 820 products."""


class Drift(DeltaSignal):
    """How far a window has moved from the baseline; the worst column speaks."""

    layer: ClassVar[Layer] = Layer.FEATURES
    counted: ClassVar[str] = "rows"
    kind: Literal["drift"] = "drift"
    of: Subject = "columns"
    """What may move: each of the ``columns`` by itself; ``joint``, whether columns still move
    together, pair by pair; or ``concept``, the outcome given the prediction or other columns."""
    columns: Columns | None = None
    """Columns to compare. When left out: all that the baseline profiled (of predictions, the
    prediction and the score); for ``joint`` all numbers; for ``concept`` the score or the
    prediction."""

    statistic: Statistic = "effect"
    """What is measured. ``effect`` is in standard deviations: 0.1 is as far as a shift by 0.1 of
    them, whatever moved; nulls and unseen values count. Others, for a limit of your own, with
    nulls as one more bin: ``jensen_shannon``, ``psi``, ``total_variation``, ``cramers_v``; of
    numbers without their nulls: ``ks``, and ``wasserstein`` in standard deviations."""
    min_effect: Annotated[Ratio, Field(ge=0)] = 0.1
    """With a budget: no smaller effect is a breach, however many rows show it."""

    @property
    def limits(self) -> Limits:
        """A distance, or a budget."""
        budget = self.statistic == "effect"
        choices = "false_alarm_every, or " if budget else ""
        return Limits(
            budget=budget,
            share=self.statistic not in ENDLESS,
            choices=f"{choices}a distance such as 0.2",
        )

    @property
    def subject(self) -> str:
        """The distance."""
        return SPOKEN[self.statistic]

    @property
    def needs(self) -> tuple[str, ...]:
        """The time column; for the concept also what was said and what was true."""
        return ("time", "prediction", "label") if self.of == "concept" else ("time",)

    def problems(self) -> Iterator[Found]:
        """What is wrong between its own options."""
        if self.of != "columns" and self.statistic != "effect":
            what = f"{self.subject} is taken of columns, and this is drift of the {self.of}"
            yield ("statistic", what, "leave statistic out.")
        if self.of == "joint" and self.columns is not None:
            if len(self.columns) == 1:
                what = "one column does not move together with anything"
                yield ("columns", what, "name two or more, or leave columns out.")
            if len(self.columns) > MOST_JOINT:
                pairs = len(self.columns) * (len(self.columns) + 1) // 2
                what = f"{len(self.columns)} columns are {pairs:,} products a row"
                yield ("columns", what, f"name at most {MOST_JOINT}, those that belong together.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        near = bound(limit, f"{self.subject} of at most")
        if isinstance(limit, AbsoluteLimit) and self.statistic in IN_DEVIATIONS:
            near = f"{near} standard deviations"
        last = f"In the last {span(self.window)} of {asset}"
        match self.of:
            case "columns":
                what = joined(self.columns) or "every column that the baseline profiled"
                return f"{last}, {what} must stay near the baseline: {near}"
            case "joint":
                what = joined(self.columns) or "all columns of numbers"
                return f"{last}, {what} must move together as in the baseline: {near}"
            case "concept":
                what = joined(self.columns) or "what was predicted"
                return f"{last}, outcomes given {what} must stay as in the baseline: {near}"


SHORTEST = timedelta(days=1)
"""Baselines are kept by day, so no shorter window can be calibrated."""
