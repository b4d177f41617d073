"""Which outputs a person must review, why, and which were reviewed: in the words of a query."""

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec.review import Region, Review
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, require
from aiguard_dagster.signals.clocks import is_time, seconds_between
from aiguard_dagster.signals.columns import (
    family_of,
    has_values,
    is_one_of,
    known,
    plain,
    rounded,
    type_of,
)

FALSE = nw.lit(value=False)


def why_review(review: Review, batch: Batch) -> nw.Expr:
    """Why an output must be reviewed, as text; empty where it need not.

    A score or a value that is missing makes nobody sure, so it is a reason too; and so is a score
    that is no share, such as one in per cent. The first reason that holds is told.

    Raises:
        MeasurementError: A column is gone, or of a type that the policy does not fit.
    """
    cases: list[tuple[str, nw.Expr]] = []
    if review.uses_score:
        cases += _scores(review, batch)
    for name, region in (review.inside or {}).items():
        outside = f"{name} outside {region.spoken()}"
        cases += [(f"no {name}", ~known(batch, name)), (outside, ~_inside(region, batch, name))]
    why = nw.lit("")
    for text, holds in reversed(cases):
        why = nw.when(holds).then(nw.lit(text)).otherwise(why)
    return why


def was_reviewed(batch: Batch) -> nw.Expr:
    """Whether a person reviewed an output; a review before its output is none.

    Raises:
        MeasurementError: No column says so, it is gone, or it is neither a truth nor a time.
    """
    name = batch.table.reviewed
    if name is None:
        msg = with_hint("no column says what was reviewed", "add reviewed: to the table.")
        raise MeasurementError(msg)
    require(batch, name)
    if is_time(batch, name):
        if batch.table.time is None:
            return known(batch, name)
        return known(batch, name) & ~_below_zero(seconds_between(batch, batch.table.time, name))
    return is_true(batch, name)


def is_true(batch: Batch, name: str) -> nw.Expr:
    """Whether a value is true, or a number that is not 0; what is missing is not.

    Raises:
        MeasurementError: The column is gone, or holds something else.
    """
    if family_of(type_of(batch, name)) in {"truths", "numbers"}:
        return known(batch, name) & ~(plain(batch, name).cast(nw.Float64).fill_null(0.0) == 0)
    if not has_values(batch, name):
        return FALSE
    what = f"{name} holds {type_of(batch, name)}, which is neither a truth nor a time"
    raise MeasurementError(with_hint(what, "keep true and false there, or when it was."))


def reviewed_before(batch: Batch) -> nw.Expr:
    """Whether a review is said to be older than what it is a review of."""
    name, time = batch.table.reviewed, batch.table.time
    if name is None or time is None or not is_time(batch, name):
        return FALSE
    return known(batch, name) & _below_zero(seconds_between(batch, time, name))


def seconds_to_review(batch: Batch) -> nw.Expr:
    """How long after the output the review was: by its own time, or that of the decision.

    Raises:
        MeasurementError: Neither has a time.
    """
    table = batch.table
    if table.reviewed and is_time(batch, table.reviewed):
        return seconds_between(batch, table.time or "", table.reviewed)
    if table.decided_at:
        return seconds_between(batch, table.time or "", table.decided_at)
    if table.reviewed and not has_values(batch, table.reviewed):  # Nobody reviewed anything.
        return seconds_between(batch, table.time or "", table.reviewed)
    what = f"no column says when reviews were made; {table.reviewed} only says whether"
    raise MeasurementError(with_hint(what, "keep the time there, or add decided_at: to the table."))


def _below_zero(seconds: nw.Expr) -> nw.Expr:
    return (seconds < 0).fill_null(value=False)


def _scores(review: Review, batch: Batch) -> list[tuple[str, nw.Expr]]:
    name = batch.table.score or ""
    require(batch, name)
    dtype = type_of(batch, name)
    if family_of(dtype) != "numbers":
        if not has_values(batch, name):  # pandas makes text of what is null throughout.
            return [("no score", ~known(batch, name))]
        what = f"{name} holds {dtype}, and scores are numbers"
        raise MeasurementError(with_hint(what, "name another column as score:."))
    score = plain(batch, name).cast(nw.Float64)
    strange = ((score < 0) | (score > 1)).fill_null(value=False)
    cases = [("no score", ~known(batch, name)), ("score outside 0 to 1", strange)]
    if review.score_below is not None:
        below = score < rounded(review.score_below, dtype)
        cases.append((f"score below {percent(review.score_below)}", below.fill_null(value=False)))
    if review.score_between is not None:
        low, high = review.score_between
        between = (score >= rounded(low, dtype)) & (score <= rounded(high, dtype))
        text = f"score from {percent(low)} to {percent(high)}"
        cases.append((text, between.fill_null(value=False)))
    return cases


def _inside(region: Region, batch: Batch, name: str) -> nw.Expr:
    if region.one_of is not None:
        found = is_one_of(batch, name, region.one_of, option=f"inside.{name}")
        return found.fill_null(value=False)
    if family_of(type_of(batch, name)) != "numbers":
        if not has_values(batch, name):
            return FALSE
        what = f"{name} holds {type_of(batch, name)}, and min and max are numbers"
        raise MeasurementError(with_hint(what, "give one_of, or name another column."))
    value, dtype = plain(batch, name).cast(nw.Float64), type_of(batch, name)
    inside = nw.lit(value=True)
    if region.min is not None:
        inside = inside & (value >= rounded(region.min, dtype))
    if region.max is not None:
        inside = inside & (value <= rounded(region.max, dtype))
    return inside.fill_null(value=False)
