"""Hallucination, and groundedness, refusal and toxicity alike: what judges say of answers."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from aiguard_dagster.core.spec.base import Column
from aiguard_dagster.core.spec.limits import Limit
from aiguard_dagster.core.spec.signals.base import Columns, Found, Layer, Limits
from aiguard_dagster.core.spec.signals.tallied import TalliedSignal, TracePiece
from aiguard_dagster.core.spoken import bound, joined, span

Trait = Literal["hallucination", "groundedness", "refusal", "toxicity"]
YES = ("yes", "true", "1", "1.0")
NO = ("no", "false", "0", "0.0")
WRONG: dict[Trait, tuple[str, ...]] = {
    "hallucination": (*YES, "hallucination", "hallucinated"),
    "groundedness": (*NO, "ungrounded"),
    "refusal": (*YES, "refused", "refusal"),
    "toxicity": (*YES, "toxic"),
}
RIGHT: dict[Trait, tuple[str, ...]] = {
    "hallucination": (*NO, "factual", "correct"),
    "groundedness": (*YES, "grounded"),
    "refusal": (*NO, "answered"),
    "toxicity": NO,
}
SPOKEN: dict[Trait, str] = {
    "hallucination": "judged to be hallucinated",
    "groundedness": "judged not to be grounded",
    "refusal": "judged to be refusals",
    "toxicity": "judged to be toxic",
}


class Hallucination(TalliedSignal):
    """The share of judged answers that are judged wrong, with its interval."""

    layer: ClassVar[Layer] = Layer.MODEL
    counted: ClassVar[str] = "judged answers"
    traced: ClassVar[frozenset[TracePiece]] = frozenset({"requests", "feedback"})
    kind: Literal["hallucination"] = "hallucination"
    table: str = "predictions"
    """One of the guard's tables."""
    of: Trait = "hallucination"
    """What is judged."""
    verdict: Column
    """The column with the verdict that counts; null where the answer was not judged."""
    human: Column | None = None
    """The column with a person's own verdict on the same answer, to compare with."""
    judge: Column | None = None
    """The column with what judged, such as ``llm`` or ``human``; not a person's name."""
    wrong: Columns | None = None
    """Verdicts that mean wrong, in any case; such as ``yes`` for a hallucination when left out."""
    right: Columns | None = None
    """Verdicts that mean right; such as ``no`` for a hallucination when left out."""
    failed: Columns = ("error", "failed", "timeout")
    """What stands there when the judge itself failed."""
    below: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """For verdicts that are scores: below it an answer is wrong."""
    above: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """For verdicts that are scores: above it an answer is wrong."""
    min_agreement: Annotated[float, Field(gt=-1, le=1)] | None = None
    """Cohen's kappa of judge and people below which the rule is inconclusive; told only when left
    out."""
    by: Columns | None = None
    """Columns of segments, such as template; the worst is named."""

    @property
    def limits(self) -> Limits:
        """A share, relative to the baseline's, or a budget."""
        choices = "a share such as 5%, above_baseline or false_alarm_every"
        return Limits(
            relative=True, budget=True, share=True, events="judged answers", choices=choices
        )

    @property
    def subject(self) -> str:
        """The share."""
        return f"the share of answers {SPOKEN[self.of]}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Answers with times."""
        return ("time",)

    @property
    def roles(self) -> tuple[str, ...]:
        """A request's name tells repeats."""
        return ("time", "request")

    @property
    def counted_by(self) -> dict[str, Any]:
        """The columns, and what is wrong in them."""
        wide = {"window", "min_samples", "min_coverage", "baseline", "table", "min_agreement"}
        return self.model_dump(exclude=wide)

    @property
    def of_scores(self) -> bool:
        """Whether verdicts are numbers on a scale."""
        return self.below is not None or self.above is not None

    def words(self, meaning: Literal["wrong", "right", "failed"]) -> list[str]:
        """What a verdict of one meaning says, in lower case."""
        usual = {"wrong": WRONG[self.of], "right": RIGHT[self.of], "failed": self.failed}
        own = {"wrong": self.wrong, "right": self.right, "failed": None}
        return [word.lower() for word in own[meaning] or usual[meaning]]

    def off_traces(self, *, by_version: bool) -> Iterator[Found]:
        """Who else judged the same answer, and segments."""
        del by_version
        for option in ("human", "judge", "by", "min_agreement"):
            if getattr(self, option) is not None:
                what = "of traces assessments are counted by name and value, and by nothing else"
                hint = "leave it out; on traces verdict: is the name of an assessment."
                yield (option, what, hint)

    def problems(self) -> Iterator[Found]:
        """Words with two meanings, scores with two, and an agreement with nobody."""
        if self.below is not None and self.above is not None and self.below > self.above:
            what = f"every score is below {self.below:g} or above {self.above:g}"
            yield ("below", what, "swap them, or leave one out.")
        if self.of_scores and (self.wrong or self.right):
            what = "a verdict is a word or a score"
            yield ("wrong" if self.wrong else "right", what, "take it out, or below and above.")
        if not self.of_scores:
            meanings = {"right": self.words("right"), "failed": self.words("failed")}
            for meaning, words in meanings.items():
                both = [word for word in words if word in self.words("wrong")]
                if both:
                    what = f"{both[0]!r} means wrong too"
                    yield (meaning, what, "one word means one thing; name the others as well.")
        if self.min_agreement is not None and self.human is None:
            yield ("min_agreement", "agreement with whom?", "add human: and a column's name.")

    def sentence(self, asset: str, limit: Limit | None) -> str:
        """What must hold."""
        near = bound(limit, "at most", share=True)
        where = f"; the worst by {joined(self.by)} is told" if self.by else ""
        return f"Over the last {span(self.window)}, {self.subject} in {asset} must be {near}{where}"
