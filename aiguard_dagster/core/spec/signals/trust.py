"""Trust: do people use what the model says, and do they come back?"""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.spec.base import Column, Spec
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, Count, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal, TracePiece
from aiguard_dagster.core.spoken import bound, joined, span
from aiguard_dagster.core.verdicts import Direction

Outcome = Literal["acceptance", "ignore", "thumbs_down", "correction", "override", "escalation"]
SPOKEN = {
    "acceptance": "the share of answers that people accept",
    "ignore": "the share of answers that people ignore",
    "thumbs_down": "the share of answers with a thumb down",
    "correction": "the share of answers that people correct",
    "override": "the share of answers that people override",
    "escalation": "the share of answers that people escalate",
    "time_to_decision": "the median of the seconds that people take to decide",
    "returning": "the share of people who come back",
    "adoption": "the share of eligible people who are active",
}
OF_PEOPLE = frozenset({"returning", "adoption"})
LOW_IS_BAD = OF_PEOPLE | {"acceptance"}


class Decisions(Spec):
    """What the decision column says, in any case; one word means one thing."""

    acceptance: Columns = ("accepted", "approved", "thumbs_up")
    ignore: Columns = ("ignored", "dismissed")
    thumbs_down: Columns = ("thumbs_down",)
    correction: Columns = ("corrected", "edited")
    override: Columns = ("overridden", "rejected")
    escalation: Columns = ("escalated",)

    def words(self, outcome: str) -> tuple[str, ...]:
        """The words of one outcome, in lower case."""
        found: tuple[str, ...] = getattr(self, outcome)
        return tuple(word.lower() for word in found)


SAYS: dict[str, str] = {
    **dict.fromkeys(("yes", "true", "1", "1.0"), "acceptance"),
    **dict.fromkeys(("no", "false", "0", "0.0"), "thumbs_down"),
}
"""What a rating of a trace says, where it is none of the words of ``decisions``."""
OUTCOMES: tuple[str, ...] = tuple(Decisions.model_fields)
"""What people may do with an answer, from agreement to the strongest objection."""


