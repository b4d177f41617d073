"""Which share of requests ended in an error, and in which."""

from collections.abc import Mapping

import narwhals as nw

from aiguard_dagster.core.spec import Errors
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.batch import Batch, require
from aiguard_dagster.signals.segments import worst_segments
from aiguard_dagster.signals.tallied import PART, Counted, Kind, Reading, segments, text_of
from aiguard_dagster.stats.tally import Tally

ERROR, FINE, UNKNOWN = "error", "fine", ""
"""What became of a request."""


def count_errors(signal: Errors, batch: Batch, part: nw.Expr) -> Counted:
    """Count requests by outcome, status and segment.

    Raises:
        MeasurementError: A column is gone.
    """
    name = batch.table.status or ""
    require(batch, name, *(signal.by or ()))
    columns = zip(segments(signal.by), signal.by or (), strict=True)
    picked = batch.frame.select(
        part.alias(PART),
        text_of(batch, name).alias("status"),
        **{key: text_of(batch, column) for key, column in columns},
    )
    status = nw.col("status")
    listed = status.is_in(list(signal.classes or signal.fine))
    yes, no = (ERROR, FINE) if signal.classes else (FINE, ERROR)
    known = nw.when(listed).then(nw.lit(yes)).otherwise(nw.lit(no))
    outcome = nw.when(status == "").then(nw.lit(UNKNOWN)).otherwise(known)
    keys = ("outcome", "status", *segments(signal.by))
    counted = picked.with_columns(outcome=outcome).group_by(PART, *keys)
    return Counted(
        frame=counted.agg(nw.len().alias("rows")), keys=keys, sums=("rows",), apart=("outcome",)
    )


def outcome_of(signal: Errors, status: str) -> str:
    """What a status says became of a request, as it is counted.

    >>> from datetime import timedelta
    >>> signal = Errors(window=timedelta(days=1))
    >>> [outcome_of(signal, status) for status in ("ok", "timeout", "")]
    ['fine', 'error', '']
    """
    if not status:
        return UNKNOWN
    if signal.classes:
        return ERROR if status in signal.classes else FINE
    return FINE if status in signal.fine else ERROR


def read_errors(signal: Errors, now: Tally, before: Tally | None) -> Reading:
    """The share over all requests of known status; parts tell the errors, then the segments."""
    rows = now.total("rows")
    known = rows - now.total("rows", outcome=UNKNOWN)
    value = _share(now, {})
    return Reading(
        value=value,
        n=int(known),
        coverage=known / rows if rows else 0.0,
        parts=(
            *_classes(now, before),
            *worst_segments(
                signal.by or (),
                now,
                before,
                _share,
                show=percent,
                rests_on=_known,
                called="requests",
            ),
        ),
        note="" if known else "no request has a status",
        unit="share",
        variance=value * (1 - value) / known if value is not None and known else None,
    )


def _share(tally: Tally, where: Mapping[str, str]) -> float | None:
    known = _known(tally, where)
    return tally.total("rows", outcome=ERROR, **where) / known if known else None


def _known(tally: Tally, where: Mapping[str, str]) -> float:
    """Requests that have a status."""
    return sum(tally.total("rows", outcome=each, **where) for each in (ERROR, FINE))


def _classes(now: Tally, before: Tally | None) -> tuple[Part, ...]:
    """The errors, those that grew most first."""
    current, usual = _by_class(now), _by_class(before) if before is not None else {}
    ranked = sorted(current, key=lambda status: (usual.get(status, 0.0) - current[status], status))
    return tuple(
        Part(
            name=status,
            value=current[status],
            text=percent(current[status])
            + (f", was {percent(usual.get(status, 0.0))}" if before is not None else ""),
        )
        for status in ranked
    )


def _by_class(tally: Tally) -> dict[str, float]:
    known = tally.total("rows") - tally.total("rows", outcome=UNKNOWN)
    found = tally.by("outcome", "status").items()
    return {key[1]: sums["rows"] / known for key, sums in found if key[0] == ERROR}


ERRORS = Kind(count_errors, read_errors)
