"""Evaluations and decisions as Dagster metadata, and back."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import dagster as dg

from aiguard_dagster.adapters.charts import histograms
from aiguard_dagster.core.decisions import Decision, DecisionKind
from aiguard_dagster.core.lifecycle import Point
from aiguard_dagster.core.verdicts import Evaluation, Part, Verdict

Metadata = dict[str, dg.MetadataValue[Any]]
Plain = Mapping[str, Any]
VALUES = ("text", "value", "data", "md_str", "records")
"""The fields in which Dagster writes what our metadata holds."""


def evaluation_metadata(evaluation: Evaluation) -> Metadata:
    """What is recorded with a check evaluation; numbers plot in Dagster's UI."""
    measurement, threshold = evaluation.measurement, evaluation.threshold
    found: Metadata = {
        "aiguard/verdict": dg.MetadataValue.text(evaluation.verdict.value),
        "aiguard/reason": dg.MetadataValue.text(evaluation.reason),
        "aiguard/n": dg.MetadataValue.int(measurement.n),
        "aiguard/coverage": dg.MetadataValue.float(float(measurement.coverage)),
        "aiguard/as_of": dg.MetadataValue.timestamp(measurement.as_of),
        "aiguard/window_start": dg.MetadataValue.timestamp(measurement.window.start),
    }
    if measurement.value is not None and isfinite(measurement.value):
        found["aiguard/value"] = dg.MetadataValue.float(float(measurement.value))
    if measurement.interval is not None:
        low, high = measurement.interval
        found["aiguard/interval_low"] = dg.MetadataValue.float(float(low))
        found["aiguard/interval_high"] = dg.MetadataValue.float(float(high))
    if threshold is not None:
        found["aiguard/limit"] = dg.MetadataValue.float(float(threshold.value))
    if threshold is not None and threshold.source:
        found["aiguard/limit_source"] = dg.MetadataValue.text(threshold.source)
    if measurement.note:
        found["aiguard/note"] = dg.MetadataValue.text(measurement.note)
    if measurement.facts:
        found["aiguard/facts"] = dg.MetadataValue.json(dict(measurement.facts))
    return found | _origin_metadata(evaluation) | _parts_metadata(measurement.parts)


def _origin_metadata(evaluation: Evaluation) -> Metadata:
    """Whom and what an evaluation speaks of."""
    found: Metadata = {}
    if evaluation.series:
        found["aiguard/series"] = dg.MetadataValue.text(evaluation.series)
    if evaluation.subject is not None:
        found["aiguard/champion"] = dg.MetadataValue.text(evaluation.subject)
    if evaluation.in_force_since is not None:
        since = evaluation.in_force_since
        found["aiguard/champion_since"] = dg.MetadataValue.timestamp(since)
    if evaluation.fingerprint:
        found["aiguard/fingerprint"] = dg.MetadataValue.text(evaluation.fingerprint)
    return found


def _parts_metadata(parts: Sequence[Part]) -> Metadata:
    """The columns that explain a measurement, and how the worst of them looked then and now."""
    if not parts:
        return {}
    table = dg.MetadataValue.table(
        records=[
            dg.TableRecord({"column": p.name, "value": float(f"{p.value:.4g}"), "what": p.text})
            for p in parts
        ],
        schema=dg.TableSchema(
            columns=[
                dg.TableColumn("column", "string"),
                dg.TableColumn("value", "float"),
                dg.TableColumn("what", "string"),
            ]
        ),
    )
    drawn = histograms(parts)
    charts: Metadata = {"aiguard/histograms": dg.MetadataValue.md(drawn)} if drawn else {}
    return {"aiguard/columns": table, **charts}


def plain(metadata: Mapping[str, dg.MetadataValue[Any]]) -> Plain:
    """Metadata as plain values."""
    return {key: value.value for key, value in metadata.items()}


def plain_from_json(document: Mapping[str, Mapping[str, Any]]) -> Plain:
    """Metadata as Dagster writes it, as plain values; a table is given as its rows."""
    found: dict[str, Any] = {
        key: next((v for name, v in value.items() if name in VALUES), None)
        for key, value in document.items()
    }
    return {
        key: [row["data"] for row in value] if "records" in document[key] else value
        for key, value in found.items()
    }


def point_from_metadata(metadata: Plain) -> Point | None:
    """The verdict that a check evaluation recorded; None where it is not one of ours."""
    if "aiguard/verdict" not in metadata or "aiguard/as_of" not in metadata:
        return None
    as_of = _time(metadata["aiguard/as_of"])
    start = metadata.get("aiguard/window_start")
    since = metadata.get("aiguard/champion_since")
    return Point(
        as_of=as_of,
        start=_time(start) if start else as_of,
        verdict=Verdict(metadata["aiguard/verdict"]),
        subject=metadata.get("aiguard/champion"),
        in_force_since=_time(since) if since else None,
        reason=str(metadata.get("aiguard/reason") or ""),
        value=metadata.get("aiguard/value"),
        limit=metadata.get("aiguard/limit"),
        n=metadata.get("aiguard/n") or 0,
        series=str(metadata.get("aiguard/series") or ""),
        facts=metadata.get("aiguard/facts") or {},
    )


def decision_metadata(decision: Decision) -> Metadata:
    """What is recorded with a decision."""
    return {
        "aiguard/decision": dg.MetadataValue.text(decision.kind.value),
        "aiguard/as_of": dg.MetadataValue.timestamp(decision.at),
        "aiguard/incident": dg.MetadataValue.text(decision.incident),
        "aiguard/rule": dg.MetadataValue.text(decision.rule),
        "aiguard/reason": dg.MetadataValue.text(decision.reason),
        "aiguard/actor": dg.MetadataValue.text(decision.actor),
        "aiguard/evidence": dg.MetadataValue.json(json.loads(json.dumps(dict(decision.evidence)))),
    }


def decision_from_metadata(metadata: Plain) -> Decision | None:
    """The inverse of :func:`decision_metadata`; None where it is no decision."""
    if "aiguard/decision" not in metadata:
        return None
    return Decision(
        kind=DecisionKind(metadata["aiguard/decision"]),
        at=_time(metadata["aiguard/as_of"]),
        incident=metadata["aiguard/incident"],
        rule=metadata["aiguard/rule"],
        reason=metadata["aiguard/reason"],
        actor=metadata["aiguard/actor"],
        evidence=metadata["aiguard/evidence"],
    )


def _time(value: float) -> datetime:
    return datetime.fromtimestamp(float(value), tz=UTC)
