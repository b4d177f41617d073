"""Profiles as text: two lines, a head with format and SHA-256, and a body of plain JSON.

A reader takes every format whose head says that it may: keys that it does not know it leaves
alone. A file that was cut or altered does not match its hash, and is never a number.
"""

import hashlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.core.words import with_hint
from aiguard_dagster.stats.profile import BatchProfile, ColumnProfile, Outcomes, Profile, Residuals
from aiguard_dagster.stats.tally import Tally

FORMAT = 2
"""What is written, and the newest that is fully understood."""
READABLE_FROM = 2
"""The oldest reader that a file written here may be given to."""
Json = dict[str, Any]
COUNTS = ("nulls", "nans", "minus_infinite", "plus_infinite")


def batch_to_bytes(batch: BatchProfile) -> bytes:
    """One batch as two lines of text."""
    parts = {version: profile_to_json(part) for version, part in batch.parts.items()}
    body = _line({"grid_id": batch.grid_id, "parts": parts})
    head = {"format": FORMAT, "readable_from": READABLE_FROM, "sha256": _sha256(body)}
    return _line(head) + b"\n" + body + b"\n"


def batch_from_bytes(content: bytes) -> BatchProfile:
    """The inverse of :func:`batch_to_bytes`.

    Raises:
        MeasurementError: It is no profile, was cut or altered, or is of a format beyond this
            version.
    """
    first, _, rest = content.partition(b"\n")
    body = rest.removesuffix(b"\n")
    head = _parsed(first)
    readable = head.get("readable_from")
    if not isinstance(readable, int):
        msg = "not a profile"
        raise MeasurementError(msg)
    if readable > FORMAT:
        what = f"profile of format {head.get('format')}; this version reads up to {FORMAT}"
        raise MeasurementError(with_hint(what, "update aiguard-dagster where profiles are read."))
    if head.get("sha256") != _sha256(body):
        msg = "not a whole profile: it was cut or altered after it was written"
        raise MeasurementError(msg)
    document = _parsed(body)
    try:
        parts = {name: profile_from_json(part) for name, part in document["parts"].items()}
        return BatchProfile(grid_id=str(document["grid_id"]), parts=parts)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        msg = f"not a whole profile: {error!r}"
        raise MeasurementError(msg) from error


def profile_to_json(profile: Profile) -> Json:
    """One profile as plain JSON values; what is zero or empty is left out."""
    outcomes = profile.outcomes
    document: Json = {
        "rows": profile.rows,
        "columns": {name: _column_to_json(column) for name, column in profile.columns.items()},
    }
    if profile.first and profile.last:
        document["first"], document["last"] = profile.first.isoformat(), profile.last.isoformat()
    told: Json = {
        "labelled": outcomes.labelled,
        "measurable": outcomes.measurable,
        "absolute": _finite(outcomes.absolute),
        "squared": _finite(outcomes.squared),
        "signed": _finite(outcomes.signed),
        "confusion": [[*pair, rows] for pair, rows in sorted(outcomes.confusion.items())],
        "scores": [[*pair, list(counts)] for pair, counts in sorted(outcomes.scores.items())],
        "priced": outcomes.priced,
        "spend": _finite(outcomes.spend),
    }
    document["outcomes"] = {name: value for name, value in told.items() if value}
    if profile.residuals:
        document["residuals"] = {
            name: [list(found.rows), _finites(found.sums), _finites(found.squares)]
            for name, found in profile.residuals.items()
        }
    if profile.products:
        document["products"] = _finites(profile.products)
    if profile.tallies:
        document["tallies"] = {name: _tally_to_json(t) for name, t in profile.tallies.items()}
    return document


def profile_from_json(document: Mapping[str, Any]) -> Profile:
    """The inverse of :func:`profile_to_json`."""
    rows = document["rows"]
    outcomes = document["outcomes"]
    first, last = document.get("first"), document.get("last")
    return Profile(
        rows=rows,
        first=datetime.fromisoformat(first) if first else None,
        last=datetime.fromisoformat(last) if last else None,
        columns={
            name: _column_from_json(column, rows) for name, column in document["columns"].items()
        },
        outcomes=Outcomes(
            labelled=outcomes.get("labelled", 0),
            # Older files did not tell it; where classes were not counted, it is the same.
            measurable=outcomes.get(
                "measurable", 0 if "confusion" in outcomes else outcomes.get("labelled", 0)
            ),
            absolute=outcomes.get("absolute", 0.0),
            squared=outcomes.get("squared", 0.0),
            signed=outcomes.get("signed", 0.0),
            confusion={(label, said): rows for label, said, rows in outcomes.get("confusion", ())},
            scores={
                (label, said): tuple(counts) for label, said, counts in outcomes.get("scores", ())
            },
            priced=outcomes.get("priced", 0),
            spend=outcomes.get("spend", 0.0),
        ),
        residuals={
            name: Residuals(rows=tuple(rows), sums=tuple(sums), squares=tuple(squares))
            for name, (rows, sums, squares) in document.get("residuals", {}).items()
        },
        products=tuple(document.get("products", ())),
        tallies={name: _tally_from_json(t) for name, t in document.get("tallies", {}).items()},
    )


def _tally_to_json(tally: Tally) -> Json:
    groups = [[*group, *_finites(sums)] for group, sums in sorted(tally.groups.items())]
    return {"keys": list(tally.keys), "sums": list(tally.sums), "groups": groups}


def _tally_from_json(document: Mapping[str, Any]) -> Tally:
    keys, sums = tuple(document["keys"]), tuple(document["sums"])
    groups = {}
    for row in document["groups"]:
        group, values = tuple(row[: len(keys)]), tuple(row[len(keys) :])
        if len(values) != len(sums) or not all(isinstance(value, str) for value in group):
            msg = f"a group of {len(row)} is not {len(keys)} keys and {len(sums)} sums"
            raise ValueError(msg)
        groups[group] = values
    return Tally(keys=keys, sums=sums, groups=groups)


def _column_to_json(column: ColumnProfile) -> Json:
    document: Json = {"counts": list(column.counts)}
    document |= {name: found for name in COUNTS if (found := getattr(column, name))}
    if column.lowest is not None and column.highest is not None:
        document["lowest"], document["highest"] = column.lowest, column.highest
        document["mean"], document["spread"] = _finite(column.mean), _finite(column.spread)
    return document


def _column_from_json(document: Mapping[str, Any], rows: int) -> ColumnProfile:
    counts = tuple(document["counts"])
    column = ColumnProfile(
        rows=rows,
        counts=counts,
        nulls=document.get("nulls", 0),
        nans=document.get("nans", 0),
        minus_infinite=document.get("minus_infinite", 0),
        plus_infinite=document.get("plus_infinite", 0),
        lowest=document.get("lowest"),
        highest=document.get("highest"),
        mean=document.get("mean", 0.0),
        spread=document.get("spread", 0.0),
    )
    if sum(counts) + column.missing != rows or min(counts, default=0) < 0:
        msg = f"{rows} rows are not {sum(counts)} counted and {column.missing} missing"
        raise ValueError(msg)
    return column


def _line(document: Json) -> bytes:
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode()


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, Mapping):
        msg = "not a profile"
        raise MeasurementError(msg)
    return document


def _finite(total: float) -> float:
    """The sum, or the largest number there is: JSON has no infinity."""
    if math.isnan(total):
        return 0.0
    return max(-sys.float_info.max, min(total, sys.float_info.max))


def _finites(totals: Sequence[float]) -> list[float]:
    return [_finite(total) for total in totals]