class Trust(TalliedSignal):
    """What people do with answers; each person counts once, however much they say."""

    layer: ClassVar[Layer] = Layer.USE
    counted: ClassVar[str] = "people"
    traced: ClassVar[frozenset[TracePiece]] = frozenset({"requests", "feedback"})
    kind: Literal["trust"] = "trust"
    table: str = "predictions"
    """One of the guard's tables."""
    metric: Outcome | Literal["time_to_decision", "returning", "adoption"] = "acceptance"
    """``returning`` is the share of the people of a window's first half who are there in its second
    half; ``adoption`` is active people as a share of those who could be."""
    decisions: Decisions = Field(default_factory=Decisions)
    """The words of the decision column."""
    unanswered: Literal["unknown", "ignored"] = "unknown"
    """What no decision means: nobody said, which lowers the coverage; or that it was ignored."""
    eligible: Annotated[int, Field(ge=1, strict=True)] | None = None
    """How many people could use it, for ``adoption``."""
    by: Columns | None = None
    """Columns of segments, such as region; the worst is named."""
    assessment: Column | None = None
    """On traces, the name of the feedback that counts, such as ``thumb``. Nobody counts people
    there, and each rating weighs the same: yes, true and 1 accept; no, false and 0 are thumbs down;
    the words of ``decisions`` mean what they mean."""
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """On traces, for ratings on a scale: below it a rating is a thumb down, else it accepts."""
    min_samples: Count = 30
    """On fewer people the rule is inconclusive; on traces, on fewer ratings."""

    @property
    def direction(self) -> Direction:
        """Objections and hesitation are worse when high, use when low."""
        return "low" if self.metric in LOW_IS_BAD else "high"

    @property
    def limits(self) -> Limits:
        """A value, relative to the baseline's, or a budget."""
        relative = "below_baseline" if self.direction == "low" else "above_baseline"
        share = self.metric != "time_to_decision"
        value = "a share such as 60%" if share else "seconds"
        choices = f"{value}, {relative} or false_alarm_every"
        events = "people's decisions" if share and self.direction == "high" else ""
        return Limits(relative=True, budget=True, share=share, events=events, choices=choices)

    @property
    def subject(self) -> str:
        """What the metric is a share of, or the time."""
        return SPOKEN[self.metric].removesuffix(" that people take to decide")

    @property
    def needs(self) -> tuple[str, ...]:
        """Answers with times and people, and what they decided."""
        if self.metric in OF_PEOPLE:
            return ("time", "user")
        timed = ("decided_at",) if self.metric == "time_to_decision" else ()
        return ("time", "user", "decision", *timed)

    @property
    def needs_of_traces(self) -> tuple[str, ...]:
        """Requests with times; what is missing of people is told by :meth:`off_traces`."""
        return ("time",)

    @property
    def samples(self) -> str:
        """People, or the ratings of traces."""
        return "ratings" if self.assessment else self.counted

    @property
    def roles(self) -> tuple[str, ...]:
        """A request's name tells repeats, the time of a decision what came too early."""
        return ("time", "user", "decision", "decided_at", "request")

    @property
    def counted_by(self) -> dict[str, Any]:
        """The segments, the words, and whether times are counted."""
        return {
            "by": self.by,
            "decisions": self.decisions.model_dump(),
            "unanswered": self.unanswered,
            "timed": self.metric == "time_to_decision",
            **({"assessment": self.assessment, "below": self.below} if self.assessment else {}),
        }

    def off_traces(self, *, by_version: bool) -> Iterator[Found]:
        """Whatever is about people: a server counts ratings by name and value only."""
        del by_version
        rows = "use a table of rows for it."
        if self.metric == "time_to_decision":
            what = "of traces the time of a rating is not counted, so neither is time_to_decision"
            yield ("metric", what, rows)
        elif self.metric in OF_PEOPLE:
            what = f"of traces ratings are counted and not people, so {self.metric} is not told"
            yield ("metric", what, rows)
        elif self.assessment is None:
            what = "of traces decisions are an assessment, and none is named"
            yield ("assessment", what, "add assessment: and its name, such as thumb.")
        if self.by is not None:
            what = "of traces assessments are counted by name and value, and by nothing else"
            yield ("by", what, "leave it out.")
        if self.unanswered == "ignored":
            what = "of traces ratings are counted, and not which requests have one"
            yield ("unanswered", what, "leave it out: they lower the coverage.")

    def off_rows(self) -> Iterator[Found]:
        """Ratings are of traces; a table has a column of decisions."""
        for option in ("assessment", "below"):
            if getattr(self, option) is not None:
                what = "only traces have assessments; a table has a decision column"
                yield (option, what, "take it out, and name the words in decisions:.")

    def problems(self) -> Iterator[Found]:
        """Words with two meanings, and options of another metric."""
        seen: dict[str, str] = {}
        for outcome in OUTCOMES:
            for word in self.decisions.words(outcome):
                first = seen.setdefault(word, outcome)
                if first != outcome:
                    what = f"{word!r} is a word of {first} too"
                    yield (f"decisions.{outcome}", what, "one word means one thing.")
        if self.metric == "adoption" and self.eligible is None:
            yield ("eligible", "a share of how many people?", "say how many could use it.")
        if self.metric != "adoption" and self.eligible is not None:
            what = f"{self.metric} does not ask who could use it"
            yield ("eligible", what, "take it out, or use metric: adoption.")
        if self.metric in OF_PEOPLE and self.baseline and self.baseline < self.window:
            what = f"{self.metric} over a window cannot be told from fewer days"
            yield ("baseline", what, "make it at least as long as the window.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        side = "at least" if self.direction == "low" else "at most"
        near = bound(limit, side, share=self.metric != "time_to_decision")
        where = f", in all and by {joined(self.by)}" if self.by else ""
        which = f"{SPOKEN[self.metric]} in {asset}"
        if self.eligible is not None:
            which += f", of {self.eligible:,},"
        one = "each person counts once"
        if self.assessment is not None:
            one = f"each rating {self.assessment!r} counts"
            one += f", below {self.below:g} as a thumb down" if self.below is not None else ""
        return f"Over the last {span(self.window)}, {which} must be {near}{where}; {one}"
