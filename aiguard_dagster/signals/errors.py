"""Which share of requests ended in an error, and in which."""

from collections.abc import Mapping

import narwhals as nw

from aiguard_dagster.core.spec import Errors
from aiguard_dagster.core.spoken import percent
from aiguard_dagster.core.verdicts import Part
from aiguard_dagster.signals.batch import Batch, require
from aiguard_dagster.signals.segments import worst_segments
from aiguard_dagster.signals.tallied import PART, Counted, Kind, Reading, segments, text_of
from aiguard_dagster.stats.tally import OTHER, Tally


def count_errors(signal: Errors, batch: Batch, part: nw.Expr) -> Counted:
    """Count requests by segment and status.

    Raises:
        MeasurementError: A column is gone.
    """
    status = batch.table.status or ""
    require(batch, status, *(signal.by or ()))
    keys = ("status", *segments(signal.by))
    columns = zip(keys, (status, *(signal.by or ())), strict=True)
    picked = batch.frame.select(
        part.alias(PART), **{key: text_of(batch, column) for key, column in columns}
    )
    counted = picked.group_by(PART, *keys).agg(nw.len().alias("rows"))
    return Counted(frame=counted, keys=keys, sums=("rows",))


def read_errors(signal: Errors, now: Tally, before: Tally | None) -> Reading:
    """The share over all requests of known status; parts tell the errors, then the segments."""
    known = now.total("rows") - now.total("rows", status="")
    value = _share(signal, now, {})
    return Reading(
        value=value,
        n=int(known),
        coverage=known / now.total("rows") if now.total("rows") else 0.0,
        parts=(
            *_classes(signal, now, before),
            *worst_segments(
                signal.by or (),
                now,
                before,
                lambda tally, where: _share(signal, tally, where),
                show=percent,
            ),
        ),
        note="" if known else "no request has a status",
        unit="share",
        variance=value * (1 - value) / known if value is not None and known else None,
    )


def _is_error(signal: Errors, status: str) -> bool:
    if status in {"", OTHER}:
        return status == OTHER  # Too many statuses to name are none that is fine.
    return status in signal.classes if signal.classes else status not in signal.fine


def _share(signal: Errors, tally: Tally, where: Mapping[str, str]) -> float | None:
    bad = known = 0.0
    for key, sums in tally.by("status", *where).items():
        if key[0] and key[1:] == tuple(where.values()):
            known += sums["rows"]
            bad += sums["rows"] if _is_error(signal, key[0]) else 0
    return bad / known if known else None


def _classes(signal: Errors, now: Tally, before: Tally | None) -> tuple[Part, ...]:
    """The errors, those that grew most first."""
    shares = [_by_class(signal, tally) for tally in (now, before) if tally is not None]
    current, usual = shares[0], shares[1] if before is not None else {}
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


def _by_class(signal: Errors, tally: Tally) -> dict[str, float]:
    counts = {key[0]: sums["rows"] for key, sums in tally.by("status").items() if key[0]}
    known = sum(counts.values())
    return {
        status: rows / known
        for status, rows in counts.items()
        if _is_error(signal, status) and known
    }


ERRORS = Kind(count_errors, read_errors)
