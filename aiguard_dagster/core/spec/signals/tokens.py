"""Tokens: how much is read and written to answer?"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Count, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal, TracePiece
from aiguard_dagster.core.spoken import bound, span
from aiguard_dagster.core.verdicts import Direction

Of = Literal["total", "input", "output", "cached", "growth", "over"]
SPOKEN: dict[Of, str] = {
    "total": "the tokens of a request in {}",
    "input": "the input tokens of a request in {}",
    "output": "the output tokens of a request in {}",
    "cached": "the share of input tokens of {} that a cache held",
    "growth": "the tokens by which prompts of one task or request in {} grow from call to call",
    "over": "the share of prompts in {} of more than {:,} tokens",
}
SHARES = frozenset({"cached", "over"})
NEEDS: dict[Of, tuple[str, ...]] = {
    "total": ("input_tokens", "output_tokens"),
    "input": ("input_tokens",),
    "output": ("output_tokens",),
    "cached": ("input_tokens", "cached_tokens"),
    "growth": ("input_tokens", "task or request"),
    "over": ("input_tokens",),
}


class Tokens(TalliedSignal):
    """Tokens a request, the share a cache held, the growth of context, or prompts over a size."""

    layer: ClassVar[Layer] = Layer.USE
    counted: ClassVar[str] = "calls"
    traced: ClassVar[frozenset[TracePiece]] = frozenset({"requests", "tokens"})
    kind: Literal["tokens"] = "tokens"
    table: str = "predictions"
    """One of the guard's tables."""
    of: Of = "total"
    """``total``, ``input`` or ``output`` tokens a request (a row, where the table names no
    requests); ``cached``, the share of input tokens read from a cache, whose fall is bad;
    ``growth``, by how many tokens prompts of one task or request grow from call to call; ``over``,
    the share of prompts over a size."""
    size: Count | None = None
    """What a prompt should not exceed, in tokens, with ``of: over``."""

    @property
    def direction(self) -> Direction:
        """Of a cache more is better."""
        return "low" if self.of == "cached" else "high"

    @property
    def limits(self) -> Limits:
        """A value, relative to the baseline's, or a budget."""
        side = "below_baseline" if self.of == "cached" else "above_baseline"
        share = self.of in SHARES
        value = "a share such as 5%" if share else "a number of tokens"
        choices = f"{side}, false_alarm_every, or {value}"
        events = "prompts" if self.of == "over" else ""
        return Limits(relative=True, budget=True, share=share, events=events, choices=choices)

    @property
    def subject(self) -> str:
        """What is counted."""
        words: dict[Of, str] = {
            "cached": "the share of cached tokens",
            "growth": "the growth of context",
            "over": "the share of large prompts",
        }
        return words.get(self.of, f"{self.of} tokens")

    @property
    def needs(self) -> tuple[str, ...]:
        """Calls with times and tokens."""
        return ("time", *NEEDS[self.of])

    @property
    def roles(self) -> tuple[str, ...]:
        """Those, and what explains them."""
        tokens = ("input_tokens", "output_tokens", "cached_tokens")
        return ("time", "task", "request", "step", "template", "caller", "served_by", *tokens)

    @property
    def counted_by(self) -> dict[str, Any]:
        """The size."""
        return {"size": self.size}

    @property
    def by_trace_name(self) -> bool:
        """Always: names are the templates that tokens are explained by."""
        return True

    def off_traces(self, *, by_version: bool) -> Iterator[Found]:
        """What is about single calls and prompts."""
        del by_version
        if self.of in {"growth", "over"}:
            what = f"of traces only sums of tokens are counted, and {self.of} is not told by them"
            yield ("of", what, "choose total, input, output or cached, or use a table of rows.")

    def problems(self) -> Iterator[Found]:
        """``over`` is over something, and nothing else is."""
        if self.of == "over" and self.size is None:
            yield ("size", "over what?", "give size: and a number of tokens.")
        if self.of != "over" and self.size is not None:
            yield ("size", "only of: over has a size", "take it out, or use of: over.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        side = "at least" if self.of == "cached" else "at most"
        near = bound(limit, side, share=self.of in SHARES)
        what = SPOKEN[self.of].format(asset, self.size or 0)
        return f"Over the last {span(self.window)}, {what} must be {near}"
