"""The rows that wait for a person, and whether those that are due were seen."""

import narwhals as nw

from aiguard_dagster.core.durations import format_duration
from aiguard_dagster.core.errors import AIGuardError, MeasurementError
from aiguard_dagster.core.spec.review import Review
from aiguard_dagster.core.verdicts import Evaluation, Measurement, Part, Threshold, Verdict, judge
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, Frame, require
from aiguard_dagster.signals.columns import has_values
from aiguard_dagster.signals.measure import place_of
from aiguard_dagster.signals.moments import seconds_at, seconds_of
from aiguard_dagster.signals.review import (
    reviewed_before,
    seconds_to_review,
    was_reviewed,
    why_review,
)

RULE = "reviewed"
WHY = "review_why"
"""The column of the queue that says why a row is in it."""


def waiting(review: Review, batch: Batch) -> Frame:
    """The rows that must be reviewed and were not, with all their columns and :data:`WHY`.

    Raises:
        MeasurementError: A column is gone, or does not fit the policy.
    """
    if WHY in batch.schema:
        what = f"the table has a column {WHY} of its own"
        raise MeasurementError(with_hint(what, "rename it: the queue writes the reasons there."))
    unseen = why_review(review, batch) != ""
    frame = batch.frame.filter(unseen & ~was_reviewed(batch))
    return frame.with_columns(why_review(review, batch).alias(WHY))


def reasons(queue: Frame) -> dict[str, int]:
    """How many rows of a queue wait for each reason, most first."""
    found = queue.group_by(WHY).agg(nw.len().alias("rows")).collect().select(WHY, "rows")
    counts = {str(why): int(number) for why, number in found.iter_rows()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def evaluate_reviewed(review: Review, batch: Batch) -> Evaluation:
    """Judge whether reviews were made; a failure to measure is the verdict ``error``."""
    try:
        measurement, threshold = measure_reviewed(review, batch)
    except Exception as error:  # noqa: BLE001 - told by the check
        return unmeasured(batch, error)
    verdict, reason = judge(measurement, threshold, min_samples=0)
    if verdict is not Verdict.INCONCLUSIVE:
        reason = f"{reason}; {measurement.note}"
    return Evaluation(
        rule=RULE,
        verdict=verdict,
        measurement=measurement,
        threshold=threshold,
        subject=None,
        reason=reason,
    )


def unmeasured(batch: Batch, error: Exception) -> Evaluation:
    """The evaluation of a table that could not be read or measured."""
    return Evaluation(
        rule=RULE,
        verdict=Verdict.ERROR,
        measurement=Measurement(value=None, n=0, window=batch.span, as_of=batch.as_of),
        threshold=None,
        subject=None,
        reason=str(error) if isinstance(error, AIGuardError) else place_of(error),
    )


def measure_reviewed(review: Review, batch: Batch) -> tuple[Measurement, Threshold]:
    """Of the rows whose review is due, the share that nobody reviewed; none may be so.

    A row is due when ``within`` has passed since its time, and at once where it has no time. While
    none is due the value is unknown, so the verdict is inconclusive; where no row had to be
    reviewed at all it is 0 of all rows.

    Raises:
        MeasurementError: A column is gone, or does not fit the policy.
    """
    counts = _counts(review, batch)
    rows = sum(found["rows"] for found in counts.values())
    needed = {why: found for why, found in counts.items() if why}
    due, missed = (sum(found[name] for found in needed.values()) for name in ("due", "missed"))
    asked = sum(found["rows"] for found in needed.values())
    found = [
        (
            -each["missed"],
            why,
            Part(
                name=why,
                value=float(each["missed"]),
                text=f"{each['missed']:,} of {each['due']:,} that were due were not reviewed",
            ),
        )
        for why, each in needed.items()
        if each["missed"]
    ]
    nothing_asked = bool(rows) and not asked
    value = missed / due if due else 0.0 if nothing_asked else None
    measurement = Measurement(
        value=value,
        n=rows if nothing_asked else due,
        window=batch.span,
        as_of=batch.as_of,
        parts=tuple(part for *_, part in sorted(found, key=lambda each: each[:2])),
        note=_note(review, counts, due=due, asked=asked, rows=rows),
    )
    return measurement, Threshold(value=0, direction="high", unit="share")


def _note(
    review: Review, counts: dict[str, dict[str, int]], *, due: int, asked: int, rows: int
) -> str:
    if not rows:
        return "no rows"
    if not asked:
        return f"none of {rows:,} rows had to be reviewed"
    late = sum(each["late"] for why, each in counts.items() if why)
    early = sum(each["early"] for each in counts.values())
    said = [f"{asked:,} of {rows:,} rows had to be reviewed, {due:,} of them by now"]
    said += [f"{late:,} were reviewed after {format_duration(review.within)}"] if late else []
    said += [f"{early:,} reviews are before their output"] if early else []
    return "; ".join(said)


def _counts(review: Review, batch: Batch) -> dict[str, dict[str, int]]:
    """Rows by the reason for a review, and how they stand."""
    time = batch.table.time or ""
    require(batch, time)
    within = int(review.within.total_seconds())
    latest = seconds_at(batch, time, batch.now) - within
    if has_values(batch, time):
        due = (seconds_of(batch, time) <= latest).fill_null(value=True)
    else:
        due = nw.lit(value=True)
    seen = was_reviewed(batch)
    try:
        late = seen & (seconds_to_review(batch) > within).fill_null(value=False)
    except MeasurementError:
        late = nw.lit(value=False)
    columns = {
        "due": due,
        "missed": due & ~seen,
        "late": late,
        "early": reviewed_before(batch),
    }
    flagged = batch.frame.select(
        why_review(review, batch).alias("why"),
        **{
            name: nw.when(holds).then(nw.lit(1)).otherwise(nw.lit(0))
            for name, holds in columns.items()
        },
    )
    sums = (nw.col(name).sum().alias(name) for name in columns)
    found = flagged.group_by("why").agg(nw.len().alias("rows"), *sums).collect()
    return {
        str(why): {name: int(number) for name, number in zip(("rows", *columns), rest, strict=True)}
        for why, *rest in found.select("why", "rows", *columns).iter_rows()
    }
