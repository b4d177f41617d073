"""Which outputs are used though a review was due, though wrong, or after too short a look."""

import narwhals as nw

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.spec import Overtrust
from aiguard_dagster.core.spec.review import Review
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.signals.batch import Batch, Frame, require
from aiguard_dagster.signals.columns import family_of, has_values, known, plain, type_of
from aiguard_dagster.signals.overtrust_reading import SUMS, read_overtrust
from aiguard_dagster.signals.review import (
    reviewed_before,
    seconds_to_review,
    was_reviewed,
    why_review,
)
from aiguard_dagster.signals.tallied import PART, Counted, Kind, segments, text_of

TRUE, FALSE = nw.lit(value=True), nw.lit(value=False)
FLAGS = ("asked", "sure", "used", "fine", "wrong", "labelled", "early")


def count_overtrust(signal: Overtrust, batch: Batch, part: nw.Expr) -> Counted:
    """Count outputs by person, reason and segment; repeats of a request count once.

    An output that was used, reviewed or wrong in one of its rows was so.

    Raises:
        MeasurementError: A column is gone, or does not fit the policy.
    """
    keys = ("user", "why", *segments(signal.by))
    asked, sure, used, fine, wrong, labelled, early = (nw.col(flag) == 1 for flag in FLAGS)
    right = labelled & ~wrong
    by_metric = {
        "unreviewed": (sure, used & ~fine),
        "skipped": (sure, ~fine),
        "hasty": (sure, ~fine),
        "blind": (sure & wrong, used),
    }
    judged, bad = by_metric[signal.metric]
    ones = {
        "asked": asked,
        "judged": asked & judged,
        "bad": asked & judged & bad,
        "right": asked & sure & right,
        "right_used": asked & sure & right & used,
        "early": early,
    }
    counted = (
        _outputs(signal, batch, part)
        .with_columns(**{name: _one(condition) for name, condition in ones.items()})
        .group_by(PART, *keys)
        .agg(*(nw.col(name).sum().alias(name) for name in SUMS))
    )
    return Counted(frame=counted, keys=keys, sums=SUMS, hashed=("user",))


def _outputs(signal: Overtrust, batch: Batch, part: nw.Expr) -> Frame:
    """One row an output, with 1 in the columns that hold of it, and whoever used it."""
    rows, one, none = _rows(signal, batch, part), nw.lit(1), nw.lit(0)
    if batch.table.request is None:
        return rows.with_columns(rows=one, unnamed=none, repeats=none)
    named, copies = nw.col("request") != "", nw.col("copies")
    flags = {flag: nw.when(named).then(nw.col(flag)).otherwise(none) for flag in FLAGS}
    who, used_it = nw.col("user"), nw.col("used_it")
    return (
        rows.with_columns(used_it=nw.when(nw.col("used") == 1).then(who))
        .group_by(PART, "request", *segments(signal.by))
        .agg(
            *(nw.col(name).max().alias(name) for name in ("user", "used_it", "why", *FLAGS)),
            nw.len().alias("copies"),
        )
        .with_columns(
            **flags,
            user=nw.when(used_it.is_null()).then(who).otherwise(used_it),
            rows=nw.when(named).then(one).otherwise(copies),
            unnamed=nw.when(named).then(none).otherwise(copies),
            repeats=nw.when(named).then(copies - 1).otherwise(none),
        )
    )


def _rows(signal: Overtrust, batch: Batch, part: nw.Expr) -> Frame:
    table, keys = batch.table, segments(signal.by)
    names = (table.time, table.user, table.decision, table.decided_at, table.reviewed)
    more = (table.request, table.prediction if signal.metric == "blind" else None)
    require(batch, *(name for name in (*names, *more) if name), *(signal.by or ()))
    why = why_review(_policy(batch), batch) if _by_policy(signal) else nw.lit("")
    said = text_of(batch, table.decision).str.to_lowercase() if table.decision else nw.lit("")
    picked = batch.frame.select(
        part.alias(PART),
        (text_of(batch, table.user) if table.user else nw.lit("")).alias("user"),
        (text_of(batch, table.request) if table.request else nw.lit("")).alias("request"),
        why.alias("why"),
        said.alias("said"),
        *(_one(holds).alias(name) for name, holds in _facts(signal, batch).items()),
        **{key: text_of(batch, name) for key, name in zip(keys, signal.by or (), strict=True)},
    )
    told = nw.col("said") != ""
    used = nw.col("said").is_in([word.lower() for word in signal.accepted])
    asked = {"blind": TRUE, "hasty": nw.col("seen") == 1}.get(signal.metric, nw.col("why") != "")
    sure = {"unreviewed": told, "blind": told & (nw.col("labelled") == 1), "skipped": TRUE}.get(
        signal.metric, nw.col("timed") == 1
    )
    return picked.with_columns(asked=_one(asked), sure=_one(sure), used=_one(used))


def _facts(signal: Overtrust, batch: Batch) -> dict[str, nw.Expr]:
    """What the metric asks of a row: whether its review is fine, and whether it was right."""
    facts = dict.fromkeys(("seen", "timed", "fine", "wrong", "labelled"), FALSE)
    facts["early"] = reviewed_before(batch)
    match signal.metric:
        case "unreviewed":
            facts["fine"] = was_reviewed(batch)
        case "skipped":
            facts["fine"] = _in_time(batch)
        case "hasty":
            seconds = seconds_to_review(batch)
            facts["seen"] = was_reviewed(batch)
            facts["timed"] = (seconds >= 0).fill_null(value=False)
            slow = seconds >= signal.too_fast.total_seconds()
            facts["fine"] = slow.fill_null(value=False)
        case "blind":
            facts |= _correctness(signal, batch)
    return facts


def _in_time(batch: Batch) -> nw.Expr:
    """Whether a review came within the policy's time; where none is kept, whether it came."""
    reviewed = was_reviewed(batch)
    try:
        late = seconds_to_review(batch) > _policy(batch).within.total_seconds()
    except MeasurementError:
        return reviewed
    return reviewed & ~late.fill_null(value=False)


def _correctness(signal: Overtrust, batch: Batch) -> dict[str, nw.Expr]:
    """Whether a row has a label, and whether its prediction misses it."""
    said, label = batch.table.prediction or "", batch.table.label or ""
    require(batch, said, label)
    there = known(batch, said) & known(batch, label)
    numbers = all(family_of(type_of(batch, name)) == "numbers" for name in (said, label))
    if numbers:
        off = plain(batch, said).cast(nw.Float64) - plain(batch, label).cast(nw.Float64)
        miss = off.abs() > (signal.tolerance or 0.0)
    elif not (has_values(batch, said) and has_values(batch, label)):
        return {}
    elif signal.tolerance is not None:
        what = f"{said} and {label} are not both numbers, so none is near the other"
        raise MeasurementError(with_hint(what, "leave tolerance out."))
    else:
        miss = text_of(batch, said) != text_of(batch, label)
    return {"labelled": there, "wrong": there & miss.fill_null(value=False)}


def _by_policy(signal: Overtrust) -> bool:
    return signal.metric in {"unreviewed", "skipped"}


def _policy(batch: Batch) -> Review:
    if batch.table.review is None:
        msg = with_hint("the table has no review policy", "add review: to the table.")
        raise MeasurementError(msg)
    return batch.table.review


def _one(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))


OVERTRUST = Kind(count_overtrust, read_overtrust)
