"""Profiles as plain JSON values, and back."""

import math
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aiguard_dagster.core.errors import MeasurementError
from aiguard_dagster.stats.profile import BatchProfile, ColumnProfile, Outcomes, Profile

FORMAT = 1
Json = dict[str, Any]


def profile_to_json(profile: Profile) -> Json:
    """One profile as plain JSON values."""
    outcomes = profile.outcomes
    return {
        "rows": profile.rows,
        "first": profile.first.isoformat() if profile.first else None,
        "last": profile.last.isoformat() if profile.last else None,
        "columns": {name: _column_to_json(column) for name, column in profile.columns.items()},
        "outcomes": {
            "labelled": outcomes.labelled,
            "absolute": _finite(outcomes.absolute),
            "squared": _finite(outcomes.squared),
            "signed": _finite(outcomes.signed),
            "confusion": [[*pair, rows] for pair, rows in sorted(outcomes.confusion.items())],
            "priced": outcomes.priced,
            "spend": _finite(outcomes.spend),
        },
    }


def _finite(total: float) -> float:
    """The sum, or the largest number there is: JSON has no infinity."""
    return max(-sys.float_info.max, min(total, sys.float_info.max))


def profile_from_json(document: Mapping[str, Any]) -> Profile:
    """The inverse of :func:`profile_to_json`."""
    outcomes = document["outcomes"]
    return Profile(
        rows=document["rows"],
        first=datetime.fromisoformat(document["first"]) if document["first"] else None,
        last=datetime.fromisoformat(document["last"]) if document["last"] else None,
        columns={name: _column_from_json(column) for name, column in document["columns"].items()},
        outcomes=Outcomes(
            labelled=outcomes["labelled"],
            absolute=outcomes["absolute"],
            squared=outcomes["squared"],
            signed=outcomes["signed"],
            confusion={(label, said): rows for label, said, rows in outcomes["confusion"]},
            priced=outcomes["priced"],
            spend=outcomes["spend"],
        ),
    )


def batch_to_json(batch: BatchProfile) -> Json:
    """One batch as plain JSON values."""
    parts = {version: profile_to_json(part) for version, part in batch.parts.items()}
    return {"format": FORMAT, "grid_id": batch.grid_id, "parts": parts}


def batch_from_json(document: object) -> BatchProfile:
    """The inverse of :func:`batch_to_json`.

    Raises:
        MeasurementError: The document is no profile, or of a format this version does not know.
    """
    if not isinstance(document, Mapping):
        msg = f"not a profile but a {type(document).__name__}"
        raise MeasurementError(msg)
    if document.get("format") != FORMAT:
        msg = f"profile of format {document.get('format')!r}; this version reads {FORMAT}"
        raise MeasurementError(msg)
    try:
        parts = {name: profile_from_json(part) for name, part in document["parts"].items()}
        return BatchProfile(grid_id=document["grid_id"], parts=parts)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"not a whole profile: {error!r}"
        raise MeasurementError(msg) from error


def _column_to_json(column: ColumnProfile) -> Json:
    return {
        "rows": column.rows,
        "nulls": column.nulls,
        "infinite": column.infinite,
        "counts": list(column.counts),
        "lowest": column.lowest,
        "highest": column.highest,
        "mean": column.mean if math.isfinite(column.mean) else 0.0,
        "spread": column.spread if math.isfinite(column.spread) else 0.0,
    }


def _column_from_json(document: Mapping[str, Any]) -> ColumnProfile:
    column = ColumnProfile(**{**document, "counts": tuple(document["counts"])})
    if sum(column.counts) + column.nulls != column.rows or min(column.counts, default=0) < 0:
        msg = f"{column.rows} rows are not {sum(column.counts)} counted and {column.nulls} nulls"
        raise ValueError(msg)
    return column
